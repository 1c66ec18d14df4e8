"""``make bench``: machines up, everybody's runs in turn, a table, JSON and a chart.

It says beforehand about how long it takes, and begins nothing after its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench import controller, disks, first, goals, hosts, report, same
from bench.cluster import ROOT, Bench, say
from bench.tools import BIN
from nodriza.errors import NodrizaError

RESULTS = ROOT / "bench/results"
ALL = (*hosts.CASES, *controller.CASES, "first")
QUICK = ("noop", *controller.CASES)


def main() -> int:
    """0 when all that was asked for was measured."""
    given = _arguments()
    if given.down:
        Bench(0).down()
        return 0
    began = time.monotonic()
    cells = sorted(_cells(given), key=lambda cell: cell.hosts)
    say(
        f"about {_estimate(given, cells) / 60:.0f} minutes; nothing begins after {given.limit:.0f}"
    )
    result: dict[str, Any] = {**_described(), "cells": [], "controller": {}, "not run": []}
    bench = _few_machines(given, result)
    same.refuse_differences(bench)
    for name in (case for case in controller.CASES if case in given.cases):
        with _noted(result, name):
            result["controller"].update(controller.run(bench, name))
    _keep(result, given.output)
    for cell in cells:
        with _noted(result, str(cell)):
            if cell.hosts > bench.hosts:
                bench = _more_machines(cell.hosts)
            found = hosts.run(
                bench,
                cell,
                over=lambda: time.monotonic() - began > given.limit * 60,
                failed=lambda words: _note(result, words),
            )
            result["cells"] += [figures.to_data() for figures in found]
            missing = {tool.name for tool in cell.tools} - {figures.tool for figures in found}
            if missing:
                _note(result, f"{cell}: nothing of {', '.join(sorted(missing))}")
        _keep(result, given.output)
    say("\n".join([report.table(result), "", *goals.judged(result)]))
    say(f"written: {given.output}; took {(time.monotonic() - began) / 60:.0f} minutes")
    for words in result["not run"]:
        say(f"not run: {words}")
    if not given.keep:
        bench.down()
    return bool(result["not run"])


@contextmanager
def _noted(result: dict[str, Any], what: str) -> Iterator[None]:
    """What fails hides nothing else: nobody may be there to begin again."""
    try:
        yield
    except (RuntimeError, OSError, subprocess.SubprocessError, NodrizaError) as error:
        _note(result, f"{what}: {error}")


def _note(result: dict[str, Any], words: str) -> None:
    say(words)
    result["not run"].append(words.splitlines()[0])


def _few_machines(given: argparse.Namespace, result: dict[str, Any]) -> Bench:
    """From bare disks, by this project; or all that there are from a run before."""
    bench = Bench(disks.FEW if "first" in given.cases else max(disks.FEW, disks.there()))
    disks.mend(bench)
    bench.up()
    disks.keep_bare(bench)
    if "first" in given.cases:
        with _noted(result, "first"):
            result["first"] = first.run(bench)
    say("provisioning")
    bench.provision()
    return bench


def _more_machines(number: int) -> Bench:
    """Copies of the first, which a provision then makes what they are."""
    bench = Bench(number)
    bench.up()
    disks.copy_first(bench)
    bench.provision()
    return bench


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--cases", type=_words, help=" ".join(ALL))
    parser.add_argument("--hosts", type=_numbers, help="as in 1,4,16")
    parser.add_argument("--rtt", default=[0, 50], type=_numbers, help="ms, as in 0,50")
    parser.add_argument("--tools", default=list(hosts.ROUNDS), type=_words, help="as in floor")
    parser.add_argument("--quick", action="store_true", help="what can be had in ten minutes")
    parser.add_argument("--limit", type=float, default=150, help="minutes")
    parser.add_argument("--keep", action="store_true", help="leave the machines up")
    parser.add_argument("--down", action="store_true", help="take the machines away, no more")
    parser.add_argument("--output", type=Path, default=RESULTS / "latest.json")
    given = parser.parse_args()
    given.cases = given.cases or list(QUICK if given.quick else ALL)
    given.hosts = given.hosts or ([4, 16] if given.quick else [1, 4, 16, 48])
    for word, known in (("cases", ALL), ("tools", hosts.ROUNDS)):
        if unknown := set(getattr(given, word)) - set(known):
            parser.error(f"no {word} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return given


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


def _cells(given: argparse.Namespace) -> Iterator[hosts.Cell]:
    """Far away with four hosts at most, cold with four: more says nothing new and takes long."""
    for case in hosts.CASES:
        for number in given.hosts:
            for rtt in given.rtt:
                everywhere = case == "noop" and (not rtt or number <= 4)
                small = number == 4 and (case == "change" or not rtt)
                if case in given.cases and (everywhere or small):
                    yield hosts.Cell(case, number, rtt, tuple(given.tools), quick=given.quick)


def _estimate(given: argparse.Namespace, cells: Sequence[hosts.Cell]) -> float:
    machines: float = 180 + 5 * max([0, *given.hosts])
    one_sided = 60 * len(set(controller.CASES) & set(given.cases))
    return machines + one_sided + 300 * ("first" in given.cases) + sum(c.seconds for c in cells)


def _described() -> dict[str, Any]:
    """When, on what, with what."""
    cpu = Path("/proc/cpuinfo").read_text().split("model name\t: ")[1].splitlines()[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    freeze = subprocess.run(
        [str(BIN / "pip"), "freeze"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    commit = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": subprocess.run(
            commit, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "machine": {
            "cpu": cpu,
            "processors": os.cpu_count(),
            "memory_gib": round(memory / 2**30, 1),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 2),
        },
        "peers": [line for line in freeze if line.split("==")[0] in report.PEERS],
    }


def _keep(result: dict[str, Any], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
