"""One SSH channel: a request goes in, events come out.

The raw channel of Fabric's connection, because ``Connection.run(in_stream=…)`` feeds
stdin one character at a time.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import fabric
import paramiko

from nodriza import pack
from nodriza.agent.line import HERE, TURN
from nodriza.errors import ConnectionFailed, HostRefused

Event = dict[str, Any]
RS = "\x1e"
NOTHING: Event = {"gap": {}, "diff": "", "words": "", "seconds": 0.0}
LAST = ("end", "busy", "error")
"""Nobody waits for more: a process that has looked at a share which hangs ends when the share
does (signal(7) can't end it)."""
SIGN = 15  # seconds between two signs that we are there, for a host that waits for its turn
SILENCE = 1800  # seconds; longer than the longest command that a plan runs


def exchange(
    connection: fabric.Connection,
    request: dict[str, Any],
    on_event: Callable[[Event], bool | None],
    *,
    sudo_password: str | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Run a request on a host; every event is handed on as it arrives.

    What ``on_event`` returns is the answer to a host that asks for its turn: ``True``,
    or ``False`` for never. When ``stop`` is set the host is told to end after the resource
    that it is at.

    Returns when the host is done. Raises ``ConnectionFailed`` when the line breaks
    before that, ``HostRefused`` when the host could not take the request.
    """
    command = pack.command(sudo_words(connection.user, sudo_password))
    channel = begin(connection, command)
    errors: list[str] = []
    reader = threading.Thread(target=_drain, args=(channel, errors), daemon=True)
    reader.start()
    payload, at_work = pack.payload(request), threading.Event()
    sender = threading.Thread(
        target=_send,
        args=(channel, payload, sudo_password, stop or threading.Event(), at_work),
        daemon=True,
    )
    sender.start()
    last: Event = {}
    with contextlib.suppress(OSError):  # a silence that was too long: told below
        for event in expanded(_events(channel), request["resources"]):
            if event["event"] == "agent":
                channel.sendall(pack.agent())
                continue
            last = event
            if event["event"] == "start":
                at_work.set()
            turn = on_event(event)
            if turn is not None:
                _answer(channel, turn)
            if event["event"] in LAST:
                return
    reader.join(timeout=5)
    _explain(channel, connection, "".join(errors), last)


def begin(connection: fabric.Connection, command: str) -> paramiko.Channel:
    """The channel of a command that has been started; ``ConnectionFailed`` in words."""
    try:
        patience = connection.connect_kwargs["timeout"]
        channel: paramiko.Channel = connection.transport.open_session(timeout=patience)
        channel.settimeout(SILENCE)
        channel.exec_command(command)
    except (OSError, EOFError, paramiko.SSHException) as error:
        words = getattr(error, "text", "") or str(error) or type(error).__name__
        raise ConnectionFailed(
            f"the host let us in, and then no command: {words}",
            where=f"{connection.user}@{connection.host}",
            kept="nothing was changed on it",
            do="journalctl -u ssh on the host; MaxSessions in its sshd_config; its load",
        ) from error
    return channel


def sudo_words(user: str, password: str | None) -> str:
    """What stands before a command that needs root; a password is then the first line of stdin."""
    if user == "root":
        return ""
    return "sudo -n" if password is None else "sudo -S -p ''"


def _send(
    channel: Any,
    payload: bytes,
    sudo_password: str | None,
    stop: threading.Event,
    at_work: threading.Event,
) -> None:
    # sudo reads one line if it wants a password; if it does not, the agent skips it.
    head = f"{sudo_password}\n".encode() if sudo_password is not None else b""
    try:
        channel.sendall(head + payload)
        said = time.monotonic()
        while not (stop.wait(0.2) or channel.closed or channel.eof_received):
            # Not before: the agent itself may still be on its way.
            if at_work.is_set() and time.monotonic() - said > SIGN:
                channel.sendall(HERE)
                said = time.monotonic()
        channel.shutdown_write()
    except (OSError, EOFError, paramiko.SSHException):
        return  # the host hung up; what it said is read elsewhere


def _answer(channel: Any, turn: bool) -> None:
    """What the agent's ``Controller`` waits for (nodriza/agent/line.py)."""
    with contextlib.suppress(OSError):  # it did not wait; what it says to that comes next
        channel.sendall(TURN) if turn else channel.shutdown_write()


def _drain(channel: Any, errors: list[str]) -> None:
    try:
        while data := channel.recv_stderr(32768):
            errors.append(data.decode("utf-8", "replace"))
    except OSError:
        return


def _events(channel: Any) -> Iterator[Event]:
    """JSON text sequence records (RFC 7464); whatever stands before RS is noise."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    waiting = ""
    while data := channel.recv(65536):
        waiting += decode(data)
        *lines, waiting = waiting.split("\n")
        for line in lines:
            _, mark, record = line.rpartition(RS)  # JSON has no RS in it
            if mark:
                with contextlib.suppress(ValueError):  # noise that has one
                    yield json.loads(record)


def expanded(events: Iterator[Event], resources: Sequence[dict[str, Any]]) -> Iterator[Event]:
    """Each resource has an event of its own again: a host only counts those that are ok."""
    ids = (resource["id"] for resource in resources)
    for event in events:
        if event["event"] == "ok":
            for id in itertools.islice(ids, event["count"]):
                yield {"event": "resource", "id": id, "status": "ok", **NOTHING}
        else:
            if event["event"] == "resource":
                next(ids, None)
            yield event


def _explain(channel: Any, connection: fabric.Connection, errors: str, last: Event) -> None:
    where = f"{connection.user}@{connection.host}"
    words = "\n".join(errors.strip().splitlines()[-15:])
    channel.status_event.wait(5)  # comes after the end of the output
    ended = channel.exit_status != -1  # -1: no news, or killed by a signal
    if last or not ended:
        what = _broken(connection) or "the run on the host was ended"
        raise ConnectionFailed(
            f"{what} before its time (last heard of: {last.get('id', 'nothing')}) {words}".strip(),
            where=where,
            kept="what is due on the host is written down there",
            do="run the same command again: it goes on where this one stopped",
        )
    if "sudo:" in words:
        allow = "give the user password-less sudo, or type --prompt-for-sudo-password"
        raise HostRefused(
            f"sudo refuses: {words}",
            where=where,
            kept="nothing was changed on it",
            # A terminal would change the bytes that go through it.
            do=f"in the host's sudoers: Defaults:{connection.user} !requiretty"
            if "have a tty" in words
            else f"{allow} (fab --prompt-for-sudo-password …)",
        )
    raise HostRefused(
        f"the host could not start the run (exit {channel.recv_exit_status()}): {words}",
        where=where,
        kept="nothing was changed on it",
    )


def _broken(connection: fabric.Connection) -> str:
    """What happened to the line; nothing when it is whole, and the agent was killed."""
    cause = connection.transport.get_exception()
    if cause is None and connection.transport.is_active():
        return ""
    return "the line to the host broke" + (f" ({cause})" if str(cause or "") else "")
