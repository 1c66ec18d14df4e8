"""The systems that the roles were written for."""

from __future__ import annotations

from typing import Dict

from nodriza.host.host import Host

TRIED = {"debian": ("12", "13")}
"""Systems on which every role was run (os-release(5))."""
UNTRIED = {"ubuntu": ("22.04", "24.04", "26.04")}
"""Systems with the same packages, on which nobody has run them."""
KNOWN = {**TRIED, **UNTRIED}


def untried(host: Host) -> str:
    """A warning, or nothing where every role was run on such a system."""
    system = os_release(host)
    if system.get("VERSION_ID") in TRIED.get(system.get("ID", ""), ()):
        return ""
    known = ", ".join(f"{name} {' and '.join(versions)}" for name, versions in TRIED.items())
    name = system.get("PRETTY_NAME", "this system")
    return f"untried: nobody has run the roles on {name}; they were tried on {known}"


def refuse_unknown_system(host: Host) -> None:
    """Raises ``HostError`` on a system that the roles do not know; nothing has changed yet."""
    system = os_release(host)
    if system.get("VERSION_ID") not in KNOWN.get(system.get("ID", ""), ()):
        known = ", ".join(f"{name} {' and '.join(versions)}" for name, versions in KNOWN.items())
        host.refuse(
            f"this host runs {system.get('PRETTY_NAME', 'an unknown system')}; the roles know"
            f" {known}. Nothing was changed."
        )


def os_release(host: Host) -> Dict[str, str]:
    """The names and values of os-release(5)."""
    lines = (host.read("/etc/os-release", 65536) or b"").decode("utf-8", "replace").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {name: value.strip("\"'") for name, _, value in pairs}
