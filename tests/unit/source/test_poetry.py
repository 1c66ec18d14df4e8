"""What Poetry's lock says, as a requirements file; each sum of a project is Poetry 2.5's own."""

from __future__ import annotations

import pytest

from nodriza.errors import SourceError
from nodriza.source.poetry import pinned

STANDARD = (
    '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
    'dependencies = ["django>=5.2"]\n'
)
GROUPS = STANDARD + '[dependency-groups]\ndev = ["pytest"]\n'
OLD = (
    '[tool.poetry]\nname = "shop"\nversion = "1"\n'
    '[tool.poetry.dependencies]\npython = "^3.11"\ndjango = "~5.2"\n'
    '[tool.poetry.group.dev.dependencies]\npytest = "*"\n'
)
MIXED = STANDARD + (
    "[tool.poetry]\npackage-mode = false\n"
    '[tool.poetry.dependencies]\ndjango = { source = "own" }\n'
    '[[tool.poetry.source]]\nname = "own"\nurl = "https://index.test/simple"\n'
)
SUMS = {
    STANDARD: "8322553006204c3d30dcdb0bd64366bc6fb34f40ed970a65708d35580ba229a5",
    GROUPS: "4461f8128493f63456dd00009b82b80cc4f7178f85344b89b009f0d7e2880912",
    OLD: "5a040be0d1c670a2106ceded571febd9baf8dec667015f8b1adaea8e5d69d036",
    MIXED: "6cb535ca9e3cc416f64eb829b6853bf0fd541716c0aa2b536654b62d0e851a5b",
}
DJANGO = (
    '[[package]]\nname = "django"\nversion = "5.2.1"\noptional = false\n'
    'python-versions = ">=3.10"\ngroups = ["main"]\nfiles = [\n'
    '    {file = "django-5.2.1.tar.gz", hash = "sha256:bb"},\n'
    '    {file = "django-5.2.1-py3-none-any.whl", hash = "sha256:aa"},\n]\n'
)


def lock(*packages, project=STANDARD, version="2.1", hashed=""):
    metadata = (
        f'[metadata]\nlock-version = "{version}"\npython-versions = ">=3.11"\n'
        f'content-hash = "{hashed or SUMS[project]}"\n'
    )
    return "\n".join([*packages, metadata])


def package(name, *more, groups='["main"]'):
    head = f'[[package]]\nname = "{name}"\nversion = "1.0"\ngroups = {groups}\nfiles = []\n'
    return head + "".join(f"{line}\n" for line in more)


def source(kind, url, **more):
    fields = {"type": kind, "url": url, **more}
    return "\n".join(["[package.source]", *(f'{k} = "{v}"' for k, v in fields.items())])


def read(*packages, name="poetry.lock"):
    return pinned(lock(*packages), STANDARD, name)


def refusal(text, project=STANDARD, name="poetry.lock"):
    with pytest.raises(SourceError) as caught:
        pinned(text, project, name)
    assert caught.value.kept == "nothing was sent"
    return caught.value


def test_package__has_one_version_and_the_sums_of_its_files():
    assert read(DJANGO) == ("django==5.2.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n")


def test_groups__are_main_only():
    both = package("both", groups='["main", "dev"]')
    assert read(both, package("dev", groups='["dev"]')) == "both==1.0\n"


def test_marker__goes_along_and_is_that_of_the_group():
    """A marker that asks for an extra is true for nobody who installs from the file."""
    one = package("one", """markers = "sys_platform == 'win32' and extra == 'x'" """)
    two = package(
        "two", """markers = {main = "python_version < '3.12'", dev = "x"}""", groups='["main"]'
    )
    three = package("three", """markers = {dev = "python_version < '3.12'"}""")
    assert read(one, two, three).splitlines() == [
        "one==1.0 ; sys_platform == 'win32' and extra == 'x'",
        "two==1.0 ; python_version < '3.12'",
        "three==1.0",
    ]


def test_source__is_where_a_package_comes_from():
    legacy = package("own", source("legacy", "https://index.test/simple", reference="own"))
    git = package(
        "git",
        source(
            "git",
            "https://git.test/a.git",
            reference="main",
            resolved_reference="abc",
            subdirectory="py",
        ),
    )
    ssh = package("ssh", source("git", "git@git.test:b.git", resolved_reference="abc"))
    url = package("url", source("url", "https://files.test/url-1.0.tar.gz"))
    dev = package("dev", source("legacy", "https://not.test/"), groups='["dev"]')
    assert read(legacy, git, ssh, url, dev).splitlines() == [
        "--extra-index-url https://index.test/simple",
        "own==1.0",
        "git @ git+https://git.test/a.git@abc#subdirectory=py",
        "ssh @ git+ssh://git@git.test/b.git@abc",
        "url @ https://files.test/url-1.0.tar.gz",
    ]


def test_source__in_the_project_is_a_path_from_where_installing_begins():
    """It is copied, even where a desk has it editable: nobody edits a release."""
    lib = package("lib", "develop = true", source("directory", "../lib"))
    assert read(lib, name="conf/poetry.lock") == "./lib\n"
    wheel = package("wheel", source("file", "vendor/wheel-1.0-py3-none-any.whl"))
    assert read(wheel) == "./vendor/wheel-1.0-py3-none-any.whl\n"
    assert "lib lies outside of what is deployed: ../lib" in refusal(lock(lib)).what


@pytest.mark.parametrize("project", list(SUMS), ids=["standard", "groups", "old", "mixed"])
def test_lock__fits_the_project_that_it_was_made_for(project):
    assert pinned(lock(DJANGO, project=project), project, "poetry.lock").startswith("django==")
    changed = project.replace("5.2", "5.1")
    refused = refusal(lock(DJANGO, project=project), changed, "conf/poetry.lock")
    assert refused.what.startswith("conf/poetry.lock does not fit conf/pyproject.toml")
    assert refused.do.startswith("poetry lock, and what poetry check --lock says")


def test_lock__of_poetry_before_2_3_did_not_count_the_standards_groups():
    assert pinned(lock(DJANGO), GROUPS, "poetry.lock").startswith("django==")


@pytest.mark.parametrize("version", ["2.0", "1.1", "2.2", "3.0"])
def test_lock__of_a_format_that_is_not_known_is_refused_with_a_way(version):
    refused = refusal(lock(DJANGO.replace("groups", "x"), version=version))
    assert f'poetry.lock has lock-version "{version}", and only 2.1 can be read' in refused.what
    assert refused.do.startswith("poetry lock, with Poetry 2: it keeps the versions; or poetry ex")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<<<<<<< HEAD\n", "poetry.lock is not TOML: "),
        ("", "no lock that Poetry has written: metadata: Field required"),
        (lock('[[package]]\nname = "a"\n'), "package.0.version: Field required"),
        (lock(DJANGO.replace('"django"', '"a\\nb"')), "package.0.name: String should match"),
        (lock(package("a", "markers = 3")), "package.0.markers"),
        (lock(package("a", source("svn", "x"))), "package.0.source.type: Input should be"),
    ],
)
def test_lock__that_is_none_is_refused_in_words(text, said):
    assert said in refusal(text).what


def test_project__that_is_not_toml_is_refused_in_words():
    assert "conf/pyproject.toml is not TOML" in refusal(lock(), "a b", "conf/poetry.lock").what
