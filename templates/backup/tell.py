"""Words to people: by a web hook and by mail, when a backup or a trial failed or is overdue.

A message that could not be sent fails nothing. It is noted, and fab status shows it.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import time
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from http.client import HTTPException
from pathlib import Path
from typing import Any

from run import due
from store import read, say, variables, write

ANSWERS = 10
"""Seconds for an answer; the unit ends after 90 (failed.service.j2)."""
HOUR = 3600


def failed(conf: dict[str, Any], unit: str) -> None:
    """That a unit failed, and why."""
    wrong = read(Path(conf["state"]) / "status.json").get("failed", {})
    what = "verify" if unit.removesuffix(".service").endswith("-verify") else "backup"
    why = wrong.get(what, {}).get("why", "it was ended before it could say why")
    does = "the trial restore of the newest backup" if what == "verify" else "the backup"
    send(conf, f"{does} failed on {conf['node']}", why)


def overdue(conf: dict[str, Any]) -> None:
    """What is not there though its time has come, told once; and when the first one is due."""
    state = Path(conf["state"])
    status, told = read(state / "status.json"), read(state / "told.json")
    first = told.setdefault("first", {})
    for what, key, at in (("backup", "at", "due"), ("verify", "verify", "verify_due")):
        if what not in first:
            first[what] = due(conf[key], 0)
        moment = status.get(at) or first[what]
        late = time.time() - moment
        if late > 0 and told.get("overdue", {}).get(what) != moment:
            told.setdefault("overdue", {})[what] = moment
            write(state / "told.json", told)
            does = "trial restore" if what == "verify" else "backup"
            hours = f"{late / HOUR:.0f} h" if late > HOUR else f"{late / 60:.0f} min"
            send(
                conf,
                f"a {does} of {conf['node']} is overdue",
                f"it should have ended {hours} ago. Next: fab status",
            )
            told = read(state / "told.json")
    write(state / "told.json", told)


def send(conf: dict[str, Any], subject: str, why: str) -> None:
    """By each way that the inventory names; what did not work is noted for fab status."""
    url = variables(Path(conf["env"])).get("NOTIFY_URL", "")
    ways: list[tuple[str, Any]] = []
    if url:
        ways.append(("the web hook", lambda: _web(conf, url, f"{subject}: {why}")))
    if conf["mail"]:
        ways.append((f"{conf['mail']['to']}", lambda: _mail(conf, subject, why)))
    if not ways:
        return
    _note(conf, f"{subject}: nobody could be told within the time")  # it stays if we are ended
    wrong = []
    for way, call in ways:
        try:
            call()
        except (OSError, smtplib.SMTPException) as error:
            wrong.append(f"{way} was not told: {error or type(error).__name__}")
        except (ValueError, HTTPException) as error:
            # Their words may have the address of the hook in them, which may be a secret.
            wrong.append(f"{way} was not told: {type(error).__name__}")
        else:
            say(f"{way} was told: {subject}")
    for words in wrong:
        say(words)
    _note(conf, "; ".join(wrong)[:500])


def _note(conf: dict[str, Any], why: str) -> None:
    path = Path(conf["state"]) / "told.json"
    told = read(path)
    told["failed"] = {"at": int(time.time()), "why": why} if why else None
    write(path, told)


def _web(conf: dict[str, Any], url: str, text: str) -> None:
    about = {"text": f"{conf['cluster']}: {text}", "cluster": conf["cluster"]}
    body = json.dumps({**about, "node": conf["node"]}).encode()
    request = urllib.request.Request(  # noqa: S310  https, says the inventory
        url, body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=ANSWERS):  # noqa: S310
        pass


def _mail(conf: dict[str, Any], subject: str, why: str) -> None:
    to = conf["mail"]
    message = EmailMessage()
    message["Subject"] = f"{conf['cluster']}: {subject}"
    message["From"], message["To"] = to["sender"], to["to"]
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=conf["app"])
    # RFC 3834: no machine is to answer it.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{why}\n\nNext: fab status, and journalctl -u {conf['app']}-backup there")
    trusted = ssl.create_default_context()
    if to["port"] == 465:
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            to["smtp"], to["port"], timeout=ANSWERS, context=trusted
        )
    else:
        server = smtplib.SMTP(to["smtp"], to["port"], timeout=ANSWERS)
    with server:
        if to["port"] != 465 and to["smtp"] != "localhost":
            server.starttls(context=trusted)
        if to["user"]:
            server.login(to["user"], Path(to["password"]).read_text("utf-8").rstrip("\n"))
        server.send_message(message)
