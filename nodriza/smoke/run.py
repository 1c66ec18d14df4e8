"""Run the checks one after the other, and tell."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza import alive, foreign
from nodriza.ending import in_order
from nodriza.errors import SmokeError
from nodriza.report.outcome import Outcome
from nodriza.smoke.checks import (
    CHECKS,
    Check,
    aliases_lead_to_the_site,
    backups_are_there,
    children_send_visitors_to_https,
    of_roles,
    pages_of_the_inventory_answer,
    reboot_checks,
)
from nodriza.smoke.site import MOST, Failed, Site

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


@dataclass(frozen=True)
class Checks:
    """What to run, in this order; ``last`` whatever happens before, and however it ends."""

    all: list[Check]
    last: list[Check]


def all_checks(cluster: Cluster, site: Site, *, reboot: bool = False) -> Checks:
    """The cluster's own, its roles', the application's, and the ones that reboot machines."""
    own = [*CHECKS, *of_roles(cluster)]
    if cluster.app.asked:
        own.append(pages_of_the_inventory_answer)
    if cluster.tls.on:
        own.append(children_send_visitors_to_https)
    if cluster.aliases:
        own.append(aliases_lead_to_the_site)
    if cluster.backup:
        own.append(backups_are_there)
    module = _application(cluster)
    checks: list[Check] = [*own, *(module.CHECKS if module else [])]
    last = [module.LAST] if hasattr(module, "LAST") else []
    return Checks([*checks, *reboot_checks(site)] if reboot else checks, last)


def smoke(
    cluster: Cluster, say: Callable[[Outcome], None], *, reboot: bool = False
) -> list[Outcome]:
    """All checks; what they made is taken away again, however they end.

    ``say`` is handed each outcome as it is known.
    """
    site = Site(cluster)
    checks = all_checks(cluster, site, reboot=reboot)
    outcomes: list[Outcome] = []

    def run(some: Iterable[Check]) -> None:
        for outcome in run_checks(site, some):
            outcomes.append(outcome)
            say(outcome)

    with in_order():
        try:
            run(checks.all)
        finally:
            run(checks.last)
        if site.let_in and not site.closed:
            words = "closed for all but this computer and whom you let in: fab maintenance off"
            outcomes.append(Outcome(words, 0.0))
            say(outcomes[-1])
    return outcomes


def run_checks(site: Site, checks: Iterable[Check]) -> Iterator[Outcome]:
    """Each outcome as it is known; a check that breaks is a check that failed."""
    for check in checks:
        began = time.monotonic()
        sentence = (check.__doc__ or check.__name__).strip().splitlines()[0]
        failed = look = ""
        try:
            with alive.waiting(lambda sentence=sentence: f"… {sentence}"):  # type: ignore[misc]
                check(site)
        except Failed as error:
            failed, look = f"expected: {error.expected}\ngot: {error.got}", error.look
        except Exception as error:  # noqa: BLE001  one broken check must not hide the others
            words = foreign.quoted(str(error), MOST)
            failed = f"the check could not be made: {type(error).__name__}: {words}"
        site.patient = site.patient and not failed
        yield Outcome(sentence, time.monotonic() - began, failed, look)


def _application(cluster: Cluster) -> Any:
    """The file that the inventory's ``app.smoke`` names: ``CHECKS``, and perhaps ``LAST``."""
    if not cluster.app.smoke:
        return None
    path = Path(cluster.app.source_path) / cluster.app.smoke
    spec = importlib.util.spec_from_file_location("application_smoke", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SmokeError(f"no file {path}", where=f"{cluster.path}: app.smoke")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
