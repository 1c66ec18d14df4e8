"""Pretended hosts are quick."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Pretended services settle at once."""
    monkeypatch.setattr("nodriza.resources.service.SETTLE", 0)
