"""Odd but legal, and files that are no inventory at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster
from tests.cost import cost
from tests.unit.conftest import ROOT
from tests.unit.inventory.conftest import GOOD


def problems(file):
    with pytest.raises(InventoryError) as caught:
        load_cluster(file)
    return caught.value.problems


@pytest.mark.parametrize(
    "name",
    [
        "3com",
        "x",
        "a" * 63,
        "a--b",
        "0xzz",
        "1e5",
        "xn--andu-hqa",
        "server-1-1",
        "nan",
        "7-eleven",
    ],
)
def test_node_name__odd_but_legal_is_taken(write, name):
    cluster = load_cluster(write(GOOD + f"  '{name}': {{kind: child, private: 10.0.0.9}}\n"))
    assert cluster.node(name).private == "10.0.0.9"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a" * 64, "at most 63"),
        ("Server-9", 'such as "server-9"'),
        ("server_9", 'such as "server-9"'),
        ("-x", 'such as "x"'),
        ("ñandú", 'such as "nandu"'),
        ("сервер", "a node's name becomes its hostname"),
        ("ｆｕｌｌ", 'such as "full"'),
        ("a\u200bb", "a node's name becomes its hostname"),
        ("1.2.3.4", "a node's name becomes its hostname"),
        ("0x1f", "an address for every program (0.0.0.31)"),
        ("0xdeadbeef", "an address for every program (222.173.190.239)"),
        ("0177", "an address for every program (0.0.0.127)"),
        ("127.1", "an address for every program (127.0.0.1)"),
        ("0x", "a node's name becomes its hostname"),
        ("0x123456789", "a node's name becomes its hostname"),
        ("localhost", "what every machine calls itself"),
        ("server-n", "a word for a group of nodes"),
    ],
)
def test_node_name__that_no_host_can_have_is_refused_with_one_that_it_can(mistakes, name, said):
    (found,) = mistakes(GOOD + f'  "{name}": {{kind: child, private: 10.0.0.9}}\n')
    assert found.startswith("12:3 nodes/")
    assert said in found


@pytest.mark.parametrize(
    ("domain", "near"),
    [
        ("niño.example.org", "xn--nio-8ma.example.org"),
        ("straße.example", "xn--strae-oqa.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("Shop.Example.ORG", "shop.example.org"),
    ],
)
def test_domain__in_other_letters_is_refused_with_its_form_in_dns(mistakes, write, domain, near):
    (said,) = mistakes(GOOD.replace("shop.example.org", domain))
    assert said.startswith(f'2:9 domain: "{domain}" must be written as DNS has it: "{near}"')
    assert load_cluster(write(GOOD.replace("shop.example.org", near))).domain == near


@pytest.mark.parametrize(
    "domain", ["a..b", "-a.org", "a.org.", "a b.org", "*.a.org", "a.org:80", "a" * 64, "١.org", ""]
)
def test_domain__that_is_no_host_name_is_refused(mistakes, domain):
    (said,) = mistakes(GOOD.replace("shop.example.org", f"'{domain}'"))
    assert said.startswith("2:9 domain: ")


@pytest.mark.parametrize("name", ["video", "www_data", "services", "mysql", "localtime", "users"])
def test_app_name__that_the_system_has_is_refused_with_another(mistakes, write, name):
    text = GOOD.replace("name: shop", f"name: {name}")
    if name == "www_data":  # is not www-data
        assert load_cluster(write(text)).app.name == name
        return
    (said,) = mistakes(text)
    assert said.startswith(f'5:9 app/name: "{name}" is a name that the system')
    assert said.endswith(f"such as {name}_site")


@pytest.mark.parametrize(
    "package", ["nginx-", "Foo", "a b", "foo=1", "--purge", "foo/trixie", "x"]
)
def test_package__that_apt_would_read_as_something_else_is_refused(mistakes, package):
    (said,) = mistakes(GOOD.replace("  name: shop", f"  packages: ['{package}']\n  name: shop"))
    assert said.startswith("5:14 app/packages/1: ")


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("celery_concurrency: '1; reboot'", "must be a whole number"),
        ("celery_concurrency: 0", "must be at least 1"),
        ("celery_concurrency: true", "must be a whole number"),
        ("celery_concurrency:", "has no value"),
        ("timezone: ../../etc/shadow", "must be a time zone"),
        ("timezone: Europe/Madird", 'is no time zone, did you mean "Europe/Madrid"?'),
        ("timezone: Europe", "is no time zone"),
        ("needs: mysql", "must be a list"),
    ],
)
@pytest.mark.parametrize(
    ("level", "path"),
    [
        ("variables: {%s}", ""),
        ("kinds: {child: {variables: {%s}}}", "kinds/child/"),
        ("  x: {kind: child, private: 10.0.0.9, variables: {%s}}", "nodes/x/"),
    ],
)
def test_variable__that_a_shipped_role_reads_is_checked(mistakes, variable, said, level, path):
    line, name = level % variable, variable.partition(":")[0]
    (found,) = mistakes(f"{GOOD}{line}\n")
    value = variable.removeprefix(f"{name}:").lstrip() or "}"
    assert found.startswith(
        f"12:{line.index(value, line.index(name)) + 1} {path}variables/{name}: "
    )
    assert said in found


@pytest.mark.parametrize(
    "value", ["‹secret:NO›", "‹secret:a b›", r"\\u2039secret:x", "\U0001fffe"]
)
def test_environment__what_would_break_the_file_is_refused(mistakes, value):
    text = GOOD.replace("  name: shop", f"  environment: {{A: '{value}'}}\n  name: shop")
    (said,) = mistakes(text)
    assert said.startswith("5:20 app/environment/A: ") or "no text has" in said


def test_file__of_windows_with_a_byte_order_mark_is_read(write):
    file = write("")
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_cluster(file) == load_cluster(write(GOOD))


def test_file__of_windows_has_its_mistakes_in_the_same_places(mistakes, write):
    text = GOOD.replace("kind: child", "kind: chidl").replace("domain:", "domian:")
    plain = mistakes(text)
    file = write("")
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert [line.removeprefix(f"{file}:") for line in problems(file)] == plain
    file.write_bytes(text.replace("\n", "\r").encode())  # an old Macintosh's
    assert [line.removeprefix(f"{file}:") for line in problems(file)] == plain


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1:1 inventory: the inventory is empty"),
        (b"# nothing yet\n\n", ":1:1 inventory: the inventory is empty"),
        (b"\xef\xbb\xbf", ":1:1 inventory: the inventory is empty"),
        (b"cluster: x\n\tdomain: y\n", ":2:1 inventory: a tab: YAML is indented with spaces"),
        (b"a:\n  b: 1\n\tc: 2\n", ":3:1 inventory: a tab"),
        ("cluster: x\n".encode("utf-16"), ":1: is not UTF-8 text"),
        ("cluster: niño\n".encode("latin-1"), ":1: is not UTF-8 text"),
        (b"\x7fELF\x02\x01\x01\x00\x00", ":1:1 inventory: a character that no text has (U+007F)"),
        (b"\x89PNG\r\n\x1a\n", ":1: is not UTF-8 text"),
        (b"a: 1\x00\n", ":1:5 inventory: a character that no text has (U+0000)"),
        (b"x" * 10_000_000, ": is larger than 2 MB"),
    ],
    ids=range(11),
)
def test_file__that_is_no_inventory_is_told_by_what_it_is(write, content, said):
    file = write("")
    file.write_bytes(content)
    (found,) = problems(file)
    assert found.startswith(f"{file}{said}")
    assert len(found) < 300


@pytest.mark.parametrize("line", ["a: [b, c]\n", "- x\n", "x", "[", "a: &a b\n", "# c\n"])
def test_file__as_large_as_may_be_takes_seconds(write, line):
    file = write(line * (1_990_000 // len(line)))
    assert 1 <= len(problems(file)) <= 101
    assert cost(lambda: problems(file), enough=20) < 20


def test_file__that_is_a_folder_a_pipe_or_not_there_is_told(write):
    file = write(GOOD)
    assert "Is a directory" in problems(file.parent)[0]
    os.mkfifo(file.with_name("pipe.yml"))
    assert "is not a file" in problems(file.with_name("pipe.yml"))[0]
    file.with_name("loop.yml").symlink_to("loop.yml")
    assert "can't be read" in problems(file.with_name("loop.yml"))[0]
    assert "no such file" in problems(file.with_name("shop.yaml"))[0]


def test_file__that_may_not_be_read_is_told(write, tmp_path):
    file = write(GOOD)
    file.chmod(0)
    tmp_path.chmod(0o755)
    program = (
        "import os, sys\n"
        "from nodriza.errors import InventoryError\n"
        "from nodriza.inventory import load_cluster\n"
        "from pathlib import Path\n"
        "load_cluster  # imported before the way to it may be closed\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: load_cluster(Path(sys.argv[1]))\n"
        "except InventoryError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "can't be read: Permission denied" in done.stdout, done.stderr
