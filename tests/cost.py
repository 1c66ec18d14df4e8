"""What something costs, whatever else the machine does."""

from __future__ import annotations

import time
from collections.abc import Callable


def cost(work: Callable[[], object], enough: float = 0) -> float:
    """Seconds of the processor, the least of three: a machine that stands still counts as busy.

    One that takes less than ``enough`` is not tried again.
    """
    least = float("inf")
    for _ in range(3):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
        if least < enough:
            break
    return least
