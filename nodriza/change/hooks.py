"""What follows once every child serves a release: web hooks, and commands on this computer.

Nothing depends on them any more, so none can fail a deploy; what went wrong is told.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from nodriza import foreign
from nodriza.errors import NodrizaError, SecretError, UnknownSecret

if TYPE_CHECKING:
    from nodriza.change.switch import Switch
    from nodriza.inventory import Cluster
    from nodriza.vault.store import Vault

WEB = "https://"
SECRET = re.compile(r"secret:([a-z0-9_]+)")
"""The name of a secret that is a web hook's address: who knows the address may use it."""
ANSWERS = 10
"""Seconds for a web hook, from its name to the status of its answer."""
ENDS = 60
"""Seconds for a command."""
LINES = 5


def refuse_unknown(cluster: Cluster, vault: Vault) -> None:
    """Before a deploy: raises ``SecretError`` for a secret that is not there, or no address."""
    for hook in cluster.app.hooks.after:
        if named := SECRET.fullmatch(hook):
            try:
                good = vault.value(named[1]).startswith(WEB)
            except UnknownSecret:
                good = False
            if not good:
                raise SecretError(
                    f"app.hooks.after: {hook}: there is no such secret that is an {WEB} address",
                    where=str(cluster.path),
                    kept="nothing was sent",
                    do=f"fab secrets.set {named[1]}, or take the line out",
                )


def after(cluster: Cluster, switch: Switch, vault: Vault) -> Iterator[str]:
    """Call them one after the other; says what went wrong."""
    about = {
        "cluster": cluster.name,
        "commit": switch.to.commit,
        "release": switch.to.id,
        "how": switch.how,
        "who": f"{getpass.getuser()}@{socket.gethostname()}",
        "children": " ".join(switch.serving),
    }
    for hook in cluster.app.hooks.after:
        try:
            named = SECRET.fullmatch(hook)
            line = vault.value(named[1]) if named else hook
            is_web = bool(named) or line.startswith(WEB)
            wrong = _web(line, about) if is_web else _command(line, cluster, about)
        except NodrizaError as error:
            wrong = f"{hook}: {error}"
        if wrong:
            yield f"app.hooks.after: {vault.redact(foreign.text(wrong))}"


def _web(url: str, about: Mapping[str, str]) -> str:
    """POST it, without following where an answer leads. What is wrong names the host alone."""
    name = f"{WEB}{urlsplit(url).hostname}"
    said: list[str] = [f"no answer within {ANSWERS} s"]
    # A thread, because time-outs of single reads are no bound for who sends a byte now and then.
    thread = threading.Thread(target=_post, args=(url, about, said), daemon=True)
    thread.start()
    thread.join(ANSWERS)
    return f"{name}: {said[-1]}" if said[-1] else ""


def _post(url: str, about: Mapping[str, str], said: list[str]) -> None:
    # "text" is what chats show (Slack's, Mattermost's and Google's incoming web hooks).
    text = "{how} of {cluster}: commit {commit}, release {release}, by {who}".format_map(about)
    body: dict[str, Any] = {**about, "children": about["children"].split(), "text": text}
    try:
        # The authorities that this computer trusts, and no others.
        with (
            httpx.Client(verify=ssl.create_default_context(), timeout=ANSWERS) as client,
            client.stream("POST", url, json=body) as answer,
        ):
            said.append("" if answer.is_success else f"answers {answer.status_code}")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        said.append(str(error).replace(url, "the address") or type(error).__name__)


def _command(line: str, cluster: Cluster, about: Mapping[str, str]) -> str:
    """Run it by sh, where the inventory is, with what it is about in NODRIZA_… variables."""
    own = {f"NODRIZA_{name.upper()}": value for name, value in about.items()}
    with subprocess.Popen(
        ["sh", "-c", line],
        cwd=cluster.path.parent,
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, _ = process.communicate(timeout=ENDS)
        except subprocess.TimeoutExpired:
            return f"{line}: no end after {ENDS} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it left behind
    last = "\n".join(out.strip().splitlines()[-LINES:])
    return f"{line}: exit {process.returncode}\n{last}".rstrip() if process.returncode else ""
