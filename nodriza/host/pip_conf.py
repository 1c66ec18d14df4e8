"""How this host reaches Python packages, as its /etc/pip.conf says, in uv's words.

uv does not read pip's settings (uv's documentation, "Compatibility with pip"), and operators
have them on their hosts for pip. A host's own /etc/uv/uv.toml, which uv does read, is a better
answer: then there is nothing to translate.
"""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING, Dict

if TYPE_CHECKING:
    from nodriza.host.host import Host

FILES = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
"""Those for all users; the last has the last word (pip's documentation, "Configuration")."""
UV_TOML = "/etc/uv/uv.toml"
SECTIONS = ("global", "install")
WORDS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "constraint": "UV_CONSTRAINT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
"""pip's option to uv's variable of the same meaning (uv's documentation, "Environment")."""


def variables(host: Host) -> Dict[str, str]:
    """For uv's environment. There may be passwords in them: they belong in no command line."""
    if host.stat(UV_TOML) is not None:
        return {}
    found: Dict[str, str] = {}
    for name in FILES:
        text = (host.read(name) or b"").decode("utf-8", "replace")
        settings = configparser.RawConfigParser(strict=False)
        try:
            settings.read_string(text)
        except configparser.Error as error:
            host.refuse(f"{name} can't be read: {error}")
        for section in SECTIONS:
            if settings.has_section(section):
                found.update(settings.items(section))
    given = {option.replace("_", "-"): " ".join(value.split()) for option, value in found.items()}
    if given.get("no-index", "").lower() in ("1", "true", "yes", "on", "t", "y"):
        host.refuse(f"no-index of pip.conf has no counterpart that uv reads: write {UV_TOML}")
    if "find-links" in given:
        given["find-links"] = given["find-links"].replace(" ", ",")
    return {WORDS[option]: value for option, value in given.items() if option in WORDS and value}


def environment_file(variables: Dict[str, str]) -> str:
    """The text of a file that systemd reads them from (systemd.exec(5), EnvironmentFile)."""
    escaped = {name: re.sub(r'(["\\`$])', r"\\\1", text) for name, text in variables.items()}
    return "".join(f'{name}="{text}"\n' for name, text in escaped.items())
