"""What the strings of an inventory may look like.

They end up in nginx, SQL, shell, systemd and unix account names, so each kind of
string has one strict pattern and a reason in plain words. Nothing here corrects
what was written: a value is as it stands, or it is refused.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

T = TypeVar("T")

_RESERVED = """
    root daemon bin sys sync games man lp mail news uucp proxy backup list irc nobody sudo adm
    mysql mariadb performance_schema information_schema test redis nginx uwsgi celery glusterfs
    gluster exports sshd ssh ssl apt cron default dpkg network nftables systemd messagebus perl
    python3 skel udev alternatives nodriza
"""
# Accounts, databases, and folders in /etc: an application's name becomes all three.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_UNIX_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"


def _matching(pattern: str, why: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(why)
        return value

    return AfterValidator(check)


def is_node_name(value: str) -> str:
    """Nothing, or why ``value`` can't be the name of a node."""
    if re.fullmatch(_LABEL, value) and re.search("[a-z]", value):
        return ""
    return (
        "a node's name becomes its hostname: small letters, digits and hyphens, at most 63, "
        "with a letter in it and no hyphen at either end"
    )


def _app_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", value):
        raise ValueError(
            "can't name an application, its unix user and its database: "
            "small letters, digits and underscores, a letter first, at most 32"
        )
    if value in _RESERVED.split():
        raise ValueError("is a name that the system or one of the services already uses")
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        reason = "is not an IPv4 address, such as 192.0.2.11"
        if re.search(r"(^|\.)0\d", value):
            reason += " (no leading zeros)"
        elif "[" in value:
            reason += "; a range is written 192.0.2.[12:15], in a node whose name is a range too"
        elif ":" in value:
            reason += " (IPv6 is not supported)"
        raise ValueError(reason) from None


def _network(value: str) -> str:
    if "/" not in value:
        raise ValueError("is not a network: write it as 192.0.2.0/24")
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        if "host bits" in str(error):
            whole = ipaddress.IPv4Network(value, strict=False)
            raise ValueError(f"is an address in a network; the network is {whole}") from None
        raise ValueError("is not an IPv4 network, such as 192.0.2.0/24") from None
    if not 8 <= network.prefixlen <= 29:
        raise ValueError("must be between /8 and /29 in size")
    if network.is_loopback or network.is_multicast or network.is_unspecified:
        raise ValueError("hosts can't have addresses from this network")
    return str(network)


def _module(value: str) -> str:
    if re.fullmatch(rf"{_IDENTIFIER}(\.{_IDENTIFIER})*", value):
        return value
    module = value.partition(":")[0]
    if module != value and re.fullmatch(rf"{_IDENTIFIER}(\.{_IDENTIFIER})*", module):
        raise ValueError(f'only the module is wanted, without what follows the colon: "{module}"')
    raise ValueError("must be the dotted name of a Python module, such as shop.wsgi")


def _inside(value: str) -> str:
    parts = value.split("/")
    if not value or value.startswith("/") or ".." in parts:
        raise ValueError("must be a path inside the application's folder, without ..")
    if not re.fullmatch(r"[A-Za-z0-9_./-]+", value):
        raise ValueError("may have only letters, digits and . _ - / in it")
    return value


def absolute(path: str | Path, base: Path) -> Path:
    """A path as written, from the folder ``base``; ``~`` is a home folder."""
    try:
        return base / Path(path).expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and no such user") from None


def _with_home(path: T) -> T:
    absolute(str(path), Path())
    return path


def _variable_value(value: str) -> str:
    if re.search(r"[\n\r\0]", value):
        raise ValueError("must be one line: an environment file has one line for each variable")
    return value


def _gateway(value: str) -> str:
    found = re.fullmatch(rf"({_UNIX_USER}@)?{_HOST}(:(\d{{1,5}}))?", value)
    if not found or not 0 < int(found.group(4) or 22) < 65536:
        raise ValueError('must be the name of a node, or "user@host" or "user@host:port"')
    return value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _items(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list, such as [one, two]")  # noqa: TRY004 (pydantic's way)
    return tuple(value)


Address = Annotated[str, AfterValidator(_address)]
"""One IPv4 address."""
Network = Annotated[str, AfterValidator(_network)]
"""One IPv4 network as address/prefix."""
AppName = Annotated[str, AfterValidator(_app_name)]
"""Unix user, group and database at once."""
Module = Annotated[str, AfterValidator(_module)]
"""A dotted Python name."""
InsidePath = Annotated[str, AfterValidator(_inside)]
"""A path relative to the application's source, never leaving it."""
VariableName = Annotated[
    str,
    _matching(_IDENTIFIER, "must be letters, digits and underscores, no digit first"),
]
"""The name of an environment variable, or of a template's."""
VariableValue = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_variable_value)]
"""One line of text; a whole number is taken as its digits."""
ClusterName = Annotated[
    str,
    _matching(
        r"[a-z]([a-z0-9-]{0,29}[a-z0-9])?",
        "can't name a cluster: small letters, digits and hyphens, a letter first, at most 31",
    ),
]
"""The cluster, also the name of its lab."""
Domain = Annotated[
    str,
    _matching(
        rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*",
        "must be a host name in small letters, such as www.example.org "
        "(no http://, port, path or *)",
    ),
]
"""What users type."""
HostName = Annotated[str, _matching(_HOST, "must be a host name or an address")]
"""What SSH connects to."""
UnixUser = Annotated[str, _matching(_UNIX_USER, "must be the name of a unix account")]
"""Who logs in."""
Gateway = Annotated[str, AfterValidator(_gateway)]
"""A node's name or [user@]host[:port]."""
PackageName = Annotated[
    str, _matching(r"[a-z0-9][a-z0-9+.-]+", "must be the name of a Debian package")
]
"""One apt package."""
MountOption = Annotated[
    str,
    _matching(r"[A-Za-z0-9_.:=/-]+", "must be one mount option, such as nconnect=4, no commas"),
]
"""One mount option."""
RoleName = Annotated[
    str, _matching(r"[a-z][a-z0-9_]*", "must be the name of a module in roles/, such as nginx")
]
"""A role's module."""
LocalPath = Annotated[Path, AfterValidator(_with_home)]
"""A file on the machine where fab runs."""
Folder = Annotated[str, Field(min_length=1), AfterValidator(_with_home)]
"""A folder on the machine where fab runs, kept as written."""
Items = BeforeValidator(_items)
"""A YAML list, and nothing that only looks like one, kept as a tuple."""
