"""What a check said, for people and for CI servers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Outcome:
    """What a check said. ``failed`` and ``error`` are empty when all is well."""

    sentence: str
    seconds: float
    failed: str = ""
    look: str = ""

    def __str__(self) -> str:
        head = f"{'FAIL' if self.failed else 'ok':<4} {self.sentence} ({self.seconds:.1f} s)"
        lines = [head, *(f"       {line}" for line in self.failed.splitlines())]
        if self.look:
            lines.append(f"       look at: {self.look}")
        return "\n".join(lines)


def junit(outcomes: Iterable[Outcome], name: str) -> bytes:
    """The outcomes as JUnit XML, the form that CI servers read."""
    outcomes = list(outcomes)
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(outcomes)),
        failures=str(sum(bool(outcome.failed) for outcome in outcomes)),
    )
    for outcome in outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=name,
            name=outcome.sentence,
            time=f"{outcome.seconds:.3f}",
        )
        if outcome.failed:
            failure = ET.SubElement(case, "failure", message=outcome.failed.splitlines()[0])
            failure.text = f"{outcome.failed}\nlook at: {outcome.look}"
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))
