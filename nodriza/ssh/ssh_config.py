"""What the operator's ssh_config says about a host: OpenSSH's own client is asked.

``ssh -G HOST`` (ssh(1)) reads ~/.ssh/config and the system's file with Include, Match, Host
and its tokens, and prints every option that holds for a host. It costs 7 ms, so it is asked
only about hosts that a line of those files may concern, and once for all that the lines
treat alike.

What an option means here: ``APPLIED`` is honoured, ``NO_MEANING`` has no effect on what this
program does over SSH, and every other option is refused in words.
"""

from __future__ import annotations

import functools
import os
import pwd
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from nodriza.errors import SshConfigError
from nodriza.ssh import ssh_config_files as files
from nodriza.ssh.login import typed

PATIENCE = 20
"""Seconds; a ``Match exec`` runs a program of the operator's."""
APPLIED = {
    "where": "addressfamily bindaddress canonicalizehostname connecttimeout host hostname port"
    " proxycommand proxyjump",
    "who": "certificatefile forwardagent identitiesonly identityagent identityfile"
    " preferredauthentications user",
    "known by": "globalknownhostsfile hostkeyalias requiredrsasize revokedhostkeys"
    " userknownhostsfile",
    "how": "ciphers compression hostkeyalgorithms kexalgorithms macs pubkeyacceptedalgorithms",
}
"""By their names in the output of ``ssh -G``: small letters."""
_ABLE = files.WITHOUT_MEANING.union(*(words.split() for words in APPLIED.values()))
_NOBODY = "nobody-named-a-user"


@dataclass(frozen=True)
class Said:
    """What ssh_config says about one host; what it leaves open is as ssh has it."""

    host: str
    port: int
    user: str
    names_user: bool = False
    """``user`` stands in ssh_config, and is not just who is logged in on this computer."""
    options: tuple[tuple[str, str], ...] = ()
    """Those that differ from ssh's own, name and value; a name may come several times."""

    def get(self, name: str) -> str:
        """One value; empty where nothing is said."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Every value of a name."""
        return [value for key, value in self.options if key == name]


def about(host: str, user: str | None = None, port: int | None = None) -> Said:
    """``user`` and ``port``: where they are known already; they are stronger than the file.

    Raises ``SshConfigError`` with ssh's own words, file and line, and for an option that
    can't be honoured.
    """
    read = files.read(typed().ssh_config)
    if not read.may_concern(host):
        return Said(host, port or 22, user or _local_user())
    for like in (read.likeness(host), host):
        key = (like, user, port, read)
        answer = _answers.get(key) or _answers.setdefault(key, _asked(host, user, port, read))
        if answer.holds_for(host):
            break
    return replace(answer.said, host=host) if answer.said.host == answer.host else answer.said


@dataclass(frozen=True)
class _Answer:
    """What ssh said when it was asked about ``host``."""

    host: str
    said: Said

    def holds_for(self, host: str) -> bool:
        """For another that all lines treat alike, unless its name is in an option's value."""
        values = (value for name, value in self.said.options if name not in ("host", "hostname"))
        named = self.said.host != self.host or any(self.host in value for value in values)
        return host == self.host or not named


_answers: dict[tuple[object, ...], _Answer] = {}


def _asked(host: str, user: str | None, port: int | None, read: files.Read) -> _Answer:
    given = [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
    with files.as_arguments(read) as (where, names):
        printed = _ask([*where, *given, "--", host], names)
    own = set(_own_options())
    options = tuple(pair for pair in printed if pair not in own)
    found = dict(options)
    _refuse(host, options)
    login = found.get("user", _local_user())
    said = Said(
        found.get("hostname", host),
        int(found.get("port", 22)),
        user or login,
        user is not None or _names_user(host, login, read),
        options,
    )
    return _Answer(host, said)


def _names_user(host: str, login: str, read: files.Read) -> bool:
    """Does a line name the user, if it is also the one who is logged in here?"""
    if login != _local_user():
        return True
    if not read.says("user"):
        return False
    with files.as_arguments(read, last=f"User {_NOBODY}") as (where, names):
        return dict(_ask([*where, "--", host], names))["user"] != _NOBODY


def _refuse(host: str, options: tuple[tuple[str, str], ...]) -> None:
    """Raise for the options that can't be honoured, if there are any."""
    found = dict(options)
    idle = {"localcommand"} if found.get("permitlocalcommand", "no") == "no" else set()
    wrong = {name for name in found if name not in _ABLE | idle}
    if found.get("forwardagent", "no") not in ("yes", "no"):
        wrong.add("forwardagent")
    if "publickey" not in found.get("preferredauthentications", "publickey").split(","):
        wrong.add("preferredauthentications")
    if wrong:
        words = ", ".join(f"{name} {found[name]}" for name in sorted(wrong))
        raise refused(host, words, *wrong)


def refused(host: str, words: str, *names: str) -> SshConfigError:
    """The error for options about a host, with the lines that may have set them."""
    return SshConfigError(
        f"not possible here: {words}",
        where=files.read(typed().ssh_config).where(*names) or f"ssh_config of {host}",
        kept="nothing was sent to the host",
        do=f"leave it out for {host} (ssh -G {host} shows what holds for it),"
        " or reach the host with a ProxyCommand",
    )


@functools.lru_cache(maxsize=1)
def _own_options() -> frozenset[tuple[str, str]]:
    """What ssh would do without any configuration."""
    pairs = _ask(["-F", "none", "--", "localhost"], {})
    return frozenset(pair for pair in pairs if pair[0] not in ("host", "hostname"))


def _ask(arguments: list[str], names: dict[str, str]) -> list[tuple[str, str]]:
    """The lines of ``ssh -G``; ``names`` are files that stand for others, for the errors."""
    try:
        done = subprocess.run(
            ["ssh", "-T", "-G", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise SshConfigError(
            "the program ssh reads ssh_config, and is not installed on this computer",
            do="apt-get install openssh-client",
        ) from None
    except subprocess.TimeoutExpired:
        raise SshConfigError(
            f"ssh -G was not done within {PATIENCE} s: see its Match exec lines",
            do=f"ssh -v -G {arguments[-1]}",
        ) from None
    if done.returncode:
        raise _not_read(done.stderr, names)
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return [(name.lower(), value) for name, _, value in pairs]


def _not_read(said: str, names: dict[str, str]) -> SshConfigError:
    for path, real in names.items():
        said = said.replace(path, real)
    lines = [line for line in said.strip().splitlines() if ": terminating, " not in line]
    return SshConfigError(
        "\n  ".join(lines[-5:]) or "ssh -G failed, and said nothing",
        where="ssh_config",
        kept="no host was asked anything",
        do="mend that line; ssh itself refuses the file as well",
    )


def _local_user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def tokens(text: str, said: Said, typed: str, user: str) -> str:
    """A value with its tokens and ``${VARIABLES}`` replaced (ssh_config(5), TOKENS)."""
    home = str(Path.home())
    values = {
        "%": "%", "h": said.host, "n": typed, "p": str(said.port), "r": user, "d": home,
        "u": _local_user(), "i": str(os.getuid()), "k": said.get("hostkeyalias") or typed,
        "L": os.uname().nodename.partition(".")[0], "l": os.uname().nodename,
    }  # fmt: skip

    def value(found: re.Match[str]) -> str:
        if found[1] in values:
            return values[found[1]]
        raise refused(typed, f"the token %{found[1]} in {text}")

    def variable(found: re.Match[str]) -> str:
        if found[1] in os.environ:
            return os.environ[found[1]]
        raise refused(typed, f"{text}, as {found[1]} is not set")

    return re.sub(r"%(.)", value, re.sub(r"\$\{(\w+)\}", variable, text))
