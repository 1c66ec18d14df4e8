"""One grammar for what a command is about, in every command; a word is a file, exactly."""

from __future__ import annotations

import shlex

import fabric.main
import pytest
from invoke import Collection, Exit
from nodriza.fabfile import ns
from nodriza.fabfile.beside import words_here
from nodriza.fabfile.grammar import Sentence
from nodriza.fabfile.task import Command

from tests.unit.fabfile import test_commands
from tests.unit.typed import typed

project = test_commands.project


def all_commands(at: Collection = ns, before: str = "") -> dict[str, Command]:
    """Every command of the collection, under its full name."""
    found = {before + name: task for name, task in at.tasks.items()}
    for name, inner in at.collections.items():
        found |= all_commands(inner, f"{before}{name}.")
    return found


ABOUT = sorted(name for name, task in all_commands().items() if task.subject)
WHOLE = sorted(name for name, task in all_commands().items() if not task.subject)


def read(line: str) -> list[str]:
    words = words_here(ns, {})
    return Sentence(words, fabric.main.program.initial_context).read(shlex.split(line), None)


@pytest.mark.parametrize("name", ABOUT)
def test_target__can_be_written_in_every_way_for_every_command(name):
    # Three have a word that they need, and a bare word is taken for that.
    lines = {"run": " --line uptime", "manage": " --line check", "rollback": " --run 20261125T1"}
    line = lines.get(name, "")
    spelt = shlex.split(f"{name} --{all_commands()[name].subject} server-2{line}")
    ways = [f"{name}:server-2", f"{name} --target server-2", f"{name} --target=server-2"]
    ways += [] if line else [f"{name} server-2"]
    for way in ways:
        assert sorted(read(way + line)) == sorted(spelt)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("way", [":server-2", " server-2", " --target server-2", " -H server-2"])
def test_command_for_the_whole_cluster__refuses_a_target_in_every_way(name, way):
    with pytest.raises(Exit, match=f"^{name} takes no target") as refused:
        read(f"{name}{way}")
    assert refused.value.code == 2


def test_run__takes_its_target_before_its_line():
    spelt = ["run", "--line", "uptime -p", "--target", "server-2"]
    for line in ("run:server-2 'uptime -p'", "run server-2 'uptime -p'"):
        assert read(line) == spelt
    assert read("manage server-2 check") == ["manage", "--line", "check", "--target", "server-2"]
    assert read("run 'uptime -p' --target server-2") == spelt
    assert read("run 'uptime -p'") == spelt[:3]


def test_line_of_run__may_be_called_like_a_command():
    assert read("run:server-2 status") == ["run", "--line", "status", "--target", "server-2"]


def test_word_behind_a_command__is_the_next_command_if_it_is_called_so():
    spelt = ["provision", "--target", "server-2", "deploy", "status", "--target", "children"]
    assert read("provision server-2 deploy status children") == spelt


def test_short_flag_with_its_value_in_the_same_word__is_a_target_too():
    assert read("drain -tserver-2") == read("drain:server-2")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("drain:a --target b", "drain has two targets, a and b"),
        ("drain --target a --target b", "drain has two targets, a and b"),
        ("drain:a b", "drain has a already: what is b?"),
        ("drain a b", "drain has a already: what is b?"),
        ("drain ''", "drain: there is no target behind drain"),
        ("drain:", "drain: there is no target after the colon"),
        ("secrets.show:", "secrets.show: there is no name after the colon"),
        ("drain --target", "--target needs a value behind it"),
        ("provision deplyo", "next: did you mean deploy\\? if it is a node: fab provision:deplyo"),
        ("deploy provison", "did you mean provision\\?"),
        ("deployy:server-2", "did you mean deploy\\?"),
        ("lab:server-2", "lab is several commands"),
        ("'drain\x1b[31m'", "no command and no inventory drain\\?\\[31m"),
    ],
)
def test_what_can_not_be_meant__is_refused(line, said):
    with pytest.raises(Exit, match=said):
        read(line)


def inventories(project, *names: str) -> None:
    """Copies of the inventory; the cluster of each is called like its file, with hyphens."""
    folder = project / "inventories"
    text = (folder / "mine.yml").read_text()
    (folder / "mine.yml").unlink()
    for name in names:
        cluster = name.partition(".")[0].replace("_", "-x-").lower()
        copied = text.replace("cluster: three-node", f"cluster: {cluster}")
        (folder / name).write_text(copied)


@pytest.mark.parametrize("name", ["prod_eu", "prod-eu", "Prod", "prod__eu", "a_b-c"])
@pytest.mark.parametrize("suffix", ["yml", "yaml"])
@pytest.mark.parametrize("way", ["word", "variable", "fabric.yaml"])
def test_word__is_a_file_to_the_letter(project, name, suffix, way):
    inventories(project, f"{name}.{suffix}", "other.yml")
    env = {"NODRIZA_INVENTORY": name} if way == "variable" else {}
    if way == "fabric.yaml":
        (project / "fabric.yaml").write_text(f"nodriza: {{inventory: {name}}}\n")
    line = [name] * (way == "word") + ["inventory.check"]
    assert f"inventories/{name}.{suffix} is right" in typed(*line, folder=project, **env).stdout


@pytest.mark.parametrize(
    ("there", "typed_word"),
    [("prod_eu", "prod-eu"), ("prod-eu", "prod_eu"), ("Prod", "prod"), ("prod", "PROD")],
)
@pytest.mark.parametrize("way", ["word", "variable", "fabric.yaml"])
def test_word_that_is_nearly_a_file__is_refused_with_the_file(project, there, typed_word, way):
    inventories(project, f"{there}.yml")
    env = {"NODRIZA_INVENTORY": typed_word} if way == "variable" else {}
    if way == "fabric.yaml":
        (project / "fabric.yaml").write_text(f"nodriza: {{inventory: {typed_word}}}\n")
    done = typed(*[typed_word] * (way == "word"), "plan", folder=project, **env)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"did you mean {there}?" in done.stderr


def test_two_words_that_differ_in_a_hyphen__are_two_inventories(project):
    inventories(project, "prod_eu.yml", "prod-eu.yml")
    for name in ("prod_eu", "prod-eu"):
        said = typed(name, "inventory.check", folder=project).stdout
        assert f"inventories/{name}.yml is right" in said
        assert f"  {name} " in typed("--list", folder=project).stdout


@pytest.mark.parametrize("setting", ["auto_dash_names: false", "auto_dash_names: true"])
def test_setting_of_invoke__changes_no_word(project, setting):
    (project / "fabric.yaml").write_text(f"tasks: {{{setting}}}\n")
    inventories(project, "prod_eu.yml", "prod-eu.yml")
    for name in ("prod_eu", "prod-eu"):
        said = typed(name, "inventory.check", folder=project).stdout
        assert f"inventories/{name}.yml is right" in said


@pytest.mark.parametrize("line", ["prod plan", "plan"])
@pytest.mark.parametrize("beside", [(), ("other.yml",)])
def test_word_of_two_files__is_refused(project, line, beside):
    inventories(project, "prod.yml", "prod.yaml", *beside)
    done = typed(*line.split(), folder=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert "prod could be prod.yaml and prod.yml" in done.stderr


def test_search_root__is_where_inventories_are_looked_for_too(project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "inventories").mkdir()
    text = (project / "inventories" / "mine.yml").read_text()
    (elsewhere / "inventories" / "mine.yml").write_text(text.replace("three-node", "another"))
    done = typed("-r", str(project), "inventory.check", folder=elsewhere)
    assert "three-node serves" in done.stdout
