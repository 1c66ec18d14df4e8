"""The smoke test: the running cluster, from outside, as its users reach it."""

from nodriza.report.outcome import Outcome
from nodriza.smoke.run import run_checks, smoke
from nodriza.smoke.site import Failed, Site

__all__ = ["Failed", "Outcome", "Site", "run_checks", "smoke"]
