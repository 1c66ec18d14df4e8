"""What a flag promises happens, or is refused: Fabric's own flags, with every command."""

from __future__ import annotations

import json
import re
import shlex

import fabric.main
import pytest
from invoke import Config, Context, Exit
from invoke.parser import Argument

from fabfile.flags import DRY, HOSTS, INVOKES, LOGIN, REFUSED, refuse_flags
from fabfile.task import Command
from tests.unit.fabfile import test_commands
from tests.unit.typed import typed as fab

project = test_commands.project


@pytest.fixture
def away(project):
    """A cluster that is no lab, so that a connection would be tried."""
    file = project / "inventories" / "mine.yml"
    file.write_text(file.read_text().split("\nlab:")[0] + "\n")
    return project


def refused(line: str, folder, **env: str) -> str:
    """What is said about a line that is refused, with nothing done."""
    before = sorted(folder.rglob("*"))
    done = fab(*shlex.split(line), folder=folder, **env)
    assert (done.returncode, done.stdout, done.touched) == (2, "", [])
    assert "  kept: nothing was done\n  next: " in done.stderr
    assert sorted(folder.rglob("*")) == before
    return done.stderr


@pytest.mark.parametrize("command", ["lab.down", "run uptime", "drain:server-2", "smoke", "demo"])
@pytest.mark.parametrize("way", ["flag", "file", "config", "FABRIC_RUN_DRY", "INVOKE_RUN_DRY"])
def test_dry__is_refused_by_a_command_that_can_not_be_tried(project, command, way):
    env = {way: "1"} if way.isupper() else {}
    line = {"flag": f"--dry {command}", "config": f"-f dry.json {command}"}.get(way, command)
    (project / "dry.json").write_text(json.dumps({"run": {"dry": True}}))
    if way == "file":
        (project / "fabric.yaml").write_text("run: {dry: true}\n")
    said = refused(line, project, **env)
    assert f"--dry: {command.split()[0].split(':')[0].split('.')[-1]}" in said.replace("lab.", "")


def test_dry__refuses_the_whole_line_before_its_first_command(project):
    said = refused("--dry inventory.check lab.down", project)
    assert "--dry: lab.down can't be tried" in said


@pytest.mark.parametrize(
    "line", ["--dry plan:server-2", "plan:server-2 --dry", "-R plan:server-2"]
)
def test_dry__means_nothing_to_a_command_that_only_looks(project, line):
    assert fab(*shlex.split(line), folder=project).stdout.startswith("server-2: ")


def test_dry__is_check_where_a_command_has_one(monkeypatch):
    from fabfile import session

    seen = []

    @session.command(local=True)
    def change(c: Context, check: bool = False) -> None:
        seen.append(check)

    change(Context(Config(overrides={"run": {"dry": True}})))
    change(Context(Config()))
    assert seen == [True, False]


def test_dry__is_kept_by_a_task_of_ones_own_that_calls_a_command():
    """Whoever calls it: the promise is kept where a command begins."""
    from fabfile import session

    @session.command
    def change(c: Context) -> None:
        raise AssertionError("it was done")

    with pytest.raises(Exit, match="--dry: change can't be tried"):
        change(Context(Config(overrides={"run": {"dry": True}})))


@pytest.mark.parametrize(
    "line",
    ["-H server-2 plan", "--hosts=server-2 plan", "plan -H server-2", "plan --hosts server-2"],
)
def test_hosts__are_the_target(project, line):
    said = fab(*shlex.split(line), folder=project).stdout
    (title,) = (text for text in said.splitlines() if text[0] != " ")
    assert re.fullmatch(r"server-2: \d+ resources", title)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-H server-2 deploy", "deploy takes no target, so --hosts has no meaning for it"),
        ("-H redis secrets.show", "secrets.show takes no target, so --hosts has no meaning"),
        ("-H server-2 plan:server-3", "plan has two targets, server-3 and server-2"),
        (
            "-H server-2 plan -H server-3",
            "--hosts is there twice, with server-2 and with server-3",
        ),
        ("plan -H server-2 --hosts=server-3", "--hosts is there twice"),
        ("provision --serial 1 --serial=2", "--serial is there twice: provision takes one"),
        ("plan: server-2", "plan: there is no target after the colon"),
        ("dns.check --resolvers 192.0.2.1", "dns.check has no flag --resolvers"),
        ("-H '' plan", "plan: there is no target behind --hosts"),
        ("-H server-2 -- uptime", "nothing can stand behind --"),
    ],
)
def test_hosts__are_refused_where_they_can_mean_nothing(project, line, said):
    if "--" in line.split():  # Fabric takes this one alone, without a fabfile
        line = line.replace(" --", " plan --")
    assert said in refused(line, project)


def test_hosts__that_do_not_exist_are_refused_with_those_that_do(project):
    done = fab("-H", "nope", "plan", folder=project)
    assert done.returncode == 2
    assert 'target "nope": there is no such node' in done.stderr


def test_hosts__are_fabrics_for_a_task_of_ones_own(project):
    (project / "fabfile.py").write_text(
        "from fabric import task\n"
        "from nodriza.fabfile import ns\n\n"
        "@task\n"
        "def own(c):\n"
        "    print('own', c.host)\n"
    )
    done = fab("-H", "server-2", "own", "plan", folder=project)
    assert done.stdout.startswith("own server-2\nserver-2: ")
    assert "server-3: " not in done.stdout


@pytest.mark.parametrize("flag", ["-e", "-p", "-w", "--hide=out", "-T 5"])
@pytest.mark.parametrize("place", ["{flag} run uptime", "run uptime {flag}"])
def test_flag_for_shell_commands_of_a_fabfile__is_refused(project, flag, place):
    assert "is for shell commands of one's own fabfile" in refused(
        place.format(flag=flag), project
    )


@pytest.mark.parametrize(
    "flag",
    ["-i KEY", "-S CONFIG", "-t 5", "--prompt-for-login-password", "--prompt-for-passphrase"],
)
def test_flag_about_logging_in__is_refused_where_nobody_logs_in(project, flag):
    assert "has no meaning for plan" in refused(f"{flag} plan", project)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-i nope status", "the key nope can't be read"),
        ("-S nope status", "--ssh-config nope: there is no such file"),
        ("-f nope.yaml status", "--config nope.yaml: there is no such file"),
        ("-f fabfile.py/x status", "--config fabfile.py/x: there is no such file"),
        ("-t 0 status", "--connect-timeout 0: 1 to 86400 seconds"),
        ("status -t many", "'many' is not a whole number"),
        ("--help nope", "no command nope"),
        ("--list nope", "no group of commands nope"),
        ("--list --list-format nope", "--list-format nope"),
    ],
)
def test_value_of_a_flag__that_can_not_be_is_told(away, line, said):
    if "status -t" in line:
        line = "status --connect-timeout many"
    assert said in refused(line, away)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user: bob\n", "sets user, which these commands do not read"),
        ("sudo: {user: bob}\n", "sets sudo.user, which these commands do not read"),
        ("connect_kwargs: {compress: true}\n", "sets connect_kwargs.compress"),
        ("load_ssh_configs: false\n", "sets load_ssh_configs"),
        ("nodriza: {inventroy: mine}\n", "under nodriza there is only inventory"),
        ("nodriza: mine\n", "under nodriza there is only inventory"),
        ("run: 3\n", "run must have names with values"),
        ("- a\n", "must have names with values"),
        ("a: [\n", "fabric.yaml: while parsing"),
    ],
)
def test_setting_of_fabric__that_nobody_would_read_is_refused(project, text, said):
    (project / "fabric.yaml").write_text(text)
    assert said in refused("plan", project)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FABRIC_USER", "bob", "sets user"),
        ("FABRIC_PORT", "x", "a variable FABRIC_… has a value that can't be"),
        ("FABRIC_AUTHENTICATION_IDENTITIES", "x", "a variable FABRIC_… has a value"),
        ("INVOKE_RUNTIME_CONFIG", "nope.yaml", "--config nope.yaml: there is no such file"),
    ],
)
def test_variable_of_fabric__that_nobody_would_read_is_refused(project, name, value, said):
    assert said in refused("plan", project, **{name: value})


def test_every_flag_of_fabric__has_one_rule():
    rules = [*INVOKES, *LOGIN, DRY, HOSTS, *REFUSED]
    flags = {max(arg.names, key=len) for arg in fabric.main.program.initial_context.args.values()}
    assert sorted(rules) == sorted(flags)


def test_flag_that_nobody_has_a_rule_for__is_refused():
    """As a later Fabric may have one."""
    from invoke import Exit

    new = Argument(names=("new-one",), kind=bool, default=False)
    new.value = True
    with pytest.raises(Exit, match="--new-one is a flag of Fabric's that change does not know"):
        refuse_flags([new], {"change": Command(lambda c: None)})


def test_login_flags__reach_every_connection(three_node, monkeypatch, tmp_path):
    from nodriza.ssh import client, hops, login

    config = tmp_path / "ssh_config"
    config.write_text("Host 198.18.7.12\n  ForwardAgent yes\n  Compression yes\n")
    asked = login.Login(("/k1", "/k2"), str(config), 3, "word", "phrase")
    monkeypatch.setattr(login, "_typed", asked)
    node = three_node.nodes[1].model_copy(
        update={"ssh": three_node.nodes[1].ssh.model_copy(update={"gateway": "bastion"})}
    )
    gateway, way = (client.Connection(hop, None) for hop in hops.to_node(node, three_node))
    for each in (way, gateway):
        assert each.connect_kwargs["key_filename"] == ["/k1", "/k2"]
        assert each.connect_kwargs["allow_agent"] is False
        assert each.connect_kwargs["timeout"] == each.connect_kwargs["banner_timeout"] == 3
        assert each.connect_kwargs["password"] == "word"
        assert each.connect_kwargs["passphrase"] == "phrase"
    assert way.connect_kwargs["compress"]
    assert not gateway.connect_kwargs["compress"]
    assert "word" not in repr(asked)
    assert "phrase" not in repr(asked)
