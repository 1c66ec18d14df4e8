"""A machine: its files, the programs that run there, and what one run knows of it."""

from __future__ import annotations

import os
import pwd
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    NoReturn,
    Optional,
    Sequence,
    Tuple,
)

from nodriza.host import program
from nodriza.host.errors import CommandFailed, HostError, Result
from nodriza.host.files import Files, name_of, number_of
from nodriza.host.path import is_on_network

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Fetch = Callable[[str, Sequence[Tuple[int, int]]], Iterator[bytes]]
"""Takes the SHA-256 of a source and ranges of its parts, first and last; gives their bytes."""


class Host(Files):
    """A machine to look at and to change."""

    def __init__(self, root: str = "/") -> None:
        super().__init__(root)
        self.passing: Dict[str, float] = {}
        """Units that were seen on their way, and since when (``nodriza.host.units``)."""
        self.alive: Callable[[], None] = lambda: None
        """Called now and then by what takes long: somebody waits for a word."""
        self.note: Callable[[str], None] = lambda _: None
        """Called with a line for the operator, who is to know of it."""
        self.warn: Callable[[str], None] = lambda _: None
        """The same with what is not right, and ends nothing."""
        self.preflights: Dict[str, Dict[str, Any]] = {}
        """Releases that were found fit in this run, by their folder: ``Preflight``."""
        self.tried: "set[str]" = set()
        """Ids of the ``Trial``s of this run that what serves has passed."""
        self.working: "Dict[str, set[str]]" = {}
        """Folders, and where in them processes were when ``OldReleases`` took the rest away."""
        self.pythons: Dict[Tuple[str, int, int], str] = {}
        """Which version each program is, by its path, inode and time of modification."""
        self.fetch: Fetch = _nobody_sends
        """Asks the controller for parts of a source (``nodriza.host.line``)."""

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str = "",
        env: Optional[Dict[str, str]] = None,
        user: Optional[str] = None,
        cwd: Optional[str] = None,
        timeout: Optional[float] = 600,
    ) -> Result:
        """Run a program, as root or as ``user``, with ``env`` added to a bare environment.

        Of long output the beginning and the end are kept (``nodriza.host.program``). Raises
        ``CommandFailed`` unless ``check`` is off, ``HostError`` after ``timeout`` seconds,
        when the program and all that it started have been ended; ``None``: never. Root runs
        nothing that lies on a network file system, and nothing in a folder there (Python would
        import from it).
        """
        words, home = list(argv), "/root"
        if user is None:
            _refuse_shared(argv[0], cwd)
        else:
            try:
                entry = pwd.getpwnam(user)
            except KeyError:
                return _checked(Result(argv, 127, "", f"no user {user} on this host"), check)
            ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups"]
            words, home = ["setpriv", *ids, *words], entry.pw_dir
        try:
            done = program.run(
                words,
                input=input.encode(),
                env={"PATH": PATH, "HOME": home, "LC_ALL": "C.UTF-8", **(env or {})},
                cwd=cwd or "/",
                timeout=timeout,
                alive=self.alive,
            )
        except FileNotFoundError as error:
            result = Result(argv, 127, "", f"{error.filename}: not found")
        except (PermissionError, NotADirectoryError) as error:
            result = Result(argv, 126, "", str(error))
        except program.Late:
            raise HostError(f"{' '.join(argv)}: no end after {timeout or 0:.0f} s") from None
        else:
            result = Result(argv, *done)
        return _checked(result, check)

    def refuse(self, words: str) -> NoReturn:
        """Give up on a resource, in words for the operator."""
        raise HostError(words)

    def group_of(self, user: str) -> str:
        """The name of a user's own group."""
        return name_of(pwd.getpwuid(number_of(user, user=True)).pw_gid, user=False)


def _nobody_sends(sha256: str, parts: Sequence[Tuple[int, int]]) -> Iterator[bytes]:
    raise HostError("there is no controller to ask for the source")


def _refuse_shared(*paths: Optional[str]) -> None:
    """Root on any node that mounts a share could have put there what root would run here."""
    for path in paths:
        if not path or not path.startswith("/"):
            continue
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # starting the program says so
        try:
            if is_on_network(fd):
                raise HostError(f"{path} is on a share that other nodes write to: not run by root")
        finally:
            os.close(fd)


def _checked(result: Result, check: bool) -> Result:
    if check and result.exit:
        raise CommandFailed(result)
    return result
