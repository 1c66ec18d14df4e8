"""One SSH channel: a request goes in, events come out.

The raw channel of Fabric's connection, because ``Connection.run(in_stream=…)`` feeds
stdin one character at a time.
"""

from __future__ import annotations

import codecs
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import paramiko

from nodriza import foreign
from nodriza.errors import ConnectionFailed, HostRefused, NodrizaError
from nodriza.ssh import agent_archive as pack
from nodriza.ssh.client import Connection
from nodriza.ssh.conversation import LAST, Conversation, Records
from nodriza.ssh.events import Event, NotAnEvent
from nodriza.ssh.sender import Sender

if TYPE_CHECKING:
    from nodriza.source.tree import Source

SILENCE = 1800  # seconds; the agent says once a minute that it is alive
ERRORS = 16 * 1024 * 1024  # bytes that a host may write to stderr; its last lines are kept
LONGEST = 65536  # characters of a line; a program may never end one
ENOUGH = ("resource", "end", "error")
"""Whatever the host wanted, it has, or it has given up on it."""
NOTHING: Mapping[str, Source] = MappingProxyType({})


def exchange(
    connection: Connection,
    request: dict[str, Any],
    on_event: Callable[[Event], bool | None],
    *,
    sudo_password: str | None = None,
    stop: threading.Event | None = None,
    deadline: float | None = None,
    sources: Mapping[str, Source] = NOTHING,
) -> None:
    """Run a request on a host; every event is handed on as it arrives.

    What ``on_event`` returns is the answer to a host that asks for its turn: ``True``,
    or ``False`` for never. When ``stop`` is set the host is told to end after the resource
    that it is at. ``deadline``: seconds until all has to be said. ``sources``: what the host may
    ask for, by its SHA-256; ``on_event`` hears how far it is on its way.

    Returns when the host is done. Raises ``ConnectionFailed`` when the line breaks
    before that, ``HostRefused`` when the host could not take the request, or says what our
    agent does not say.
    """
    looks = request["mode"] != "apply"
    command = pack.command(sudo_words(connection.user, sudo_password), looks=looks)
    with ends_within(connection, deadline) as late:
        channel = begin(connection, command)
        errors = Errors(channel)
        errors.thread.start()
        sender = Sender(channel, stop or threading.Event(), on_event)
        sender.begin(pack.payload(request), sudo_password)
        last = Last()
        try:
            for event in _events(channel, request):
                if event["event"] == "agent":
                    channel.sendall(pack.agent())
                    continue
                last.heard(event)
                if event["event"] == "start":
                    sender.at_work.set()
                if event["event"] == "wants":
                    sender.give(sources[event["sha256"]], event["parts"])
                    continue
                if event["event"] in ENOUGH:
                    sender.end()
                turn = on_event(event)
                if turn is not None:
                    sender.answer(turn)
                if event["event"] in LAST:
                    return
        except NotAnEvent as error:
            raise _not_our_agent(connection, str(error), last) from None
        except (OSError, EOFError, paramiko.SSHException):  # silence or a broken line: see below
            pass
        if late.is_set():
            raise ConnectionFailed(
                f"it had not said all within {deadline:.0f} s (last heard of: {last.subject})",
                where=_where(connection),
                kept="nothing was changed on it",
                do="its load, a disk or a share that hangs; then the same command again",
            )
        errors.thread.join(timeout=5)
        if errors.too_many:
            raise _not_our_agent(connection, f"more than {ERRORS >> 20} MB on stderr", last)
        _explain(channel, connection, errors.words, last)


@dataclass
class Last:
    """How far a host was when it was last heard of."""

    subject: str = "nothing"
    begun: bool = False

    def heard(self, event: Event) -> None:
        """Note what an event is about."""
        self.begun = self.begun or event["event"] != "doing"  # Python, for the agent itself
        if event["event"] in ("resource", "doing", "owed"):
            self.subject = event["id"]


@contextlib.contextmanager
def ends_within(connection: Connection, seconds: float | None) -> Iterator[threading.Event]:
    """Closes the connection after ``seconds``, whatever waits for it then; says whether it did.

    Time-outs of single reads are no bound: a host can send a byte before each of them.
    """
    late = threading.Event()

    def close() -> None:
        late.set()
        connection.client.close()

    timer = threading.Timer(seconds, close) if seconds is not None else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()


def begin(connection: Connection, command: str) -> paramiko.Channel:
    """The channel of a command that has been started; ``ConnectionFailed`` in words."""
    patience = connection.connect_kwargs["timeout"]
    with ends_within(connection, patience) as late:
        try:
            channel: paramiko.Channel = connection.transport.open_session(timeout=patience)
            channel.settimeout(SILENCE)
            channel.exec_command(command)  # which itself waits for ever
        except (OSError, EOFError, paramiko.SSHException) as error:
            words = foreign.line(getattr(error, "text", "")) or foreign.reason(error)
            if late.is_set():
                words = f"no answer within {patience:.0f} s"
            raise ConnectionFailed(
                f"the host let us in, and then no command: {words}",
                where=_where(connection),
                kept="nothing was changed on it",
                do="journalctl -u ssh on the host; MaxSessions in its sshd_config; its load",
            ) from error
    return channel


def text_lines(receive: Callable[[int], bytes]) -> Iterator[str]:
    """What a command prints, as lines of clean text; one without end is cut into pieces.

    ``receive``: a channel's ``recv``, or ``recv_stderr``.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    waiting: list[str] = []
    length = 0
    while data := receive(65536):
        *ends, rest = decode(data).split("\n")
        for end in ends:
            yield foreign.text("".join([*waiting, end]), 2 * LONGEST)
            waiting, length = [], 0
        waiting.append(rest)
        length += len(rest)
        if length > LONGEST:
            yield foreign.text("".join(waiting), 2 * LONGEST)
            waiting, length = [], 0
    if any(waiting):
        yield foreign.text("".join(waiting), 2 * LONGEST)


def sudo_words(user: str, password: str | None) -> str:
    """What stands before a command that needs root; a password is then the first line of stdin."""
    if user == "root":
        return ""
    # By its whole path: the login's PATH may hold anything.
    return "/usr/bin/sudo -n" if password is None else "/usr/bin/sudo -S -p ''"


@dataclass
class Errors:
    """What a host writes to stderr: its last lines, however much it is."""

    channel: paramiko.Channel
    too_many: bool = False
    thread: threading.Thread = field(init=False)
    _last: bytes = b""

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._drain, daemon=True)

    @property
    def words(self) -> str:
        """The last of it, clean, each further line marked as the host's own."""
        text = foreign.text(self._last.decode("utf-8", "replace")).strip()
        return foreign.quoted("\n".join(text.splitlines()[-15:]))

    def _drain(self) -> None:
        total = 0
        with contextlib.suppress(OSError):
            while data := self.channel.recv_stderr(32768):
                total += len(data)
                self._last = (self._last + data)[-16384:]
                if total > ERRORS:
                    self.too_many = True
                    self.channel.close()
                    return


def _events(channel: paramiko.Channel, request: dict[str, Any]) -> Iterator[Event]:
    records, conversation = Records(), Conversation(request)
    while data := channel.recv(65536):
        for record in records.feed(data):
            yield from conversation.heard(record)


def _not_our_agent(connection: Connection, words: str, last: Last) -> NodrizaError:
    return HostRefused(
        f"what it says is not what our agent says: {foreign.line(words)}",
        where=_where(connection),
        kept="what is due on the host is written down there"
        if last.begun
        else "nothing was changed on it, unless somebody else answers in its place",
        do="see who answers there, what its login scripts print, and which python3 it has",
    )


def _where(connection: Connection) -> str:
    return f"{connection.user}@{connection.host}"


_NO_PYTHON = {
    pack.ABSENT: (
        "it has no python3, which our agent is written in, and a look installs nothing",
        "fab provision:NODE, which installs it; without it nobody can look",
    ),
    pack.BROKEN: (
        "its python3 is installed, and can't be started",
        "mend it there: apt-get install --reinstall python3-minimal; ls -l /usr/bin/python3*",
    ),
    pack.UNINSTALLABLE: (
        "it has no python3, and apt-get can't install it",
        "mend what apt-get says (a mirror, the name server, the clock), then the same again",
    ),
}
"""By the exit of the command: what there is to say, and what to do."""


def _explain(channel: paramiko.Channel, connection: Connection, words: str, last: Last) -> None:
    where = _where(connection)
    channel.status_event.wait(5)  # comes after the end of the output
    ended = channel.exit_status != -1  # -1: no news, or killed by a signal
    if last.begun or not ended:
        what = connection.broken() or "the run on the host was ended"
        raise ConnectionFailed(
            f"{what} before its time (last heard of: {last.subject}) {words}".strip(),
            where=where,
            kept="what is due on the host is written down there"
            if last.begun
            else "nothing was changed on it, but for a package that was being installed",
            do="run the same command again"
            + (": it continues where this one stopped" if last.begun else ""),
        )
    if channel.exit_status in _NO_PYTHON:
        what, do = _NO_PYTHON[channel.exit_status]
        raise HostRefused(
            f"{what}: {words}" if words else what,
            where=where,
            kept="nothing was changed on it",
            do=do,
        )
    raise not_begun(connection, f"exit {channel.exit_status}", words)


def not_begun(connection: Connection, why: str, words: str) -> HostRefused:
    """For a command that the host did not begin; ``words``: what was said in its place."""
    where = _where(connection)
    if "sudo:" in words:
        allow = "give the user password-less sudo, or type --prompt-for-sudo-password"
        return HostRefused(
            f"sudo refuses: {words}",
            where=where,
            kept="nothing was changed on it",
            # A terminal would change the bytes that go through it.
            do=f"in the host's sudoers: Defaults:{connection.user} !requiretty"
            if "have a tty" in words
            else f"{allow} (fab --prompt-for-sudo-password …)",
        )
    return HostRefused(
        f"the host did not begin our command ({why})"
        + (f": {words}" if words else ", and says nothing"),
        where=where,
        kept="nothing was changed on it",
        do="see what its login does before our command: its shell (getent passwd), ~/.bashrc,"
        " ForceCommand in its sshd_config",
    )
