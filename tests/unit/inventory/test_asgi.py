"""``app.asgi``: an application of the other interface, and who serves it."""

from __future__ import annotations

import pytest

from nodriza.inventory import load_cluster
from tests.unit.inventory.conftest import GOOD

ASGI = GOOD.replace("wsgi: shop.wsgi", "asgi: shop.asgi:application")


@pytest.mark.parametrize(
    ("written", "module", "name"),
    [("shop.asgi:site", "shop.asgi", "site"), ("shop.asgi", "shop.asgi", "application")],
)
def test_application__is_a_module_and_a_name_in_it(write, written, module, name):
    app = load_cluster(write(ASGI.replace("shop.asgi:application", written))).app
    assert (app.module, app.callable) == (module, name)


def test_application_of_asgi__is_served_by_the_server_that_can(write):
    cluster = load_cluster(write(ASGI))
    assert cluster.services["application"].engine == "gunicorn"
    assert "gunicorn" in cluster.node("server-2").roles
    assert "uwsgi" not in cluster.node("server-2").roles


def test_application_of_wsgi__is_served_by_either(write):
    assert "uwsgi" in load_cluster(write(GOOD)).node("server-2").roles
    chosen = load_cluster(write(f"{GOOD}services: {{application: gunicorn}}\n"))
    assert "gunicorn" in chosen.node("server-2").roles


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ASGI.replace("  asgi:", "  wsgi: shop.wsgi\n  asgi:"), "7:3 app/wsgi: nobody reads this"),
        (GOOD.replace("  wsgi: shop.wsgi\n", ""), "wsgi (wsgi: shop.wsgi) or asgi (asgi: shop."),
        (ASGI.replace("  asgi:", "  threads: 4\n  asgi:"), "7:3 app/threads: an ASGI application"),
        (
            f"{ASGI}services: {{application: uwsgi}}\n",
            "serves no ASGI application (app/asgi); gunicorn does",
        ),
        (
            ASGI.replace("shop.asgi:application", "shop/asgi.py"),
            "must be a module and a name in it, such as",
        ),
        (
            ASGI.replace("shop.asgi:application", "shop.asgi:a.b"),
            "must be a module and a name in it, such as",
        ),
    ],
)
def test_mistakes__are_told_with_their_line(mistakes, text, said):
    (found,) = mistakes(text)
    assert said in found


def test_module__that_is_not_in_the_source_is_told(mistakes, write, tmp_path):
    (tmp_path / "app/manage.py").touch()
    (tmp_path / "app/shop").mkdir()
    for name in ("__init__", "asgi", "settings"):
        (tmp_path / f"app/shop/{name}.py").touch()
    load_cluster(write(ASGI))
    (found,) = mistakes(ASGI.replace("shop.asgi:", "shop.asgy:"))
    assert 'there is no module "shop.asgy" in app/source, did you mean' in found
