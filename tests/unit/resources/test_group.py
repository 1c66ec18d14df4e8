"""Groups, made by the real groupadd in a root of its own."""

import pytest

from nodriza.host.errors import CommandFailed
from nodriza.host.host import Host
from nodriza.resources import Group, gap_between


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\nwww-data:x:33:ana,eva\n+:::\n")
    (tmp_path / "etc/gshadow").write_text("root:*::\nwww-data:!::ana,eva\n")
    return Host(str(tmp_path))


def apply(host, group):
    group.fix(host, Group.look(host, [group])[0])
    return gap_between(group, Group.look(host, [group])[0])


def test_group__that_is_missing_is_made_with_its_number(host):
    assert Group.look(host, [Group("app"), Group("root")]) == [None, {"exists": True, "gid": 0}]
    assert apply(host, Group("app", gid=800)) == {}
    assert Group.look(host, [Group("app")]) == [{"exists": True, "gid": 800}]


def test_group__without_a_number_gets_one_for_the_system(host):
    assert apply(host, Group("app")) == {}
    assert Group.look(host, [Group("app")])[0]["gid"] < 1000


def test_group__changes_its_number_and_keeps_its_members(host):
    assert apply(host, Group("www-data", gid=801)) == {}
    assert "www-data:x:801:ana,eva" in (host.read("/etc/group") or b"").decode()


def test_group__whose_number_is_taken_fails_with_the_program_s_words(host):
    with pytest.raises(CommandFailed, match="33"):
        Group("app", gid=33).fix(host, None)
