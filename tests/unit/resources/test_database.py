"""Databases and accounts, against a real MariaDB server on a private socket."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodriza.agent.left import Left
from nodriza.host.errors import CommandFailed
from nodriza.host.host import Host
from nodriza.resources import Database, DatabaseAccess, DatabaseUser, gap_between
from nodriza.resources.database import ask, identifier, string, tell
from nodriza.resources.database_user import hashed, pattern
from tests.unit.conftest import needs


class HostWithServer(Host):
    """The host as it is, but with its MariaDB behind another socket."""

    def __init__(self, socket):
        super().__init__()
        self.socket = str(socket)

    def run(self, argv, **options):
        # Last, because Debian's configuration names the socket of the packaged server.
        return super().run([*argv, f"--socket={self.socket}"], **options)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    needs("mariadbd", "mariadb-server-core mariadb-client-core")
    folder = tmp_path_factory.mktemp("mariadb")
    me = pwd.getpwuid(os.geteuid()).pw_name
    common = ["--no-defaults", f"--datadir={folder}/data", f"--user={me}"]
    subprocess.run(
        [
            "mariadb-install-db",
            *common,
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={me}",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
    )
    # A short path: a socket's may have 107 characters only.
    socket = Path(f"/tmp/nodriza-test-{os.getpid()}.sock")
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                "mariadbd",
                *common,
                f"--socket={socket}",
                "--skip-networking",
                "--innodb-buffer-pool-size=8M",
                "--innodb-log-file-size=4M",
            ],
            stdout=output,
            stderr=output,
        )
    host = HostWithServer(socket)
    deadline = time.monotonic() + 60
    try:
        while ask(host, "SELECT 1;") is None:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield host
    finally:
        server.terminate()
        server.wait(30)


def look(host, resource):
    return type(resource).look(host, [resource])[0]


def apply(host, resource):
    """Fix as the engine does; the gap that is left."""
    now = look(host, resource)
    if gap_between(resource, now):
        resource.fix(host, now)
    return gap_between(resource, look(host, resource))


def can_log_in(host, user, password, database=""):
    """Does the server let this account in, over the socket, into that database?"""
    words = ["mariadb", f"--user={user}", "--batch", f"--database={database}"]
    env = {"MYSQL_PWD": password}
    return host.run(words, env=env, input="SELECT 1;", check=False).exit == 0


def test_database__is_made_with_its_character_set(host):
    database = Database("films", charset="utf8mb4")
    assert look(host, database) is None
    assert apply(host, database) == {}
    assert look(host, database) == database.wanted()


def test_database__gets_another_character_set_and_keeps_its_rows(host):
    apply(host, Database("letters", charset="latin1"))
    tell(host, "CREATE TABLE letters.a (b INT); INSERT INTO letters.a VALUES (7);")
    assert gap_between(Database("letters"), look(host, Database("letters"))) == {
        "charset": ("latin1", "utf8mb4")
    }
    assert apply(host, Database("letters")) == {}
    assert ask(host, "SELECT b FROM letters.a;") == [["7"]]


def test_user__logs_in_with_the_password_and_no_other(host):
    apply(host, Database("one"))
    user = DatabaseUser("ana", "localhost", "cañón'\\\"x", (("one", "ALL"),))
    assert apply(host, user) == {}
    assert look(host, user) == user.wanted()
    assert can_log_in(host, "ana", "cañón'\\\"x", "one")
    assert not can_log_in(host, "ana", "")
    assert not can_log_in(host, "ana", "another")


def test_user__gets_a_new_password(host):
    assert apply(host, DatabaseUser("eva", "localhost", "old")) == {}
    new = DatabaseUser("eva", "localhost", "new")
    assert list(gap_between(new, look(host, new))) == ["password"]
    assert apply(host, new) == {}
    assert can_log_in(host, "eva", "new")
    assert not can_log_in(host, "eva", "old")


def test_user__loses_a_second_way_to_log_in(host):
    user = DatabaseUser("two", "localhost", "secret")
    assert apply(host, user) == {}
    tell(
        host,
        f"ALTER USER two@localhost IDENTIFIED VIA unix_socket OR mysql_native_password"
        f" USING '{hashed('secret')}';",
    )
    assert gap_between(user, look(host, user))
    assert apply(host, user) == {}


def test_user__logs_in_with_either_password_while_there_are_two(host):
    before = DatabaseUser("both", "localhost", "first-one")
    during = DatabaseUser("both", "localhost", "first-one", also=("second-one",))
    swapped = DatabaseUser("both", "localhost", "second-one", also=("first-one",))
    after = DatabaseUser("both", "localhost", "second-one")

    assert apply(host, before) == {}
    assert list(gap_between(during, look(host, during))) == ["password"]
    assert apply(host, during) == {}
    assert can_log_in(host, "both", "first-one")
    assert can_log_in(host, "both", "second-one")
    assert not can_log_in(host, "both", "third-one")
    assert gap_between(swapped, look(host, swapped)) == {}  # which comes first is all the same
    assert apply(host, after) == {}
    assert can_log_in(host, "both", "second-one")
    assert not can_log_in(host, "both", "first-one")


def test_user__with_two_passwords_is_made_at_once(host):
    user = DatabaseUser("born", "localhost", "first-one", also=("second-one",))
    assert apply(host, user) == {}
    assert can_log_in(host, "born", "first-one")
    assert can_log_in(host, "born", "second-one")


def test_user__of_two_addresses_is_two_accounts(host):
    many = [DatabaseUser("app", address, "p") for address in ("198.18.7.12", "198.18.7.13")]
    assert len({user.id for user in many}) == 2
    assert apply(host, many[0]) == {}
    assert DatabaseUser.look(host, many) == [many[0].wanted(), None]


def test_user__reaches_only_the_database_named_not_one_that_looks_like_it(host):
    """In GRANT an unescaped "_" stands for any character."""
    for name in ("my_app", "myxapp"):
        apply(host, Database(name))
    assert apply(host, DatabaseUser("under", "localhost", "p", (("my_app", "ALL"),))) == {}
    assert can_log_in(host, "under", "p", "my_app")
    assert not can_log_in(host, "under", "p", "myxapp")


def test_user__loses_grants_that_are_not_declared(host):
    for name in ("mine", "other", "a_b"):
        apply(host, Database(name))
    user = DatabaseUser("greedy", "localhost", "p", (("mine", "ALL"),))
    apply(host, user)
    tell(
        host,
        "GRANT ALL ON other.* TO greedy@localhost;"
        "GRANT SELECT ON `a_b`.* TO greedy@localhost;"
        "GRANT ALL ON mine.* TO greedy@localhost WITH GRANT OPTION;",
    )
    seen = "SELECT on a_b; ALL, GRANT OPTION on mine; ALL on other"
    assert look(host, user)["grants"] == seen
    assert apply(host, user) == {}
    assert look(host, user)["grants"] == "ALL on mine"
    assert not can_log_in(host, "greedy", "p", "other")


@pytest.mark.parametrize("before", ["ALL", "SELECT", "DROP, SELECT, DELETE HISTORY"])
@pytest.mark.parametrize("after", ["ALL", "SELECT", "INSERT, SELECT", "SELECT, GRANT OPTION"])
def test_user__goes_from_any_privileges_to_any_other(host, before, after):
    apply(host, Database("steps"))
    for privileges in (before, after):
        user = DatabaseUser("steps", "localhost", "p", (("steps", privileges),))
        assert apply(host, user) == {}
        assert look(host, user) == user.wanted()


def test_strays__are_accounts_from_elsewhere_that_nobody_declared(host):
    apply(host, Database("stray_one"))
    known = DatabaseUser("known", "198.18.7.12", "p", (("stray_one", "ALL"),))
    apply(host, known)
    tell(
        host,
        "CREATE USER known@'198.18.7.99' IDENTIFIED BY 'p';"
        "GRANT SELECT ON stray_one.* TO known@'198.18.7.99';"
        "CREATE USER backup@localhost IDENTIFIED BY 'p';",
    )
    found = DatabaseUser.strays(host, [known])
    assert "known@198.18.7.99 may log in to the database (SELECT on stray_one)" in found
    assert not [words for words in found if words.startswith(("backup@", "known@198.18.7.12"))]


def test_user__is_fixed_once(host):
    user = DatabaseUser("once", "localhost", "p", (("once_db", "all privileges"),))
    assert apply(host, user) == {}
    now = look(host, user)
    user.fix(host, now)
    assert look(host, user) == now == user.wanted()


def test_password__is_not_in_what_the_server_is_told(host, monkeypatch):
    told = []
    monkeypatch.setattr(
        host,
        "run",
        lambda argv, **options: (
            told.append((argv, options)) or HostWithServer.run(host, argv, **options)
        ),
    )
    apply(host, DatabaseUser("quiet", "localhost", "very-secret-word"))
    assert told
    assert "very-secret-word" not in str(told)


def test_look__sees_nothing_where_no_server_runs(tmp_path):
    nobody = HostWithServer(tmp_path / "no.sock")
    assert Database.look(nobody, [Database("a"), Database("b")]) == [None, None]
    assert DatabaseUser.look(nobody, [DatabaseUser("a", "b", "c")]) == [None]


def test_fix__says_what_the_server_said(host):
    with pytest.raises(CommandFailed, match="Unknown character set: 'klingon'"):
        Database("bad", charset="klingon").fix(host, None)


def test_user__without_a_password_is_refused():
    with pytest.raises(ValueError, match="databaseuser:a@b has no password"):
        DatabaseUser("a", "b", "")


def test_user__with_a_statement_for_a_privilege_is_refused():
    with pytest.raises(ValueError, match="not a privilege"):
        DatabaseUser("a", "b", "c", (("db", "SELECT ON *.* TO x; DROP"),))


@given(st.lists(st.text(), min_size=1, max_size=20))
@example(["'", '"', "\\", "\\'", "\0\n\r\x1a", "'; DROP DATABASE mysql; -- "])
@settings(max_examples=30)
def test_string__reaches_the_server_as_it_is(host, texts):
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    query = "".join(f"SELECT HEX({string(text)});\n" for text in texts)
    sent = [row[0] for row in ask(host, query)]
    assert sent == [text.encode().hex().upper() for text in texts]


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0xD7FF), min_size=1))
@example("`")
@example("a`; DROP DATABASE mysql; -- `")
@settings(max_examples=30)
def test_identifier__names_what_it_should(host, name):
    name = name[:60].rstrip() + "x"
    query = f"CREATE TEMPORARY TABLE mysql.{identifier(name)} ({identifier(name)} INT);"
    query += f"SELECT COUNT({identifier(name)}) FROM mysql.{identifier(name)};"
    assert ask(host, query) == [["0"]]


@given(st.text(alphabet="ab_%\\", min_size=1, max_size=8))
def test_pattern__leaves_nothing_that_stands_for_something_else(name):
    escaped = pattern(name)
    assert escaped.replace("\\\\", "").replace("\\_", "").replace("\\%", "").strip("ab") == ""


@pytest.mark.parametrize("name", ["", "a" * 65, "a\0b", "a\nb", "end ", "\U0001f3ac"])
def test_identifier__refuses_what_mariadb_does_not_take(name):
    with pytest.raises(ValueError, match="not a name for a database"):
        identifier(name)


@pytest.mark.parametrize("password", ["x", "cañón", "🎬"])
def test_hashed__is_what_the_server_makes_of_it(host, password):
    assert ask(host, f"SELECT PASSWORD({string(password)});") == [[hashed(password)]]


def test_who_may_not_log_in_any_more__loses_connections_that_are_open_too(host):
    assert apply(host, DatabaseUser("left", "localhost", "p")) == {}
    sessions = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'left';"
    with subprocess.Popen(
        ["mariadb", "--user=left", f"--socket={host.socket}"],
        env={**os.environ, "MYSQL_PWD": "p"},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as client:
        deadline = time.monotonic() + 10
        while not ask(host, sessions):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert apply(host, DatabaseAccess("left", hosts=("198.18.7.12",))) == {}
        while ask(host, sessions):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        client.kill()


def left(user):
    return Left(user.subject, "DatabaseUser", (user.mark(),))


def test_account_that_is_planned_no_more__goes_with_its_connections_and_no_table_does(host):
    apply(host, Database("kept"))
    user = DatabaseUser("gone", "localhost", "p", (("kept", "ALL"),))
    assert DatabaseUser.remains(host, left(user)) is None
    apply(host, user)
    tell(host, "CREATE TABLE kept.a (b INT);")
    assert DatabaseUser.remains(host, left(user)) == ""
    assert "p" not in left(user).marks
    DatabaseUser.take_away(host, left(user))
    assert DatabaseUser.remains(host, left(user)) is None
    assert not can_log_in(host, "gone", "p")
    assert ask(host, "SHOW TABLES IN kept;") == [["a"]]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER USER mine@localhost IDENTIFIED BY 'other'",
        "GRANT SELECT ON kept.* TO mine@localhost",
    ],
)
def test_account_that_somebody_else_has_changed__stays(host, change):
    user = DatabaseUser("mine", "localhost", "p")
    apply(host, Database("kept"))
    apply(host, user)
    tell(host, f"{change};")
    assert DatabaseUser.remains(host, left(user)) == "somebody else has changed it"


def test_account__stays_unknown_where_no_server_runs(host):
    user = DatabaseUser("a", "localhost", "p")
    assert DatabaseUser.remains(HostWithServer("/nowhere"), left(user)) is None
