"""``python -m docs.site FOLDER``: the site in FOLDER, or what is wrong with the pages."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.site import commands, keys, links

ROOT = Path(__file__).parents[2]
PAGES = ("README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst", "docs/*.rst", "docs/*.svg")


def gather(source: Path) -> None:
    """All pages side by side, with those that are made."""
    for pattern in PAGES:
        for page in ROOT.glob(pattern):
            shutil.copy(page, source / page.name)
    (source / f"{links.COMMANDS}.rst").write_text(commands.page(), "utf-8")
    (source / f"{links.KEYS}.rst").write_text(keys.page(), "utf-8")


def build(source: Path, folder: Path) -> int:
    """Exit code: 0 for a site without a warning."""
    # -n: a reference that leads nowhere is a warning, and -W: a warning is an error.
    strictly = ("-q", "-E", "-n", "-W", "--keep-going")
    settings = ("-c", str(Path(__file__).parent), "-d", str(source / ".doctrees"))
    code: int = build_main([*strictly, *settings, str(source), str(folder)])
    return code


def main(folder: Path) -> int:
    """The site, and where to open it."""
    with tempfile.TemporaryDirectory() as source:
        gather(Path(source))
        code = build(Path(source), folder)
    if code == 0:
        print(f"open in a browser: file://{folder.resolve()}/index.html")  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
