"""Where the agent begins: a request on stdin, events on stdout.

The request is one zlib-compressed JSON object (see ``nodriza.ssh.agent_archive``). Each event is a
JSON text sequence record, RS JSON LF (RFC 7464), so that whatever a login script prints
on the same stream is told apart from it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import zlib
from typing import Any, Dict, Optional, Tuple

from nodriza import resources as nouns
from nodriza.agent import keepers
from nodriza.agent.converge import Converge
from nodriza.agent.journal import HOME, Busy, Journal
from nodriza.agent.memory import Found, Memory
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.host.line import Controller, EventStream
from nodriza.host.os_errors import told
from nodriza.host.redact import Redactor
from nodriza.host.system import refuse_unknown_system, untried


def main(body: bytes, stdin: int, keep: Optional[Tuple[str, bytes]]) -> None:
    """Do what the request says and exit: 0 done, 1 something failed, 3 host is taken.

    ``stdin``: where the controller goes on talking (``nodriza.host.line``). ``keep``: the
    agent, and where it is looked for, when this host does not have it yet.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the secrets
    request = json.loads(zlib.decompress(body))
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not end up between the events
    described = {data["id"]: data for data in request["resources"]}
    line = EventStream(stdout, Redactor(request["secrets"]), described)
    controller = Controller(stdin, line)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: controller.stopping.set())
    try:
        code = _serve(request, line, controller, keep)
    except (HostError, OSError) as error:
        line.emit({"event": "error", "words": told(error, HOME)})
        code = 1
    except Exception:  # noqa: BLE001  a mistake of ours is told, too
        import traceback  # noqa: PLC0415  slow to load, and hardly ever used

        line.emit({"event": "error", "words": traceback.format_exc(limit=-4)})
        code = 1
    # Not sys.exit: the thread may sit in a read that never returns.
    sys.stderr.flush()
    os._exit(code)


def keep_agent(host: Host, path: str, data: bytes) -> None:
    """Save the next runs the way of the agent. Two stay: people may use two versions."""
    folder = os.path.dirname(path)
    try:
        if host.stat(folder) is None:
            host.mkdir(folder)
        others = [f"{folder}/{name}" for name in host.list(folder)]
        others.sort(key=lambda other: host.stat(other).modified)  # type: ignore[union-attr]
        for other in others[:-1]:
            host.remove(other)
        host.write(path, data, mode="0600")
    except (HostError, OSError):
        return  # it is only for speed; what is wrong with the disk, the plan will tell


def _serve(
    request: Dict[str, Any],
    line: EventStream,
    controller: Controller,
    keep: Optional[Tuple[str, bytes]],
) -> int:
    host = Host()
    host.alive = lambda: line.emit({"event": "alive"})
    host.note = lambda words: line.emit({"event": "note", "words": words})
    host.warn = lambda words: line.emit({"event": "warning", "words": words})
    host.fetch = controller.fetch
    refuse_unknown_system(host)
    journal = Journal(host, request["run"])
    began = time.time()
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))
    check = request["mode"] != "apply"
    journal.record.update({**request["who"], "when": when, "what": request["what"]})
    resources = [nouns.from_data(line.redactor.reveal(data)) for data in request["resources"]]
    if moved := keepers.moved(host, request):
        line.emit({"event": "moved", "jobs": moved})
        return 1
    if not check:
        now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        holder = {**request["who"], "what": request["what"], "since": now}
        try:
            if request["releases"]:  # first: whoever waits for a deploy is not in its way
                journal.lock_releases(holder)
            journal.lock(holder)
        except Busy as busy:
            line.emit({"event": "busy", "holder": busy.holder})
            return 3
        if keep is not None:
            keep_agent(host, *keep)
    # Loaded when they are asked for: most runs are neither.
    if request["rollback"]:
        from nodriza.agent.rollback import closed, rolled_back  # noqa: PLC0415

        resources = rolled_back(journal, resources, request["rollback"])
        line.counts_ok = False
        line.closed = closed(resources, line.described)
    memory = Memory(host, request["cluster"], whole=request["whole"])
    found = Found(resources)
    if memory.gone(resources):
        from nodriza.agent.left import find  # noqa: PLC0415  most runs take nothing away

        found = find(host, memory, resources)
        journal.record["left"] = found.left  # for who puts the files back
    left = found.left or {}
    line.emit(
        {
            "event": "start",
            "resources": len(found.plan),
            "left": {each.id: at for at, each in enumerate(found.plan) if each.id in left},
            "python": sys.version.split()[0],
            "check": check,
            "clock": began,
        }
    )
    if words := untried(host):
        line.emit({"event": "warning", "words": words})
    if memory.broken:
        words = f"{memory.broken}. Nothing is taken away that is in no plan any more"
        line.emit({"event": "warning", "words": words})
    if found.kept:
        line.emit({"event": "kept", "things": found.kept})
    converge = Converge(
        host,
        journal,
        found.plan,
        line.emit,
        check=check,
        diff=request["diff"],
        stop=controller.wants_no_more,
        ask=controller.ask,
        note=memory.note,
    )
    counts = converge.run()
    if request["ask"]:
        from nodriza.agent.answers import ANSWERS  # noqa: PLC0415

        answers = {
            name: ANSWERS[name](host, journal, resources, about)
            for name, about in request["ask"].items()
        }
        line.emit({"event": "facts", **answers})
    if not check:
        if request["whole"] and not (counts["failed"] or counts["skipped"]):
            memory.replace(journal, resources, found.asked)
            keepers.remember(host, request)
        seconds = round(time.time() - began, 3)
        journal.remember({"counts": counts, "seconds": seconds}, line.told)
        journal.unlock()
    line.emit({"event": "end", **counts, "seconds": round(time.time() - began, 3)})
    if request["releases"] and not check:
        controller.stay()
    return 1 if counts["failed"] else 0
