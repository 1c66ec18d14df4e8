#!/usr/bin/python3
"""What a hostile machine runs in the place of every command, and on ports of its own.

``ForceCommand`` of its sshd starts this; it lies as /root/lie says. What the tests
themselves ask of the machine begins with "bash -c" and is done as asked.
"""

import base64
import json
import os
import socket
import struct
import sys
import threading
import time
import zlib

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u200b[red][/nope]"
EVIL += "\nserver-1  all is well\n  next: evil"


def request():
    """What the agent would be sent; another command gets no more than evil words."""
    words = os.environ["SSH_ORIGINAL_COMMAND"].rpartition(" sh ")[2]
    if b"NODRIZA" not in base64.b64decode(words.replace(" ", "")):
        sys.stdout.write(EVIL)
        sys.exit(3)
    stdin = sys.stdin.buffer
    line = b"."
    while line and not line.startswith(b"NODRIZA"):
        line = stdin.readline()
    return json.loads(zlib.decompress(stdin.read(int(line.split()[2])))) if line else {}


def say(event):
    sys.stdout.buffer.write(b"\x1e" + json.dumps(event).encode() + b"\n")
    sys.stdout.buffer.flush()


def start(asked, **more):
    many = len(asked["resources"])
    rest = {"python": EVIL, "check": True, "clock": time.time()}
    say({"event": "start", "resources": many, "left": {}, **rest, **more})


def resource(id, **more):
    rest = {"status": "failed", "gap": {EVIL: [EVIL, EVIL]}, "diff": EVIL, "words": EVIL}
    return {"event": "resource", "id": id, "seconds": 0.1, **rest, **more}


def missing():
    """Events without their fields."""
    request()
    say({"event": "start"})
    say({"event": "resource"})


def escapes():
    """All that there is to say, and evil in the place of every text."""
    asked = request()
    start(asked)
    about = asked["ask"].get("state", {})
    state = {
        "system": EVIL,
        "uptime": 1,
        "load": 1.0,
        "memory": 1,
        "disk": 1,
        "mounts": {EVIL: {"error": EVIL}},
        "health": {EVIL: [500, EVIL]},
        "links": dict.fromkeys(about.get("links", ()), EVIL),
        "certificates": dict.fromkeys(about.get("certificates", ())),
        "versions": {EVIL: EVIL},
        "owed": [EVIL],
        "reboot": EVIL,
        "marks": {path: [EVIL] for path in about.get("marks", ())},
        "last_run": {"run": "20260101T000000Z-00", "who": EVIL, "what": EVIL, "when": EVIL},
        "clock": time.time(),
    }
    past = {
        "run": "20990101T000000Z-00",
        "who": EVIL,
        "what": EVIL,
        "kept": [{"path": EVIL, "type": EVIL}],
    }
    answers = {"state": state, "history": [past], "strays": [EVIL], "listing": {}}
    if asked["ask"]:
        say({"event": "facts", **{word: answers[word] for word in asked["ask"]}})
    say({"event": "warning", "words": EVIL})
    say({"event": "doing", "id": EVIL})
    say({"event": "restored", "unit": EVIL, "paths": [EVIL]})
    say({"event": "owed", "id": EVIL, "action": EVIL, "since": EVIL})
    for each in asked["resources"]:
        say(resource(each["id"]))
    say({"event": "end", "ok": 0, "changed": 0, "failed": 1, "skipped": 0, "seconds": 0.1})


def refuses():
    """It can't go on, and says why in its own way."""
    request()
    say({"event": "error", "words": EVIL})


def holds():
    """Another run holds it, of somebody with a strange name."""
    request()
    say({"event": "busy", "holder": {"who": EVIL, "from": EVIL, "since": EVIL}})


def done_at_once():
    """Done, with nothing looked at."""
    start(request())
    say({"event": "end", "ok": 99, "changed": 0, "failed": 0, "skipped": 0, "seconds": 0.1})


def dies():
    """sudo's words, or what looks like them."""
    sys.stderr.write("sudo: " + EVIL + "\n")
    sys.exit(1)


def line_without_end():
    while True:
        sys.stdout.write("x" * 2**20)


def lines_without_end():
    while True:
        sys.stdout.write("\x1b[31mevil\n" * 2**16)


def events_without_end():
    start(request())
    while True:
        say({"event": "warning", "words": EVIL * 100})


def stderr_without_end():
    while True:
        sys.stderr.write("\x1b[31mevil\n" * 2**16)


def huge_answer():
    start(request())
    sys.stdout.write('\x1e{"event":"facts","state":{"system":"' + "x" * 10**9 + '"}}\n')


def nested():
    start(request())
    sys.stdout.write("\x1e" + "[" * 900_000 + "\n")
    time.sleep(2)


def drips():
    """A byte a second."""
    while True:
        sys.stdout.write(".")
        sys.stdout.flush()
        time.sleep(1)


def forever(data):
    def talk(guest):
        while True:
            guest.sendall(data)

    return talk


def once(data):
    def talk(guest):
        guest.sendall(data)
        time.sleep(60)

    return talk


def packet(guest):
    guest.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + struct.pack(">IB", 2**31 + 4, 4))
    forever(b"x" * 65536)(guest)


LISTENERS = {
    2301: once(EVIL.encode() + b"\r\n" * 101),
    2302: once(b"SSH-2.0-Open\x1b[5m"),
    2303: once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    2304: once(b""),
    2305: forever(b"x" * 65536),
    2306: forever(b"\x1b[31mevil\r\n" * 5000),
    2307: packet,
}


def listen(port, talk):
    def meet(guest):
        try:
            talk(guest)
        except OSError:
            guest.close()

    with socket.create_server(("", port)) as server:
        while True:
            guest, _ = server.accept()
            threading.Thread(target=meet, args=(guest,), daemon=True).start()


def main():
    if sys.argv[1:] == ["listen"]:
        threads = [threading.Thread(target=listen, args=each) for each in LISTENERS.items()]
        for thread in threads:
            thread.start()
        return
    command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if command.startswith("bash -c"):
        os.execv("/bin/bash", ["bash", "-c", command])
    with open("/root/lie") as file:
        lie = file.read().strip()
    try:
        globals()[lie]()
    except (BrokenPipeError, KeyError):
        os._exit(0)


if __name__ == "__main__":
    main()
