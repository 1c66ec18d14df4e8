"""A backup of this node: each part, then all files with the notes, which makes it whole."""

from __future__ import annotations

import calendar
import contextlib
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from store import WHOLE, Store, Trouble, last, read, say, variables, write

SAMPLE = 20
"""Files of each part whose digests are noted, to be compared with the copies."""
DAY = 86400
FORM = "%Y%m%dT%H%M%SZ"


@contextlib.contextmanager
def alone(conf: dict[str, Any]) -> Iterator[None]:
    """One run of any kind at a time; who comes later waits. It ends with the process."""
    with Path(conf["lock"]).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is at work here: waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def backup(store: Store) -> None:
    """All of it."""
    conf, began = store.conf, time.time()
    state = Path(conf["state"])
    status = read(state / "status.json")
    status["repository"] = store.open(status.get("repository", ""))
    write(state / "status.json", status)
    _sweep(store)
    name = _name(store, began)
    notes = state / "notes"
    shutil.rmtree(notes, ignore_errors=True)
    notes.mkdir(mode=0o700)
    record: dict[str, Any] = {"run": name, "began": began, "parts": {}, **circumstances(conf)}
    for part in conf["parts"]:
        record["parts"][part["name"]] = _take(store, part, name, notes)
    write(notes / "record.json", record)
    paths = [path for part in conf["parts"] for path in part["paths"] if os.path.lexists(path)]
    said = _save(store, name, ["--tag", WHOLE, str(notes), *paths], None)
    added = said["data_added"] + sum(each.get("added", 0) for each in record["parts"].values())
    status["backup"] = {
        "run": name,
        "at": int(began),
        "seconds": round(time.time() - began, 1),
        "files": said["total_files_processed"],
        "bytes": said["total_bytes_processed"]
        + sum(each.get("bytes", 0) for each in record["parts"].values()),
        "added": added,
    }
    status["due"] = due(conf["at"], time.time() - began)
    status.get("failed", {}).pop("backup", None)
    write(state / "status.json", status)
    say(
        f"backup {name}: {said['total_files_processed']} files,"
        f" {mb(status['backup']['bytes'])} MB, of which {mb(added)} MB are new,"
        f" in {status['backup']['seconds']} s"
    )
    _forget(store, status)


def circumstances(conf: dict[str, Any]) -> dict[str, Any]:
    """What who rebuilds all of it has to know: the Debian release, and the application's."""
    system = variables(Path("/etc/os-release")).get("VERSION_CODENAME", "")
    try:
        served = Path(conf["releases"]).read_text("utf-8").splitlines()[-1:]
    except OSError:  # only the node that makes releases has it
        served = []
    return {"system": system, "served": json.loads(served[0]) if served else {}}


def mb(size: float) -> str:
    """Bytes, for people."""
    return f"{size / 1e6:.1f}"


def _take(store: Store, part: dict[str, Any], run: str, notes: Path) -> dict[str, Any]:
    """A part with a program: streamed. The files of one without are only looked at."""
    if not part["program"]:
        return {"sample": sample(part["paths"])}
    folder = notes / part["name"]
    folder.mkdir(mode=0o700)
    words = ["--tag", f"part={part['name']}", "--stdin", "--stdin-filename", f"/{part['name']}"]
    with subprocess.Popen([part["program"], "take", str(folder)], stdout=subprocess.PIPE) as taker:
        try:
            said = _save(store, run, words, taker)
        except Trouble:
            taker.kill()
            raise
    say(f"{part['name']}: {mb(said['total_bytes_processed'])} MB")
    return {
        "taken": time.time(),
        "bytes": said["total_bytes_processed"],
        "added": said["data_added"],
    }


def _save(
    store: Store, run: str, words: list[str], taker: subprocess.Popen[bytes] | None
) -> dict[str, Any]:
    """One snapshot; its summary. A program that failed leaves none that counts."""
    limit = store.conf["upload_kb"]
    command = store.argv(
        "backup",
        "--json",
        *(["--limit-upload", str(limit)] if limit else []),
        *("--host", store.conf["node"], "--tag", f"cluster={store.conf['cluster']}"),
        *("--tag", f"run={run}", *words),
    )
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            command,
            env=store.env,
            stdin=taker.stdout if taker else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
        errors.seek(0)
        said = errors.read(1_000_000)
    if taker and taker.stdout:
        taker.stdout.close()  # or it would wait for a reader that is gone
    if taker and taker.wait() and not done.returncode:
        raise Trouble(
            f"{taker.args[0]} failed, so this is no backup",  # type: ignore[index]
            f"its words: journalctl -u {store.conf['app']}-backup",
        )
    # 3: some files could not be read. Those that were taken away meanwhile are nobody's loss.
    gone = all("no such file" in line for line in said.lower().splitlines() if "error" in line)
    if done.returncode and not (done.returncode == 3 and gone):
        store.refuse(said or done.stdout, "backup")
    lines = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return next(line for line in reversed(list(lines)) if line["message_type"] == "summary")


def sample(paths: list[str], number: int = SAMPLE) -> dict[str, str]:
    """Path to digest, of a few files by chance that stay as they are for a minute."""
    kept: list[str] = []
    for seen, file in enumerate(files(paths), 1):
        if len(kept) < number:
            kept.append(file)
        elif (at := random.randrange(seen)) < number:  # noqa: S311  no secret
            kept[at] = file
    found = {}
    for file in kept:
        with contextlib.suppress(OSError):
            if time.time() - Path(file).stat().st_mtime > 60:
                found[file] = digest(file)
    return found


def files(paths: list[str]) -> Iterator[str]:
    """Each file below them; links are not followed."""
    for path in paths:
        if os.path.isfile(path) and not os.path.islink(path):
            yield path
        for folder, _, names in os.walk(path):
            for name in names:
                file = f"{folder}/{name}"
                if os.path.isfile(file) and not os.path.islink(file):
                    yield file


def digest(path: str) -> str:
    """SHA-256."""
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _sweep(store: Store) -> None:
    """What runs of this node left that were killed before they were whole."""
    whole = {run.name for run in store.runs()}
    mine = [e for e in store.snapshots() if e["hostname"] == store.conf["node"]]
    left = [e["id"] for e in mine if not {f"run={name}" for name in whole} & {*e["tags"]}]
    if left:
        store.locked("forget", *left)
        say(f"{len(left)} snapshots of runs that were killed are forgotten")


def _name(store: Store, began: float) -> str:
    """When it began; or, where the clock was set back meanwhile, a second after the newest one.

    The newest of them is what a restore takes, so their names are in the order in which they
    were made.
    """
    name = time.strftime(FORM, time.gmtime(began))
    mine = [run.name for run in store.runs() if run.host == store.conf["node"]]
    if not mine or mine[-1] < name:
        return name
    say(
        f"the newest backup is of {mine[-1]}, and the clock of this node says {name}: is it right?"
    )
    return time.strftime(FORM, time.gmtime(calendar.timegm(time.strptime(mine[-1], FORM)) + 1))


def _forget(store: Store, status: dict[str, Any]) -> None:
    """Restic says which are too old; what was restored on trial last stays."""
    keep = [f"--keep-{name}={number}" for name, number in store.conf["keep"].items() if number]
    by = ["--host", store.conf["node"], "--tag", WHOLE, "--group-by", "host"]
    said = store.locked("forget", "--dry-run", "--json", *by, *keep).stdout.strip()
    groups = json.loads(said or "null") or []
    old = {each["id"] for group in groups for each in group.get("remove") or ()}
    verified = status.get("verified", {}).get("run")
    gone = [run for run in store.runs() if run.files in old and run.name != verified]
    for run in gone:
        # The one that makes it whole first: killed here, the rest is swept by the next run.
        store.locked("forget", run.files)
        store.locked("forget", *(id for id in run.ids if id != run.files))
    pruned = status.get("pruned", 0)
    if gone or (pruned and time.time() - pruned > DAY):
        if time.time() - pruned > DAY / 2:
            store.locked("prune")
            status["pruned"] = int(time.time())
            write(Path(store.conf["state"]) / "status.json", status)
        say(f"{len(gone)} old backups are forgotten")


def due(at: str, seconds: float) -> int:
    """When the next one has to be there: its time, and what it may take."""
    said = subprocess.run(
        ["systemd-analyze", "calendar", at],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    line = next((x for x in said.stdout.splitlines() if "(in UTC)" in x), "") or next(
        (x for x in said.stdout.splitlines() if "Next elapse" in x), ""
    )
    words = line.partition(": ")[2].split()
    if len(words) < 3:
        raise Trouble(f"systemd-analyze calendar {at}: {last(said.stderr)}", "backup.at")
    begins = time.strptime(f"{words[1]} {words[2]} UTC", "%Y-%m-%d %H:%M:%S %Z")
    return int(calendar.timegm(begins) + 3600 + 3 * seconds)
