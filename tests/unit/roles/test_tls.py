"""HTTPS: what the roles make of it, and what is refused before any host is touched."""

from __future__ import annotations

import datetime
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nodriza.change.certificate import refuse_bad_pair
from nodriza.errors import InventoryError
from nodriza.host.env_file import parse_environment
from nodriza.inventory import load_cluster
from nodriza.inventory.roles import default_roles
from nodriza.inventory.services import engines, on_each
from nodriza.plan.plan import plan_node
from nodriza.resources import Command, File, Service
from nodriza.vault.store import Vault
from tests.unit.roles.made import content, remake, resources, settings

DOMAIN = "videoteca.test"
NOW = datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def make_pair(names=(DOMAIN,), begins=NOW - DAY, ends=NOW + DAY, issuer="self"):
    """A certificate and its key, as text."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    issued = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer == "self" else issued)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    )
    certificate = builder.sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


@pytest.fixture
def shop(three_node, tmp_path, monkeypatch):
    """An inventory with a certificate beside it, and its vault."""
    monkeypatch.setenv("NODRIZA_AGE_KEY_FILE", str(tmp_path / "age.key"))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "requirements.txt").touch()
    inventory = tmp_path / "shop.yml"
    inventory.write_text(
        f"cluster: shop\ndomain: {DOMAIN}\nnetworks: {{private: 198.18.7.0/24}}\n"
        "app: {name: shop, source: app, wsgi: shop.wsgi, settings: shop.settings}\n"
        "tls:\n  mode: files\n  certificate: site.pem\n  key: tls_key\n"
        "nodes:\n  server-1: {kind: central, private: 198.18.7.11}\n"
        "  server-2: {kind: child, private: 198.18.7.12}\n"
    )

    def make(certificate, key=""):
        (tmp_path / "site.pem").write_text(certificate)
        vault = Vault.beside(inventory)
        if key:
            vault.set("tls_key", key)
        return load_cluster(inventory), vault

    return make


def with_roles(cluster, services, mode="none"):
    """Its nodes, with the roles that they have by themselves."""
    here, by_what = on_each(services), engines(services)
    return tuple(
        node.model_copy(
            update={"roles": default_roles(node.kind, by_what, here.get(node.name, ()), mode)}
        )
        for node in cluster.nodes
    )


def with_tls(cluster, mode, **changes):
    """The cluster with another ``tls`` and the roles that go with it."""
    tls = cluster.tls.model_copy(update={"mode": mode, **changes})
    nodes = with_roles(cluster, cluster.services, mode)
    fields = {name: getattr(cluster, name) for name in type(cluster).model_fields}
    return type(cluster)(**fields | {"tls": tls, "nodes": nodes})


def test_good_pair__is_planned_with_its_key_as_a_token_and_closed_to_all(shop):
    certificate, key = make_pair()
    cluster, vault = shop(certificate, key)
    refuse_bad_pair(cluster, vault, NOW)
    plan = plan_node(cluster.node("server-2"), cluster)
    pair = next(p.resource for p in plan.resources if p.resource.id.endswith("/tls/site.pem"))
    assert pair == File("/etc/nginx/tls/site.pem", f"{certificate}‹secret:tls_key›\n", mode="0600")
    assert "tls_key" in plan.secrets
    assert "PRIVATE KEY" not in str(plan.to_data())


def test_key__is_hidden_line_by_line(shop):
    _, key = make_pair()
    _, vault = shop("", key)
    assert vault.value("tls_key") == key.strip()
    line = key.splitlines()[1]
    assert vault.redact(f"+{line}\n") == "+‹secret:tls_key›\n"


@pytest.mark.parametrize(
    ("pair", "line", "words"),
    [
        (make_pair(ends=NOW - DAY / 2), 7, "site.pem: expired on 2024-04-30 12:00 UTC"),
        (make_pair(begins=NOW + DAY / 2), 7, "is not valid before 2024-05-01 12:00 UTC"),
        (make_pair(["other.test"]), 7, "is not for videoteca.test, but for other.test"),
        ((make_pair()[0], make_pair()[1]), 8, "is not the key of this certificate"),
        ((make_pair()[0], ""), 8, "there is no secret tls_key"),
        ((make_pair()[0], "not-a-key"), 8, "is no private key in PEM"),
        (("nonsense", ""), 7, "is no certificate in PEM"),
        (("".join(make_pair()), ""), 7, "has a private key in it"),
        ((make_pair()[0] + make_pair(["root"])[0], make_pair()[1]), 7, "did not issue"),
    ],
)
def test_bad_pair__is_refused_with_the_line_of_the_inventory(shop, pair, line, words):
    cluster, vault = shop(*pair)
    with pytest.raises(InventoryError) as refused:
        refuse_bad_pair(cluster, vault, NOW)
    assert words in str(refused.value)
    assert f"shop.yml:{line}:" in str(refused.value)
    assert refused.value.exit_code == 2


def test_wildcard__is_for_the_names_one_level_below(shop):
    cluster, vault = shop(*make_pair(["*.test"]))
    refuse_bad_pair(cluster, vault, NOW)


def test_alias__must_be_in_the_certificate_too(shop, tmp_path):
    path = tmp_path / "shop.yml"
    path.write_text(
        path.read_text().replace("networks:", "aliases: [www.test, b.test]\nnetworks:")
    )
    with pytest.raises(
        InventoryError, match="is not for www.test, b.test, but for videoteca.test"
    ):
        refuse_bad_pair(*shop(*make_pair()), NOW)
    refuse_bad_pair(*shop(*make_pair([DOMAIN, "www.test", "b.test"])), NOW)
    refuse_bad_pair(*shop(*make_pair(["*.test"])), NOW)


def test_acme__asks_for_every_name(three_node):
    names = (DOMAIN, "www.videoteca.test", "videoteca.example")
    cluster = with_tls(remake(three_node, aliases=names[1:]), "acme")
    script = content(cluster, "server-1", "/usr/local/sbin/videoteca-certificate")
    assert re.findall(r'"--domain", "(.*)"', script) == [*names]
    assert '"--renew-with-new-domains"' in script  # when they are others by now
    stand_in = next(r for r in resources(cluster, "server-2", Command) if "stand-in" in r.name)
    assert stand_in.argv[-1] == ",".join(f"DNS:{name}" for name in names)


def test_files_without_a_certificate__is_a_mistake_in_the_inventory(shop, tmp_path):
    shop("")
    path = tmp_path / "shop.yml"
    path.write_text(path.read_text().replace("  certificate: site.pem\n", ""))
    with pytest.raises(InventoryError, match=r'shop.yml:6:9 tls/mode: .*needs "certificate"'):
        load_cluster(path)
    path.write_text(path.read_text().replace("mode: files", "mode: acme\n  ca: nowhere.pem"))
    with pytest.raises(InventoryError, match=r'tls/ca: there is no file "nowhere.pem"'):
        load_cluster(path)


def test_without_tls__nothing_of_it_is_there(three_node):
    for node in three_node.nodes:
        plan = str(plan_node(node, three_node).to_data())
        assert "listen 443" not in plan
        assert "80, 443" not in plan
        assert "/tls" not in plan
        assert "DJANGO_SECURE" not in plan


@pytest.mark.parametrize("mode", ["files", "acme"])
def test_with_tls__plain_http_is_sent_on_and_django_knows(three_node, mode):
    cluster = with_tls(three_node, mode)
    site = settings(content(cluster, "server-2", "/etc/nginx/conf.d/videoteca.conf"))
    assert "listen 443 ssl http2 default_server;" in site
    assert "return 301 https://videoteca.test$request_uri;" in site
    assert ("location ^~ /.well-known/acme-challenge/ {" in site) == (mode == "acme")
    rules = settings(content(cluster, "server-2", "/etc/nftables.conf"))
    assert "tcp dport { 80, 443 } accept" in rules
    env = parse_environment(content(cluster, "server-2", "/etc/videoteca/videoteca.env"))
    assert env["DJANGO_SECURE"] == "1"
    assert env["CSRF_TRUSTED_ORIGINS"] == "https://videoteca.test"
    headers = content(cluster, "server-2", "/etc/nginx/videoteca.headers")
    assert "Strict-Transport-Security" not in headers


def test_hsts__is_told_when_it_is_asked_for(three_node):
    cluster = with_tls(three_node, "acme", hsts=300)
    headers = settings(content(cluster, "server-2", "/etc/nginx/videoteca.headers"))
    assert "add_header Strict-Transport-Security $add_hsts always;" in headers
    site = content(cluster, "server-2", "/etc/nginx/conf.d/videoteca.conf")
    assert '$add_hsts { "https:" "max-age=300"; default ""; }' in site


def test_nginx__follows_the_pair_of_the_inventory(three_node):
    cluster = with_tls(three_node, "files")
    plan = plan_node(cluster.node("server-2"), cluster)
    nginx = next(
        p.resource
        for p in plan.resources
        if isinstance(p.resource, Service) and p.resource.unit == "nginx"
    )
    assert "file:/etc/nginx/tls/site.pem" in nginx.reload_on


def test_acme__is_the_business_of_the_central_and_of_the_children(three_node):
    cluster = with_tls(three_node, "acme")
    roles = {node.name: set(node.roles) & {"certbot", "tls"} for node in cluster.nodes}
    assert roles == {
        "server-1": {"certbot"},
        "server-2": {"tls"},
        "server-3": {"tls"},
        "video-1": set(),
    }
    # Encrypted on the share; who only mounts it has no passphrase.
    assert "tls_passphrase" not in plan_node(cluster.node("video-1"), cluster).secrets


SYSTEMCTL = """#!/bin/sh
cd "$(dirname "$0")"
case $1 in
    show) cat state ;;
    is-active) grep -qx active state ;;
    reload) sh ./reload || exit 1; cp tls/site.pem read ;;
esac
"""


class Child:
    """A child's folder of certificates, the script that follows the share, and an nginx that
    is in ``state`` and, when it is told to reload, does what ``reload`` says.
    """

    def __init__(self, folder, script):
        self.folder = folder
        (folder / "tls").mkdir()
        (folder / "share/tls").mkdir(parents=True)
        (folder / "systemctl").write_text(SYSTEMCTL)
        (folder / "systemctl").chmod(0o755)
        (folder / "tls/passphrase").write_text("pass\n")
        script = script.replace("/etc/nginx/tls", f"{folder}/tls")
        (folder / "follow").write_text(script.replace("/srv/videoteca", f"{folder}/share"))
        self.put("tls/site.pem", "".join(make_pair()))
        self.nginx(reload="true")

    def put(self, name, text):
        (self.folder / name).write_text(text)

    def nginx(self, state="active", reload="true"):
        self.put("state", f"{state}\n")
        self.put("reload", f"{reload}\n")

    def news(self):
        """The central node has another one; its certificate, as text."""
        certificate, key = make_pair()
        argv = ["openssl", "pkey", "-aes-256-cbc", "-passout", "pass:pass"]
        closed = subprocess.run(argv, input=key, capture_output=True, text=True, check=True)
        self.put("share/tls/site.pem", certificate + closed.stdout)
        return certificate

    def minute(self):
        env = {"PATH": f"{self.folder}:/usr/bin:/bin"}
        return subprocess.run(["sh", self.folder / "follow"], env=env, check=False).returncode

    def has(self, name):
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def child(three_node, tmp_path):
    cluster = with_tls(three_node, "acme")
    return Child(tmp_path, content(cluster, "server-2", "/usr/local/sbin/videoteca-tls"))


def test_new_certificate__is_read_by_nginx_once(child):
    new = child.news()
    assert child.minute() == 0
    assert child.has("read").startswith(new)
    (child.folder / "read").unlink()
    assert child.minute() == 0
    assert child.has("read") == ""


@pytest.mark.parametrize("state", ["activating", "deactivating"])
def test_new_certificate__is_owed_to_an_nginx_that_may_just_have_read_the_old_one(child, state):
    new = child.news()
    child.nginx(state)
    child.minute()
    assert child.has("tls/site.pem").startswith(new)
    child.nginx("active")
    child.minute()
    assert child.has("read").startswith(new)


def test_new_certificate__is_owed_when_the_script_is_killed_before_nginx_has_read_it(child):
    new = child.news()
    child.nginx(reload="kill -9 $(ps -o ppid= $PPID); false")
    assert child.minute() != 0
    assert child.has("read") == ""
    (child.folder / "share/tls/site.pem").unlink()  # the share is away meanwhile
    child.nginx()
    child.minute()
    assert child.has("read").startswith(new)


def test_new_certificate__is_taken_back_when_nginx_refuses_it(child):
    old, new = child.has("tls/site.pem"), child.news()
    child.nginx(reload="false")
    assert child.minute() == 1
    assert child.has("tls/site.pem") == old
    child.nginx()
    child.minute()
    assert child.has("read").startswith(new)
