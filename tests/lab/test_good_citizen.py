"""A node is a good citizen: what else is on a host, and happens to it, does no harm.

Its log-ins and boots have an environment that would spoil what is built there; the rest is
what a host meets over the months: another time zone, full logs, a reboot of a provider's image.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import get, serving

NODES = ("server-1", "server-2", "video-1")
# Each of them changes what some program writes, or where it looks (pam_env(8),
# pam_umask(8), locale.conf(5), bash(1)); /usr/bin alone knows no useradd and no nft.
HOSTILE = r"""
cat >/etc/environment <<'END'
PATH=/usr/bin
LANG=tr_TR.ISO-8859-9
LC_ALL=tr_TR.ISO-8859-9
TZ=Asia/Kathmandu
TMPDIR=/nonexistent
http_proxy=http://127.0.0.1:1/
HTTPS_PROXY=http://127.0.0.1:1/
PYTHONPATH=/nonexistent
PYTHONSTARTUP=/nonexistent
PYTHONHOME=/nonexistent
PIP_INDEX_URL=http://127.0.0.1:1/
BASH_ENV=/root/.bash_env
END
echo 'echo "BASH_ENV was read" >&2; umask 077' >/root/.bash_env
echo 'session optional pam_umask.so umask=077' >>/etc/pam.d/sshd
echo LANG=tr_TR.ISO-8859-9 | tee /etc/default/locale >/etc/locale.conf
mkdir -p /etc/systemd/system.conf.d
echo '[Manager]
DefaultEnvironment=LC_ALL=tr_TR.ISO-8859-9 PATH=/usr/bin HOME=/nonexistent
' >/etc/systemd/system.conf.d/hostile.conf
systemctl daemon-reexec
"""
OURS = "export PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8; unset TZ TMPDIR http_proxy HTTPS_PROXY;"
OURS += " unset PYTHONPATH PYTHONSTARTUP PYTHONHOME PIP_INDEX_URL BASH_ENV; umask 022;"
AS_THE_APPLICATION = (
    "set -a; . /etc/videoteca/videoteca.env; cd /opt/videoteca/current/app; exec setpriv"
    " --reuid=800 --regid=800 --clear-groups ../venv/bin/python -B -"
)
DJANGO = "import os, django, redis\ndjango.setup()\n"
ECHOES = """
import socket, struct, sys, time
number, pause = int(sys.argv[2]), float(sys.argv[3])
line = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
line.settimeout(0.5)
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
for each in range(number):
    head = struct.pack("!BBHHH", 8, 0, 0, 77, each)
    line.sendto(struct.pack("!BBHHH", 8, 0, checksum(head), 77, each), (sys.argv[1], 0))
    time.sleep(pause)
answers = 0
try:
    while True:
        answers += line.recv(200)[20] == 0
except TimeoutError:
    print(answers)
"""
# The files below /var/log that a process holds open, but for the journal's.
OPEN_LOGS = (
    "find /proc/[0-9]*/fd -lname '/var/log/*' -printf '%l\\n' 2>/dev/null |"
    " grep -v ^/var/log/journal/ | sort -u"
)


class Hosts(Project):
    """A project whose log-ins are hostile, and whose tests' own scripts are not."""

    def on(self, node: str, script: str, *, stdin: str = "", check: bool = True) -> str:
        """What a script says that has an environment of its own."""
        return super().on(node, f"{OURS} {script}", stdin=stdin, check=check)

    def python(self, node: str, code: str) -> str:
        """What the application's Python says, as the application, with its variables."""
        return self.on(node, AS_THE_APPLICATION, stdin=DJANGO + code).strip()

    def sql(self, words: str) -> str:
        """What MariaDB answers its administrator."""
        return self.on("server-1", f"mariadb -NBe {shlex.quote(words)}").strip()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Provisioned and deployed over log-ins of that kind."""
    project = Hosts.make(tmp_path_factory.mktemp("citizen"), "nodriza-citizen", 217, children=1)
    assert isinstance(project, Hosts)
    with project.up():
        for node in NODES:
            project.on(node, HOSTILE)
        project.fab("provision").well()
        project.fab("deploy").well()
        wait_for("answer of the child", 120, lambda: serving(project.cluster))
        yield project


def test_login__really_is_hostile(hosts: Hosts) -> None:
    said = Project.on(hosts, "server-2", "umask; echo $PATH $TZ; env")
    assert said.startswith("0077\n/usr/bin Asia/Kathmandu\n")


def test_files__have_the_modes_that_they_have_everywhere(hosts: Hosts) -> None:
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    shared = "/opt/videoteca/releases /opt/videoteca/venvs"
    closed = hosts.on("server-1", f"{nobody} find {shared} ! -readable", check=False)
    assert closed == ""
    for node in NODES:
        folders = "/etc/systemd/system /etc/nginx /etc/uwsgi /etc/mysql/mariadb.conf.d /usr/local"
        there = f"{nobody} find $(ls -d {folders} 2>/dev/null) ! -readable"
        assert hosts.on(node, there, check=False) == "", node
    assert hosts.fab("provision", "--json").well().changed() == {}


@pytest.mark.parametrize(("node", "unit"), [("server-2", "uwsgi"), ("video-1", "celery")])
def test_application__has_an_environment_of_its_own(hosts: Hosts, node: str, unit: str) -> None:
    """systemd gives the boot's to a program of the same unit, where ours does not stand."""
    unit_file = f"/etc/systemd/system/{unit}.service"
    shown = "ExecStart=/bin/sh -c 'env; umask'"
    kept = "Environment|User|Group|UMask"
    words = f"{{ echo [Service]; grep -E '^({kept})' {unit_file}; echo \"{shown}\"; }}"
    hosts.on(node, f"{words} >/run/systemd/system/looks.service; systemctl daemon-reload")
    hosts.on(node, "systemctl start --wait looks")
    lines = hosts.on(node, "journalctl -u looks -o cat --no-pager").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert found["HOME"] == "/var/lib/videoteca-home"
    assert found["LC_ALL"] == "C.UTF-8"
    assert "/usr/sbin" in found["PATH"].split(":")
    assert found["TMPDIR"] == "/var/tmp"
    assert "0022" in lines
    pid = hosts.on(node, f"systemctl show -P MainPID {unit}").strip()
    assert "Umask:\t0022" in hosts.on(node, f"grep Umask /proc/{pid}/status")


def test_application__may_write_below_its_home(hosts: Hosts) -> None:
    code = "from pathlib import Path\nhome = Path.home() / '.cache'\nhome.mkdir(exist_ok=True)\n"
    for node in NODES:
        assert hosts.python(node, f"{code}print(home)") == "/var/lib/videoteca-home/.cache"


def test_database__knows_the_time_zones(hosts: Hosts) -> None:
    code = (
        "from django.db import connection\nfrom zoneinfo import ZoneInfo\n"
        "from videos.models import Note\n"
        "Note.objects.create(author='a', text='b', node='c')\n"
        "days = Note.objects.datetimes('written', 'day', tzinfo=ZoneInfo('Europe/Madrid'))\n"
        "assert list(days)[0].tzinfo.key == 'Europe/Madrid'\n"
        "asked = connection.cursor()\n"
        "asked.execute(\"SELECT CONVERT_TZ('2026-07-01 12:00', 'UTC', 'America/Caracas')\")\n"
        "print(asked.fetchone()[0])"
    )
    said = hosts.python("server-2", code)
    assert said == "2026-07-01 08:00:00"


def test_database__takes_over_a_new_tzdata_by_itself(hosts: Hosts) -> None:
    """Another file is put in the old one's place, as dpkg does."""
    zones = "/usr/share/zoneinfo/tzdata.zi"
    comment = "SELECT table_comment FROM information_schema.tables WHERE table_name="
    comment += "'time_zone_name' AND table_schema='mysql'"
    before = hosts.sql(comment)
    assert before.startswith("# version 20")
    new = f"sed '1s/.*/# version 2099z/' {zones} >{zones}.new && cp -p {zones} /root/zi"
    hosts.on("server-1", f"{new} && mv {zones}.new {zones}")
    try:
        wait_for("new zones", 60, lambda: hosts.sql(comment) == "# version 2099z", every=0.5)
    finally:
        hosts.on("server-1", f"mv /root/zi {zones}")
    hosts.fab("provision:server-1").well()  # which sees the old ones again
    assert hosts.sql(comment) == before


def test_redis__has_no_administrator_in_the_application(hosts: Hosts) -> None:
    code = """
words = ["CONFIG SET maxmemory 0", "ACL SETUSER queue on", "REPLICAOF 198.18.217.12 6379"]
words += ["FLUSHALL", "SHUTDOWN", "CLIENT LIST", "MONITOR"]
for name in ("CELERY_BROKER_URL", "CACHE_URL"):
    server = redis.Redis.from_url(os.environ[name])
    for each in words:
        try:
            print(name, each, server.execute_command(*each.split()))
        except redis.exceptions.NoPermissionError:
            pass
    for user in ({}, {"password": "x"}, {"username": "reload", "password": "any"}):
        kw = {key: server.get_connection_kwargs()[key] for key in ("host", "port")}
        try:
            print(name, user, redis.Redis(**kw, **user).ping())
        except redis.exceptions.AuthenticationError:
            pass
"""
    assert hosts.python("server-2", code) == ""


def test_queue__takes_tasks_however_full_the_cache_is(hosts: Hosts) -> None:
    code = """
cache = redis.Redis.from_url(os.environ["CACHE_URL"])
queue = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])
limit = cache.info("memory")["maxmemory"]
each, written = "x" * 1000, 0
while written < 2 * limit:  # sets without a lifetime, as in no cache
    line = cache.pipeline(transaction=False)
    for number in range(500):
        line.sadd(f"set:{written}", f"{number}{each}")
    line.execute()
    written += 500 * 1000
print(cache.info("memory")["used_memory"] <= limit * 1.05)
print(queue.lpush("a-queue", "task"), queue.rpop("a-queue"))
from django.core.cache import caches
from django.test.utils import override_settings
back = "django.core.cache.backends.redis.RedisCache"
with override_settings(CACHES={"default": {"BACKEND": back, "LOCATION": os.environ["CACHE_URL"]}}):
    caches["default"].set("a", 1, 60)
    print(caches["default"].get("a"), caches["default"].clear(), cache.dbsize(), queue.exists("x"))
"""
    said = hosts.python("server-2", code)
    assert said.splitlines() == ["True", "1 b'task'", "1 True 0 0"]


def test_queue__keeps_what_is_being_worked_on_over_a_restart(hosts: Hosts) -> None:
    """kombu writes it within a transaction."""
    connect = "queue = redis.Redis.from_url(os.environ['CELERY_BROKER_URL'])\n"
    put = "p = queue.pipeline()\np.hset('kept', 'a', 'task')\np.zadd('kept-too', {'a': 1})\n"
    hosts.python("server-2", f"{connect}{put}p.execute()")
    hosts.on("server-1", "systemctl restart redis-server")
    look = (
        "print(queue.hget('kept', 'a'), queue.zcard('kept-too'), queue.delete('kept', 'kept-too'))"
    )
    assert hosts.python("server-2", connect + look) == "b'task' 1 2"


def test_reload_of_redis__ends_no_connection(hosts: Hosts) -> None:
    mine = "ss -Htn state established '( sport = :6379 )' | sort"
    wait_for("worker", 60, lambda: "198.18.217.21" in hosts.on("server-1", mine))
    before = hosts.on("server-1", mine)
    hosts.on("server-1", "systemctl reload redis-server redis-server@cache")
    assert hosts.on("server-1", mine) == before


def test_site__works_with_all_of_it(hosts: Hosts) -> None:
    hosts.fab("smoke", inside=True).well()


def test_logs__of_all_services_are_rotated_and_written_on(hosts: Hosts) -> None:
    for node in NODES:
        rules = hosts.on(node, "logrotate -d /etc/logrotate.conf 2>&1 | grep 'considering log'")
        ruled = {line.split()[-1] for line in rules.splitlines()}
        written = set(hosts.on(node, OPEN_LOGS, check=False).split())
        assert written <= ruled, node
        timer = hosts.on(node, "systemctl is-active logrotate.timer systemd-journald")
        assert timer == "active\nactive\n"
        assert "1.0G" in hosts.on(node, "journalctl -b -u systemd-journald --no-pager -o cat")
    child = hosts.cluster.node("server-2")
    marks = [f"/?rotated={number}-{time.time()}" for number in range(2)]
    assert get(child.web_address, marks[0], hosts.cluster.domain)[0] == 200
    hosts.on("server-2", "logrotate -f /etc/logrotate.conf")
    assert get(child.web_address, marks[1], hosts.cluster.domain)[0] == 200
    log = "/var/log/nginx/access.log"
    wait_for("line", 10, lambda: marks[1] in hosts.on("server-2", f"cat {log}"))
    assert marks[0] not in hosts.on("server-2", f"cat {log}")
    assert marks[0] in hosts.on("server-2", f"cat {log}.1")
    said = hosts.fab("logs:server-2", "--unit", "nginx", "--since", "10m").well().stdout
    assert all(mark in said for mark in marks)


def test_zone__is_one_on_all_nodes_and_in_all_services(hosts: Hosts) -> None:
    old = hosts.data.get("variables", {})
    hosts.data["variables"] = {**old, "timezone": "America/Caracas"}
    hosts.write()
    hosts.on("server-2", "touch /root/zone; sleep 0.1")
    changed = hosts.fab("provision", "--json", timeout=700).well().changed()
    try:
        assert {"service:mariadb", "service:redis-server"} <= set(changed["server-1"])
        for node in NODES:
            assert hosts.on(node, "cat /etc/timezone; date +%Z") == "America/Caracas\n-04\n"
        assert hosts.sql("SELECT @@system_time_zone") == "-04"
        assert hosts.sql("SELECT TIMESTAMPDIFF(HOUR, UTC_TIMESTAMP(), NOW())") == "-4"
        # tzdata's own upgrade would put the link back to what it finds in the file.
        hosts.on("server-1", "DEBIAN_FRONTEND=noninteractive dpkg-reconfigure tzdata")
        assert hosts.on("server-1", "readlink /etc/localtime").endswith("America/Caracas\n")
        wait_for("answer of the child", 120, lambda: serving(hosts.cluster))
        child = hosts.cluster.node("server-2")
        mark = f"/?zone={time.time()}"
        get(child.web_address, mark, hosts.cluster.domain)
        access = "grep -F 'zone=' /var/log/nginx/access.log | tail -n 1"
        wait_for("line", 10, lambda: mark in hosts.on("server-2", access))
        assert "-04:00]" in hosts.on("server-2", access)
        # nginx's error log names no zone.
        missing = f"/static/none-{time.time()}.css"
        began = time.time()
        assert get(child.web_address, missing, hosts.cluster.domain)[0] == 404
        said = hosts.fab("logs", "--since", "5m", "--lines", "3000", "--json").well().stdout
        lines = [json.loads(line) for line in said.splitlines()]
        times = [line["time"] for line in lines]
        assert times == sorted(times)
        (error,) = [
            line
            for line in lines
            if f"{missing[7:]}" in line["line"] and "failed (2:" in line["line"]
        ]
        assert began - 2 < error["time"] < time.time() + 2
        assert not hosts.fab("provision", "--json").well().changed()
    finally:
        hosts.data["variables"] = old
        hosts.write()
        hosts.fab("provision", timeout=700).well()
        wait_for("answer of the child", 120, lambda: serving(hosts.cluster))


def test_reboot__that_is_due_is_named_and_is_no_error(hosts: Hosts) -> None:
    assert "reboot" not in hosts.fab("status").well().stdout
    hosts.on("server-2", "echo libc6 >/run/reboot-required.pkgs; touch /run/reboot-required")
    # As on a machine with a kernel of its own.
    hide = "mv /run/systemd/container /run/systemd/not-here; touch /boot/vmlinuz-99.1.0-1-amd64"
    hosts.on("server-1", hide)
    try:
        said: Result = hosts.fab("status")
        found = json.loads(hosts.fab("status", "--json").well().stdout)
    finally:
        hosts.on("server-2", "rm /run/reboot-required*")
        show = "mv /run/systemd/not-here /run/systemd/container; rm /boot/vmlinuz-99.1.0-1-amd64"
        hosts.on("server-1", show)
    assert said.exit == 0
    assert "a reboot is due, for libc6: server-2" in said.stdout
    assert "a reboot is due, for kernel 99.1.0-1-amd64" in said.stdout
    assert found["video-1"]["facts"]["reboot"] == ""


def test_firewall__answers_echoes_and_no_flood(hosts: Hosts) -> None:
    central = hosts.cluster.builder.private

    def echoes(node: str, number: int, pause: float) -> int:
        argv = f"{central} {number} {pause}"
        return int(hosts.on(node, f"python3 -c {shlex.quote(ECHOES)} {argv}"))

    assert echoes("server-2", 20, 0.1) == 20
    assert 40 <= echoes("server-2", 2000, 0) <= 400
    assert echoes("video-1", 10, 0.1) == 10  # others are answered meanwhile


def test_firewall__lets_ipv6_find_its_neighbours(hosts: Hosts) -> None:
    scope = hosts.on("server-1", "ip -6 -o addr show dev priv0 scope link").split()[3]
    address = scope.partition("/")[0]
    connect = f"import socket; socket.create_connection(('{address}%priv0', 22), 5)"
    hosts.on("server-2", f"ip -6 neigh flush dev priv0; python3 -c {shlex.quote(connect)}")
    neighbours = hosts.on("server-2", "ip -6 neigh show dev priv0")
    assert f"{address} " in neighbours
    assert "FAILED" not in neighbours


def test_cloud_init__leaves_name_and_hosts_alone(hosts: Hosts) -> None:
    """A provider's image and what providers say: both of them in user data, which counts most."""
    seed = "/var/lib/cloud/seed/nocloud"
    install = "http_proxy= DEBIAN_FRONTEND=noninteractive apt-get -qy install cloud-init"
    hosts.on("video-1", f"{install} >/root/apt.log 2>&1; mkdir -p {seed}")
    # With a boot as hostile as here cloud-init itself finds no blkid.
    hosts.on("video-1", "rm /etc/systemd/system.conf.d/hostile.conf")
    data = "#cloud-config\nmanage_etc_hosts: true\npreserve_hostname: false\nhostname: provider\n"
    data += "ssh_deletekeys: false\n"
    hosts.on("video-1", f"cat >{seed}/user-data", stdin=data)
    meta = "instance-id: i-1\nlocal-hostname: provider\n"
    hosts.on("video-1", f"cat >{seed}/meta-data", stdin=meta)
    one = "echo 'datasource_list: [NoCloud]' >/etc/cloud/cloud.cfg.d/90_dpkg.cfg"
    before = hosts.on("video-1", f"{one}; cat /etc/hosts")
    boot = hosts.on(
        "video-1", "cat /proc/sys/kernel/random/boot_id; systemctl reboot", check=False
    )

    def again() -> bool:
        return hosts.on("video-1", "cat /proc/sys/kernel/random/boot_id", check=False) not in (
            "",
            boot,
        )

    wait_for("reboot", 90, again, every=1)
    hosts.on("video-1", "cloud-init status --wait >/dev/null || true")
    assert "i-1" in hosts.on("video-1", "cat /var/lib/cloud/data/instance-id")  # it was at work
    assert hosts.on("video-1", "hostname; cat /etc/hostname") == "video-1\nvideo-1\n"
    assert hosts.on("video-1", "cat /etc/hosts") == before
    assert hosts.fab("provision:video-1", "--json").well().changed() == {}
