"""A backup rebuilt: on trial in a scratch folder, or beside the data that it shall replace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from run import digest, due, mb
from store import Run, Store, Trouble, last, read, say, write

ROOM = 1.3
"""How much more than the copy itself a rebuilt folder needs."""
SPARE = 200_000_000
"""Bytes that stay free on the disk."""
SUBSET = "5%"
"""Of the repository's data, read and compared with their digests by each trial."""


def verify(store: Store) -> None:
    """The newest backup of this node, restored and counted."""
    conf, began = store.conf, time.time()
    state = Path(conf["state"])
    status = read(state / "status.json")
    store.open(status.get("repository", ""))
    run = newest(store)
    scratch = state / "scratch"
    clear(store, scratch)
    room(scratch)
    try:
        record = notes_of(store, run, scratch)
        lines = 0
        for part in conf["parts"]:
            if part["program"] and part["name"] in run.parts:
                folder = scratch / part["name"]
                counts = rebuild(store, run, part, record, folder, scratch)
                wanted = counted(scratch / "notes" / part["name"] / "counts")
                compare(part["name"], wanted, counts)
                lines += len(wanted)
                shutil.rmtree(folder)
        looked = _samples(store, run, record, scratch)
    finally:
        clear(store, scratch)
    said = store.run("check", f"--read-data-subset={SUBSET}", check=False)
    if said.returncode:
        raise Trouble(
            f"the repository is damaged: {last(said.stderr or said.stdout)}",
            "restic check --read-data names the packs; the data themselves are here, so begin a"
            " new repository: another backup.to, then fab backup",
        )
    status = read(state / "status.json")
    status["verified"] = {
        "run": run.name,
        "at": int(began),
        "of": int(record["began"]),
        "seconds": round(time.time() - began, 1),
        "counts": lines,
        "files": looked,
    }
    status["verify_due"] = due(conf["verify"], time.time() - began)
    status.get("failed", {}).pop("verify", None)
    write(state / "status.json", status)
    say(
        f"backup {run.name} was restored on trial: {lines} counts and checksums and"
        f" {looked} files are the same, in {status['verified']['seconds']} s"
    )


def newest(store: Store, before: float | None = None, part: str = "") -> Run:
    """Of this node; with ``part`` of whichever node had it."""
    runs = [r for r in store.runs() if part or r.host == store.conf["node"]]
    if part:
        runs = [r for r in runs if part in r.parts or r.host == store.conf["node"]]
    if before is not None:
        until = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(before))
        runs = [run for run in runs if run.name <= until]
    if not runs:
        when = f" from before {time.strftime('%F %T', time.gmtime(before))} UTC" if before else ""
        raise Trouble(f"there is no backup{when} of {part or store.conf['node']}", "fab backup")
    return runs[-1]


def notes_of(store: Store, run: Run, scratch: Path) -> dict[str, Any]:
    """The notes of a run, as ``scratch/notes``."""
    notes = f"{store.conf['state']}/notes"
    store.run("restore", run.files, "--target", str(scratch / "files"), "--include", notes)
    shutil.move(f"{scratch}/files{notes}", scratch / "notes")
    record = read(scratch / "notes" / "record.json")
    if record.get("run") != run.name:
        raise Trouble(f"the notes of backup {run.name} are of another one", "fab backup")
    return record


def rebuild(
    store: Store,
    run: Run,
    part: dict[str, Any],
    record: dict[str, Any],
    folder: Path,
    scratch: Path,
    until: str = "",
) -> dict[str, str]:
    """``folder`` as the engine can start with it; what its own program counts there."""
    need = int(record["parts"][part["name"]]["bytes"] * ROOM) + SPARE
    free = shutil.disk_usage(folder.parent).free
    if free < need:
        raise Trouble(
            f"{folder.parent} has {mb(free)} MB free, and {part['name']} needs {mb(need)}",
            "make room; nothing was changed",
        )
    files = scratch / "files"
    for path in part["paths"]:
        store.run("restore", run.files, "--target", str(files), "--include", path)
    files.mkdir(exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for path in (folder, files, scratch / "notes"):
        path.chmod(0o700)
        subprocess.run(["chown", "-R", f"{part['user']}:", str(path)], check=True)
    notes = scratch / "notes" / part["name"]
    words = ["rebuild", str(folder), str(notes), str(files), *([until] if until else [])]
    dump = store.argv("dump", run.parts[part["name"]], f"/{part['name']}")
    with subprocess.Popen(
        dump, env=store.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as source:
        done = inside(store, part, folder, words, stdin=source.stdout)
        if source.stdout:
            source.stdout.close()
        said = (source.stderr.read(100_000) if source.stderr else b"").decode(errors="replace")
        if source.wait() and not done.returncode:
            store.refuse(said, "dump")
    if done.returncode:
        raise Trouble(
            f"{part['name']} of backup {run.name} can't be rebuilt: {last(done.stderr)}",
            "try an older one: fab backup.list",
        )
    done = inside(store, part, folder, ["count", str(folder), str(notes)])
    if done.returncode:
        raise Trouble(f"{part['name']} can't be counted: {last(done.stderr)}", "an older one")
    return as_counts(done.stdout)


def inside(
    store: Store, part: dict[str, Any], folder: Path, words: list[str], stdin: Any = None
) -> subprocess.CompletedProcess[str]:
    """The part's own program, as its user, with no network, writing to one folder."""
    unit = f"{store.conf['app']}-backup-trial"
    bounds = (
        *(f"User={part['user']}", "PrivateNetwork=yes", "ProtectSystem=strict"),
        *(f"ReadWritePaths={folder}", "PrivateTmp=yes", "ProtectHome=yes", "NoNewPrivileges=yes"),
        *("CapabilityBoundingSet=", "PrivateDevices=yes", "ProtectKernelTunables=yes"),
        *("ProtectControlGroups=yes", "RestrictAddressFamilies=AF_UNIX", "RestrictSUIDSGID=yes"),
        *(f"MemoryMax={store.conf['memory_mb']}M", "Nice=10", "IOSchedulingClass=idle"),
        f"PartOf={store.conf['app']}-backup-verify.service",
    )
    command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={unit}"]
    return subprocess.run(
        [*command, *(f"--property={each}" for each in bounds), "--", part["program"], *words],
        stdin=stdin or subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def clear(store: Store, scratch: Path) -> None:
    """What a trial leaves, also one that was killed."""
    unit = f"{store.conf['app']}-backup-trial.service"
    subprocess.run(["systemctl", "stop", unit], capture_output=True, check=False)
    subprocess.run(["systemctl", "reset-failed", unit], capture_output=True, check=False)
    if scratch.exists():
        shutil.rmtree(scratch)


def room(scratch: Path) -> None:
    """Whose work it is goes through, and sees no name."""
    scratch.mkdir()
    scratch.chmod(0o711)


def literally(path: str) -> str:
    """Restic's --include takes patterns."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", path)


def as_counts(text: str) -> dict[str, str]:
    """Lines of a name, a tab and a number."""
    pairs = (line.rpartition("\t") for line in text.splitlines())
    return {name: number for name, tab, number in pairs if tab}


def counted(path: Path) -> dict[str, str]:
    """The same, noted when the backup was made."""
    return as_counts(path.read_text("utf-8", errors="replace"))


def compare(part: str, wanted: dict[str, str], got: dict[str, str]) -> None:
    """``Trouble`` for the first that differs."""
    wrong = [name for name in {**wanted, **got} if wanted.get(name) != got.get(name)]
    if wrong:
        name = wrong[0]
        raise Trouble(
            f"{part}: {len(wrong)} counts differ, such as {name}: {got.get(name, 'nothing')} in"
            f" what was restored, {wanted.get(name, 'nothing')} when it was copied",
            "fab backup, then fab backup.verify; older ones: fab backup.list",
        )


def _samples(store: Store, run: Run, record: dict[str, Any], scratch: Path) -> int:
    """The files whose digests were noted, compared; how many."""
    noted = {p: d for e in record["parts"].values() for p, d in e.get("sample", {}).items()}
    if not noted:
        return 0
    include = [word for path in noted for word in ("--include", literally(path))]
    store.run("restore", run.files, "--target", str(scratch / "sample"), *include)
    for path, wanted in noted.items():
        copy = f"{scratch}/sample{path}"
        if not os.path.isfile(copy) or digest(copy) != wanted:
            raise Trouble(f"{path} is not in backup {run.name} as it was", "fab backup")
    return len(noted)
