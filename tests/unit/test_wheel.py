"""What ``pip install`` of the wheel puts where, and a user's own repository on top of it."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.installed import lines
from tests.unit.conftest import ROOT
from tests.walkthrough import commands, shown
from tests.wheel import build_sdist, build_wheel, copy_of_the_source, empty_environment, run

OWN_STATUS = """

@task
def status(c):
    \"\"\"Our own status.\"\"\"
    print("all is ours")
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return copy_of_the_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site_packages(wheel, tmp_path_factory):
    """An environment with nothing but the wheel, and a way to what it depends on.

    Of the folder in that way only modules are found, no ``.pth`` of an editable checkout.
    """
    folder = tmp_path_factory.mktemp("environment") / "venv"
    site_packages = empty_environment(folder)
    assert list(site_packages.iterdir()) == []
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "--quiet"]
    run(*pip, "install", "--no-deps", "--no-index", wheel)
    brought = sorted(path.name for path in site_packages.iterdir())
    (folder / "brought").write_text(" ".join(brought))
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return site_packages


@pytest.fixture
def type_(site_packages, tmp_path):
    """Type a command in an empty folder, with the installed wheel."""

    def type_(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [site_packages.parents[2] / "bin" / program, *words],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NODRIZA_LAB_STATE": "/none"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return type_


@pytest.fixture
def repository(type_, tmp_path):
    """After ``nodriza init`` beside a project."""
    (tmp_path / "shop").symlink_to(ROOT / "examples" / "videoteca")
    done = type_("nodriza", "init", "--yes", "--name", "shop")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_wheel__brings_one_package_and_its_metadata(site_packages):
    brought = (site_packages.parents[2] / "brought").read_text().split()
    assert brought == ["nodriza", "nodriza-0.1.0.dist-info"]


def test_wheel__has_every_module_role_and_template_and_no_test(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    own = [*ROOT.glob("nodriza/**/*.py"), *ROOT.glob("nodriza/watch/*.j2")]
    wanted = {str(path.relative_to(ROOT)) for path in own}
    for folder, pattern in (
        ("fabfile", "*.py"),
        ("roles", "*.py"),
        ("templates", "*.j2"),
        ("templates", "*.py"),  # whole programs of a node's
    ):
        found = (ROOT / folder).rglob(pattern)
        wanted |= {f"nodriza/{path.relative_to(ROOT)}" for path in found}
    assert wanted - names == set()
    others = {name for name in names - wanted if not name.startswith("nodriza/repository/files/")}
    assert "nodriza/inventories/production.example.yml" in others
    assert {Path(name).suffix for name in others} <= {".yml", ".json"}


def test_sdist__builds_the_same_wheel_and_brings_the_tests(source, wheel, tmp_path):
    unpacked = build_sdist(source, tmp_path / "sdist")
    assert (unpacked / "tests" / "unit" / "test_wheel.py").is_file()
    again = build_wheel(unpacked, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


def test_installed__is_what_runs(site_packages, type_):
    program = "import nodriza.roles.nginx as module; print(module.__file__)"
    told = type_("python", "-c", program).stdout.strip()
    assert told == str(site_packages / "nodriza/roles/nginx.py")


def test_list_and_plan__work_in_the_new_folder(repository, type_):
    listed = type_("fab", "--list")
    assert listed.returncode == 0
    for word in ("provision", "deploy", "lab.up", "secrets.rotate", "shop"):
        assert f"\n  {word} " in listed.stdout
    plan = type_("fab", "plan")
    assert plan.returncode == 0, plan.stderr
    assert "service:nginx" in plan.stdout
    assert " roles/nginx.py:" in plan.stdout


def test_list__is_as_quick_as_in_the_checkout(repository, type_):
    """In seconds of the processor: they are the same on a machine that is busy."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def once() -> float:
        before = spent()
        type_("fab", "--list")
        return spent() - before

    assert min(once() for _ in range(3)) < 0.5


def test_own_role_and_template__add_to_the_shipped_ones(repository, type_):
    for name in ("roles/nginx.py", "templates/nginx/robots.txt.j2"):
        (repository / name).parent.mkdir(parents=True)
        (repository / name).write_text(shown(name))
    plan = json.loads(type_("fab", "plan:server-2", "--json").stdout)["server-2"]
    assert "service:nginx" in [item["id"] for item in plan]
    (own,) = [item for item in plan if item["id"] == "file:/etc/nginx/robots.txt"]
    assert own["content"].startswith("# shop.test on server-2\nUser-agent: *\n")
    assert own["origin"].endswith("roles/nginx.py:7")


def test_own_tasks__stand_beside_the_shipped_ones_and_may_replace_one(repository, type_):
    with (repository / "fabfile.py").open("a") as file:
        file.write(shown("fabfile.py") + OWN_STATUS)
    listed = type_("fab", "--list").stdout
    assert "\n  greet " in listed
    assert "Our own status." in listed
    assert "\n  provision " in listed
    assert type_("fab", "greet").stdout == "hello\n"
    assert type_("fab", "status").stdout == "all is ours\n"
    assert len(type_("fab", "children").stdout.split()) == 2
    (repository / "shop").unlink()
    said = type_("fab", "children")
    assert said.returncode == 2
    assert "there is no folder" in said.stderr
    said = type_("fab", "gret")
    assert said.returncode == 2
    assert "did you mean greet" in said.stderr


def test_own_task__may_not_hide_a_group_of_commands(repository, type_):
    with (repository / "fabfile.py").open("a") as file:
        file.write(shown("fabfile.py").replace("greet", "secrets"))
    done = type_("fab", "--list")
    assert done.returncode == 2
    assert "own task secrets" in done.stderr
    assert "Traceback" not in done.stderr


def test_walkthrough__types_commands_that_there_are(repository, type_):
    listed = set(re.findall(r"^  (\S+) ", type_("fab", "--list").stdout, re.MULTILINE))
    typed = [line.split()[1:] for line in commands() if line.startswith("fab ")]
    words = {word for line in typed for word in line if not word.startswith("-")}
    assert {"plan", "lab.up", "deploy", "hostkeys.accept"} <= words
    assert words - listed == {"production"}


def test_several_inventories__none_is_taken_by_chance(repository, type_):
    shop = repository / "inventories" / "shop.yml"
    (repository / "inventories" / "aaa.yml").write_text(shop.read_text())
    done = type_("fab", "plan")
    assert done.returncode == 2
    assert "which inventory?" in done.stderr
    assert "aaa, shop" in done.stderr
    assert type_("fab", "shop", "plan").returncode == 0


def test_example__prints_the_inventory_that_explains_every_key(type_):
    shipped = (ROOT / "inventories" / "production.example.yml").read_text("utf-8")
    assert type_("nodriza", "example").stdout == shipped


def test_readme__installs_what_make_dist_built_into_an_environment_of_its_own():
    """``make dist`` types these very lines."""
    made, installed, *_, begun = lines()
    assert made.startswith("python3 -m venv ")
    assert "/bin/pip install dist/nodriza-*.whl" in installed
    assert "nodriza init mycluster --source shop" in begun
