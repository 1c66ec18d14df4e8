"""A release is asked before anybody is sent to it."""

import dataclasses
import sys

import pytest

from nodriza.host.errors import HostError, Result
from nodriza.host.host import Host
from nodriza.resources import Trial

SITE = """
import os, threading, time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("each request fails")
    if environ["PATH_INFO"] == "/private":
        start_response("302 Found", [("Location", "/login")])
    elif environ["PATH_INFO"] == "/static":
        start_response("200 OK", [])
        return [os.environ["STATIC_ROOT"].encode()]
    elif environ["HTTP_HOST"] != "www.example.org" or environ["wsgi.url_scheme"] != "https":
        start_response("400 Bad Request", [])
    else:
        start_response("404 Not Found", [])
    return [b"words of the site"]
threading.Thread(target=time.sleep, args=(60,)).start()
"""


@pytest.fixture
def host(tmp_path):
    host = Host(str(tmp_path))
    for folder in ("/releases/new/app", "/releases/new/venv/bin", "/releases/old"):
        host.mkdirs(folder)
    host.write("/releases/new/app/site_of_a_test.py", SITE)
    host.symlink("/releases/new/venv/bin/python", sys.executable)
    host.symlink("/current", "/releases/old")
    return host


def trial(*asked, **more):
    fields = {"host": "www.example.org", "scheme": "https", **more}
    return Trial("/releases/new", "/current", "site_of_a_test", asked=asked, **fields)


def look(host, one):
    return Trial.look(host, [one])[0]


def test_release__that_answers_is_good_whatever_its_threads_do(host):
    one = trial(("/healthz", 0), ("/private", 302))
    assert look(host, one) == one.wanted()


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (trial(("/broken", 0)), "each request fails"),
        (trial(("/private", 200)), "/private answers 302 Found, and 200 is expected"),
        (trial(("/healthz", 0), host="other.example.org"), "/healthz answers 400 Bad Request"),
        (trial(("/healthz", 0), scheme="http"), "words of the site"),
    ],
    ids=["an error", "another status", "another name", "without TLS"],
)
def test_release__that_does_not_is_refused_in_its_words(host, one, words):
    assert look(host, one) == {"answers": False}
    with pytest.raises(HostError, match=words):
        one.fix(host, look(host, one))


def test_release__that_does_not_import_is_refused(host):
    host.write("/releases/new/app/site_of_a_test.py", "import a_module_that_is_nowhere")
    with pytest.raises(HostError, match="a_module_that_is_nowhere"):
        trial(("/healthz", 0)).fix(host, None)


def test_release__that_serves_already_is_not_asked(host, monkeypatch):
    host.symlink("/current", "/releases/new")
    monkeypatch.setattr(host, "run", None)
    assert look(host, trial(("/broken", 0))) == {"answers": True}


def test_release__that_is_not_there_yet_is_not_asked(host, monkeypatch):
    host.remove("/releases/new")
    monkeypatch.setattr(host, "run", None)
    assert look(host, trial(("/healthz", 0))) == {"answers": False}


SHADED = """
import os
def application(environ, start_response):
    start_response("200 OK" if os.environ.get("SHADE") == "dark" else "500 Bright", [])
    return []
"""


@pytest.fixture
def shaded(host):
    """A release that needs a variable; ``env_file`` does not have it yet."""
    host.write("/releases/new/app/site_of_a_test.py", SHADED)
    host.mkdirs("/etc")
    host.mkdirs("/run")
    host.write("/etc/site.env", b'SHADE="light"\n')
    return host


def test_release__is_tried_with_the_variables_that_it_is_to_have(shaded):
    before = trial(("/healthz", 0), env_file="/etc/site.env")
    assert look(shaded, before) == {"answers": False}
    one = trial(("/healthz", 0), env_file="/etc/site.env", environment='SHADE="dark"\n')
    assert look(shaded, one) == one.wanted()
    assert shaded.read("/etc/site.env") == b'SHADE="light"\n'
    assert shaded.list("/run/nodriza") == []


def test_release_that_serves__is_tried_once_more_with_other_variables(shaded):
    """They can be as wrong as code."""
    shaded.symlink("/current", "/releases/new")
    fields = {"env_file": "/etc/site.env"}
    for text, answers in (('SHADE="dark"\n', True), ('SHADE="none"\n', False)):
        one = trial(("/healthz", 0), environment=text, **fields)
        assert look(shaded, one) == {"answers": answers}
    same = trial(("/healthz", 0), environment='SHADE="light"\n', **fields)
    assert look(shaded, same) == {"answers": True}  # who serves is asked by its health


def test_release__is_tried_with_its_own_static_files(host):
    """Whatever the variables say: those of the release that serves."""
    host.write("/env", 'STATIC_ROOT="/current/static"\n')
    one = trial(("/static", 404), env_file="/env")
    with pytest.raises(HostError, match=host.at("/releases/new/static")):
        one.fix(host, None)


BY_A_VARIABLE = """
import os
from django.conf import settings
settings.configure(DEBUG=os.environ.get("DEBUG") == "1")
def application(environ, start_response):
    start_response("200 OK", [])
    return []
"""


def test_variable_that_turns_debug_on__is_refused_unless_the_inventory_allows_it(shaded):
    """The code serves already: nothing else asks it again."""
    shaded.write("/releases/new/app/site_of_a_test.py", BY_A_VARIABLE)
    ours = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'  # which has Django
    shaded.remove("/releases/new/venv/bin/python")
    shaded.write("/releases/new/venv/bin/python", ours, mode="0755")
    shaded.symlink("/current", "/releases/new")
    fields = {"env_file": "/etc/site.env", "environment": 'DEBUG="1"\n'}
    one = trial(("/", 0), **fields)
    assert look(shaded, one) == {"answers": False}
    with pytest.raises(HostError, match=r"DEBUG is True with the variables"):
        one.fix(shaded, None)
    assert look(shaded, trial(("/", 0), debug=True, **fields)) == {"answers": True}
    assert look(shaded, trial(("/", 0), **{**fields, "environment": "\n"})) == {"answers": True}


def test_two_runs_that_ask__have_a_unit_each(shaded, monkeypatch):
    """A check has no lock: it would end the trial of a deploy that is under way."""
    units = []

    def python(host, about, *_, **__):
        units.append(about.unit)
        return Result((), 0, "", "")

    monkeypatch.setattr("nodriza.host.inside.python", python)
    for pid in (41, 42):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        look(shaded, trial(("/healthz", 0), unit="nodriza-site-trial"))
    assert units == ["nodriza-site-trial-41", "nodriza-site-trial-42"]


@pytest.fixture
def serves(shaded):
    """The release serves, with a variable that it needs."""
    shaded.symlink("/current", "/releases/new")
    shaded.write("/etc/site.env", b'SHADE="dark"\nSIZE="7"\nOLD="1"\n')
    shaded.told = []
    shaded.warn = shaded.told.append
    return shaded


def variables(text):
    """What a provision tries."""
    places = (("SHADE", "site.yml:14"), ("SIZE", "site.yml:15"))
    fields = {"env_file": "/etc/site.env", "places": places}
    one = trial(("/healthz", 0), environment=text, **fields)
    return dataclasses.replace(one, path=one.current)


def test_variables_with_which_what_serves_does_not_work__are_refused_with_their_lines(serves):
    one = variables('SHADE="light"\nSIZE="7"\n')
    assert look(serves, one) == {"answers": False}
    words = r"does not work with what is new in its variables \(OLD; SHADE, site.yml:14\):"
    with pytest.raises(HostError, match=f"(?s){words}.*500 Bright.*The old ones go on serving"):
        one.fix(serves, None)
    assert "light" not in str(serves.told), "a value may be a secret"


def test_variables_with_which_it_works__may_come(serves):
    one = variables('SHADE="dark"\nSIZE="8"\n')
    assert look(serves, one) == {"answers": False}
    one.fix(serves, None)
    assert look(serves, one) == one.wanted(), "asked once a run"


def test_variables_that_are_as_they_were__are_not_tried(serves, monkeypatch):
    monkeypatch.setattr(serves, "run", None)
    one = variables(serves.read("/etc/site.env").decode())
    assert look(serves, one) == one.wanted()
    serves.remove("/current")
    one = variables('SHADE="light"\n')
    assert look(serves, one) == one.wanted(), "nothing is deployed yet"


def test_variables__wait_for_the_turn_of_the_node_as_nothing_else_that_is_tried(shaded):
    """The central node may be about to change the password that they have."""
    assert not variables("").ahead
    assert trial(("/healthz", 0)).ahead


def test_what_does_not_work_anyway__may_be_mended_by_a_variable(serves):
    serves.write("/etc/site.env", b'SHADE="light"\n')
    one = variables('SHADE="none"\n')
    one.fix(serves, None)
    assert look(serves, one) == one.wanted()
    assert "does not work with the variables that it has" in serves.told[0]


def test_check_of_variables__warns_because_another_node_may_change_first(serves):
    variables('SHADE="light"\n').foretell(serves)
    assert "as things are on the cluster now, the release does not work" in serves.told[0]
    assert "SHADE, site.yml:14" in serves.told[0]


def test_check_of_a_release__says_what_it_would_be_refused_for(host):
    with pytest.raises(HostError, match="each request fails"):
        trial(("/broken", 0)).foretell(host)
    host.remove("/releases/new")
    trial(("/broken", 0)).foretell(host)  # nobody knows yet


ASGI_SITE = """
async def site(scope, receive, send):
    if scope["path"] == "/broken":
        raise RuntimeError("each request fails")
    assert (await receive())["type"] == "http.request"
    well = dict(scope["headers"])[b"host"] == b"www.example.org" and scope["scheme"] == "https"
    await send({"type": "http.response.start", "status": 404 if well else 400, "headers": []})
    await send({"type": "http.response.body", "body": b"words of the site"})
"""


def asgi(*asked, **more):
    return dataclasses.replace(trial(*asked, **more), wsgi="", asgi="site_of_a_test:site")


def test_asgi_release__that_answers_is_good(host):
    host.write("/releases/new/app/site_of_a_test.py", ASGI_SITE)
    one = asgi(("/healthz", 404))
    assert look(host, one) == one.wanted()


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (asgi(("/broken", 0)), "each request fails"),
        (asgi(("/healthz", 200)), "/healthz answers 404, and 200 is expected"),
        (asgi(("/healthz", 0), scheme="http"), "words of the site"),
        (dataclasses.replace(asgi(), asgi="nowhere:site"), "No module named 'nowhere'"),
    ],
    ids=["an error", "another status", "without TLS", "no module"],
)
def test_asgi_release__that_does_not_is_refused_in_its_words(host, one, words):
    host.write("/releases/new/app/site_of_a_test.py", ASGI_SITE)
    with pytest.raises(HostError, match=words):
        one.fix(host, look(host, one))
