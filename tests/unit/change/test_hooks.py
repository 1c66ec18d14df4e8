"""What follows a deploy fails nothing, ends in time, and tells no address."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nodriza.change import hooks
from nodriza.change.switch import Switch
from nodriza.errors import SecretError, UnknownSecret
from nodriza.release.release import Release
from tests.unit.roles.made import remake


class Vault:
    """One secret, and how it is hidden."""

    def value(self, name):
        return self.secret

    def redact(self, text):
        return text.replace(self.secret, "‹secret›")

    secret = "nothing"


@pytest.fixture
def said(three_node, tmp_path):
    """What is told after a deploy with these hooks."""

    def after(*lines, secret="nothing"):
        app = remake(three_node.app, hooks=remake(three_node.app.hooks, after=lines))
        cluster = remake(three_node, app=app, path=tmp_path / "cluster.yml")
        switch = Switch(cluster, "aaa", "bbb", "0815", "deploy")
        switch.to = Release("aaa", commit="0815")
        switch.serving = ["server-2", "server-3"]
        vault = Vault()
        vault.secret = secret
        return list(hooks.after(cluster, switch, vault))

    return after


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A listener with a certificate that this computer trusts; what it was sent."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "both.pem").write_bytes(
        key.private_bytes(pem, *private) + certificate.public_bytes(pem)
    )
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(pem))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setattr(hooks, "ANSWERS", 3)

    class Listener(BaseHTTPRequestHandler):
        sent: list = []  # noqa: RUF012
        status = 200
        slow = 0.0

        def do_POST(self):
            self.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            time.sleep(self.slow)
            self.send_response(self.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    Listener.sent = []
    server = HTTPServer(("127.0.0.1", 0), Listener)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Listener.url = f"https://localhost:{server.server_port}/hook/t0ken"
    yield Listener
    server.shutdown()
    thread.join()
    server.server_close()


def test_web_hook__is_sent_what_serves_and_who_did_it(said, web):
    assert said(web.url) == []
    (sent,) = web.sent
    assert (sent["release"], sent["commit"], sent["how"]) == ("aaa", "0815", "deploy")
    assert sent["children"] == ["server-2", "server-3"]
    assert "@" in sent["who"]
    assert sent["who"] in sent["text"]


def test_web_hook__may_be_a_secret_and_is_then_never_shown(said, web):
    assert said("secret:chat", secret=web.url) == []
    assert len(web.sent) == 1


@pytest.mark.parametrize("status", [302, 404, 500])
def test_web_hook__that_says_no_is_told_without_its_path(said, web, status):
    web.status = status
    assert said(web.url) == [f"app.hooks.after: https://localhost: answers {status}"]
    assert len(web.sent) == 1, "nobody is followed elsewhere"


def test_web_hook__that_does_not_end_is_left_alone(said, web, monkeypatch):
    monkeypatch.setattr(hooks, "ANSWERS", 0.3)
    web.slow = 1.0
    began = time.monotonic()
    (line,) = said(web.url)
    assert time.monotonic() - began < 0.9
    assert "https://localhost: " in line
    assert "t0ken" not in line


def test_web_hook__of_whom_nobody_knows_is_sent_nothing(said, web, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    (line,) = said(web.url)
    assert "CERTIFICATE_VERIFY_FAILED" in line
    assert web.sent == []


def test_command__runs_beside_the_inventory_and_knows_what_it_is_about(said, tmp_path):
    assert said('echo "$NODRIZA_RELEASE $NODRIZA_COMMIT $NODRIZA_CHILDREN" >told') == []
    assert (tmp_path / "told").read_text() == "aaa 0815 server-2 server-3\n"


def test_command__that_fails_is_told_and_the_next_one_runs(said, tmp_path):
    lines = said("echo no such luck; exit 3", "touch told")
    assert lines == ["app.hooks.after: echo no such luck; exit 3: exit 3\nno such luck"]
    assert (tmp_path / "told").exists()


def test_command__that_does_not_end_is_ended_with_what_it_started(said, monkeypatch):
    monkeypatch.setattr(hooks, "ENDS", 0.3)
    began = time.monotonic()
    assert said("sleep 30 & sleep 30") == [
        "app.hooks.after: sleep 30 & sleep 30: no end after 0.3 s"
    ]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("hook", ["secret:chat", "secret:nope"])
def test_secret_that_is_no_address__ends_a_deploy_before_it_begins(three_node, hook):
    class Store(Vault):
        def value(self, name):
            if name == "nope":
                raise UnknownSecret("no secret nope")
            return "ftp://t0ken"

    app = remake(three_node.app, hooks=remake(three_node.app.hooks, after=("true", hook)))
    with pytest.raises(SecretError) as caught:
        hooks.refuse_unknown(remake(three_node, app=app), Store())
    assert f"{hook}: there is no such secret that is an https:// address" in str(caught.value)
    assert caught.value.kept == "nothing was sent"
    assert "fab secrets.set" in caught.value.do
    assert "t0ken" not in str(caught.value)
