"""A failed or overdue backup is said to people; a message that could not be sent is noted."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import socketserver
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word in (b"EHLO", b"STAR", b"AUTH"):
                getattr(self, word.decode().lower())(line)
                continue
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                for said in self.rfile:
                    if said == b".\r\n":
                        break
                    self.server.got.append(said.decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return

    def finish(self):
        super().finish()
        self.connection.close()

    def ehlo(self, _):
        inside = isinstance(self.connection, ssl.SSLSocket)
        offers = [b"here"]
        if inside or self.server.tls:
            offers.append(b"AUTH PLAIN" if inside else b"STARTTLS")
        self.wfile.write(b"".join(b"250-%b\r\n" % each for each in offers) + b"250 ok\r\n")

    def star(self, _):
        self.wfile.write(b"220 go on\r\n")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def auth(self, line):
        self.server.logins.append(base64.b64decode(line.split()[2]).split(b"\0")[1:])
        self.wfile.write(b"235 ok\r\n")


@contextlib.contextmanager
def mail_server(tls=None):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        server.got, server.logins, server.tls = [], [], tls
        server.handle_error = lambda *_: None  # who refuses our certificate hangs up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def conf(tmp_path, **mail):
    to = {"to": "ops@example.org", "sender": "shop@example.org", "smtp": "localhost", "user": None}
    return {
        "app": "shop",
        "cluster": "mine",
        "node": "server-1",
        "env": str(tmp_path / "env"),
        "state": str(tmp_path),
        "at": "*-*-* 03:00",
        "verify": "Sun *-*-* 05:00",
        "mail": {**to, **mail} if mail else {},
    }


def told(tmp_path):
    return json.loads((tmp_path / "told.json").read_text())


def test_failure__is_mailed_with_its_reason(program, tmp_path):
    failed = {"backup": {"at": 1, "why": "the disk is full"}, "verify": {"at": 1, "why": "else"}}
    (tmp_path / "status.json").write_text(json.dumps({"failed": failed}))
    with mail_server() as server:
        program["tell"].failed(
            conf(tmp_path, port=server.server_address[1]), "shop-backup.service"
        )
    said = "".join(server.got)
    assert "Subject: mine: the backup failed on server-1" in said
    assert "To: ops@example.org" in said
    assert "the disk is full" in said
    assert "else" not in said
    assert told(tmp_path)["failed"] is None


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server's side of TLS for 127.0.0.1, and the file of who vouches for it."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    key, now = (
        ec.generate_private_key(ec.SECP256R1()),
        datetime.datetime.now(datetime.timezone.utc),
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(
        key.private_bytes(*pem, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


def with_account(tmp_path, server):
    (tmp_path / "smtp_password").write_text('s3 cr"e$t\\\n')
    to = {"smtp": "127.0.0.1", "user": "shop", "password": str(tmp_path / "smtp_password")}
    return conf(tmp_path, port=server.server_address[1], **to)


def test_mail__goes_through_tls_with_its_account(program, tmp_path, tls, monkeypatch):
    context, file = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with mail_server(context) as server:
        program["tell"].failed(with_account(tmp_path, server), "shop-backup.service")
    assert told(tmp_path)["failed"] is None
    assert server.logins == [[b"shop", b's3 cr"e$t\\']]
    assert "Subject: mine: the backup failed on server-1" in "".join(server.got)


@pytest.mark.parametrize("speaks", [False, True], ids=["no TLS", "a certificate of its own"])
def test_mail_server_that_could_be_anybody__gets_neither_mail_nor_password(
    program, tmp_path, tls, speaks
):
    with mail_server(tls[0] if speaks else None) as server:
        program["tell"].failed(with_account(tmp_path, server), "shop-backup.service")
    assert (server.got, server.logins) == ([], [])
    assert "ops@example.org was not told: " in told(tmp_path)["failed"]["why"]


def test_mail_server_that_is_away__fails_nothing_and_is_noted(program, tmp_path, capsys):
    with mail_server() as server:
        port = server.server_address[1]
    program["tell"].failed(conf(tmp_path, port=port), "shop-backup-verify.service")
    assert "ops@example.org was not told: " in told(tmp_path)["failed"]["why"]
    assert "was not told" in capsys.readouterr().out


def test_message_whose_sending_is_killed__is_noted_too(program, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(program["tell"], "_mail", killed)
    with pytest.raises(KeyboardInterrupt):
        program["tell"].failed(conf(tmp_path, port=1), "shop-backup.service")
    assert "nobody could be told" in told(tmp_path)["failed"]["why"]


@pytest.mark.parametrize("url", ["https://hook.invalid/T0K3N", "https://[hook/T0K3N", "x T0K3N"])
def test_address_of_a_web_hook__is_in_no_note_and_no_log(program, tmp_path, url, capsys):
    (tmp_path / "env").write_text(f'NOTIFY_URL="{url}"\n')
    program["tell"].failed(conf(tmp_path), "shop-backup.service")
    assert "the web hook was not told" in told(tmp_path)["failed"]["why"]
    assert "T0K3N" not in (tmp_path / "told.json").read_text() + capsys.readouterr().out


def test_backup_that_is_overdue__is_told_once(program, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(program["tell"], "send", lambda _, subject, why: sent.append(subject))
    tell = program["tell"]
    tell.overdue(conf(tmp_path))
    assert sent == [], "the first is not due yet"
    assert told(tmp_path)["first"]["backup"] > time.time()
    late = {"due": int(time.time()) - 7200, "verify_due": int(time.time()) + 7200}
    (tmp_path / "status.json").write_text(json.dumps(late))
    tell.overdue(conf(tmp_path))
    tell.overdue(conf(tmp_path))
    assert sent == ["a backup of server-1 is overdue"]
    (tmp_path / "status.json").write_text(json.dumps(late | {"due": late["due"] + 60}))
    tell.overdue(conf(tmp_path))
    assert len(sent) == 2, "another one"
