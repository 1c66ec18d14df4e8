"""Programs that are run when something shows that they are due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional, Sequence, Tuple

from nodriza.host import transient
from nodriza.host.env_file import parse_environment
from nodriza.host.errors import CommandFailed
from nodriza.resources.base import Resource, State, ids

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Command(Resource):
    """A program that is run only when it is due, never "each time".

    It is due while the file ``creates`` is missing, while the program ``unless`` exits
    with something else than 0, and when one of ``on_change`` (resources or ids) changed.
    After it ran, ``creates`` and ``unless`` must say that it is done.

    ``argv`` is no shell line. ``env_file`` is an ``EnvironmentFile`` of systemd.exec(5);
    ``unless`` gets the same user, directory and environment. ``timeout`` in seconds; ``None``
    is for what must never be cut short. ``words`` are added where it fails.

    With ``unit`` it runs in a transient unit of that name (``nodriza.host.transient``): it may
    change what is ``writable``, does not see what is ``hidden``, and ends with all it started.
    """

    name: str
    argv: Tuple[str, ...]
    creates: str = ""
    unless: Tuple[str, ...] = ()
    on_change: Tuple[Any, ...] = ()
    user: Optional[str] = None
    cwd: Optional[str] = None
    env_file: str = ""
    timeout: Optional[int] = 600
    words: str = ""
    unit: str = ""
    writable: Tuple[str, ...] = ()
    hidden: Tuple[str, ...] = ()

    ALONE: ClassVar[bool] = True  # what it asks of the host, the resources before it change

    def __post_init__(self) -> None:
        object.__setattr__(self, "argv", tuple(self.argv))
        object.__setattr__(self, "unless", tuple(self.unless))
        object.__setattr__(self, "on_change", ids(self.on_change))
        if self.unit and not self.user:
            raise ValueError(f"{self.id} has a unit, and no user")
        if not (self.creates or self.unless or self.on_change):
            raise ValueError(f"{self.id} has none of creates, unless, on_change: when is it due?")

    def wanted(self) -> State:
        """Done."""
        return {"done": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Command]) -> List[State]:
        """Only what ``creates`` and ``unless`` say; ``on_change`` is the journal's."""
        return [{"done": command._is_done(host)} for command in many]

    def _is_done(self, host: Host) -> bool:
        if self.creates and host.stat(self.creates) is None:
            return False
        if not self.unless:
            return True
        env = self._environment(host)
        return env is not None and self._run(host, self.unless, env, check=False) == 0

    def fix(self, host: Host, now: State) -> None:
        """Run it."""
        env = self._environment(host)
        if env is None:
            host.refuse(f"{self.id}: there is no {self.env_file}")
        try:
            self._run(host, self.argv, env, check=True)
        except CommandFailed as error:
            if not self.words:
                raise
            host.refuse(f"{error}\n{self.words}")

    def _run(self, host: Host, argv: Sequence[str], env: Dict[str, str], *, check: bool) -> int:
        if self.unit and self.user:
            unit = transient.Unit(
                self.unit, self.user, self.writable, self.hidden, self.env_file, tuple(env)
            )
            cwd, timeout = self.cwd or "/", self.timeout
            return transient.run(host, unit, argv, cwd=cwd, timeout=timeout, check=check).exit
        folder = host.at(self.cwd) if self.cwd else None
        return host.run(
            argv, check=check, env=env, user=self.user, cwd=folder, timeout=self.timeout
        ).exit

    def _environment(self, host: Host) -> Optional[Dict[str, str]]:
        if not self.env_file:
            return {}
        text = host.read(self.env_file)
        return None if text is None else parse_environment(text.decode("utf-8", "replace"))
