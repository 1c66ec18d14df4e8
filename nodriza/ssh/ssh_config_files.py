"""The files that ssh_config(5) is made of: may anything in them concern a host?

They are only skimmed: what they mean is asked of ssh. A file that is skimmed wrongly costs
time and nothing else, so in doubt a line concerns every host.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import pwd
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SYSTEM = tuple(
    Path(folder, "ssh/ssh_config")
    for folder in ("/etc", "/usr/etc", "/usr/local/etc", "/opt/homebrew/etc")
)
"""Where builds of OpenSSH have the system's file."""
BY_NAME = ("canonicalizehostname", "match")
"""Keywords by which two hosts differ, whatever their ``Host`` lines say."""
DEPTH = 16
"""Of files that include others, as ssh has it."""
NO_MEANING = {
    "terminals, display and logging": "batchmode enableescapecommandline escapechar"
    " fingerprinthash forkafterauthentication loglevel logverbose numberofpasswordprompts"
    " obscurekeystroketiming remotecommand requesttty sendenv sessiontype setenv stdinnull"
    " syslogfacility visualhostkey warnweakcrypto",
    "other ports and displays": "clearallforwardings dynamicforward exitonforwardfailure"
    " forwardx11 forwardx11timeout forwardx11trusted gatewayports localforward permitremoteopen"
    " remoteforward streamlocalbindmask streamlocalbindunlink tunnel tunneldevice xauthlocation",
    "one connection for many, patience and packets: we have our own measure": "channeltimeout"
    " connectionattempts controlmaster controlpath controlpersist ipqos rekeylimit"
    " serveralivecountmax serveraliveinterval tcpkeepalive",
    "how an unknown key gets known: by hostkeys.accept only": "hashknownhosts"
    " nohostauthenticationforlocalhost stricthostkeychecking updatehostkeys verifyhostkeydns",
    "other ways to log in than a key, or a password that was typed": "addkeystoagent"
    " enablesshkeysign gssapiauthentication gssapiclientidentity gssapidelegatecredentials"
    " gssapikexalgorithms gssapikeyexchange gssapirenewalforcesrekey gssapiserveridentity"
    " gssapitrustdns hostbasedacceptedalgorithms hostbasedauthentication"
    " kbdinteractiveauthentication kbdinteractivedevices passwordauthentication usekeychain",
    "what ssh has applied before it prints the rest": "canonicaldomains"
    " canonicalizefallbacklocal canonicalizemaxdots"
    " canonicalizepermittedcnames casignaturealgorithms ignoreunknown permitlocalcommand tag",
}
"""Options of ssh_config(5) that have no effect on what is done here, and why."""
WITHOUT_MEANING = frozenset(word for words in NO_MEANING.values() for word in words.split())


@dataclass(frozen=True)
class ConfigLine:
    """A line that says something for us, and for which hosts."""

    path: str
    number: int
    keyword: str
    patterns: tuple[str, ...] | None
    """Of its ``Host``; ``None`` where it is not so simple."""

    def may_concern(self, host: str) -> bool:
        """In doubt it does."""
        if self.patterns is None:
            return True
        name = host.lower()
        if any(matches(name, word[1:].lower()) for word in self.patterns if word[0] == "!"):
            return False
        return any(matches(name, word.lower()) for word in self.patterns)


@dataclass(frozen=True)
class Read:
    """What the files looked like when they were skimmed."""

    user: str
    """The operator's own file; empty where there is none."""
    typed: bool
    """It stands in the place of the system's as well (ssh -F)."""
    lines: tuple[ConfigLine, ...]
    states: tuple[tuple[str, object], ...] = ()
    """Of the files themselves; others are noticed by the next command."""

    def may_concern(self, host: str) -> bool:
        """Can any line have to do with this host?"""
        said = (line for line in self.lines if line.keyword not in ("host", "match"))
        return any(line.may_concern(host) for line in said)

    def likeness(self, host: str) -> object:
        """Two hosts have the same options where this is the same, but for what names them."""
        if any(each.patterns is None or each.keyword in BY_NAME for each in self.lines):
            return host
        return tuple(each.may_concern(host) for each in self.lines if each.keyword == "host")

    def says(self, keyword: str) -> bool:
        """For any host."""
        return any(line.keyword == keyword for line in self.lines)

    def where(self, *keywords: str) -> str:
        """Each place that has one of these keywords, as file:line."""
        return ", ".join(
            f"{line.path}:{line.number}" for line in self.lines if line.keyword in keywords
        )


def read(typed: str | None = None) -> Read:
    """Skim the files, or only the one that was ``typed``; again when one has changed."""
    own = typed or str(Path.home() / ".ssh" / "config")
    paths = [own] if typed else [own, *map(str, SYSTEM)]
    return _read(own, bool(typed), tuple((path, _state(path)) for path in paths))


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@functools.lru_cache(maxsize=8)
def _read(own: str, typed: bool, paths: tuple[tuple[str, object], ...]) -> Read:
    lines = [line for path, state in paths if state for line in _skim(Path(path), depth=0)]
    return Read(own if paths[0][1] else "", typed, tuple(lines), paths)


def _skim(path: Path, depth: int) -> Iterator[ConfigLine]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        yield ConfigLine(str(path), 0, "", None)  # ssh says why
        return
    patterns: tuple[str, ...] | None = ("*",)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        keyword, *words = re.split(r"\s*=\s*|\s+", line.strip(), maxsplit=1)
        keyword, value = keyword.lower(), "".join(words)
        if (
            not re.fullmatch(r"[a-z0-9]+", keyword)
            or re.search(r"[\"'\\]", value)
            or depth > DEPTH
        ):
            yield ConfigLine(str(path), number, keyword, None)
            if keyword in ("host", "match"):
                patterns = None
        elif keyword in ("host", "match"):
            patterns = tuple(value.split()) if keyword == "host" else None
            yield ConfigLine(str(path), number, keyword, patterns)
        elif keyword == "include":
            for found in _included(path, value):
                yield from _skim(found, depth + 1)
        elif keyword not in WITHOUT_MEANING:
            yield ConfigLine(str(path), number, keyword, patterns)


def _included(path: Path, value: str) -> list[Path]:
    """Relative names begin in ~/.ssh, in the system's file where that lies."""
    base = path.parent if path in SYSTEM else Path.home() / ".ssh"
    names = [base / Path(word).expanduser() for word in value.partition("#")[0].split()]
    return [Path(found) for name in names for found in sorted(glob.glob(str(name)))]  # noqa: PTH207


def matches(name: str, pattern: str) -> bool:
    """``*`` and ``?`` as in ssh_config(5), PATTERNS; nothing else has a meaning."""
    return bool(_pattern(pattern).fullmatch(name))


@functools.lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in pattern), re.DOTALL)


@contextlib.contextmanager
def as_arguments(read: Read, last: str = "") -> Iterator[tuple[list[str], dict[str, str]]]:
    """The arguments by which ssh reads these files, and the names of files that were copied.

    ssh looks up the home folder in the password database; everything else of an operator
    with another ``$HOME`` (in a container, below sudo) is there. ``last``: a line that holds
    where nothing else is said.
    """
    moved = Path.home() != Path(pwd.getpwuid(os.getuid()).pw_dir)
    if not last and (read.typed or not moved):
        yield (["-F", read.user] if read.typed else []), {}
        return
    with tempfile.TemporaryDirectory(prefix="nodriza-") as folder:
        names: dict[str, str] = {}
        own = [read.user] if read.user else []
        if own and moved and not read.typed:
            own = [_copy(Path(read.user), Path(folder), names)]
        system = [] if read.typed else [str(path) for path in SYSTEM if path.exists()]
        both = [f"Include {path}\nMatch all\n" for path in (*own, *system)]
        (Path(folder) / "all").write_text("".join(both) + last + "\n")
        yield ["-F", f"{folder}/all"], names


def _copy(path: Path, folder: Path, names: dict[str, str], depth: int = 0) -> str:
    """A copy whose relative names and whose ``~`` mean the home folder that we have."""
    copy = folder / str(len(names))
    names[str(copy)] = str(path)
    lines = []
    for line in path.read_text("utf-8", "surrogateescape").splitlines():
        found = re.match(r"\s*include[\s=]+([^\"'\\]+)$", line, re.IGNORECASE)
        if found and depth <= DEPTH:
            inner = _included(path, found[1])
            copies = [_copy(each, folder, names, depth + 1) for each in inner]
            lines.append(f"Include {' '.join(copies)}" if copies else "")
        else:
            lines.append(re.sub(r"(?<=[\s=\"])~(?=/)", str(Path.home()), line))
    copy.write_text("\n".join(lines) + "\n", "utf-8", "surrogateescape")
    return str(copy)
