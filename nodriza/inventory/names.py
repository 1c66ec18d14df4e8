"""Names of nodes, hosts, domains and applications: how one may look, and why one can't be."""

from __future__ import annotations

import re
import socket
import unicodedata

_TAKEN = """
    root daemon bin sys sync games man lp mail news uucp proxy backup list irc nobody sudo adm
    tty disk kmem dialout fax voice cdrom floppy tape audio dip operator src shadow utmp video
    sasl plugdev staff users nogroup input sgx kvm render netdev crontab uuidd tss statd sshd
    messagebus polkitd avahi dnsmasq postfix ntp ntpsec chrony postgres ganesha gluster ftp
    mysql mariadb performance_schema information_schema test redis nginx uwsgi celery glusterfs
    exports ssh ssl apt cron default dpkg network networks nftables systemd perl python3 skel udev
    alternatives nodriza certbot letsencrypt dbus dhcp fstab group groff gss hostname hosts
    gunicorn inputrc iproute2 issue kernel ldap localtime logcheck magic motd mtab netconfig opt os
    pam passwd polkit profile protocols rmt rpc security selinux services sgml shells subgid
    subuid terminfo timezone ucf vim vulkan wgetrc xdg xml environment ethertypes fonts gshadow
    docker libvirt apparmor binfmt init modules initramfs grub rsyslog logrotate locale sysctl
"""
# Accounts, groups, databases, and what is in /etc: an application's name becomes all four.
RESERVED = frozenset(_TAKEN.split())
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NODE_NAME = rf"(?=[^a-z]*[a-z])(?!0x[0-9a-f]*$){LABEL}"
"""RFC 1123, in small letters; no number of any kind, which inet_aton(3) takes for an address."""
NO_NODE = ("localhost", "ip6-localhost", "ip6-loopback")
DOMAIN = rf"(?=.{{1,253}}$){LABEL}(\.{LABEL})*"
DOMAIN_WORDS = (
    "must be a host name in small letters, such as www.example.org (no http://, port, path or *)"
)
APP_NAME = r"[a-z][a-z0-9_]{0,31}"
APP_WORDS = (
    "can't name an application, its unix user and its database: "
    "small letters, digits and underscores, a letter first, at most 32"
)
HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
HOST_WORDS = "must be a host name or an address"


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


def host_name(value: str) -> str:
    """What SSH connects to. Raises ``ValueError`` with the reason."""
    if not re.fullmatch(HOST, value):
        raise ValueError(HOST_WORDS)
    address = taken_for(value)
    if address not in ("", value):
        raise ValueError(f"is taken for the address {address}: write that, or a name")
    return value


def ascii_name(value: str) -> str:
    """The nearest in small ASCII letters: ``Ñandú-1`` is ``nandu-1``."""
    parts = unicodedata.normalize("NFKD", value)
    return "".join(c for c in parts if not unicodedata.combining(c)).lower()


def domain(value: str) -> str:
    """Of a site, as DNS has it. Raises ``ValueError`` with the reason."""
    if address := taken_for(value):
        raise ValueError(f"is an address ({address}): {DOMAIN_WORDS}")
    if re.fullmatch(DOMAIN, value):
        return value
    near = punycode(value)
    if near != value and re.fullmatch(DOMAIN, near):
        raise ValueError(f'must be written as DNS has it: "{near}"')
    raise ValueError(DOMAIN_WORDS)


def punycode(domain: str) -> str:
    """A domain as DNS has it: ``Straße.example`` is ``xn--strae-oqa.example``."""
    import idna  # noqa: PLC0415  wanted only by those who see the message

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def app_name(value: str) -> str:
    """Of an application. Raises ``ValueError`` with the reason."""
    if not re.fullmatch(APP_NAME, value):
        raise ValueError(APP_WORDS)
    if value in RESERVED:
        raise ValueError(
            f"is a name that the system or one of the services already uses: "
            f"take another one, such as {value[:26]}_site"
        )
    return value
