"""What the strings of an inventory may look like.

They end up in nginx, SQL, shell, systemd and unix account names, so each kind of
string has one strict pattern and a reason in plain words. Nothing here corrects
what was written: a value is as it stands, or it is refused.
"""

from __future__ import annotations

import ipaddress
import keyword
import re
import socket
import unicodedata
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from nodriza.errors import SecretError
from nodriza.inventory.shape import Shape
from nodriza.secret import names_in

T = TypeVar("T")

_TAKEN = """
    root daemon bin sys sync games man lp mail news uucp proxy backup list irc nobody sudo adm
    tty disk kmem dialout fax voice cdrom floppy tape audio dip operator src shadow utmp video
    sasl plugdev staff users nogroup input sgx kvm render netdev crontab uuidd tss statd sshd
    messagebus polkitd avahi dnsmasq postfix ntp ntpsec chrony postgres ganesha gluster ftp
    mysql mariadb performance_schema information_schema test redis nginx uwsgi celery glusterfs
    exports ssh ssl apt cron default dpkg network networks nftables systemd perl python3 skel udev
    alternatives nodriza certbot letsencrypt dbus dhcp fstab group groff gss hostname hosts
    inputrc iproute2 issue kernel ldap localtime logcheck magic motd mtab netconfig opt os
    pam passwd polkit profile protocols rmt rpc security selinux services sgml shells subgid
    subuid terminfo timezone ucf vim vulkan wgetrc xdg xml environment ethertypes fonts gshadow
    docker libvirt apparmor binfmt init modules initramfs grub rsyslog logrotate locale sysctl
"""
# Accounts, groups, databases, and what is in /etc: an application's name becomes all four.
RESERVED = frozenset(_TAKEN.split())
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NODE_NAME = rf"(?=[^a-z]*[a-z])(?!0x[0-9a-f]*$){_LABEL}"
"""RFC 1123, in small letters; no number of any kind, which inet_aton(3) takes for an address."""
NO_NODE = ("localhost", "ip6-localhost", "ip6-loopback")
_DOMAIN = rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*"
_DOMAIN_WORDS = (
    "must be a host name in small letters, such as www.example.org (no http://, port, path or *)"
)
_APP_NAME = r"[a-z][a-z0-9_]{0,31}"
_APP_WORDS = (
    "can't name an application, its unix user and its database: "
    "small letters, digits and underscores, a letter first, at most 32"
)
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}"
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = rf"{_IDENTIFIER}(\.{_IDENTIFIER})*"
_MODULE_WORDS = "must be the dotted name of a Python module, such as shop.wsgi"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_HOST_WORDS = "must be a host name or an address"
_UNIX_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"
_GATEWAY = rf"({_UNIX_USER}@)?({_HOST})(:([0-9]{{1,5}}))?"
_PROXY_WORDS = "must be an IPv4 address or a network of them, such as 192.0.2.7 or 192.0.2.0/28"
_GATEWAY_WORDS = 'must be the name of a node, or "user@host" or "user@host:port"'
ONE_VARIABLE = 131_072
"""Bytes of NAME=value and its end: MAX_ARG_STRLEN, 32 pages (execve(2))."""
ALL_VARIABLES = 1_000_000
"""Bytes: half of what is left for arguments and environment under Debian's limit for the stack
(a quarter of 8 MiB, execve(2)), because a program has arguments and variables of its own."""
_VALUE_WORDS = "must be one line: an environment file has one line for each variable"


def is_node_name(value: str) -> str:
    """Nothing, or why ``value`` can't be the name of a node."""
    if value in NO_NODE:
        return f'"{value}" is what every machine calls itself in /etc/hosts'
    if re.fullmatch(NODE_NAME, value):
        return ""
    if address := taken_for(value):
        return (
            f'a node\'s name becomes its hostname, and "{value}" is an address for every program'
            f" ({address}): it needs other letters"
        )
    near = ascii_name(value).replace("_", "-").replace(" ", "-").strip("-")
    such = f', such as "{near}"' if re.fullmatch(NODE_NAME, near) else ""
    return (
        "a node's name becomes its hostname: small letters, digits and hyphens, at most 63, "
        f"with a letter in it and no hyphen at either end{such}"
    )


def taken_for(value: str) -> str:
    """The address that inet_aton(3) sees in a name: "127.1", "0x1f", "017"; or nothing."""
    try:
        return socket.inet_ntoa(socket.inet_aton(value))
    except (OSError, ValueError):
        return ""


def _host_name(value: str) -> str:
    if not re.fullmatch(_HOST, value):
        raise ValueError(_HOST_WORDS)
    address = taken_for(value)
    if address not in ("", value):
        raise ValueError(f"is taken for the address {address}: write that, or a name")
    return value


def ascii_name(value: str) -> str:
    """The nearest in small ASCII letters: ``Ñandú-1`` is ``nandu-1``."""
    parts = unicodedata.normalize("NFKD", value)
    return "".join(c for c in parts if not unicodedata.combining(c)).lower()


def _domain(value: str) -> str:
    if address := taken_for(value):
        raise ValueError(f"is an address ({address}): {_DOMAIN_WORDS}")
    if re.fullmatch(_DOMAIN, value):
        return value
    near = punycode(value)
    if near != value and re.fullmatch(_DOMAIN, near):
        raise ValueError(f'must be written as DNS has it: "{near}"')
    raise ValueError(_DOMAIN_WORDS)


def punycode(domain: str) -> str:
    """A domain as DNS has it: ``Straße.example`` is ``xn--strae-oqa.example``."""
    import idna  # noqa: PLC0415  wanted only by those who see the message

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def _app_name(value: str) -> str:
    if not re.fullmatch(_APP_NAME, value):
        raise ValueError(_APP_WORDS)
    if value in RESERVED:
        raise ValueError(
            f"is a name that the system or one of the services already uses: "
            f"take another one, such as {value[:26]}_site"
        )
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


def _whole_network(value: str, otherwise: str) -> ipaddress.IPv4Network:
    """A network without an address in it; ``otherwise`` says what is not even that."""
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        if "host bits" in str(error):
            whole = ipaddress.IPv4Network(value, strict=False)
            raise ValueError(f"is an address in a network; the network is {whole}") from None
        raise ValueError(otherwise) from None


def _network(value: str) -> str:
    if "/" not in value:
        raise ValueError("is not a network: write it as 192.0.2.0/24")
    network = _whole_network(value, "is not an IPv4 network, such as 192.0.2.0/24")
    if not 8 <= network.prefixlen <= 29:
        raise ValueError("must be between /8 and /29 in size")
    if network.is_loopback or network.is_multicast or network.is_unspecified:
        raise ValueError("hosts can't have addresses from this network")
    return str(network)


def _proxy(value: str) -> str:
    network = _whole_network(value, _PROXY_WORDS)
    if network.prefixlen < 8:
        raise ValueError("is too large: whoever comes from there is believed; at most a /8")
    return value


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
    _host_name(found.group(2))
    return value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _items(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list, such as [one, two]")  # noqa: TRY004 (pydantic's way)
    return tuple(value)


Address = Annotated[str, Shape(_IPV4, "is not an IPv4 address, such as 192.0.2.11", _address)]
"""One IPv4 address."""
Network = Annotated[
    str,
    Shape(
        rf"{_IPV4}/([89]|1[0-9]|2[0-9])",
        "is not a network of /8 to /29: write it as 192.0.2.0/24",
        _network,
    ),
]
"""One IPv4 network as address/prefix."""
Proxy = Annotated[
    str,
    Shape(rf"{_IPV4}(/([89]|[12][0-9]|3[0-2]))?", _PROXY_WORDS, _proxy),
]
"""One IPv4 address, or a network of them as address/prefix."""
AppName = Annotated[
    str, Shape(_APP_NAME, _APP_WORDS, _app_name, {"not": {"enum": sorted(RESERVED)}})
]
"""Unix user, group and database at once."""
Module = Annotated[str, Shape(_DOTTED, _MODULE_WORDS, _module)]
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
Domain = Annotated[str, Shape(_DOMAIN, _DOMAIN_WORDS, _domain)]
"""What users type."""
SecretName = Annotated[
    str, Shape(r"[a-z0-9_]+", "must be the name of a secret: small letters, digits and _")
]
"""What the vault knows a secret by."""
Email = Annotated[
    str,
    Shape(
        rf"[A-Za-z0-9_][A-Za-z0-9._+-]{{0,63}}@{_LABEL}(\.{_LABEL})+", "must be an e-mail address"
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
    Shape(rf"https://{_HOST}(:\d{{1,5}})?(/[A-Za-z0-9._~/-]*)?", "must be an https:// address"),
]
"""An address on the web, without a question mark."""
HostName = Annotated[str, Shape(_HOST, _HOST_WORDS, _host_name)]
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
BoxName = Annotated[
    str,
    Shape(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", "must be a Vagrant box, such as debian/bookworm64"),
]
"""A Vagrant box."""
LocalPath = Annotated[Path, AfterValidator(_with_home)]
"""A file on the machine where fab runs."""
Folder = Annotated[str, Field(min_length=1), AfterValidator(_with_home)]
"""A folder on the machine where fab runs, kept as written."""
Items = BeforeValidator(_items)
"""A YAML list, and nothing that only looks like one, kept as a tuple."""
