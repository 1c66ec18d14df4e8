"""A store of secrets with a key beside it, and an editor that is a shell script."""

from pathlib import Path

import pytest

from nodriza.vault.store import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    (tmp_path / "inventories").mkdir()
    return Vault(tmp_path / "inventories/home.secrets.age", tmp_path / "config/age.key")


def colleague(vault: Vault, folder: Path) -> Vault:
    """The same store, seen by somebody with another key."""
    return Vault(vault.path, folder / "colleague.key")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shell script in the place of an editor; it finds the file as ``$1``."""
    script = tmp_path / "editor"
    monkeypatch.setenv("VISUAL", f"sh -eu {script}")
    return script
