"""Users, made by the real useradd in a root of its own."""

import pytest

from nodriza.host.errors import CommandFailed
from nodriza.host.host import Host
from nodriza.resources import User, gap_between

FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/bash\n",
    "shadow": "root:*:19000:0:99999:7:::\nana:$y$secret:19000:0:99999:7:::\n",
    "group": "root:x:0:\nana:x:1000:\napp:x:800:\nadm:x:4:ana\nvideo:x:44:\nredis:x:90:\n",
    "gshadow": "root:*::\nana:!::\napp:!::\nadm:*::ana\nvideo:*::\nredis:!::\n",
}


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    for name, text in FILES.items():
        (tmp_path / "etc" / name).write_text(text)
    return Host(str(tmp_path))


def look(host, user):
    return User.look(host, [user])[0]


def apply(host, user):
    user.fix(host, look(host, user))
    return gap_between(user, look(host, user))


def row(host, file, name):
    lines = (host.read(f"/etc/{file}") or b"").decode().splitlines()
    return next(line for line in lines if line.startswith(f"{name}:"))


def test_user__that_is_missing_is_made_as_asked(host):
    user = User("app", uid=800, group="app", home="/srv/app", groups=("video", "adm"))
    assert look(host, user) is None
    assert apply(host, user) == {}
    assert look(host, user) == {**user.wanted(), "groups": "adm,video"}
    assert row(host, "passwd", "app") == "app:x:800:800::/srv/app:/usr/sbin/nologin"
    assert host.stat("/srv/app") is None


def test_user__has_no_password_and_is_not_locked(host):
    assert apply(host, User("app", group="app")) == {}
    assert row(host, "shadow", "app").split(":")[1] == "*"


def test_user__without_a_group_gets_its_own_that_is_there_or_is_made(host):
    assert apply(host, User("redis")) == {}
    assert apply(host, User("deploy")) == {}
    assert row(host, "passwd", "redis").split(":")[3] == "90"
    assert look(host, User("deploy"))["group"] == "deploy"


@pytest.mark.parametrize(
    "user",
    [
        User("ana", shell="/bin/bash", home="/srv/ana"),
        User("ana", shell="/usr/sbin/nologin"),
        User("ana", shell="/bin/bash", uid=900),
        # A group of the tester's own system too: usermod --prefix looks there.
        User("ana", shell="/bin/bash", group="video"),
        User("ana", shell="/bin/bash", groups=("video",)),
    ],
    ids=["home", "shell", "uid", "group", "groups"],
)
def test_user__that_is_there_changes_in_what_is_asked_only(host, user):
    before = look(host, user)
    changed = set(gap_between(user, before))
    assert len(changed) == 1
    assert apply(host, user) == {}
    after = look(host, user)
    assert {key for key in after if after[key] != before[key]} == changed
    assert row(host, "shadow", "ana").split(":")[1] == "$y$secret"


def test_user__stays_in_groups_that_are_not_declared(host):
    assert apply(host, User("ana", shell="/bin/bash", groups=("video",))) == {}
    assert row(host, "group", "adm") == "adm:x:4:ana"


def test_user__in_a_group_that_is_missing_fails_with_the_program_s_words(host):
    with pytest.raises(CommandFailed, match="nobody-has-it"):
        User("app", groups=("nobody-has-it",)).fix(host, None)
