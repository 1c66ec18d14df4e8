"""``python -m tests.mutants [LAW|WORD …]``: all faults, or those of a law, or with a word.

Exit 1 when one survives, or can't be planted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutants.fault import Fault
from tests.mutants.laws import faults
from tests.mutants.plant import Verdict, plant_all

ROOT = Path(__file__).parents[2]


def main(words: Sequence[str]) -> int:
    """Print a line for each fault, and at the end those that nobody noticed."""
    chosen = {fault: law for law, fault in _chosen(words)}
    if not chosen:
        print(f"no fault is of {' or '.join(words)}: a law's number, or a word of a fault's name")
        return 2
    began = time.monotonic()
    alive: list[Verdict] = []
    width = max(len(fault.name) for fault in chosen)
    for verdict in plant_all(ROOT, list(chosen)):
        if not verdict.killed:
            alive.append(verdict)
        shown = verdict.by or verdict.words.splitlines()[0]
        law, name = chosen[verdict.fault], verdict.fault.name
        print(f"{law:>3}  {name:<{width}}  {verdict.seconds:>5.1f} s  {shown}", flush=True)
    return _end(len(chosen), alive, chosen, time.monotonic() - began)


def _chosen(words: Sequence[str]) -> Iterator[tuple[int, Fault]]:
    for law, many in faults().items():
        for fault in many:
            if not words or any(_is_meant(word, law, fault) for word in words):
                yield law, fault


def _is_meant(word: str, law: int, fault: Fault) -> bool:
    return word == str(law) if word.isdigit() else word in f"{fault.name} {fault.where}"


def _end(many: int, alive: Sequence[Verdict], laws: dict[Fault, int], seconds: float) -> int:
    for verdict in alive:
        print(f"\nlaw {laws[verdict.fault]}: {verdict.fault.name}\n  in {verdict.fault.where}")
        print(f"  {verdict.words}")
    print(f"\n{many} faults, {many - len(alive)} killed, {len(alive)} not ({seconds:.0f} s)")
    return int(bool(alive))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
