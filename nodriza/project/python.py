"""Which Python a project needs, and the first Debian release that has it."""

from __future__ import annotations

import re

from nodriza.project.files import Files

DEBIAN = {"bookworm": (3, 11), "trixie": (3, 13)}
"""Debian's python3 of each release."""
DJANGO = ((6, 0, (3, 12)), (5, 0, (3, 10)))
"""The oldest Python of a Django (docs.djangoproject.com, "FAQ: Installation")."""
_ATLEAST = re.compile(r"""(?m)^\s*requires-python\s*=\s*["'][^"']*?>=?\s*(\d+)\.(\d+)""")
_POETRY = re.compile(r"""(?m)^python\s*=\s*["'](?:\^|>=|~)\s*(\d+)\.(\d+)""")
_LOCKED = re.compile(r'(?mi)^name\s*=\s*"django"\s*\nversion\s*=\s*"(\d+)\.(\d+)')
_PLAIN = re.compile(r"(?mi)^\s*[\"']?django(?:\[[^\]]*\])?\s*(?:==|>=|~=)\s*(\d+)\.(\d+)")


def release_for(files: Files, requirements: str) -> tuple[str, str]:
    """The release and the reason; nothing where the oldest that is supported will do."""
    need, why = _python(files, requirements)
    usual, *later = DEBIAN
    if need <= DEBIAN[usual]:
        return "", ""
    for release in later:
        if DEBIAN[release] >= need:
            return release, why
    return later[-1], f"{why}; no Debian has it"


def _python(files: Files, requirements: str) -> tuple[tuple[int, int], str]:
    found: list[tuple[tuple[int, int], str]] = [((0, 0), "")]
    for name in ("pyproject.toml", requirements):
        text = files.text(name) if name and name in files else ""
        for pattern in (_ATLEAST, _POETRY):
            if asked := pattern.search(text):
                version = (int(asked[1]), int(asked[2]))
                found.append((version, f"{name} asks for Python {asked[1]}.{asked[2]}"))
        django = _LOCKED.search(text) or _PLAIN.search(text)
        for major, minor, python in DJANGO if django else ():
            if django and (int(django[1]), int(django[2])) >= (major, minor):
                which = f"Django {django[1]}.{django[2]} needs Python {python[0]}.{python[1]}"
                found.append((python, f"{which} ({name})"))
                break
    return max(found)
