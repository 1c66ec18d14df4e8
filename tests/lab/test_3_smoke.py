"""What the site is for, with the smoke test's own list; the reboots of all nodes among it."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodriza.inventory import load_cluster
from nodriza.smoke.checks import CHECKS, of_roles
from tests.lab.conftest import NODES
from tests.lab.project import EXAMPLE, ROOT, Project, Result

OPEN = """
nft insert rule inet nodriza input tcp dport 9090 accept
systemd-run --unit=door python3 -m http.server 9090 --directory /mnt
sleep 1
"""
REBOOTS = [f"after a reboot of {node} everything is back" for node in NODES]


def sentence(check: Callable[[Any], None]) -> str:
    return str(check.__doc__).strip().splitlines()[0]


def of_the_application() -> Any:
    spec = importlib.util.spec_from_file_location("example_smoke", EXAMPLE / "smoke.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


APPLICATION = of_the_application()
LAST = sentence(APPLICATION.LAST)
"""Which comes after the reboots as well: what the checks made is not for visitors."""
OF_ROLES = of_roles(load_cluster(ROOT / "inventories/three-node.yml"))
SENTENCES = [
    *map(sentence, [*CHECKS, *OF_ROLES, *APPLICATION.CHECKS]),
    *REBOOTS,
    LAST,
]


@pytest.fixture(scope="module")
def smoke(deployed: Project) -> tuple[Result, dict[str, ET.Element]]:
    """The run, and each test case of its JUnit report."""
    file = Path(deployed.folder / "smoke.xml")
    result = deployed.fab("smoke", "--reboot", "--junit", str(file))
    cases = {str(case.get("name")): case for case in ET.parse(file).iter("testcase")}
    for name in REBOOTS:
        if name in cases:
            deployed.times[name] = float(str(cases[name].get("time")))
    return result, cases


@pytest.mark.parametrize("sentence", SENTENCES)
def test_smoke(sentence: str, smoke: tuple[Result, dict[str, ET.Element]]) -> None:
    _, cases = smoke
    failure = cases[sentence].find("failure")
    assert failure is None, failure.text


def test_smoke__has_exactly_these_checks_and_ends_with_0(
    smoke: tuple[Result, dict[str, ET.Element]],
) -> None:
    result, cases = smoke
    assert list(cases) == SENTENCES
    assert f"{len(SENTENCES)} passed, 0 failed" in result.stdout
    assert result.exit == 0


def test_smoke__fails_in_words_when_a_door_is_open_that_should_not_be(deployed: Project) -> None:
    deployed.on("server-3", OPEN)
    try:
        result = deployed.fab("smoke", "--junit", str(deployed.folder / "bad.xml"))
    finally:
        deployed.on("server-3", "systemctl stop door; systemctl reload nftables")
    assert result.exit == 1
    assert "FAIL what nodes offer each other refuses strangers, on every node" in result.stdout
    assert "expected: no connection from here to server-3" in result.stdout
    assert "198.18.27.13:9090 open" in result.stdout
    assert "look at: nft list table inet nodriza; ss -ltnp on server-3" in result.stdout
    assert f"{len(SENTENCES) - len(REBOOTS) - 1} passed, 1 failed" in result.stdout
    assert ET.parse(deployed.folder / "bad.xml").getroot().get("failures") == "1"
