"""Who a host is: its SSH key must be known before anything is said to it.

Known keys are read from the node's ``ssh.known_hosts`` where the inventory sets it, else
from ``<inventory>.known_hosts`` beside the inventory and then from ssh's own files
(~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts, or those that ssh_config names), all in
OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Accepted keys go to the first of
these. A host that the first file knows is not looked up in the others; a key that any of
them revokes is refused.
"""

from __future__ import annotations

import base64
import binascii
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys

from nodriza.errors import HostKeyError
from nodriza.files import content, exclusively, write_whole
from nodriza.ssh.ssh_config_files import matches

if TYPE_CHECKING:
    from nodriza.ssh.hops import Hop

_GONE = "# (removed)"


@dataclass(frozen=True)
class Known:
    """A key of a host, and the line of the file that holds it."""

    path: Path
    line: int
    key: paramiko.PKey

    @property
    def where(self) -> str:
        """file:line."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class KnownHostsLine:
    """A line of a known_hosts file that is about the host that was asked for."""

    path: Path
    number: int
    marker: str
    """``@revoked``, ``@cert-authority``, or nothing."""
    text: str
    """The line without its marker."""

    @property
    def where(self) -> str:
        """file:line."""
        return f"{self.path}:{self.number}"


def check(hop: Hop, key: paramiko.PKey) -> None:
    """Raises ``HostKeyError`` unless this is a key by which the host is known."""
    refuse_bad(hop, key)
    found = known(hop)
    if any(old.key == key for old in found):
        return
    if found:
        raise changed(hop, key, found)
    authority = next((line for line in _all_lines(hop) if line.marker == "@cert-authority"), None)
    about = ""
    if authority:
        about = (
            f"\n  {authority.where} trusts an authority for it; certificates of hosts are not"
            " understood here, the host's own key must be known"
        )
    raise HostKeyError(
        f"unknown host key: {key.get_name()} {key.fingerprint}{about}",
        where=f"{hop.word} ({hop.known_as})",
        kept="nothing was sent to the host",
        do=f"compare with the host itself ({_on_the_host(key)})\n"
        f"        if it is the same: fab hostkeys.accept {hop.word}",
    )


def refuse_bad(hop: Hop, key: paramiko.PKey) -> None:
    """Raises ``HostKeyError`` for a key that can't be this host's, known or not.

    It is revoked by any file, or shorter than ssh_config wants it.
    """
    if is_short(hop, key):
        raise HostKeyError(
            f"its host key is too short: {key.get_name()} of {key.get_bits()} bits, and"
            f" RequiredRSASize of ssh_config is {hop.rsa_bits}",
            where=f"{hop.word} ({hop.known_as})",
            kept="nothing was sent to the host",
            do="give the host a longer one (ssh-keygen -A, after the old one is removed), and"
            " accept that one",
        )
    for line in _all_lines(hop):
        if line.marker == "@revoked" and _blob(line) == key.asbytes():
            raise _revoked(hop, key, line.where)
    for path in hop.revoked:
        if _lists(Path(path), key):
            raise _revoked(hop, key, path)


def is_short(hop: Hop, key: paramiko.PKey) -> bool:
    """Whether it is an RSA key with fewer bits than ssh_config wants of all (RequiredRSASize)."""
    return key.get_name() == "ssh-rsa" and key.get_bits() < hop.rsa_bits


def changed(hop: Hop, key: paramiko.PKey, olds: list[Known]) -> HostKeyError:
    """The error for a host whose key is not among those that are known."""
    lines = [
        f"\n  known:   {old.key.get_name()} {old.key.fingerprint} in {old.where}" for old in olds
    ]
    return HostKeyError(
        "THE HOST KEY HAS CHANGED: the host was installed anew, or somebody else answers in"
        f" its place{''.join(lines)}\n  offered: {key.get_name()} {key.fingerprint}",
        where=f"{hop.word} ({hop.known_as})",
        kept="nothing was sent to the host",
        do=f"compare with the host itself ({_on_the_host(key)})\n"
        f"        if the offered key is its own: fab hostkeys.accept {hop.word} --replace",
    )


def known(hop: Hop) -> list[Known]:
    """The keys by which a host is known, of the first group of files that has one."""
    for group in hop.known_hosts:
        if found := list(known_in(group, hop.known_as)):
            return found
    return []


def known_in(paths: Iterable[Path], name: str) -> Iterator[Known]:
    """The keys under ``name`` in all of these files. To read a key takes long: only those."""
    for line in _lines(paths, name):
        entry = _entry(line)
        if entry is not None and entry.key is not None:
            yield Known(line.path, line.number, entry.key)


def pin(path: Path, name: str, key: paramiko.PKey) -> None:
    """Write a key to a file as the only one under ``name``; everything else stays.

    So do lines whose pattern is about several hosts.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusively(path):
        lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.exists() else []
        for line in _lines([path], name):
            lines[line.number - 1] = _without(lines[line.number - 1], line, name)
        lines = [line for line in lines if line != _GONE]
        lines.append(f"{name} {key.get_name()} {key.get_base64()}")
        write_whole(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"), 0o644)


def same_fingerprint(key: paramiko.PKey, fingerprint: str) -> bool:
    """Is it this SHA-256 fingerprint, as ssh-keygen(1) -l prints it?"""
    given = fingerprint.strip().removeprefix("SHA256:").rstrip("=")
    return bool(given) and given == str(key.fingerprint).removeprefix("SHA256:").rstrip("=")


def _revoked(hop: Hop, key: paramiko.PKey, where: str) -> HostKeyError:
    return HostKeyError(
        f"THE HOST KEY IS REVOKED: {key.get_name()} {key.fingerprint}, by {where}",
        where=f"{hop.word} ({hop.known_as})",
        kept="nothing was sent to the host",
        do="give the host a new key (ssh-keygen -A, after its old ones are removed), and accept"
        " that one; whoever has the revoked one can pretend to be this host",
    )


def _lists(path: Path, key: paramiko.PKey) -> bool:
    """Is it in a RevokedHostKeys file: public keys, or a list that ssh-keygen(1) -k has made?"""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror) from None
    if not data.startswith(b"SSHKRL\n"):
        return key.get_base64().encode() in data.split()
    said = subprocess.run(
        ["ssh-keygen", "-Q", "-f", path, "/dev/stdin"],
        input=f"{key.get_name()} {key.get_base64()}\n",
        capture_output=True,
        text=True,
        errors="replace",
        timeout=20,
        check=False,
    )
    if said.returncode and "REVOKED" not in said.stdout:
        raise _unreadable(path, said.stderr.strip())
    return said.returncode != 0


def _unreadable(path: Path, why: str | None) -> HostKeyError:
    return HostKeyError(
        f"the keys of hosts can't be read: {why}",
        where=str(path),
        kept="nothing was sent to any host",
        do=f"ls -l {path}",
    )


def _on_the_host(key: paramiko.PKey) -> str:
    kind = key.get_name().removeprefix("ssh-").split("-")[0]
    return f"on it: ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub"


def _all_lines(hop: Hop) -> Iterator[KnownHostsLine]:
    return _lines((path for group in hop.known_hosts for path in group), hop.known_as, marked=True)


def _lines(paths: Iterable[Path], name: str, *, marked: bool = False) -> Iterator[KnownHostsLine]:
    """The lines about ``name``: those with a marker, or those without."""
    for path in paths:
        for number, line in enumerate(_text(path).splitlines(), 1):
            text = line.strip()
            if text.startswith("@") != marked or not text or text.startswith("#"):
                continue
            if not (name in text or "|1|" in text or "*" in text or "?" in text):
                continue
            words = text.split()
            marker = words.pop(0) if marked else ""
            if words and _is_about(words[0], name):
                yield KnownHostsLine(path, number, marker, " ".join(words))


def _text(path: Path) -> str:
    """A file that can't be read is no empty one: it may revoke a key."""
    try:
        return (content(path) or b"").decode("utf-8", "replace")
    except NotADirectoryError:
        return ""
    except OSError as error:
        raise _unreadable(path, error.strerror) from None


def _is_about(names: str, name: str) -> bool:
    words = names.split(",")
    if any(word[:1] == "!" and matches(name, word[1:]) for word in words):
        return False
    return any(_is(word, name) for word in words)


def _is(word: str, name: str) -> bool:
    if not word.startswith("|1|"):
        return word == name or matches(name.lower(), word.lower())
    try:
        return HostKeys.hash_host(name, word) == word
    except (AssertionError, IndexError, ValueError):  # damaged: ssh skips it too
        return False


def _entry(line: KnownHostsLine) -> HostKeyEntry | None:
    try:
        return HostKeyEntry.from_line(line.text, line.number)
    except Exception:  # noqa: BLE001  whatever the parts of a damaged key raise; ssh skips it
        return None


def _blob(line: KnownHostsLine) -> bytes:
    """The key that a line revokes. A damaged one may have meant any key."""
    try:
        return base64.b64decode(line.text.split()[2], validate=True)
    except (IndexError, binascii.Error):
        raise HostKeyError(
            "a line that revokes a host key can't be read",
            where=line.where,
            kept="nothing was sent to any host",
            do="write it as: @revoked HOST TYPE KEY, the last two from the host's .pub file",
        ) from None


def _without(whole: str, line: KnownHostsLine, name: str) -> str:
    """The line as it is about others, whole when it names this host in a pattern only."""
    names, _, rest = line.text.partition(" ")
    words = names.split(",")
    others = [word for word in words if {"*", "?"} & set(word) or not _is(word, name)]
    if others == words:
        return whole
    return f"{','.join(others)} {rest}" if others else _GONE
