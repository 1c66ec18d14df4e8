"""The operator's own key: made once, theirs alone, and never written over."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyrage import x25519

from nodriza import vault_key
from nodriza.files import write_whole
from nodriza.vault_key import Key


def test_key_that_somebody_made_meanwhile__is_kept_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the writing: what was encrypted for it could never be opened again."""
    key, theirs = Key(tmp_path / "age.key"), x25519.Identity.generate()

    def write_late(path: Path, data: bytes, mode: int, *, follow: bool) -> None:
        write_whole(key.path, f"{theirs}\n".encode(), 0o600)
        write_whole(path, data, mode, follow=follow)

    monkeypatch.setattr(vault_key, "write_whole", write_late)
    assert key.public() == [str(theirs.to_public())]
    assert list(tmp_path.iterdir()) == [key.path]
