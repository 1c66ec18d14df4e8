"""Data put back: rebuilt beside those in use first, then put in their place by a rename."""

from __future__ import annotations

import calendar
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from run import files, mb
from store import Run, Store, Trouble, last, read, say, write
from trial import ROOM, SPARE, as_counts, clear, counted, newest, notes_of, rebuild, room

NEW, OLD = ".restored", ".before-"


def look(store: Store, at: str, only: str) -> None:
    """What a restore would do here, as one line of JSON; nothing is changed."""
    found = [_look(store, part, at) for part in _parts(store, only)]
    verified = read(Path(store.conf["state"]) / "status.json").get("verified", {})
    say(json.dumps({"parts": found, "seconds": verified.get("seconds", 0), "now": time.time()}))


def _look(store: Store, part: dict[str, Any], at: str) -> dict[str, Any]:
    run = _chosen(store, part, at)
    place = _targets(part)[0][0]
    live = _live(part)
    where = Path(place).parent
    return {
        "name": part["name"],
        "run": run.name,
        "host": run.host,
        "there": bool(live),
        "live": live,
        "free": shutil.disk_usage(where if where.exists() else "/").free,
        "program": bool(part["program"]),
    }


def _live(part: dict[str, Any]) -> dict[str, int]:
    """What is in use now, in numbers; nothing, where there are no data."""
    if not part["program"]:
        number = sum(1 for _ in files(part["paths"]))
        return {"files": number} if number else {}
    done = subprocess.run(
        [part["program"], "live"], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        # Not in use, but perhaps not nothing: what is there is kept like all else.
        return {"files": n} if (n := sum(1 for _ in files([part["folder"]]))) else {}
    return {name: int(number) for name, number in as_counts(done.stdout).items()}


def prepare(store: Store, at: str, only: str) -> None:
    """Rebuilt beside what is in use, which goes on meanwhile."""
    state = Path(store.conf["state"])
    store.open(read(state / "status.json").get("repository", ""))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scratch = state / "restore"
    plan: dict[str, Any] = {"stamp": stamp, "at": at, "parts": []}
    write(state / "restore.json", plan)
    for part in _parts(store, only):
        run = _chosen(store, part, at)
        clear(store, scratch)
        room(scratch)
        try:
            _prepare(store, part, run, at, scratch)
        except Trouble:
            for _, new in _targets(part):
                shutil.rmtree(new, ignore_errors=True)
            raise
        finally:
            clear(store, scratch)
        plan["parts"].append(part["name"])
        write(state / "restore.json", plan)


def _prepare(store: Store, part: dict[str, Any], run: Run, at: str, scratch: Path) -> None:
    for place, new in _targets(part):
        if os.path.ismount(place):
            raise Trouble(
                f"{place} is a file system of its own, and nothing can be put in its place",
                f"mount it elsewhere, and have {place} as a folder of it; nothing was changed",
            )
        shutil.rmtree(new, ignore_errors=True)
    record = notes_of(store, run, scratch)
    if part["program"]:
        until = at if part["name"] in record["parts"] and at else ""
        if until:
            _later_logs(store, part, run, at, scratch)
        folder = Path(part["folder"] + NEW)
        counts = rebuild(store, run, part, record, folder, scratch, until)
        wanted = counted(scratch / "notes" / part["name"] / "counts")
        if not until and counts != wanted:
            raise Trouble(f"{part['name']} of backup {run.name} is not as it was", "an older one")
        rows = sum(int(number) for name, number in counts.items() if name.startswith("rows"))
        said = f"{rows} rows" if rows else ", ".join(f"{n} {name}" for name, n in counts.items())
        say(f"{part['name']}: {said or 'nothing'} of {until or run.name} ready")
        return
    for place, new in _targets(part):
        _files(store, run, place, new)


def _later_logs(store: Store, part: dict[str, Any], run: Run, at: str, scratch: Path) -> None:
    """The first backup of the same node after that time has all that came until then."""
    later = [each for each in store.runs() if each.host == run.host and each.name > run.name]
    files = scratch / "files"
    chosen = next((each for each in later if each.name >= _name(at)), later[-1] if later else run)
    for path in part["paths"]:
        store.run("restore", chosen.files, "--target", str(files), "--include", path)
    run.files = chosen.files  # what ``rebuild`` takes the files from


def _files(store: Store, run: Run, place: str, new: str) -> None:
    """One path, all of it, counted against the list of what the backup has."""
    listed, size = 0, 0
    with subprocess.Popen(
        store.argv("ls", "--json", "--recursive", run.files, place),
        env=store.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stdout or ():
            entry = json.loads(line)
            if entry.get("type") == "file":
                listed += 1
                size += entry.get("size", 0)
    parent = os.path.dirname(place)
    free = shutil.disk_usage(parent).free
    if free < size * ROOM + SPARE:
        raise Trouble(
            f"{parent} has {mb(free)} MB free, and the copy of {place} needs {mb(size)} MB",
            "make room; nothing was changed",
        )
    target = f"{place}.restoring"
    shutil.rmtree(target, ignore_errors=True)
    try:
        store.run("restore", run.files, "--target", target, "--include", place)
        if not os.path.lexists(f"{target}{place}"):
            Path(f"{target}{place}").mkdir(parents=True)
        os.rename(f"{target}{place}", new)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    got = sum(1 for _ in files([new]))
    if got != listed:
        raise Trouble(f"{place}: {got} files were restored, and {listed} are listed", "again")
    say(f"{place}: {got} files of {run.name} are ready")


def place(store: Store) -> None:
    """By renames, each of which a killed run continues; what was there is kept."""
    state = Path(store.conf["state"])
    plan = read(state / "restore.json")
    if not plan.get("parts"):
        raise Trouble("nothing is ready to be put in place", "fab restore")
    for part in store.conf["parts"]:
        if part["name"] in plan["parts"]:
            _place(part, plan["stamp"])
    write(state / "restore.json", {})


def _place(part: dict[str, Any], stamp: str) -> None:
    _units("stop", part)
    try:
        for there, new in _targets(part):
            _swap(there, new, f"{there}{OLD}{stamp}", part["user"])
        _units("start", part)
    except (Trouble, OSError):
        for there, new in _targets(part):
            if os.path.lexists(f"{there}{OLD}{stamp}"):
                with contextlib.suppress(OSError):
                    os.rename(there, new)
                os.rename(f"{there}{OLD}{stamp}", there)
        with contextlib.suppress(Trouble):
            _units("start", part)
        raise
    if part["program"]:
        subprocess.run([part["program"], "placed"], check=True)
    kept = [f"{p}{OLD}{stamp}" for p, _ in _targets(part) if os.path.lexists(f"{p}{OLD}{stamp}")]
    live = ", ".join(f"{number} {name}" for name, number in _live(part).items())
    say(f"{part['name']} is in place: about {live or 'nothing'}")
    for path in kept:
        say(f"kept: {path}, what was there before")


def _swap(there: str, new: str, old: str, user: str) -> None:
    if not os.path.lexists(new):
        return  # a killed run came so far
    if os.path.lexists(there) and not os.path.lexists(old):
        before = os.stat(there)
        os.chmod(new, before.st_mode & 0o7777)
        os.chown(new, before.st_uid, before.st_gid)
        os.rename(there, old)
    elif user:
        os.chmod(new, 0o755)  # noqa: S103  as the package makes it
    os.rename(new, there)


def _units(word: str, part: dict[str, Any]) -> None:
    units = list(part["units"])
    if not units:
        return
    done = subprocess.run(["systemctl", word, *units], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(
            f"systemctl {word} {' '.join(units)}: {last(done.stderr)}",
            f"journalctl -u {units[0]}; what was there before is back in its place",
        )


def _targets(part: dict[str, Any]) -> list[tuple[str, str]]:
    """What is replaced, and where its successor waits: on the same file system."""
    places = [part["folder"]] if part["program"] else part["paths"]
    return [(place, place + NEW) for place in places]


def _parts(store: Store, only: str) -> Iterator[dict[str, Any]]:
    yield from (part for part in store.conf["parts"] if only in ("", part["name"]))


def _chosen(store: Store, part: dict[str, Any], at: str) -> Run:
    """The newest that was whole before that time, whichever node the part was on then."""
    before = None if not at else calendar.timegm(time.strptime(at, "%Y-%m-%d %H:%M:%S"))
    return newest(store, before, part["name"])


def _name(at: str) -> str:
    moment = time.strptime(at, "%Y-%m-%d %H:%M:%S")
    return time.strftime("%Y%m%dT%H%M%SZ", moment)
