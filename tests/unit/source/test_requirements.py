"""Which file says what is installed, and what stands for all of it."""

from __future__ import annotations

import pytest

from nodriza.errors import SourceError
from nodriza.source.requirements import ORDER, kind_of, read_requirements
from nodriza.source.tree import read_source

LOCK = 'version = 1\n[[package]]\nname = "shop"\nsource = { %s = "." }\n'
PACKAGE = '[project]\nname = "shop"\nversion = "1"\n[build-system]\nrequires = ["hatchling"]\n'
PLAIN = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["django"]\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "manage.py").write_text("print()")
    return tmp_path


def put(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def read(folder, name=None, installer="uv"):
    return read_requirements(read_source(folder), name, installer)


def refusal(folder, name=None, installer="uv"):
    with pytest.raises(SourceError) as caught:
        read(folder, name, installer)
    assert caught.value.kept == "nothing was sent"
    return caught.value


def test_file__is_the_most_exact_one_beside_manage_py_and_the_others_are_told(folder):
    put(folder, requirements_txt="django\n", pyproject_toml=PLAIN)
    found = read(folder)
    assert found.file == "requirements.txt"
    assert found.note == "environment: requirements.txt, by uv (not read: pyproject.toml)"
    put(folder, uv_lock=LOCK % "virtual")
    found = read(folder)
    assert (found.file, found.others) == ("uv.lock", ("requirements.txt",))
    assert read(folder, "requirements.txt").others == ("uv.lock", "pyproject.toml")


def test_file__can_be_anywhere(folder):
    put(folder, requirements_txt="django\n", conf__pylock_live_toml='lock-version = "1.0"\n')
    assert read(folder, "conf/pylock.live.toml").file == "conf/pylock.live.toml"


def test_file__that_is_missing_is_refused_with_those_that_are_there(folder):
    put(folder, conf__requirements_txt="django\n", requirements__live_txt="django\n")
    refused = refusal(folder)
    assert ", ".join(ORDER) in refused.what
    assert "there are conf/requirements.txt, requirements/live.txt" in refused.what
    assert refused.do.startswith("app.requirements: conf/requirements.txt")
    assert refusal(folder, "uv.lock").what.startswith("no uv.lock is among the files")


def test_file__that_is_missing_is_refused_with_a_way_to_one(folder):
    assert "uv lock, or pip freeze" in refusal(folder).do
    assert refusal(folder, "r.txt").do == "git add r.txt, or name it in app.include"


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "poetry.lock", "pyproject.toml"])
def test_pip__takes_what_it_can_read_and_is_refused_otherwise(folder, name):
    put(folder, **{name.replace(".", "_"): PLAIN})
    refused = refusal(folder, installer="pip")
    assert refused.what == f"{name} can't be read by pip"
    assert "-o requirements.txt" in refused.do
    assert refused.do.endswith("or app.installer: uv")
    put(folder, requirements_txt="django\n")
    assert read(folder, installer="pip").file == "requirements.txt"


POETRY_LOCK = (
    '[[package]]\nname = "django"\nversion = "5.2.1"\ngroups = ["main"]\nfiles = []\n%s'
    '[metadata]\nlock-version = "2.1"\ncontent-hash = "'
    '115cf985d932e9bf5f540555bbdd75decbb62cac81e399375fc19f6277f8c1d8"\n'
)
"""Made for PACKAGE: the sum is Poetry's own."""


def test_poetrys_lock__is_pinned_for_uv_and_not_passed_over_for_its_project(folder):
    put(folder, poetry_lock=POETRY_LOCK % "", pyproject_toml=PACKAGE)
    found = read(folder)
    assert (found.file, found.others, found.package) == ("poetry.lock", (), False)
    assert found.pinned == "django==5.2.1\n"
    put(folder, requirements_txt="django==5.2\n")
    assert read(folder).file == "requirements.txt"
    assert read(folder).pinned == ""


def test_poetrys_lock__stands_for_the_group_that_is_installed(folder):
    put(folder, poetry_lock=POETRY_LOCK % "", pyproject_toml=PACKAGE)
    before = read(folder).id
    dev = '[[package]]\nname = "pytest"\nversion = "9"\ngroups = ["dev"]\nfiles = []\n'
    put(folder, poetry_lock=POETRY_LOCK % dev, manage_py="print(1)")
    assert read(folder).id == before
    lib = '[package.source]\ntype = "directory"\nurl = "lib"\n'
    put(folder, poetry_lock=POETRY_LOCK % lib)
    before = read(folder).id
    put(folder, manage_py="print(2)")
    assert read(folder).id != before, "what is installed of the source changes with the source"


def test_poetrys_lock__needs_its_project_beside_it(folder):
    put(folder, conf__poetry_lock=POETRY_LOCK % "")
    assert refusal(folder, "conf/poetry.lock").what.startswith("conf/pyproject.toml is not among")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("conf/uv.lock", "uv.lock"),
        ("pylock.live.toml", "pylock.toml"),
        ("requirements/live.txt", "requirements.txt"),
        ("pyproject.toml", "pyproject.toml"),
    ],
)
def test_kind__is_told_by_the_name(name, kind):
    assert kind_of(name) == kind


def test_id__changes_with_all_that_is_included(folder):
    put(folder, requirements_txt="-r requirements/base.txt\n-c https://x.test/c.txt\n")
    assert "requirements/base.txt is not among the files" in refusal(folder).what
    put(folder, requirements__base_txt="-r ../more.txt\ndjango\n", more_txt="celery\n")
    before = read(folder).id
    put(folder, more_txt="celery<6\n")
    assert read(folder).id != before


def test_id__changes_with_the_installer_and_not_with_the_code(folder):
    put(folder, requirements_txt="django\n")
    before = read(folder).id
    put(folder, manage_py="print(1)")
    assert read(folder).id == before
    assert read(folder, installer="pip").id != before


@pytest.mark.parametrize(
    "files",
    [
        {"requirements_txt": "django\n./lib\n"},
        {"requirements_txt": "-e .\n"},
        {"uv_lock": LOCK % "editable", "pyproject_toml": PACKAGE},
        {"uv_lock": LOCK % "directory", "pyproject_toml": PLAIN},
        {"pylock_toml": '[[packages]]\nname = "lib"\ndirectory = { path = "lib" }\n'},
        {"pyproject_toml": PACKAGE},
        {"pyproject_toml": PLAIN + '[tool.uv.sources]\nlib = { path = "lib" }\n'},
    ],
)
def test_id__changes_with_the_code_that_is_installed(folder, files):
    put(folder, **files)
    before = read(folder).id
    put(folder, manage_py="print(1)")
    assert read(folder).id != before


def test_id__of_a_lock_changes_with_the_groups_beside_it(folder):
    put(folder, uv_lock=LOCK % "virtual", pyproject_toml=PLAIN)
    before = read(folder).id
    put(folder, manage_py="print(1)")
    assert read(folder).id == before, "a project that is no package is not installed"
    put(folder, pyproject_toml=PLAIN + '[tool.uv]\ndefault-groups = ["live"]\n')
    assert read(folder).id != before


def test_project__that_is_a_package_is_installed_itself(folder):
    put(folder, pyproject_toml=PLAIN)
    assert not read(folder).package
    put(folder, pyproject_toml=PACKAGE)
    assert read(folder).package
    put(folder, uv_lock=LOCK % "editable")
    assert not read(folder).package, "uv sync sees to it"
