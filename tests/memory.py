"""How much memory something takes at its peak."""

from __future__ import annotations

import re
from pathlib import Path


class Peak:
    """From here on: ``grown`` is how many bytes more this process has had at once (proc(5))."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self._before = self._value("VmRSS")

    @property
    def grown(self) -> int:
        return self._value("VmHWM") - self._before

    def _value(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
        assert found
        return int(found[1]) * 1024
