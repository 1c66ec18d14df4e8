"""From Fabric's flags and settings to ``nodriza.ssh.login``, checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fabric import Config

from nodriza.ssh import login

from .flags import LONGEST
from .refusal import refusal, short


def remember(config: Config) -> None:
    """For every connection of this process. Raises ``Exit`` for what can't be meant."""
    options: dict[str, Any] = dict(config.connect_kwargs)
    password, passphrase = options.get("password"), options.get("passphrase")
    login.remember(
        login.Login(
            identities=tuple(_identities(config, options.get("key_filename"))),
            ssh_config=_file(config._runtime_ssh_path or config.ssh_config_path, "ssh_config"),
            patience=_seconds(options.get("timeout") or config.timeouts.connect),
            password=password,
            passphrase=passphrase,
        )
    )


def _identities(config: Config, typed: Any) -> list[str]:
    paths = [typed] if isinstance(typed, str) else list(typed or config.authentication.identities)
    return [path for path in (_file(str(each), "key") for each in paths) if path]


def _file(path: Any, what: str) -> str | None:
    if path is None:
        return None
    found = Path(str(path)).expanduser()
    if not found.is_file() or not os.access(found, os.R_OK):
        raise refusal(f"the {what} {short(str(path))} can't be read", f"ls -l {short(str(path))}")
    return str(found.absolute())


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0
    if not 0 < seconds <= LONGEST:
        raise refusal(
            f"a connection can't wait {short(str(value))} seconds", "--connect-timeout 10"
        )
    return seconds
