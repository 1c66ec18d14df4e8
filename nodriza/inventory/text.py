"""What the strings of an inventory may look like.

They end up in nginx, SQL, shell, systemd and unix account names, so each kind of
string has one strict pattern and a reason in plain words. Nothing here corrects
what was written: a value is as it stands, or it is refused.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from nodriza.errors import SecretError
from nodriza.inventory import addresses, names
from nodriza.inventory.shape import Shape
from nodriza.vault.token import names_in

T = TypeVar("T")
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = rf"{_IDENTIFIER}(\.{_IDENTIFIER})*"
_MODULE_WORDS = "must be the dotted name of a Python module, such as shop.wsgi"
_ASGI_WORDS = "must be a module and a name in it, such as shop.asgi:application"
_UNIX_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"
_GATEWAY = rf"({_UNIX_USER}@)?({names.HOST})(:([0-9]{{1,5}}))?"
_GATEWAY_WORDS = 'must be the name of a node, or "user@host" or "user@host:port"'
ONE_VARIABLE = 131_072
"""Bytes of NAME=value and its end: MAX_ARG_STRLEN, 32 pages (execve(2))."""
ALL_VARIABLES = 1_000_000
"""Bytes: half of what is left for arguments and environment under Debian's limit for the stack
(a quarter of 8 MiB, execve(2)), because a program has arguments and variables of its own."""
_VALUE_WORDS = "must be one line: an environment file has one line for each variable"


def _module(value: str) -> str:
    if re.fullmatch(_DOTTED, value):
        words = [word for word in value.split(".") if keyword.iskeyword(word)]
        if words:
            raise ValueError(f'can\'t be a module: "{words[0]}" is a word of Python itself')
        return value
    module = value.partition(":")[0]
    if module != value and re.fullmatch(_DOTTED, module):
        raise ValueError(f'only the module is wanted, without what follows the colon: "{module}"')
    raise ValueError(_MODULE_WORDS)


def _asgi(value: str) -> str:
    module, colon, name = value.partition(":")
    if not re.fullmatch(_DOTTED, module) or (colon and not re.fullmatch(_IDENTIFIER, name)):
        raise ValueError(_ASGI_WORDS)
    _module(module)
    return value


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
        raise ValueError(_VALUE_WORDS)
    # systemd refuses a whole file with one of these in it (unichar_is_valid).
    found = next((c for c in value if ord(c) & 0xFFFE == 0xFFFE or "\ufdd0" <= c <= "\ufdef"), "")
    if found:
        raise ValueError(f"has a character in it that no text has (U+{ord(found):04X})")
    try:
        names_in(value)
    except SecretError as error:
        raise ValueError(f"is no secret's token: {error.what}") from None
    return value


def _environment(values: dict[str, str]) -> dict[str, str]:
    total = 0
    if "STATIC_ROOT" in values:
        raise ValueError("must not have STATIC_ROOT: each release has its own")
    for name, value in values.items():
        size = len(f"{name}={value}".encode()) + 1  # the zero byte at its end
        if size > ONE_VARIABLE:
            raise ValueError(
                f"{name} takes {size} bytes, and no program starts with a variable of more than"
                f" {ONE_VARIABLE}: put it in a file of the application"
            )
        total += size
    if total > ALL_VARIABLES:
        raise ValueError(
            f"its variables take {total} bytes together, and not every program starts with more"
            f" than {ALL_VARIABLES}: put the long ones in a file of the application"
        )
    return values


def _gateway(value: str) -> str:
    found = re.fullmatch(_GATEWAY, value)
    if not found or not 0 < int(found.group(5) or 22) < 65536:
        raise ValueError(_GATEWAY_WORDS)
    names.host_name(found.group(2))
    return value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _items(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list, such as [one, two]")  # noqa: TRY004 (pydantic's way)
    return tuple(value)


Address = Annotated[
    str, Shape(addresses.IPV4, "is not an IPv4 address, such as 192.0.2.11", addresses.address)
]
"""One IPv4 address."""
Network = Annotated[
    str,
    Shape(
        rf"{addresses.IPV4}/([89]|1[0-9]|2[0-9])",
        "is not a network of /8 to /29: write it as 192.0.2.0/24",
        addresses.network_of_hosts,
    ),
]
"""One IPv4 network as address/prefix."""
Proxy = Annotated[
    str,
    Shape(rf"{addresses.IPV4}(/([89]|[12][0-9]|3[0-2]))?", addresses.PROXY_WORDS, addresses.proxy),
]
"""One IPv4 address, or a network of them as address/prefix."""
AppName = Annotated[
    str,
    Shape(
        names.APP_NAME, names.APP_WORDS, names.app_name, {"not": {"enum": sorted(names.RESERVED)}}
    ),
]
"""Unix user, group and database at once."""
Module = Annotated[str, Shape(_DOTTED, _MODULE_WORDS, _module)]
AsgiApplication = Annotated[str, Shape(rf"{_DOTTED}(:{_IDENTIFIER})?", _ASGI_WORDS, _asgi)]
"""A dotted Python name."""
UrlPrefix = Annotated[
    str,
    Shape(
        r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?",
        "must be the beginning of an address, such as /upload/ (ASCII, no //, ? or #)",
    ),
]
"""The path of a URL, as far as it is the same for all that is meant."""
UrlPath = Annotated[
    str,
    Shape(
        r"/([A-Za-z0-9._~%+-]+/?)*(\?[A-Za-z0-9._~%+&=/-]*)?",
        "must be the path of a page, such as / or /login/?next=/ (ASCII, no // and no #)",
    ),
]
"""What stands in the first line of a request."""
InsidePath = Annotated[
    str,
    Shape(
        r"(?!/)(?!(.*/)?\.\.(/|$))[A-Za-z0-9_./-]+",
        "must be a path inside the application's folder: letters, digits and . _ - /",
        _inside,
    ),
]
"""A path relative to the application's source, never leaving it."""
VariableName = Annotated[
    str,
    Shape(_IDENTIFIER, "must be letters, digits and underscores, no digit first"),
]
"""The name of an environment variable, or of a template's."""
VariableValue = Annotated[
    str,
    Shape(r"[^\n\r]*", _VALUE_WORDS, _variable_value, {"type": ["string", "integer"]}),
    BeforeValidator(_number_as_text),
]
"""One line of text; a whole number is taken as its digits."""
Environment = Annotated[dict[VariableName, VariableValue], AfterValidator(_environment)]
"""Variables of a process, no larger than the kernel takes them."""
ClusterName = Annotated[
    str,
    Shape(
        r"[a-z]([a-z0-9-]{0,29}[a-z0-9])?",
        "can't name a cluster: small letters, digits and hyphens, a letter first, at most 31",
    ),
]
"""The cluster, also the name of its lab."""
Domain = Annotated[str, Shape(names.DOMAIN, names.DOMAIN_WORDS, names.domain)]
"""What users type."""
SecretName = Annotated[
    str, Shape(r"[a-z0-9_]+", "must be the name of a secret: small letters, digits and _")
]
"""What the vault knows a secret by."""
SecretVariable = Annotated[
    str,
    Shape(
        r"(?!STATIC_ROOT$)[A-Z][A-Z0-9_]*",
        "must be a variable in capitals, such as EMAIL_HOST_PASSWORD, and not STATIC_ROOT",
    ),
]
"""A variable that has the value of the secret of its name, in small letters."""
Email = Annotated[
    str,
    Shape(
        rf"[A-Za-z0-9_][A-Za-z0-9._+-]{{0,63}}@{names.LABEL}(\.{names.LABEL})+",
        "must be an e-mail address",
    ),
]
"""Who hears of a certificate that was not renewed."""
ShellLine = Annotated[
    str,
    Shape(r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,1999}", "must be one line for the shell"),
]
"""What ``sh -c`` is given."""
AfterHook = Annotated[
    str,
    Shape(
        r"(?!http://)[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,1999}",
        "must be an https:// address, secret:NAME, or one line for the shell",
    ),
]
"""Where a web hook is, which secret says so, or what is run on the controller."""
HttpsUrl = Annotated[
    str,
    Shape(
        rf"https://{names.HOST}(:\d{{1,5}})?(/[A-Za-z0-9._~/-]*)?", "must be an https:// address"
    ),
]
"""An address on the web, without a question mark."""
HostName = Annotated[str, Shape(names.HOST, names.HOST_WORDS, names.host_name)]
"""What SSH connects to."""
UnixUser = Annotated[str, Shape(_UNIX_USER, "must be the name of a unix account")]
"""Who logs in."""
Gateway = Annotated[str, Shape(_GATEWAY, _GATEWAY_WORDS, _gateway)]
"""A node's name or [user@]host[:port]."""
PackageName = Annotated[
    # apt-get removes what has a hyphen behind it (apt-get(8)).
    str, Shape(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]", "must be the name of a Debian package")
]
"""One apt package."""
MountOption = Annotated[
    str,
    Shape(
        r"[A-Za-z][A-Za-z0-9_.:=/-]*", "must be one mount option, such as nconnect=4, no commas"
    ),
]
"""One mount option."""
DevicePath = Annotated[
    str,
    Shape(
        r"(?!.*/\.{1,2}(/|$))(/[A-Za-z0-9_.:+-]+)+",
        "must be a device below /dev, such as /dev/disk/by-id/NAME, or the path of an image file",
    ),
]
"""What a file system is on: a disk, or a file."""
SERIAL = r"[1-9][0-9]{0,3}|([1-9][0-9]?|100)%"
Serial = Annotated[
    str,
    Shape(
        SERIAL,
        'must be a number of children, or such a part of them: 2 or "25%"',
        more={"type": ["string", "integer"]},
    ),
    BeforeValidator(_number_as_text),
]
"""How many at a time."""
RoleName = Annotated[
    str, Shape(r"[a-z][a-z0-9_]*", "must be the name of a module in roles/, such as nginx")
]
"""A role's module."""
Job = Annotated[
    str, Shape(r"[a-z][a-z0-9_]*", "must be a job that a role offers, such as database")
]
"""What a role offers to other nodes."""
QueueName = Annotated[
    str, Shape(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", "must be the name of a queue, such as mail")
]
"""One of Celery's queues; it stands in a line of sh."""
BoxName = Annotated[
    str,
    Shape(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", "must be a Vagrant box, such as debian/bookworm64"),
]
"""A Vagrant box."""
LocalPath = Annotated[Path, AfterValidator(_with_home)]
"""A file on the machine where fab runs."""
Folder = Annotated[
    str, Field(min_length=1, json_schema_extra={"format": "path"}), AfterValidator(_with_home)
]
"""A folder on the machine where fab runs, kept as written."""
Items = BeforeValidator(_items)
"""A YAML list, and nothing that only looks like one, kept as a tuple."""
