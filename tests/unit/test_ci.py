"""What docs/ci.rst gives a CI server: run with nothing in the environment, and no question."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.conftest import ROOT

CI = ROOT / "examples/ci"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A cluster's folder with the script in it, and the example site beside."""
    (tmp_path / "inventories").mkdir()
    (tmp_path / "ci").mkdir()
    text = (ROOT / "inventories/three-node.yml").read_text()
    text = text.replace("../examples", f"{ROOT}/examples").replace("three-node", "production")
    (tmp_path / "inventories/production.yml").write_text(text)
    (tmp_path / "fabfile.py").write_text("from nodriza.fabfile import ns  # noqa: F401\n")
    shutil.copy(CI / "cluster.sh", tmp_path / "ci")
    return tmp_path


def run(repository: Path, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner does it: ``env -i``, and what it is told."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=repository,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def steps(name: str) -> dict[str, str]:
    """The line of each job that is for the cluster."""
    data = yaml.safe_load((CI / name).read_text())
    jobs = data.get("jobs", data)
    found = {}
    for job in ("check", "deploy"):
        lines = jobs[job].get("script") or [each.get("run") for each in jobs[job]["steps"]]
        (found[job],) = [line for line in lines if line and line.startswith("ci/cluster.sh")]
    return found


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_check__runs_without_a_secret_and_asks_no_host(repository, name):
    done = run(repository, steps(name)["check"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing is missing" in done.stdout
    path = repository / "inventories/production.yml"
    path.write_text(path.read_text().replace("wsgi:", "wsgo:"))
    assert run(repository, steps(name)["check"]).returncode == 2


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_deploy__ends_without_its_keys_and_leaves_none_behind(repository, tmp_path, name):
    (tmp_path / "tmp").mkdir()
    line, where = steps(name)["deploy"], {"TMPDIR": str(tmp_path / "tmp")}
    done = run(repository, line, **where)
    assert done.returncode == 1
    assert "AGE_KEY: unbound variable" in done.stderr
    done = run(repository, line, AGE_KEY="AGE-SECRET-KEY-1X", SSH_KEY="nothing", **where)
    assert done.returncode != 0
    assert "SECRET-KEY" not in done.stdout + done.stderr
    assert os.listdir(tmp_path / "tmp") == []


def test_page__has_the_commands_that_make_the_keys(repository):
    text = (ROOT / "docs/ci.rst").read_text()
    (block,) = re.findall(r"\.\. code-block:: sh\n\n((?:   .*\n)+)", text)
    keys = [line.strip() for line in block.splitlines() if "ssh-keygen" in line or "age" in line]
    done = run(repository, "set -e\n" + "\n".join(keys), HOME=str(repository))
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"(?m)^age1\w+", (repository / "inventories/production.recipients").read_text()
    )
    assert (repository / "ci-age.key").stat().st_mode & 0o077 == 0
