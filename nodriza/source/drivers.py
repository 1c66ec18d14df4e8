"""What Python's drivers for MySQL need from Debian."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

COMPILED = "mysqlclient"
BUILD = ("gcc", "libmariadb-dev", "pkg-config", "python3-dev")
RUN = ("libmariadb3",)

Finding = tuple[str, tuple[str, ...], str]


def look(requirements: Path) -> list[Finding]:
    """Packages for the inventory: key, packages, why."""
    if COMPILED not in named_in(requirements):
        return []
    why = f"{COMPILED} is compiled against it"
    return [("packages", RUN, why), ("build_packages", BUILD, why)]


def named_in(path: Path, seen: set[Path] | None = None) -> Iterator[str]:
    """The distributions that a file of requirements names, in the files it includes too."""
    if path.suffix in (".lock", ".toml"):
        yield from _named_in_toml(path)
        return
    seen = set() if seen is None else seen
    if path in seen or not path.is_file():
        return
    seen.add(path)
    for line in path.read_text("utf-8", errors="replace").splitlines():
        included = re.match(r"\s*(?:-r|--requirement)[\s=]*(\S+)", line)
        named = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
        if included:
            yield from named_in((path.parent / included[1]).resolve(), seen)
        elif named:
            yield re.sub(r"[-_.]+", "-", named[1]).lower()


def _named_in_toml(path: Path) -> Iterator[str]:
    """Those of a lock, or of a pyproject.toml: rather one too many than one too few."""
    text = path.read_text("utf-8", errors="replace") if path.is_file() else ""
    locked = r'(?m)^name\s*=\s*"([\w.-]+)"'
    wanted = r'"([A-Za-z0-9][\w.-]*)\s*(?:[\[<>=!~;@][^"]*)?"'
    for name in re.findall(wanted if path.name == "pyproject.toml" else locked, text):
        yield re.sub(r"[-_.]+", "-", name).lower()
