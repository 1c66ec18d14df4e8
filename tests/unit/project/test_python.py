"""The Debian release is the first whose Python the project takes."""

import pytest

from nodriza.project.files import Files
from nodriza.project.python import release_for


@pytest.mark.parametrize(
    ("name", "text", "release", "why"),
    [
        ("requirements.txt", "Django==5.2.1\n", "", ""),
        ("requirements.txt", "django[argon2]>=6.0\n", "trixie", "Django 6.0 needs Python 3.12"),
        ("uv.lock", 'name = "django"\nversion = "6.1.2"\n', "trixie", "(uv.lock)"),
        ("pyproject.toml", 'requires-python = ">=3.12,<4"\n', "trixie", "asks for Python 3.12"),
        ("pyproject.toml", 'python = "^3.11"\n', "", ""),
        ("pyproject.toml", 'requires-python = ">=3.99"\n', "trixie", "no Debian has it"),
    ],
)
def test_release(name, text, release, why):
    found, reason = release_for(Files({name: lambda: text}), name)
    assert found == release
    assert why in reason
