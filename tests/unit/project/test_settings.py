"""Settings are read as Python reads them, and nothing of them is run."""

from __future__ import annotations

from textwrap import dedent

import pytest

from nodriza.project.environment import UNKNOWN
from nodriza.project.files import Files
from nodriza.project.settings import Settings, read_settings


def files(**modules: str) -> Files:
    """``shop__settings`` is shop/settings.py."""
    return Files(
        {
            f"{name.replace('__', '/')}.py": lambda text=text: dedent(text)  # type: ignore[misc]
            for name, text in modules.items()
        }
    )


def settings(text: str, **others: str) -> Settings:
    return read_settings(files(shop__settings=text, **others), "shop.settings")


@pytest.mark.parametrize(
    ("expression", "name", "needed", "default"),
    [
        ('os.environ["X"]', "X", True, UNKNOWN),
        ('os.environ.get("X")', "X", False, None),
        ('os.getenv("X", "a")', "X", False, "a"),
        ('env("X")', "X", True, UNKNOWN),
        ('env("X", default="a")', "X", False, "a"),
        ('env.bool("X", False)', "X", False, False),
        ('env.list("X")', "X", True, UNKNOWN),
        ('env("DECLARED")', "DECLARED", False, "b"),
        ("env.db()", "DATABASE_URL", True, UNKNOWN),
        ("env.cache()", "CACHE_URL", True, UNKNOWN),
        ('config("X")', "X", True, UNKNOWN),
        ('config("X", default=1, cast=int)', "X", False, 1),
        ("dj_database_url.config()", "DATABASE_URL", False, UNKNOWN),
        ('dj_database_url.config(env="X")', "X", False, UNKNOWN),
        ('ours("X")', "X", True, UNKNOWN),
        ('ours("X", "a")', "X", False, "a"),
        ('softly("X")', "X", False, UNKNOWN),
    ],
)
def test_variable__is_found_however_it_is_read(expression, name, needed, default):
    found = settings(
        f"""
        import os, environ, dj_database_url
        from decouple import config
        env = environ.Env(DECLARED=(str, "b"))
        def ours(name, default=None):
            return os.environ[name]
        def softly(name):
            return os.environ.get(name)
        SETTING = {expression}
        """
    )
    (read,) = found.reads
    assert (read.name, read.needed, read.default) == (name, needed, default)
    assert read.where == "shop/settings.py:9"
    assert found.values["SETTING"].variables == {name}


@pytest.mark.parametrize(
    "text",
    [
        'A = print("X")',
        'A = {"environ": "X"}["environ"]',
        'A = os.environ.get(f"X{1}")',
        'def later():\n    return os.environ["X"]',
        "os.environ['X'] = 'set, and not read'",
    ],
)
def test_what_reads_no_variable__is_not_taken_for_it(text):
    assert settings(text).reads == []


def test_value__is_the_last_one_and_of_a_branch_unknown():
    found = settings(
        """
        DEBUG = True
        TWICE = 1
        TWICE = 2
        if "somewhere" in __file__:
            DEBUG = False
        ELSE = 1
        """
    ).values
    assert found["TWICE"].value == 2
    assert found["DEBUG"].value is UNKNOWN
    assert found["ELSE"].value == 1


def test_setting__comes_from_the_variables_of_the_names_in_it():
    found = settings(
        """
        import os
        HOST = os.environ["DB_HOST"]
        DATABASES = {"default": {"HOST": HOST}}
        DATABASES["default"]["NAME"] = os.environ["DB_NAME"]
        DATABASES["default"].update(USER=os.getenv("DB_USER"))
        if hosts := os.getenv("HOSTS"):
            ALLOWED_HOSTS = hosts.split(",")
        """
    ).values
    assert found["DATABASES"].variables == {"DB_HOST", "DB_NAME", "DB_USER"}
    assert found["DATABASES"].where == "shop/settings.py:4"
    assert found["ALLOWED_HOSTS"].variables == {"HOSTS"}


def test_imports__are_followed_within_the_project_and_not_in_circles():
    found = read_settings(
        files(
            shop__settings__production="from .base import *\nfrom ..env import e\nA = e('A')\n",
            shop__settings__base="import os\nfrom django.conf import x\nB = os.environ['B']\n",
            shop__env="import environ\nfrom .settings.production import A\ne = environ.Env()\n",
        ),
        "shop.settings.production",
    )
    assert [(read.name, read.where) for read in found.reads] == [
        ("B", "shop/settings/base.py:3"),
        ("A", "shop/settings/production.py:3"),
    ]
    assert found.values["B"].where == "shop/settings/base.py:3"


def test_import__that_may_fail_needs_nothing():
    found = settings(
        "try:\n    from .local import *\nexcept ImportError:\n    pass\n",
        shop__local="import os\nKEY = os.environ['KEY']\n",
    )
    (read,) = found.reads
    assert (read.name, read.sure) == ("KEY", False)


def test_module__that_is_no_python_is_named():
    assert settings("A = (\n").wrong.startswith("shop/settings.py:1: SyntaxError")


def test_choice__is_the_variable_that_leads_to_a_branch():
    found = settings(
        """
        import os
        DATABASES = 1
        if os.getenv("DB") == "postgres":
            DATABASES = 2
        if os.getenv("DB") in ["mysql", "mariadb"]:
            DATABASES = 3
        """
    ).values["DATABASES"]
    assert found.choices == (("DB", "postgres", "2"), ("DB", "mysql", "3"))
