"""What an inventory says of the application, beside the application itself."""

from __future__ import annotations

import subprocess

import pytest

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster
from tests.unit.inventory.conftest import GOOD


def test_mistakes__files_of_the_application_that_are_not_there(mistakes):
    text = GOOD.replace("  settings", "  requirements: requirement.txt\n  smoke: s.py\n  settings")
    first, second = mistakes(text)
    assert first.startswith("8:17 app/requirements: ")
    assert 'did you mean "requirements.txt"?' in first
    assert second.startswith('9:10 app/smoke: there is no file "s.py"')


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ("{BIG: %s}" % ("x" * 140_000), "BIG takes 140005 bytes"),
        ("{BIG: %s}" % ("ñ" * 65_537), "BIG takes 131079 bytes"),
        (
            "{" + ", ".join(f"V{n}: {'x' * 100_000}" for n in range(10)) + "}",
            "1000040 bytes together",
        ),
        ("{STATIC_ROOT: /srv/files}", "must not have STATIC_ROOT: each release has its own"),
    ],
)
def test_mistakes__variables_that_can_t_be(mistakes, environment, said):
    (found,) = mistakes(GOOD.replace("  settings", f"  environment: {environment}\n  settings"))
    assert "app/environment: " in found
    assert said in found
    assert len(found) < 300


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ("[ONE, TWO]", "app/secrets/2: app/environment has TWO already"),
        ("[ONE, THREE, ONE]", "app/secrets/3: app/secrets has ONE already"),
        ("[one]", "must be a variable in capitals, such as EMAIL_HOST_PASSWORD"),
        ("[STATIC_ROOT]", "and not STATIC_ROOT"),
        ("['A B']", "must be a variable in capitals"),
    ],
)
def test_mistakes__secret_variables_that_can_t_be(mistakes, secrets, said):
    both = f"  environment: {{TWO: 2}}\n  secrets: {secrets}\n  settings"
    (found,) = mistakes(GOOD.replace("  settings", both))
    assert said in found


def test_variables__as_large_as_the_kernel_takes_them_are_right(write):
    value = "x" * (131_072 - len("BIG=") - 1)
    text = GOOD.replace("  settings", f"  environment: {{BIG: {value}}}\n  settings")
    environment = dict(load_cluster(write(text)).app.environment)
    assert subprocess.run(["true"], env=environment, check=True).returncode == 0
    environment["BIG"] += "x"
    with pytest.raises(OSError, match="too long"):
        subprocess.run(["true"], env=environment, check=True)


def test_mistakes__a_file_is_no_source_and_none_is_proposed(mistakes, tmp_path):
    (tmp_path / "README.rst").touch()
    (said,) = mistakes(GOOD.replace("../app", "../README.rst"))
    assert 'this is a file and no folder: "../README.rst"' in said
    assert "did you mean" not in said
    (said,) = mistakes(GOOD.replace("../app", "../README.rs"))
    assert 'there is no folder "../README.rs"' in said
    assert "did you mean" not in said


def project(folder):
    (folder / "manage.py").touch()
    (folder / "shop").mkdir()
    for name in ("__init__", "wsgi", "settings"):
        (folder / f"shop/{name}.py").touch()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("shop.wsgi", "shop.wsgy", 'wsgi: there is no module "shop.wsgy" in app/source, did you'),
        ("shop.wsgi", "shpo.wsgi", 'wsgi: there is no module "shpo" in app/source, did you mean'),
        ("shop.settings", "shop.settings.production", 'settings: there is no module "shop.sett'),
        ("shop.wsgi", "shop.wsgi\n  celery: shop.celery", 'celery: there is no module "shop.cel'),
    ],
)
def test_mistakes__a_module_that_is_not_in_the_source(
    mistakes, write, tmp_path, before, after, said
):
    write(GOOD)
    project(tmp_path / "app")
    load_cluster(tmp_path / "inventories/shop.yml")
    text = GOOD.replace(before, after)
    (tmp_path / "inventories/shop.yml").write_text(text)
    with pytest.raises(InventoryError) as caught:
        load_cluster(tmp_path / "inventories/shop.yml")
    (found,) = caught.value.problems
    assert f"app/{said}" in found


@pytest.mark.parametrize("line", ["shpo==1.0", "Shpo", "-e .", "./lib", "git+https://x/y.git"])
def test_module__that_pip_may_bring_is_believed(write, tmp_path, line):
    file = write(GOOD.replace("shop.wsgi", "shpo.wsgi"))
    project(tmp_path / "app")
    (tmp_path / "app/requirements.txt").write_text(f"django\n{line}\n")
    load_cluster(file)


@pytest.mark.parametrize(
    ("there", "installer", "said"),
    [
        (["poetry.lock", "pyproject.toml"], "pip", "pip can't read poetry.lock. Instead: poetry"),
        (["uv.lock", "pyproject.toml"], "pip", "pip can't read uv.lock. Instead: uv export"),
        (["pyproject.toml"], "pip", "or app.installer: uv"),
        ([], "uv", "what is to be installed? None of uv.lock"),
    ],
)
def test_mistakes__requirements_that_the_installer_can_t_read(
    write, tmp_path, there, installer, said
):
    """A deploy says the same; it is told before anybody deploys."""
    file = write(GOOD.replace("shop.wsgi", f"shop.wsgi\n  installer: {installer}"))
    project(tmp_path / "app")
    (tmp_path / "app/requirements.txt").unlink()
    for name in there:
        (tmp_path / "app" / name).write_text("[[package]]\nname = 'django'\n")
    with pytest.raises(InventoryError) as caught:
        load_cluster(file)
    (found,) = caught.value.problems
    assert said in found


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_requirements__of_two_kinds_are_right_where_one_can_be_read(write, tmp_path, installer):
    file = write(GOOD.replace("shop.wsgi", f"shop.wsgi\n  installer: {installer}"))
    project(tmp_path / "app")
    (tmp_path / "app/uv.lock").write_text("version = 1\n")
    load_cluster(file)


def test_mistakes__a_word_that_is_neither_true_nor_false(mistakes):
    (said,) = mistakes(GOOD.replace("  settings", "  debug: perhaps\n  settings"))
    assert said.endswith('app/debug: must be true or false, not "perhaps"')
