"""What visitors ask and what must come back, whatever program serves the application.

A row is a request and its answer. An application server passes when every row does.
"""

from __future__ import annotations

from tests.lab.visits.application import ANSWERS, BODIES, HEADERS, REQUESTS
from tests.lab.visits.files import ACCELERATED, FILES

CASES = [*ANSWERS, *BODIES, *REQUESTS, *HEADERS, *FILES, *ACCELERATED]
