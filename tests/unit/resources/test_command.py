import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodriza.host.env_file import parse_environment
from nodriza.host.errors import CommandFailed, HostError
from nodriza.host.host import Host
from nodriza.resources import Command, File


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def look(host, command):
    return Command.look(host, [command])[0]


def test_command__is_done_once_the_file_it_creates_is_there(host):
    command = Command("make", ["touch", host.at("/made")], creates="/made")
    assert look(host, command) == {"done": False}
    command.fix(host, look(host, command))
    assert look(host, command) == command.wanted()


def test_command__is_done_while_unless_exits_with_0(host):
    command = Command("make", ["mkdir", host.at("/a")], unless=["test", "-d", host.at("/a")])
    assert look(host, command) == {"done": False}
    command.fix(host, look(host, command))
    assert look(host, command) == command.wanted()


def test_command__with_both_guards_needs_both(host):
    command = Command("make", ["true"], creates="/a", unless=["false"])
    assert look(host, command) == {"done": False}
    host.write("/a", "")
    assert look(host, command) == {"done": False}


def test_command__that_only_follows_others_is_never_due_by_itself(host):
    command = Command("load", ["true"], on_change=(File("/etc/a", ""), "link:/b"))
    assert look(host, command) == command.wanted()
    assert command.on_change == ("file:/etc/a", "link:/b")


def test_command__that_would_run_each_time_is_refused():
    with pytest.raises(ValueError, match="command:again has none of creates, unless, on_change"):
        Command("again", ["true"])


@pytest.mark.parametrize(
    "missing",
    [
        {"unless": ["/no/such/program"]},
        {"unless": ["true"], "user": "nobody-has-this-name"},
        {"unless": ["true"], "cwd": "/no/such/folder"},
        {"unless": ["true"], "env_file": "/no/such/file"},
        {"unless": ["/etc/passwd"]},
    ],
    ids=["program", "user", "cwd", "env_file", "executable"],
)
def test_command__is_due_on_a_host_that_lacks_its(host, missing):
    assert look(host, Command("later", ["true"], **missing)) == {"done": False}


def test_command__runs_with_its_environment_and_in_its_directory(host):
    host.mkdirs("/work")
    host.write("/env", "GREETING='hola: $HOME'\n# not this\n")
    script = 'echo "$GREETING" > out && test -n "$PATH"'
    command = Command(
        "say", ["sh", "-c", script], creates="/work/out", cwd="/work", env_file="/env"
    )
    command.fix(host, look(host, command))
    assert host.read("/work/out") == b"hola: $HOME\n"


def test_command__that_fails_says_what_the_program_said(host):
    command = Command("no", ["sh", "-c", "echo because >&2; exit 3"], creates="/a")
    with pytest.raises(CommandFailed, match="exit 3\nbecause"):
        command.fix(host, None)


def test_command__that_does_not_end_is_ended(host):
    command = Command("slow", ["sleep", "60"], creates="/a", timeout=1)
    with pytest.raises(HostError, match="no end after 1 s"):
        command.fix(host, None)


def test_command__without_its_environment_is_not_run(host):
    command = Command("make", ["touch", host.at("/made")], creates="/made", env_file="/env")
    with pytest.raises(HostError, match="command:make: there is no /env"):
        command.fix(host, None)
    assert host.stat("/made") is None


# What systemd 257 itself made of these lines (systemd-run --property=EnvironmentFile=).
ENVIRONMENTS = {
    "A=1": {"A": "1"},
    "A=1\nB=2\n": {"A": "1", "B": "2"},
    "# A=1\n; B=2\n\n C=3": {"C": "3"},
    "A": {},
    "A\nB=1": {"B": "1"},
    "A=": {"A": ""},
    "A=  two words \t ": {"A": "two words"},
    "A =1": {"A": "1"},
    "A='  kept  '": {"A": "  kept  "},
    'A="  kept  "  ': {"A": "  kept  "},
    "A='it'\\''s'": {"A": "it''s'"},
    "A='a\\b'": {"A": "a\\b"},
    'A="a\\"b\\\\c\\$d\\`e\\nf"': {"A": 'a"b\\c$d`e\\nf'},
    'A=a\\ b\\\\c\\"d\\n': {"A": 'a b\\c"dn'},
    "A=one\\\ntwo": {"A": "onetwo"},
    'A="one\\\ntwo"': {"A": "onetwo"},
    'A="one\ntwo"\nB=1': {"A": "one\ntwo", "B": "1"},
    "A='one' \"two\"": {"A": "onetwo"},
    "A='one' two": {"A": "onetwo"},
    "A=one'two'": {"A": "one'two'"},
    "A=1 # no comment": {"A": "1 # no comment"},
    "A=$HOME": {"A": "$HOME"},
    "A=b=c": {"A": "b=c"},
    "1A=1\nA-B=2\nA.B=3\nC=4": {"C": "4"},
    "export A=1": {},
    "A=1\r\nB=2\r\n": {"A": "1", "B": "2"},
    "A=1\nA=2": {"A": "2"},
    "A=x \\\n": {"A": "x "},
    "A=\\ x\\ ": {"A": " x "},
    "A='x' \\\ny\n": {"A": "xy"},
    "A=a\\": {"A": "a"},
    'A="open\nB=1': {"A": "open\nB=1"},
    "# comment \\\nA=1": {"A": "1"},
    '=x\nA="x"#y': {"A": "x#y"},
}


@pytest.mark.parametrize(("text", "variables"), ENVIRONMENTS.items())
def test_parse_environment__reads_as_systemd_does(text, variables):
    assert parse_environment(text) == variables


@given(st.text())
def test_parse_environment__takes_any_text(text):
    for name, value in parse_environment(text).items():
        assert name.isidentifier()
        assert "\0" not in value


@given(st.text(st.characters(exclude_characters="'\0", exclude_categories=["Cs"])))
def test_parse_environment__gives_back_what_is_quoted(text):
    assert parse_environment(f"A='{text}'\nB=1\n") == {"A": text, "B": "1"}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_parse_environment__gives_back_what_is_escaped(text):
    escaped = "".join(f"\\{char}" if char in '"\\`$' else char for char in text)
    assert parse_environment(f'A="{escaped}"\nB=1\n') == {"A": text, "B": "1"}
