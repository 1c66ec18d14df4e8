"""The wheel as users get it, built from a copy so that the checkout stays as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_SOURCE = shutil.ignore_patterns(
    ".*", "__pycache__", "*.age", "*.egg-info", "reports", "rendered", "var"
)
MADE = {"build", "dist"}
"""Setuptools' own, at the top; templates/build is a role's."""


def copy_of_the_source(folder: Path) -> Path:
    """The checkout as git would have it, near enough."""

    def ignored(inside: str, names: list[str]) -> set[str]:
        return NOT_SOURCE(inside, names) | (MADE if Path(inside) == ROOT else set())

    return Path(shutil.copytree(ROOT, folder / "checkout", ignore=ignored))


def build_wheel(source: Path, folder: Path) -> Path:
    """With the setuptools that is here: no network."""
    pip = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation"]
    run(*pip, "--wheel-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def build_sdist(source: Path, folder: Path) -> Path:
    """Unpacked, as its own folder."""
    run(sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", folder, cwd=source)
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as tar:
        # Our own archive; Debian 12's Python has no ``filter`` yet.
        tar.extractall(folder)
    return folder / packed.name.removesuffix(".tar.gz")


def empty_environment(folder: Path) -> Path:
    """A new virtual environment with nothing in it, pip neither; its site-packages."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    return site_packages


def run(*argv: str | Path, cwd: Path | None = None, **env: str) -> str:
    """What a program said; fails with it when the program does."""
    done = subprocess.run(
        list(map(str, argv)),
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
