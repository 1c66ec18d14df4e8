"""A secret's value is right where it is written, or refused before it gets there."""

from __future__ import annotations

import json
import shlex
import subprocess
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.errors import SecretError
from nodriza.host.env_file import parse_environment
from nodriza.host.redact import Redactor
from nodriza.inventory.load import load_cluster
from nodriza.plan.plan import Plan, Planned, plan_node
from nodriza.plan.secret_uses import refuse_unfit, uses
from nodriza.resources import File
from nodriza.rollout.query import Silent
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.vault.token import env, secret
from tests.unit.conftest import ROOT
from tests.unit.roles.made import content

VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n"), min_size=8
).map(str.strip)


def plan(text: str) -> list[Plan]:
    return [Plan("server-2", (Planned(File("/etc/x.conf", text), "roles/mine.py:7"),))]


@settings(max_examples=300)
@given(VALUES, st.text(st.sampled_from("ab\"\\`$ '#%"), max_size=8))
def test_env__gives_programs_the_value_as_it_is(value, before):
    text = f'A="{env(before + secret("key"))}"\nB="2"\n'
    opened = Redactor({"key": value}).reveal(text)
    assert parse_environment(opened) == {"A": before + value, "B": "2"}


@pytest.mark.parametrize("value", ['it\'s "so" $HOME `id` \\ \n done', "a#b;c%d&e|f(g)*"])
def test_env__is_right_in_a_shell_script_as_well(value):
    opened = Redactor({"key": value}).reveal(f'printf %s "{env(secret("key"))}"')
    done = subprocess.run(["sh", "-c", opened], capture_output=True, text=True, check=True)
    assert done.stdout == value


@settings(max_examples=100)
@given(VALUES.filter(lambda value: len(value) >= 8))
def test_hide__knows_every_possible_value_in_other_clothes(value):
    redactor = Redactor({"key": value})
    for text in (value, env(value), json.dumps(value), shlex.quote(value), repr(value)):
        assert "‹secret:key›" in redactor.hide(f"x {text} y")


def test_application__has_odd_passwords_as_they_are_and_uwsgi_reads_them_so(three_node):
    odd = "p@ss/w'o\"r\\d $1 `x` #;%\nof two lines"
    text = content(three_node, "server-2", "/etc/videoteca/videoteca.env")
    names = ("mysql_app", "redis", "django_secret_key")
    opened = Redactor(dict.fromkeys(names, odd)).reveal(text)
    found = parse_environment(opened)
    assert found["DATABASE_PASSWORD"] == found["DJANGO_SECRET_KEY"] == odd
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL"):
        assert unquote(str(urlsplit(found[name]).password)) == odd

    source = content(three_node, "server-2", "/etc/uwsgi/videoteca_release.py")
    begin, end = source.index("def variables("), source.index("def choose(")
    scope: dict = {"re": __import__("re")}
    exec(source[begin:end], scope)
    assert scope["variables"](opened) == found


def test_bare_place__takes_plain_values_only_and_says_which_file_and_role(three_node):
    values = {"redis": "it has blanks"}
    with pytest.raises(SecretError) as caught:
        refuse_unfit([plan_node(node, three_node) for node in three_node.nodes], values)
    said = str(caught.value)
    assert "the value of redis does not fit into /etc/redis/queue.acl on server-1" in said
    assert "roles/redis.py:" in said
    assert "blanks" not in said


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("password ‹secret:key›;", False),
        ("‹secret:key›", True),
        ('X="‹secret:key:env›"', True),
        ("redis://:‹secret:key›@host", True),
        ('X="‹secret:key:env›" # ‹secret:key›', False),
        ("redis://‹secret:key›/", False),
    ],
)
def test_places__where_an_odd_value_is_right(line, fits):
    if fits:
        refuse_unfit(plan(f"a\n{line}\n"), {"key": "an odd value"})
        return
    with pytest.raises(SecretError, match=r"roles/mine.py:7: .* /etc/x.conf on server-2"):
        refuse_unfit(plan(f"a\n{line}\n"), {"key": "an odd value"})


@pytest.mark.parametrize("value", ["wJalr/K7MDENG+bPx=", "https://k@o4.example/77", "a,b:c~d-e_f"])
def test_plain_values__fit_everywhere(value):
    refuse_unfit(plan("password ‹secret:key›;\n"), {"key": value})


def test_run__begins_on_no_host_with_a_value_that_does_not_fit(three_node):
    run = Run(three_node, Silent(), {"key": "an odd value"}, "test", check=True)
    with pytest.raises(SecretError, match="does not fit into /etc/x.conf"):
        roll_out(run, plan("password ‹secret:key›;\n"))


def test_uses__names_nodes_and_files(three_node):
    plans = [plan_node(node, three_node) for node in three_node.nodes]
    found = {(use.node, use.id) for use in uses(plans) if use.name == "redis"}
    assert ("server-1", "file:/etc/redis/queue.acl") in found
    assert ("video-1", "file:/etc/videoteca/videoteca.env") in found
    assert not [use for use in uses(plans) if use.name == "sentry"]


def test_app_environment__can_name_a_secret_whose_value_is_escaped(tmp_path, monkeypatch):
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path))
    text = (ROOT / "inventories/three-node.yml").read_text()
    (tmp_path / "inventories").mkdir()
    file = tmp_path / "inventories/x.yml"
    text = text.replace("../examples", f"{ROOT}/examples")
    file.write_text(text.replace("  smoke:", '  environment: {SMTP: "‹secret:smtp›"}\n  smoke:'))
    opened = Redactor({"smtp": 'a "b" $c', "mysql_app": "", "redis": "", "django_secret_key": ""})
    rendered = content(load_cluster(file), "server-2", "/etc/videoteca/videoteca.env")
    assert parse_environment(opened.reveal(rendered))["SMTP"] == 'a "b" $c'
