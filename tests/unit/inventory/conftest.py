"""A folder as a user has it, to write inventories in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster

GOOD = """\
cluster: shop
domain: shop.example.org
networks: {private: 10.0.0.0/16, public: 192.0.2.0/24}
app:
  name: shop
  source: ../app
  wsgi: shop.wsgi
  settings: shop.settings
nodes:
  server-1: {kind: central, private: 10.0.0.11, public: 192.0.2.11}
  server-2: {kind: child, private: 10.0.0.12, public: 192.0.2.12}
"""


@pytest.fixture
def lab_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a lab leaves its notes."""
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "lab"))
    return tmp_path / "lab"


@pytest.fixture
def write(tmp_path: Path, lab_state: Path) -> Callable[[str], Path]:
    """Writes an inventory beside an application it can name."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "requirements.txt").touch()
    (tmp_path / "inventories").mkdir()

    def write(text: str) -> Path:
        file = tmp_path / "inventories" / "shop.yml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def mistakes(write: Callable[[str], Path]) -> Callable[[str], list[str]]:
    """What is wrong with a text, each as "line:column key: words"."""

    def mistakes(text: str) -> list[str]:
        file = write(text)
        with pytest.raises(InventoryError) as caught:
            load_cluster(file)
        assert all(problem.startswith(f"{file}:") for problem in caught.value.problems)
        return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]

    return mistakes
