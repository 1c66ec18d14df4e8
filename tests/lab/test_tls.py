"""HTTPS: with a certificate from files, then with one from an ACME authority."""

from __future__ import annotations

import datetime
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from nodriza.inventory import Cluster
from tests.lab import stranger
from tests.lab.project import Project, wait_for
from tests.lab.visitor import get
from tests.unit.roles.test_tls import DAY, make_pair

CHILDREN = ("server-2", "server-3")


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[tuple[Project, Project]]:
    """The operator's project, its machines bare, and the way to the stranger."""
    tls = {"mode": "files", "certificate": "site.pem", "key": "tls_key"}
    folder = tmp_path_factory.mktemp("tls")
    project, outside = stranger.make(folder, "strangers", 67, times, tls=tls)
    try:
        yield project, outside
    finally:
        if os.environ.get("NODRIZA_KEEP_LAB") != "1":
            outside.fab("lab.down").well()


@pytest.fixture(scope="module")
def project(both: tuple[Project, Project]) -> Project:
    """The operator's."""
    return both[0]


def give(project: Project, ends: datetime.timedelta = DAY) -> tuple[str, str]:
    """A new pair for the site, in the inventory and in the vault: certificate and key."""
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate, key = make_pair(begins=now - 2 * DAY, ends=now + ends)
    project.inventory.with_name("site.pem").write_text(certificate)
    file = project.folder / "key.pem"
    file.write_text(key)
    with file.open() as stdin:
        project.fab("secrets.set", "tls_key", stdin=stdin).well()
    file.unlink()
    return certificate, key


@pytest.fixture(scope="module")
def served(project: Project) -> tuple[str, str]:
    """The pair that the children serve, from files."""
    pair = give(project)
    project.fab("provision").well()
    return pair


def handshake(
    cluster: Cluster, child: str, authority: str = "", name: str = ""
) -> tuple[str, int]:
    """Protocol and serial number of a child; with an authority's PEM it must be trusted."""
    context = ssl.create_default_context(cadata=authority or None)
    if not authority:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = (cluster.node(child).web_address, 443)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name or cluster.domain) as secure,
    ):
        certificate = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
        return secure.version() or "", certificate.serial_number


def openssl(cluster: Cluster, *options: str) -> str:
    """What `openssl s_client` says of a handshake with the first child."""
    argv = ["openssl", "s_client", "-connect", f"{cluster.children[0].web_address}:443"]
    argv += ["-servername", cluster.domain, *options]
    done = subprocess.run(
        argv, input="Q\n", capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout + done.stderr


def test_expired_certificate__is_refused_before_any_host_is_touched(project: Project) -> None:
    give(project, ends=-DAY)
    for words in (["provision"], ["provision", "--check"]):
        result = project.fab(*words)
        assert result.exit == 2
        assert re.search(r"strangers.yml:\d+:\d+ tls/certificate: site.pem: expired", result.said)
    for child in CHILDREN:
        assert project.on(child, "ls /var/lib/nodriza 2>/dev/null", check=False) == ""


def test_certificate_from_files__is_served_by_every_child(
    project: Project, served: tuple[str, str]
) -> None:
    serial = x509.load_pem_x509_certificate(served[0].encode()).serial_number
    for child in CHILDREN:
        assert handshake(project.cluster, child) == ("TLSv1.3", serial)


def test_old_protocols__are_refused(project: Project, served: tuple[str, str]) -> None:
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    assert "TLSv1.2" in openssl(project.cluster, "-tls1_2")
    for version in ("-tls1", "-tls1_1"):
        said = openssl(project.cluster, version, *weak)
        assert "Cipher is (NONE)" in said, said
    # Without forward secrecy.
    assert "Cipher is (NONE)" in openssl(project.cluster, "-tls1_2", "-cipher", "AES128-SHA256")
    assert "TLS session ticket:" not in openssl(project.cluster, "-tls1_2")


def test_plain_http__is_sent_to_https_and_nothing_is_pinned(
    project: Project, served: tuple[str, str]
) -> None:
    cluster = project.cluster
    for child in cluster.children:
        status, headers, _ = get(child.web_address, "/a?b=c", "evil.example")
        assert status == 301
        assert headers["Location"] == "https://videoteca.test/a?b=c"
        assert "Strict-Transport-Security" not in headers
    curl = ["curl", "-sk", "--http2", "-D", "-", "-o", "/dev/null", "--noproxy", "*"]
    curl += ["--resolve", f"videoteca.test:443:{cluster.children[0].web_address}"]
    said = subprocess.run(
        [*curl, "https://videoteca.test/"], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("HTTP/2 ")
    assert "x-served-by: server-2" in said
    assert "strict-transport-security" not in said.lower()


def test_key__is_nowhere_but_on_the_children(project: Project, served: tuple[str, str]) -> None:
    pair = give(project)
    line = pair[1].splitlines()[1]
    said = "".join(
        project.fab(*words).well().said
        for words in (
            ["render", "--output", str(project.folder / "rendered")],
            ["provision", "--check", "--diff"],
            ["provision", "--diff", "--json"],
        )
    )
    assert "‹secret:tls_key›" in said
    texts = [path.read_text() for path in project.folder.rglob("rendered/**/*") if path.is_file()]
    assert texts
    for text in (said, *texts):
        assert line not in text
        assert served[1].splitlines()[1] not in text
    for child in CHILDREN:
        mode = project.on(
            child, f"grep -lrF {line} /etc /var /srv/videoteca | xargs stat -c '%a %n'"
        )
        assert mode.split() == ["600", "/etc/nginx/tls/site.pem"]
    # The children serve the new one, and there is nothing more to do.
    serial = x509.load_pem_x509_certificate(pair[0].encode()).serial_number
    assert {handshake(project.cluster, child)[1] for child in CHILDREN} == {serial}
    assert project.fab("provision", "--json").well().changed() == {}


@pytest.fixture(scope="module")
def authority(both: tuple[Project, Project], served: tuple[str, str]) -> str:
    """The certificates of an ACME authority on the stranger's machine; the site uses it."""
    project, outside = both
    certificates = stranger.acme_authority(outside)
    project.inventory.with_name("acme-ca.pem").write_text(certificates)
    directory = f"https://{stranger.ACME}:14000/dir"
    project.data["tls"] = {"mode": "acme", "directory": directory, "ca": "acme-ca.pem"}
    project.write()
    project.fab("provision").well()
    return certificates


def serials(project: Project, authority: str) -> set[int]:
    """What the children serve, if all of it is from the authority."""
    try:
        return {handshake(project.cluster, child, authority)[1] for child in CHILDREN}
    except ssl.SSLCertVerificationError:
        return set()


@pytest.fixture(scope="module")
def issued(both: tuple[Project, Project], authority: str) -> int:
    """The serial number of the first certificate, when every child serves it."""
    project, outside = both
    # A child looks once a minute.
    found = wait_for("certificate on every child", 120, lambda: serials(project, authority))
    assert len(found) == 1
    asked = outside.on(stranger.NAME, "journalctl -u acme -o cat --no-pager")
    assert re.search(r"http://videoteca.test:80/.well-known/acme-challenge/", asked)
    return int(found.pop())


def test_acme__renewal_reaches_every_child_by_itself(
    project: Project, authority: str, issued: int
) -> None:
    # As Debian's timer does it, but now.
    at_once = (
        "mkdir -p /run/systemd/system/certbot.service.d; printf '[Service]\nExecStart=\nExecStart="
        "/usr/bin/certbot -q renew --force-renewal --no-random-sleep-on-renew\n'"
        " >/run/systemd/system/certbot.service.d/now.conf; systemctl daemon-reload"
    )
    project.on("server-1", f"{at_once}; systemctl start certbot.service")
    wait_for(
        "other certificate on every child",
        120,
        lambda: (found := serials(project, authority)) and issued not in found and len(found) == 1,
    )
    timers = project.on(
        "server-1", "systemctl is-enabled certbot.timer; systemctl is-active certbot.timer"
    )
    assert timers.split() == ["enabled", "active"]


def test_acme__key_is_encrypted_on_the_share(project: Project, issued: int) -> None:
    for node in ("server-2", "video-1"):
        text = project.on(node, "cat /srv/videoteca/tls/site.pem")
        assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    find = "grep -rlF 'BEGIN PRIVATE KEY' /etc /srv /var/lib | xargs -r stat -c '%U %a'"
    assert project.on("video-1", find, check=False) == ""
    assert set(project.on("server-2", find).split("\n")) <= {"root 600", ""}


def test_acme__a_pair_that_does_not_fit_is_not_taken_over(
    project: Project, authority: str, issued: int
) -> None:
    before = serials(project, authority)
    new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256"
    spoil = (
        "cd /srv/videoteca/tls && cp site.pem good && umask 022 &&"
        f" openssl req -x509 {new} -nodes -subj /CN=x -keyout /dev/null -out bad 2>/dev/null &&"
        f" openssl req -x509 {new} -passout file:/etc/videoteca/tls.passphrase -subj /CN=y"
        " -keyout key -out /dev/null 2>/dev/null && cat key >>bad && rm key && mv bad site.pem"
    )
    project.on("server-1", spoil)

    def refused() -> bool:
        look = "systemctl start videoteca-tls; journalctl -u videoteca-tls -n 5 -o cat"
        return "does not belong to the certificate" in project.on("server-2", look)

    # Each node sees within seconds what another has put on the share.
    wait_for("refusal", 15, refused, every=1)
    assert serials(project, authority) == before
    project.on("server-1", "cd /srv/videoteca/tls; mv good site.pem")
    project.on("server-2", "systemctl start videoteca-tls")


def test_acme__second_provision_changes_nothing(project: Project, issued: int) -> None:
    assert project.fab("provision", "--json").well().changed() == {}


def test_application__works_over_https(project: Project, issued: int) -> None:
    project.fab("deploy").well()
    said = project.fab("smoke").said
    assert ", 0 failed" in said or " 0 failed" in said, said
    assert "ok   every child sends visitors without TLS" in said


def test_stand_in__lets_nginx_start_before_there_is_a_certificate(
    project: Project, authority: str, issued: int
) -> None:
    """A new child, and the central away: nginx starts, and takes over the pair later."""
    project.on("server-3", "systemctl stop nginx videoteca-tls.timer; rm -r /etc/nginx/tls")
    project.fab("provision:server-3").well()
    wait_for("certificate on the new child", 90, lambda: serials(project, authority))


def test_units__are_as_closed_as_the_documentation_says(project: Project, issued: int) -> None:
    text = (Path(__file__).parents[2] / "docs" / "security.rst").read_text()
    told = dict(re.findall(r"^``([a-z<>-]+)\.service``\s+\S+\s+(\d\.\d)", text, re.MULTILINE))
    units = {
        "server-1": ["<app>-certificate"],
        "server-2": ["uwsgi", "<app>-share", "<app>-tls"],
        "video-1": ["celery"],
    }
    for node, names in units.items():
        for name in names:
            unit = name.replace("<app>", "videoteca")
            said = project.on(node, f"systemd-analyze security --no-pager {unit} | tail -1")
            score = float(re.findall(r": (\d+\.\d)", said)[0])
            assert score <= float(told[name]), unit


def test_acme__alias_that_is_new_gets_into_the_certificate(
    project: Project, authority: str, issued: int
) -> None:
    alias = "www.videoteca.test"
    project.data["aliases"] = [alias]
    project.write()
    project.fab("provision").well()

    def both() -> bool:
        try:
            for child in CHILDREN:
                handshake(project.cluster, child, authority, alias)
        except ssl.SSLCertVerificationError:
            return False
        return serials(project, authority) != set()

    wait_for("certificate with the alias on every child", 150, both)
    for child in project.cluster.children:
        status, headers, _ = get(child.web_address, "/a", alias)
        assert (status, headers["Location"]) == (301, "https://videoteca.test/a")
