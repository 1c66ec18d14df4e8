"""A source on its way from the controller to an agent, over a pipe in the place of SSH."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.host.line import HERE, Controller, EventStream
from nodriza.host.redact import Redactor
from nodriza.resources import Upload
from nodriza.source.tree import read_source
from nodriza.ssh import sender
from nodriza.ssh.sender import Sender
from tests.memory import Peak

MB = 1024 * 1024


class Pipe:
    """What a ``paramiko.Channel`` is to a sender; notes how much was sent."""

    closed = eof_received = False

    def __init__(self, end):
        self.end, self.sent = end, 0

    def sendall(self, data):
        self.sent += len(data)
        while data:
            data = data[os.write(self.end, data) :]

    def shutdown_write(self):
        os.close(self.end)
        self.closed = True


class Both:
    """Both ends of a line, and an upload of ``source`` to ``host``."""

    def __init__(self, source, root):
        inside, end = os.pipe()
        self.source, self.channel, self.events = source, Pipe(end), []
        self.stop = threading.Event()
        self.sender = Sender(self.channel, self.stop, self.events.append)
        self.host = Host(str(root))
        self.controller = Controller(inside, EventStream(self, Redactor({}), {}))
        self.host.fetch = self.controller.fetch
        files = len(source.entries)
        self.upload = Upload("/app", source.sha256, files=files, size=source.size, like="/former")

    def write(self, record):
        """What the agent says."""
        event = json.loads(record[1:])
        if event["event"] == "wants":
            self.sender.give(self.source, event["parts"])

    def flush(self):
        """Nothing."""

    def bring(self):
        self.sender.begin(b"", None)
        self.upload.fix(self.host, None)


@pytest.fixture
def both(tmp_path):
    """30 MB, most of which no compression makes smaller."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "film.mp4").write_bytes(os.urandom(30 * MB))
    (folder / "\u00f1and\u00fa").write_text("text")
    (tmp_path / "host").mkdir()
    both = Both(read_source(folder), tmp_path / "host")
    both.source_folder = folder
    yield both
    both.stop.set()
    assert both.controller.stopping.wait(5)


def test_source__arrives_and_takes_memory_at_neither_end(both, monkeypatch):
    monkeypatch.setattr(sender, "TOLD", 0.0)
    peak = Peak()
    both.bring()
    assert peak.grown < 20 * MB
    assert both.host.stat("/app/film.mp4").size == 30 * MB
    assert both.host.read("/app/\u00f1and\u00fa") == b"text"
    told = [(event["sent"], event["of"]) for event in both.events if event["event"] == "sending"]
    assert told == sorted(told)
    assert {of for _, of in told[5:]} == {both.source.size}


def test_second_release__takes_what_is_new(both):
    """Eleven bytes in the place of thirty million."""
    both.bring()
    both.host.rename("/app", "/former")
    sent = both.channel.sent
    (both.source_folder / "\u00f1and\u00fa").write_text("other text")
    both.source = read_source(both.source_folder)
    both.upload = Upload(
        "/app", both.source.sha256, files=2, size=both.source.size, like="/former"
    )
    both.upload.fix(both.host, None)
    assert both.host.read("/app/\u00f1and\u00fa") == b"other text"
    assert both.channel.sent - sent < 1000


def test_stop_while_a_source_is_on_its_way__leaves_nothing_of_it(both):
    threading.Timer(0.1, both.stop.set).start()
    take = both.controller._take

    def slowly(piece):
        time.sleep(0.01)
        take(piece)

    both.controller._take = slowly
    with pytest.raises(HostError, match="was stopped while the source was on its way"):
        both.bring()
    assert both.host.list("/") == []


def test_source_that_the_host_gives_up_on__is_not_sent_to_its_end(both, monkeypatch):
    def full(*_, **__):
        both.sender.end()  # its failure has come
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nodriza.host.tree.new_file", full)
        with pytest.raises(OSError, match="No space"):
            both.bring()
    sent = both.channel.sent
    time.sleep(0.5)
    assert both.channel.sent < sent + 2 * MB < 30 * MB


def test_signs_of_life__are_sent_while_nothing_else_is(both, monkeypatch):
    monkeypatch.setattr(sender, "SIGN", 0.1)
    both.sender.begin(b"", None)
    time.sleep(0.5)
    assert both.channel.sent == 0, "the agent itself may still be on its way"
    both.sender.at_work.set()
    time.sleep(1)
    assert len(HERE) <= both.channel.sent < 20
