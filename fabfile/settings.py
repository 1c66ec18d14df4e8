"""Fabric's configuration, whose files and variables are refused in words when they are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fabric
from invoke import Exit
from invoke.exceptions import AmbiguousEnvVar, UncastableEnvVar

from .refusal import refusal, short

FILES = "yaml, yml, json or py"


class Config(fabric.Config):  # type: ignore[misc]  # Fabric has no types
    """Fabric's own; it has no state besides."""

    def _load_file(self, prefix: str, absolute: bool = False, merge: bool = True) -> None:
        """One file of the system, the user, the project (fabric.yaml) or ``--config``."""
        if absolute and self._runtime_path and not Path(self._runtime_path).expanduser().is_file():
            raise refusal(
                f"--config {short(str(self._runtime_path))}: there is no such file",
                f"a file of Fabric's configuration: {FILES}",
            )
        try:
            super()._load_file(prefix, absolute=absolute, merge=False)
            self._refuse_shape(getattr(self, f"_{prefix}"))
        except Exit:
            raise
        except Exception as error:  # noqa: BLE001  whatever the file has in it, or runs
            where = self._runtime_path if absolute else f"{self._place(prefix)}{self.prefix}.yaml"
            raise refusal(f"{where}: {_one_line(error)}", "correct the file") from None
        if merge:
            self.merge()

    def load_shell_env(self) -> None:
        """The variables FABRIC_…, one for each setting."""
        try:
            super().load_shell_env()
        except (AmbiguousEnvVar, UncastableEnvVar, ValueError) as error:
            raise refusal(
                f"a variable FABRIC_… has a value that can't be: {_one_line(error)}",
                "env | grep ^FABRIC_",
            ) from None

    def _refuse_shape(self, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise TypeError("must have names with values, as in nodriza: {inventory: NAME}")
        for key, default in self.global_defaults().items():
            if isinstance(default, dict) and not isinstance(data.get(key, {}), Mapping):
                raise TypeError(f"{key} must have names with values")

    def _place(self, prefix: str) -> str:
        return str(getattr(self, f"_{prefix}_prefix", ""))


def _one_line(error: Exception) -> str:
    return short(" ".join(str(error).split()) or type(error).__name__)
