"""The backups of this node. Run by systemd, and by who types fab backup or fab restore.

run, verify: a backup, a restore on trial. list, look: what there is, as JSON. prepare, place: the
two halves of a restore. start WORD …: the same in a unit of its own, which a lost connection does
not end; what it says is shown. failed UNIT, overdue: tell whom the inventory names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import restore
import tell
import trial
from run import alone, backup
from store import Store, Trouble, read, say, write

CONF = Path(sys.argv[0]).resolve() / "conf.json"
LOUD = {"run": "backup", "verify": "verify"}
"""What ``fab status`` shows the failure of."""


def main(word: str, words: list[str]) -> int:
    """0, or 1 with what is wrong on stderr."""
    conf: dict[str, Any] = json.loads(CONF.read_text("utf-8"))
    store = Store(conf)
    os.umask(0o077)
    try:
        _do(store, word, words)
    except Trouble as trouble:
        _failed(conf, word, trouble)
        print(f"{trouble}\n  next: {trouble.do}", file=sys.stderr, flush=True)  # noqa: T201
        return 1
    return 0


def _do(store: Store, word: str, words: list[str]) -> None:
    if word == "start":
        raise SystemExit(start(store.conf, words))
    if word == "list":
        runs = [{"run": r.name, "host": r.host, "parts": sorted(r.parts)} for r in store.runs()]
        say(json.dumps({"runs": runs, "status": read(Path(store.conf["state"]) / "status.json")}))
    elif word == "look":
        restore.look(store, *words)
    elif word == "failed":
        tell.failed(store.conf, words[0])
    elif word == "overdue":
        tell.overdue(store.conf)
    else:
        doing = {"run": backup, "verify": trial.verify, "place": restore.place}
        with alone(store.conf):
            if word == "prepare":
                restore.prepare(store, *words)
            else:
                doing[word](store)


def start(conf: dict[str, Any], words: list[str]) -> int:
    """In a unit; its journal is shown until it ends."""
    app = conf["app"]
    unit = {"run": f"{app}-backup", "verify": f"{app}-backup-verify"}.get(words[0])
    command = ["systemctl", "start", f"{unit}.service"]
    if unit is None:
        unit = f"{app}-restore"
        own = [sys.executable, "-IB", str(CONF.parent), *words]
        command = ["systemd-run", "--quiet", "--wait", "--collect", f"--unit={unit}"]
        command += [f"--property=SyslogIdentifier={app}-backup", "--", *own]
    # By its name, which each line has; the last ones may come when their process is gone.
    journal = ["journalctl", "--follow", "--lines=0", "--output=cat", f"--identifier={app}-backup"]
    with subprocess.Popen(journal) as shown:
        time.sleep(0.3)  # it has begun to follow
        code = subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
        subprocess.run(["journalctl", "--sync"], check=False)
        time.sleep(0.5)
        shown.terminate()
    return code


def _failed(conf: dict[str, Any], word: str, trouble: Trouble) -> None:
    if word not in LOUD:
        return
    path = Path(conf["state"]) / "status.json"
    status = read(path)
    status.setdefault("failed", {})[LOUD[word]] = {
        "at": int(time.time()),
        "why": str(trouble)[:500],
    }
    write(path, status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
