"""The first lines of the agent on a host: before anything that is slow to load."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Optional, Tuple


class Later(ModuleType):
    """``inspect``, loaded when it is used.

    ``dataclasses`` imports it, for a fifth of the time that this process takes, and uses it
    only in Python 3.13 and later.
    """

    def __getattr__(self, name: str) -> Any:
        """An attribute of the module that takes our place."""
        if sys.modules.get("inspect") is self:
            del sys.modules["inspect"]
        import inspect  # noqa: PLC0415

        return getattr(inspect, name)


def start(body: bytes, stdin: int, keep: Optional[Tuple[str, bytes]]) -> None:
    """What ``main`` says, on a host; it never returns."""
    sys.modules["inspect"] = Later("inspect")
    from nodriza.agent.main import main  # noqa: PLC0415

    main(body, stdin, keep)
