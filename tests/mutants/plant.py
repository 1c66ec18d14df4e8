"""Plants faults in copies of the repository, and runs the tests that have to die there."""

from __future__ import annotations

import compileall
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryDirectory

from tests.mutants.fault import BadFault, Fault

LONGEST = 120  # seconds; a test that hangs with the fault in the code has noticed it
NO_END = "no end after {} s"
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", ".vagrant"
)
DIED = re.compile(r"^(?:FAILED|ERROR) tests/unit/(.+?)(?: - .*)?$", re.MULTILINE)
INSTALLED = """import os, sys
for name, module in list(sys.modules.items()):
    if name.startswith("__editable___"):
        for package, path in module.MAPPING.items():
            module.MAPPING[package] = os.path.join({copy!r}, os.path.basename(path))
"""
"""What Python runs when it starts (site): ``nodriza.roles`` and its like are found where setup.py
says, in the checkout; from here on in the copy."""
FAILED = 1  # pytest's exit codes: tests failed; anything else but 0 is a mistake of the fault


@dataclass(frozen=True)
class Verdict:
    """What came of one fault. ``by``: the test that died; ``words``: why none could."""

    fault: Fault
    seconds: float
    by: str = ""
    words: str = ""

    @property
    def killed(self) -> bool:
        """The one good end."""
        return bool(self.by)


def plant_all(root: Path, faults: Sequence[Fault], workers: int = 0) -> Iterator[Verdict]:
    """A verdict for each fault, as they come; ``root`` itself is only read.

    A test counts only when it is green without the fault, which is tried at the end: so
    the last verdicts may be about faults that seemed to be killed.
    """
    workers = min(workers or os.cpu_count() or 1, len(faults))
    with TemporaryDirectory(prefix="nodriza-mutants-") as folder:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(workers):
            copies.put(_copy(root, Path(folder, str(number))))
        killed: list[Verdict] = []
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(_in_a_copy, copies, fault) for fault in faults]
            for job in as_completed(jobs):
                verdict = job.result()
                if verdict.killed:
                    killed.append(verdict)
                yield verdict
        yield from _red_anyway(copies.get(), killed)


def _copy(root: Path, to: Path) -> Path:
    shutil.copytree(root, to, ignore=NOT_COPIED, symlinks=True)
    (to / "sitecustomize.py").write_text(INSTALLED.format(copy=str(to)))
    # By its hash, and not by time and size: a fault may be of the same size and second.
    mode = PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(to, quiet=2, invalidation_mode=mode)
    return to


def _in_a_copy(copies: queue.Queue[Path], fault: Fault) -> Verdict:
    copy = copies.get()
    try:
        return _try_out(fault, copy)
    finally:
        copies.put(copy)


def _try_out(fault: Fault, copy: Path) -> Verdict:
    began = time.monotonic()
    try:
        with _planted(fault, copy):
            by, words = _killer(fault, copy)
    except BadFault as error:
        by, words = "", str(error)
    return Verdict(fault, time.monotonic() - began, by, words)


@contextmanager
def _planted(fault: Fault, copy: Path) -> Iterator[None]:
    text, path = fault.planted(copy), copy / fault.file
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


def _killer(fault: Fault, copy: Path) -> tuple[str, str]:
    """The test that died, and otherwise why."""
    exit, out = _pytest(fault.tests, copy)
    died = DIED.search(out)
    if exit is None:
        return NO_END.format(LONGEST), ""
    if exit == FAILED and died:
        return died[1], ""
    if exit == 0:
        return "", "SURVIVED: no test notices it"
    return "", f"its tests can't be run (pytest's exit {exit}): {out.strip()[-500:]}"


def _red_anyway(copy: Path, killed: Sequence[Verdict]) -> Iterator[Verdict]:
    """Those whose tests fail, or do not end, without the fault as well."""
    for verdict in killed:
        if verdict.by.startswith("no end") and _pytest(verdict.fault.tests, copy)[0] is None:
            yield _not_killed(verdict, "there is no end without the fault either")
    tests = sorted({verdict.by for verdict in killed if not verdict.by.startswith("no end")})
    exit, out = _pytest(tests, copy, "--maxfail=1000") if tests else (0, "")
    if exit not in (0, FAILED):
        raise RuntimeError(f"the tests can't be run without a fault either:\n{out}")
    red = set(DIED.findall(out))
    for verdict in killed:
        if verdict.by in red:
            yield _not_killed(verdict, f"{verdict.by} fails without the fault as well")


def _not_killed(verdict: Verdict, words: str) -> Verdict:
    return Verdict(verdict.fault, verdict.seconds, "", words)


def _pytest(tests: Sequence[str], copy: Path, *options: str) -> tuple[int | None, str]:
    """Exit code (``None``: no end) and output."""
    # -P would keep the copy out; the console scripts take its modules from PYTHONPATH.
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    words = ["-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *options]
    argv = [sys.executable, *words, *(f"tests/unit/{test}" for test in tests)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv, cwd=copy, env=env, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            out, _ = process.communicate(timeout=LONGEST * max(1, len(tests) // 20))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None, ""
    return process.returncode, out.decode("utf-8", "replace")
