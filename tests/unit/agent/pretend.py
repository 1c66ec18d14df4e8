"""A host in a temporary folder whose systemd is a JSON file, so that it survives a crash.

systemd itself can't run below a folder; everything else here is real. The services are
real enough to be wrong about: each remembers which files it has read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from nodriza.host.errors import Result
from nodriza.host.files import TEMPORARY
from nodriza.host.host import Host


class PretendHost(Host):
    """``reads``: unit → the path of the one configuration file that it reads."""

    def __init__(self, root: Path, reads: dict[str, str], crash_at: int | None = None) -> None:
        super().__init__(str(root))
        self.reads = reads
        self.crash_at = crash_at
        self.steps = 0
        self.calls: list[list[str]] = []

    def _step(self) -> None:
        """One more change of the world; the power goes out before the chosen one."""
        if self.steps == self.crash_at:
            self._die()
        self.steps += 1

    def _die(self) -> None:
        os._exit(9)

    def write(self, path, content, **kwargs):
        self._step()
        if self.steps == self.crash_at:  # in the middle of it
            folder, name = os.path.split(self.at(path))
            Path(folder, TEMPORARY.format(name)).write_text("a part")
        self._step()
        super().write(path, content, **kwargs)

    def mkdir(self, path):
        self._step()
        super().mkdir(path)

    def symlink(self, path, target):
        self._step()
        super().symlink(path, target)

    def remove(self, path):
        self._step()
        super().remove(path)

    def own(self, path, owner, group, mode):
        self._step()
        super().own(path, owner, group, mode)

    @property
    def systemd(self) -> dict[str, dict]:
        file = Path(self.root) / "systemd.json"
        return json.loads(file.read_text()) if file.exists() else {}

    @systemd.setter
    def systemd(self, units: dict[str, dict]) -> None:
        (Path(self.root) / "systemd.json").write_text(json.dumps(units))

    def run(self, argv, **kwargs):
        self.calls.append(list(argv))
        program, *words = argv
        if program == "systemctl":
            return self._systemctl(argv, words)
        if program == "checker":
            text = (self.read(words[0]) or b"").decode()
            return self._answer(
                argv, 1 if "bad" in text else 0, f"checker: bad word in {words[0]}"
            )
        if program == "journalctl":
            return Result(argv, 0, "the log", "")
        return super().run(argv, **kwargs)

    def _answer(self, argv, exit, err):
        from nodriza.host.errors import CommandFailed

        result = Result(argv, exit, "", err if exit else "")
        if exit:
            raise CommandFailed(result)
        return result

    def _shown(self, full, unit):
        """``state``: ActiveState and SubState of a unit that is neither up nor off."""
        up = "active running" if unit.get("running") else "inactive dead"
        state, substate = (unit.get("state") or up).split()
        return (
            f"Id={full}\nNames={full}\nLoadState=loaded\nNeedDaemonReload=no\n"
            f"ActiveState={state}\nSubState={substate}\nJob={7 if unit.get('job') else ''}\n"
            f"UnitFileState={'enabled' if unit.get('enabled') else 'disabled'}\n"
            f"StateChangeTimestampMonotonic={unit.get('moved', 0)}\n"
            f"MainPID={int(unit.get('running', False))}"
        )

    def _systemctl(self, argv, words):
        units = self.systemd
        verb = words[0]
        name = words[-1].removesuffix(".service")
        if verb == "show":
            blocks = [
                self._shown(full, units.get(full.removesuffix(".service"), {}))
                for full in words[2:]
            ]
            return Result(argv, 0, "\n\n".join(blocks), "")
        if verb == "list-jobs":
            lines = [
                f"7 {unit}.service {it['job']} running"
                for unit, it in units.items()
                if it.get("job")
            ]
            return Result(argv, 0, "\n".join(lines), "")
        unit = units.setdefault(name, {"running": False, "enabled": False, "read": None})
        if verb in ("daemon-reload", "reset-failed"):
            return Result(argv, 0, "", "")
        self._step()
        starting = (unit.get("state") or "").strip() == "activating start"
        if verb in ("enable", "disable"):
            unit["enabled"] = verb == "enable"
        elif verb == "stop":
            unit["running"] = False
        elif starting and verb == "start":
            unit.update(running=True, state=None)  # it joins the start that has read already
        elif starting and verb == "reload-or-restart":
            return Result(argv, 1, "", "it is inactive: job is invalid")
        else:
            unit.pop("state", None)
            unit.pop("job", None)
            text = (self.read(self.reads[name]) or b"").decode()
            unit["running"] = "crashes" not in text
            unit["read"] = text
            unit["times"] = unit.get("times", 0) + 1
        self.systemd = units
        return Result(argv, 0 if verb == "stop" or unit["running"] else 1, "", "it does not start")
