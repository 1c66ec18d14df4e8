"""Bad weather on one host: a bounded wait, and a message that helps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.reading import unread

NODE = "server-1"
REDIS = "/etc/redis/redis.conf"
FIRST = "/etc/redis/admin.env"
"""The first file that the role writes into its folder."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A cluster of one central, provisioned."""
    folder = tmp_path_factory.mktemp("weather")
    project = Project.make(folder, "weather", 77, children=0, videos=0)
    with project.up("provision"):
        yield project


@pytest.fixture
def mended(host: Project) -> Iterator[Project]:
    """Afterwards a run changes what the weather left, and the next one nothing."""
    yield host
    host.fab("provision").well()
    assert host.fab("provision", "--json").well().changed() == {}
    assert unread(host) == []


def refused(project: Project) -> Result:
    """A provision that fails, with no traceback and no path of an open folder."""
    result = project.fab("provision")
    assert result.exit == 1, result.said
    assert "Traceback" not in result.said
    assert "/proc/self" not in result.said
    assert f"FAILED  {NODE}" in result.said
    return result


def test_apt_lock__is_waited_for(mended: Project) -> None:
    mended.on(NODE, "apt-get -qy remove unattended-upgrades")
    mended.on(
        NODE,
        "systemd-run --collect python3 -c 'import fcntl, time\n"
        'locks = [open(f"/var/lib/{n}", "w") for n in ("dpkg/lock-frontend", "apt/lists/lock")]\n'
        "[fcntl.lockf(lock, fcntl.LOCK_EX) for lock in locks]\ntime.sleep(6)'; sleep 1; "
        "touch -d '3 days ago' /var/lib/apt/lists",
    )
    result = mended.fab("provision").well()
    assert "package:unattended-upgrades" in result.said
    assert result.seconds > 4


def test_interrupted_dpkg__is_gone_on_with(mended: Project) -> None:
    mended.on(
        NODE,
        "apt-get -qy remove unattended-upgrades; cd /tmp && apt-get -q download tree"
        " && dpkg --unpack tree_*.deb",
    )
    assert "tree" in mended.on(NODE, "dpkg --audit")
    mended.fab("provision").well()
    assert mended.on(NODE, "dpkg --audit") == ""


def test_mirror_that_does_not_answer__is_told_before_anything_changes(mended: Project) -> None:
    mended.on(
        NODE,
        "apt-get -qy remove unattended-upgrades; rm -rf /var/lib/apt/lists/*;"
        "mv /etc/apt/sources.list /root/; echo x >>/etc/hosts; apt-get clean;"
        "echo 'deb http://198.18.77.99/debian bookworm main' >/etc/apt/sources.list",
    )
    try:
        result = refused(mended)
        assert result.seconds < 120
        assert "198.18.77.99" in result.said
        assert "x" in mended.on(NODE, "cat /etc/hosts"), "what comes after it is untouched"
    finally:
        mended.on(NODE, "mv /root/sources.list /etc/apt/; apt-get -q update")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=4k", "disk is full"),
        ("nr_inodes=1", "no inodes left"),
        ("ro", "read-only"),
    ],
)
def test_disk_that_takes_nothing__is_told_in_words(
    mended: Project, options: str, words: str
) -> None:
    mount = f"mount -t tmpfs -o {options} weather /etc/redis"
    fill = "head -c 9999 /dev/zero >/etc/redis/x || true"
    mended.on(NODE, f"systemctl stop redis-server; {mount}; {fill}")
    try:
        result = refused(mended)
        assert words in result.said
        assert f"file:{FIRST}" in result.said
        assert "roles/redis.py:" in result.said
    finally:
        mended.on(NODE, "umount /etc/redis; ls -A /etc/redis; systemctl start redis-server")
    assert ".nodriza" not in mended.on(NODE, "ls -A /etc/redis")


def test_journal_that_can_t_be_written__changes_nothing(mended: Project) -> None:
    mended.on(NODE, "echo x >>/etc/hosts; mount -t tmpfs -o ro weather /var/lib/nodriza")
    try:
        assert "/var/lib/nodriza" in refused(mended).said
        assert mended.on(NODE, "tail -n 1 /etc/hosts") == "x\n"
    finally:
        mended.on(NODE, "umount /var/lib/nodriza")


LOOP = """
mkdir -p /run/systemd/system/redis-server.service.d
cat >/run/systemd/system/redis-server.service.d/z.conf <<'END'
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStartPre=+/bin/sh -c 'echo no luck; false'
END
systemctl daemon-reload; systemctl restart --no-block redis-server; sleep 1
"""


def test_service_in_a_crash_loop__is_a_bounded_wait_and_told_in_its_own_words(
    mended: Project,
) -> None:
    mended.on(NODE, LOOP)
    try:
        result = refused(mended)
        assert "no luck" in result.said
        assert result.seconds < 60
    finally:
        mended.on(
            NODE, "rm -r /run/systemd/system/redis-server.service.d; systemctl daemon-reload"
        )


def test_masked_service__is_left_masked_and_named(mended: Project) -> None:
    mended.on(NODE, "systemctl mask --now redis-server")
    try:
        assert "systemctl unmask redis-server" in refused(mended).said
    finally:
        mended.on(NODE, "systemctl unmask redis-server")


def test_directory_where_a_file_should_be__is_kept(mended: Project) -> None:
    mended.on(NODE, f"mv {REDIS} /root/ && mkdir {REDIS} && touch {REDIS}/mine")
    try:
        assert f"{REDIS} is a directory, a file was to go there" in refused(mended).said
        assert mended.on(NODE, f"ls {REDIS}") == "mine\n"
    finally:
        mended.on(NODE, f"rm -r {REDIS}")


def test_file_where_a_directory_should_be__is_kept(mended: Project) -> None:
    folder = "/etc/systemd/system/redis-server.service.d"
    mended.on(NODE, f"rm -r {folder} && echo mine >{folder}")
    try:
        assert f"{folder} is a file, a directory was to go there" in refused(mended).said
        assert mended.on(NODE, f"cat {folder}") == "mine\n"
    finally:
        mended.on(NODE, f"rm {folder}")


def test_link_that_somebody_laid__is_not_followed(mended: Project) -> None:
    mended.on(
        NODE,
        "mkdir /root/target && mv /etc/redis /root/redis && ln -s /root/target /etc/redis"
        " && chown -h nobody /etc/redis",
    )
    try:
        result = refused(mended)
        assert "/etc/redis is a link that nobody could make" in result.said
        assert mended.on(NODE, "ls /root/target") == ""
    finally:
        mended.on(NODE, "rm /etc/redis; mv /root/redis /etc/redis; rmdir /root/target")


def test_unknown_system__is_refused_before_anything(mended: Project) -> None:
    mended.on(
        NODE,
        "cp /etc/os-release /root/; rm /etc/os-release; echo x >>/etc/hosts;"
        "sed 's/^VERSION_ID=.*/VERSION_ID=\"9\"/; s/(bookworm)/(stretch)/; s/Linux 12/Linux 9/'"
        " /root/os-release >/etc/os-release",
    )
    try:
        result = refused(mended)
        assert "this host runs Debian GNU/Linux 9 (stretch)" in result.said
        assert "debian 12 and 13" in result.said
        assert mended.on(NODE, "tail -n 1 /etc/hosts") == "x\n"
    finally:
        mended.on(NODE, "ln -sf ../usr/lib/os-release /etc/os-release")


def test_noisy_login__does_no_harm(host: Project) -> None:
    host.on(
        NODE,
        "cp /root/.bashrc /root/.bashrc.kept 2>/dev/null; "
        'printf \'echo "{noise"; printf "\\\\036{"\\nseq 1 2000\\n\' >/root/.bashrc;'
        "echo 'Authorized use only. {}' >/etc/issue.net;"
        "echo 'Banner /etc/issue.net' >/etc/ssh/sshd_config.d/30-banner.conf;"
        "systemctl restart ssh",
    )
    try:
        assert host.fab("provision", "--json").well().changed() == {}
    finally:
        host.on(
            NODE,
            "mv /root/.bashrc.kept /root/.bashrc 2>/dev/null || rm /root/.bashrc;"
            "rm /etc/ssh/sshd_config.d/30-banner.conf; systemctl restart ssh",
        )


YEAR = 365.5 * 86400  # seconds
CLOCK = """
cat >/usr/local/bin/python3 <<'END'
#!/bin/sh
code="import time
time.time = (lambda real: lambda: real() + {})(time.time)
$5"
exec /usr/bin/python3 "$1" "$2" "$3" "$4" "$code"
END
chmod 755 /usr/local/bin/python3
"""


@pytest.mark.parametrize(("off", "words"), [(-YEAR, "behind"), (YEAR, "ahead of")])
def test_clock_a_year_off__is_told_and_the_run_does_its_work(
    mended: Project, off: float, words: str
) -> None:
    """For the agent: the kernel's own clock is this computer's as well."""
    mended.on(NODE, CLOCK.format(off))
    try:
        mended.on(NODE, f"rm {REDIS}; apt-get -qy remove unattended-upgrades")
        result = mended.fab("provision").well()
        assert f"its clock is 365 days {words} this computer's" in result.said
        assert f"file:{REDIS}" in result.said
        assert "package:unattended-upgrades" in result.said
        assert mended.fab("provision", "--json").well().changed() == {}
    finally:
        mended.on(NODE, "rm /usr/local/bin/python3")


def test_host_that_lets_in_and_takes_no_command__is_told_in_words(mended: Project) -> None:
    conf = "/etc/ssh/sshd_config.d/30-none.conf"
    mended.on(
        NODE,
        f"systemd-run --on-active=10 sh -c 'rm {conf}; systemctl restart ssh';"
        f"echo MaxSessions 0 >{conf}; systemctl restart ssh",
    )
    try:
        result = refused(mended)
        assert "the host let us in, and then no command: Connect failed" in result.said
        assert "nothing was changed on it" in result.said
    finally:
        wait_for("way in", 60, lambda: mended.on(NODE, "echo in", check=False), every=1)


def test_reader_that_goes_away__does_not_end_the_run(mended: Project) -> None:
    mended.on(NODE, f"rm {REDIS}; echo x >>/etc/hosts")
    with mended.start("provision", "--json") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(120) in (0, 141)
        assert process.stderr.read() == ""
    assert mended.fab("provision", "--json").well().changed() == {}
