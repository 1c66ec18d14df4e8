"""Names of packages as apt-get itself understands them, with a repository of three."""

import os
import subprocess

import pytest

from nodriza.resources.package import _exactly

PACKAGES = ("vim-tiny", "libpython3.11", "g++")
STANZA = "Package: {}\nVersion: 1\nArchitecture: all\nFilename: {}.deb\nSize: 1\nMD5sum: {}\n\n"
CONFIGURATION = """
Dir "{folder}";
Dir::State::status "{folder}/status";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
APT::Sandbox::User "{user}";
"""


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """What ``apt-get install`` would do, in its own words."""
    for folder in ("etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "status").write_text("")
    stanzas = (STANZA.format(name, name, "0" * 32) for name in PACKAGES)
    (tmp_path / "Packages").write_text("".join(stanzas))
    (tmp_path / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{tmp_path} ./\n")
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "apt.conf").write_text(CONFIGURATION.format(folder=tmp_path, user=user))

    def run(*words):
        return subprocess.run(
            ["apt-get", "-q", *words],
            env={**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf"), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )

    updated = run("update")
    assert updated.returncode == 0, updated.stderr
    return lambda *names: run("-s", "install", *map(_exactly, names))


def test_every_name__is_taken_as_it_is(apt):
    done = apt(*PACKAGES)
    assert done.returncode == 0, done.stderr
    installed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")]
    assert sorted(installed) == sorted(PACKAGES)


@pytest.mark.parametrize("name", ["vim-ti.y", "libpython3.1", "libpython3x11", "g+", "vim-tiny-"])
def test_name_that_is_none__is_refused_whatever_apt_could_read_into_it(apt, name):
    done = apt(name)
    assert done.returncode == 100
    assert "Unable to locate package" in done.stderr or "find any package by regex" in done.stderr
    assert "Inst " not in done.stdout
