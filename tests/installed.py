"""``make dist``: what was built is installed into nothing, as README.rst says, and begins.

``python -m tests.installed FOLDER``: the wheel and the source distribution there, each by itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("nodriza-*.whl", "nodriza-*.tar.gz")


def lines() -> list[str]:
    """What README.rst types to have the program, without the building."""
    text = (ROOT / "README.rst").read_text("utf-8")
    (block,) = re.findall(r"\n1\. Build the package[^$]*::\n\n((?:      .*\n)+)", text)
    typed = re.findall(r"(?m)^\$ (.*)$", textwrap.dedent(block))
    built, *rest = typed
    assert built == "make dist", built
    return rest


def install(built: Path, kind: str, folder: Path) -> str:
    """Type those lines in a checkout that has nothing but ``dist``; what the last ones say."""
    checkout, home = folder / "checkout", folder / "home"
    (checkout / "dist").mkdir(parents=True)
    home.mkdir()
    (package,) = built.glob(kind)
    shutil.copy(package, checkout / "dist")
    shutil.copytree(ROOT / "examples/videoteca", folder / "shop")
    script = "\n".join(lines()).replace(KINDS[0], kind)
    done = subprocess.run(
        ["bash", "-exc", f"{script}\nfab --list\nfab plan\nnodriza --version"],
        cwd=checkout,
        # pip's own settings: where packages come from is the computer's business.
        env={name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
        | {"HOME": str(home), "PATH": "/usr/bin:/bin", "NODRIZA_LAB_STATE": str(folder / "lab")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for word in ("  provision ", "service:nginx", "nodriza 0."):
        assert word in done.stdout, done.stdout
    return done.stdout


def main(built: Path) -> None:
    """Both, and a line of each."""
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            install(built, kind, Path(folder))
        print(f"{kind}: installed into nothing, nodriza init, fab --list and fab plan")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
