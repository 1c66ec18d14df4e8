"""A failed or overdue backup is said to people; a message that could not be sent is noted."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
import time

import pytest


class Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                for said in self.rfile:
                    if said == b".\r\n":
                        break
                    self.server.got.append(said.decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


@contextlib.contextmanager
def mail_server():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        server.got = []
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
