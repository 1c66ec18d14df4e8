"""The database's content to a file and back, on a real cluster: whole, or not at all."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, wait_for

BIG = """
CREATE TABLE big (a INT PRIMARY KEY AUTO_INCREMENT, b LONGTEXT, `c``d` INT);
INSERT INTO big (b) SELECT HEX(RANDOM_BYTES(1024)) FROM seq_1_to_12000;
CREATE TABLE small (a INT, FOREIGN KEY (a) REFERENCES big (a)); INSERT INTO small VALUES (3);
"""
"""25 MB that hardly can be compressed, a name with a backtick, and a key to another table."""
LEFT = "SHOW DATABASES; SELECT CONCAT(user, '@', host) FROM mysql.user; SHOW TABLES FROM videoteca"


def ask(project: Project, statements: str) -> list[str]:
    script = f"mariadb --batch --skip-column-names --execute={statements!r} videoteca"
    return project.on("server-1", script).split()


def load(project: Project, data: bytes, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [project.program, "db.load", *words],
        cwd=project.folder,
        env=project._environment,
        input=data,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stderr.decode()


@pytest.fixture(scope="module")
def dump(deployed: Project) -> Iterator[bytes]:
    """All of a database with something in it, taken once; it is put back at the end."""
    ask(deployed, BIG)
    done = subprocess.run(
        [deployed.program, "db.dump"],
        cwd=deployed.folder,
        env=deployed._environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"of SQL, whole" in done.stderr
    yield done.stdout
    load(deployed, done.stdout, "--replace")
    ask(deployed, "DROP TABLE small; DROP TABLE big;")


def test_dump__ends_with_the_line_of_a_whole_one(dump: bytes) -> None:
    assert len(dump) > 25_000_000
    assert dump.splitlines()[-1].startswith(b"-- Dump completed")


def test_database_with_tables__is_not_replaced_unasked(deployed: Project, dump: bytes) -> None:
    before = ask(deployed, LEFT)
    code, said = load(deployed, dump)
    assert code == 1
    assert f"the database on server-1 has {len(before[-5:])} tables" in said
    assert "next: fab db.dump > BEFORE, then fab db.load --replace < FILE" in said
    assert ask(deployed, LEFT) == before


@pytest.mark.parametrize("packed", [False, True])
def test_dump_that_is_loaded__is_what_it_was(deployed: Project, dump: bytes, packed: bool) -> None:
    before = ask(deployed, "CHECKSUM TABLE big, small, django_migrations")
    left = ask(deployed, LEFT)
    ask(deployed, "DELETE FROM small; UPDATE big SET b = ''; CREATE TABLE stray (a INT)")
    code, said = load(deployed, gzip.compress(dump, 1) if packed else dump, "--replace")
    assert (code, "of SQL are the database now" in said) == (0, True), said
    assert ask(deployed, "CHECKSUM TABLE big, small, django_migrations") == before
    assert ask(deployed, LEFT) == left  # no account, no database, no table more
    refused = deployed.on("server-1", "mariadb -e 'DELETE FROM videoteca.big' 2>&1", check=False)
    assert "foreign key constraint fails" in refused
    deployed.fab("manage", "check --database default").well()


def cut(dump: bytes) -> bytes:
    return dump[: len(dump) // 2]


def cut_and_packed(dump: bytes) -> bytes:
    packed = gzip.compress(dump, 1)
    return packed[: len(packed) - 5]


def of_another_database(dump: bytes) -> bytes:
    return b"DROP TABLE mysql.user;\n" + dump


def with_a_program(dump: bytes) -> bytes:
    return b"\\! touch /srv/videoteca/media/evil /tmp/evil /root/evil\n" + dump


def with_a_mistake(dump: bytes) -> bytes:
    return dump.replace(b"-- Dump completed", b"INSERT INTO nobody VALUES (1);\n-- Dump completed")


def with_a_view(dump: bytes) -> bytes:
    return dump.replace(b"-- Dump completed", b"CREATE VIEW v AS SELECT 1;\n-- Dump completed")


def empty(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, 'the file has no end: its last line does not begin with "-- Dump completed"'),
        (cut_and_packed, "its compressed form is cut"),
        (of_another_database, "DROP command denied"),
        (with_a_program, "ERROR"),
        (with_a_mistake, "Table 'videoteca__next.nobody' doesn't exist"),
        (with_a_view, "it has 1 views, triggers, routines or events"),
        (empty, "the file has no end"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_file_that_is_not_whole_or_not_right__leaves_the_old_tables(
    deployed: Project, dump: bytes, spoil, said: str
) -> None:
    before = ask(deployed, f"{LEFT}; CHECKSUM TABLE big, small, django_migrations")
    code, words = load(deployed, spoil(dump), "--replace")
    assert (code, said in words) == (1, True), words
    assert "kept: the database has the tables of before, all of them" in words
    assert ask(deployed, f"{LEFT}; CHECKSUM TABLE big, small, django_migrations") == before
    assert deployed.on("server-1", "find / -xdev -name evil") == ""


def test_line_that_breaks_in_the_middle__leaves_the_old_tables(
    deployed: Project, dump: bytes
) -> None:
    before = ask(deployed, f"{LEFT}; CHECKSUM TABLE big, small, django_migrations")
    with deployed.start("db.load", "--replace", stdin=subprocess.PIPE) as process:
        os.write(process.stdin.fileno(), dump[: len(dump) // 2])
        there = lambda: "big" in ask(deployed, "SHOW TABLES FROM videoteca__next")  # noqa: E731
        wait_for("half of it", 60, lambda: "videoteca__next" in ask(deployed, LEFT) and there())
        process.kill()
    wait_for("tidiness", 60, lambda: "videoteca__next" not in ask(deployed, LEFT))
    after = ask(deployed, f"{LEFT}; CHECKSUM TABLE big, small, django_migrations")
    assert after == before
    assert deployed.on("server-1", "ls /run/nodriza-load*", check=False) == ""


def test_second_load__is_refused_and_disturbs_nobody(deployed: Project, dump: bytes) -> None:
    with deployed.start("db.load", "--replace", stdin=subprocess.PIPE) as process:
        os.write(process.stdin.fileno(), dump[: len(dump) // 2])
        wait_for("half of it", 60, lambda: "videoteca__next" in ask(deployed, LEFT))
        code, said = load(deployed, dump, "--replace")
        assert (code, "another db.load is at work" in said) == (1, True)
        os.write(process.stdin.fileno(), dump[len(dump) // 2 :])
        process.stdin.close()
        assert process.wait(60) == 0


def test_database_that_goes_away__ends_a_dump_that_is_no_whole_one(
    deployed: Project, dump: bytes, tmp_path: Path
) -> None:
    """What there is of it is a file that db.load refuses."""
    deployed.on("server-1", "mv /usr/bin/mariadb-dump /usr/bin/aside")
    deployed.on(
        "server-1",
        "cat >/usr/bin/mariadb-dump && chmod +x /usr/bin/mariadb-dump",
        stdin='#!/bin/sh\n/usr/bin/aside "$@" | head -c 9000000\nexit 3\n',
    )
    try:
        done = deployed.fab("db.dump")
    finally:
        deployed.on("server-1", "mv /usr/bin/aside /usr/bin/mariadb-dump")
    assert done.exit == 1
    assert "the dump ended with 3" in done.stderr
    assert "what was written is no whole dump, and db.load refuses it" in done.stderr
    assert len(done.stdout) > 8_000_000
    assert "no end" in load(deployed, done.stdout.encode(), "--replace")[1]


def test_dbshell__reads_statements(deployed: Project) -> None:
    with deployed.start("dbshell", stdin=subprocess.PIPE) as process:
        out, _ = process.communicate("select 6 * 7 as answer;\n", timeout=60)
    assert (process.returncode, out) == (0, "answer\n42\n")
