"""What the node that builds could not fetch is told with its line, before anything is sent."""

from __future__ import annotations

import pytest

from nodriza.change.deploy import requirements
from nodriza.errors import SourceError
from nodriza.source.tree import read_source
from tests.unit.source.test_poetry import STANDARD, lock, package, source

COMMIT = "0f1e2d3c4b5a69788796a5b4c3d2e1f001122334"
UV = '[[package]]\nname = "shelf"\nversion = "1"\nsource = {{ git = "{}?rev=1#0f1e2d3" }}\n'
PYPROJECT = '[project]\nname = "shop"\nversion = "1"\n'
HTTPS, SSH = "https://git.example.org/shelf.git", "ssh://git@git.example.org/shelf.git"


@pytest.fixture
def read(three_node, tmp_path):
    """What is installed of a project with these files, where these packages help to build."""

    def read(*packages, **files):
        (tmp_path / "manage.py").write_text("")
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        changed = {"source_path": tmp_path, "build_packages": packages, "requirements": None}
        app = three_node.app.model_copy(update=changed)
        return requirements(three_node.model_copy(update={"app": app}), read_source(tmp_path))

    return read


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"requirements_txt": f"PyMySQL\nshelf @ git+{HTTPS}@{COMMIT}\n"}, "requirements.txt:2"),
        ({"requirements_txt": f"PyMySQL\n\n-e git+{HTTPS}#egg=shelf\n"}, "requirements.txt:3"),
        ({"uv_lock": UV.format(HTTPS), "pyproject_toml": PYPROJECT}, "uv.lock:4"),
        (
            {"pyproject_toml": f'{PYPROJECT}[tool.uv.sources]\nshelf = {{ git = "{HTTPS}" }}\n'},
            ":5",
        ),
    ],
)
def test_git_repository__needs_git_where_it_is_built(read, files, place):
    with pytest.raises(SourceError) as told:
        read("gcc", **files)
    said = str(told.value)
    assert f"{place}: a git repository, and server-1, which builds, has no git" in said
    assert "build_packages: [git]" in said
    assert "no host was touched" in said
    assert read("git", **files).installer == "uv"


@pytest.mark.parametrize(
    "files",
    [
        {"requirements_txt": f"PyMySQL\nshelf @ git+{SSH}@{COMMIT}\n"},
        {"requirements_txt": "git+git@git.example.org:shelf.git\n"},
        {"uv_lock": UV.format(SSH), "pyproject_toml": PYPROJECT},
    ],
)
def test_repository_behind_a_key__is_not_supported(read, files):
    with pytest.raises(SourceError, match="who builds has no key"):
        read("git", **files)


def test_other_kinds_of_repositories__are_not_supported(read):
    with pytest.raises(SourceError, match=r"requirements.txt:1: what hg holds can't be installed"):
        read("git", requirements_txt="shelf @ hg+https://hg.example.org/shelf\n")


def test_what_only_looks_like_one__passes(read):
    lines = f"# git+{SSH}\nPyMySQL==1.1\nshelf-git==1\ndulwich @ https://a.example.org/git+x.whl\n"
    assert read(requirements_txt=lines)


def poetry_s(url, group="main"):
    """A lock with a package from git in a group."""
    origin = source("git", url, resolved_reference=COMMIT)
    text = lock(package("django"), package("shelf", origin, groups=f'["{group}"]'))
    return {"poetry_lock": text, "pyproject_toml": STANDARD}


def test_poetry_s_lock__is_told_with_the_line_of_the_table(read):
    with pytest.raises(SourceError, match=r"poetry.lock:13: a git repository, and server-1"):
        read(**poetry_s(HTTPS))
    with pytest.raises(SourceError, match=r"poetry.lock:13: a repository that is reached by ssh"):
        read("git", **poetry_s("git@git.example.org:shelf.git"))
    assert read("git", **poetry_s(HTTPS)).pinned
    assert read(**poetry_s(HTTPS, "dev")), "what only a desk needs is not installed"
