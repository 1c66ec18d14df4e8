"""OpenSSH's client for the machines of labs, which no configuration of the user's is for."""

from __future__ import annotations

from pathlib import Path


def argv(login: str, key: str | Path, port: int = 22, **options: str) -> list[str]:
    """``ssh`` to ``user@host`` with one key, and options of ssh_config(5)."""
    fixed = {
        "IdentitiesOnly": "yes",
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": "10",
        "LogLevel": "ERROR",
        **options,
    }
    words = ["ssh", "-F", "none", "-i", str(key), "-p", str(port)]
    for name, value in fixed.items():
        words += ["-o", f"{name}={value}"]
    return [*words, login]
