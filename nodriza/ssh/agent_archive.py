"""What goes down the channel: a short command, then the request, then the agent if asked for.

The command starts Python on the host with ``BOOTSTRAP``. A host keeps the agent (the
modules of ``ROOMS``) compiled, in one file of root's beside its journal, so that what
travels and what Python has to read is little. One that does not have it, or has another
version, or a damaged one, asks with the event ``agent``, which costs one round trip; it
keeps it when the run may change things.

The request is zlib-compressed JSON, secrets included; it is never in argv. After that the
stream stays open and silent: its end, for whatever reason, tells the agent to stop after
the resource that it is at.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shlex
import zlib
from pathlib import Path
from typing import Any

import nodriza
from nodriza.host.host import PATH
from nodriza.ssh.login_shell import in_sh

MAGIC = b"NODRIZA"
KEPT = "/var/lib/nodriza/agent"
ROOMS = ("host", "resources", "agent")
"""The folders that travel."""

# Nobody looks for garbage in so short a life.
BOOTSTRAP = f"""
import gc, marshal, sys, zlib
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER
gc.disable()
stdin = sys.stdin.buffer
line = b"."
while line and not line.startswith({MAGIC!r}):
    line = stdin.readline()
if not line:
    sys.exit("nodriza: no plan came")
if sys.version_info < (3, 9):
    sys.exit("nodriza: needs Python 3.9 or later, here is %s" % sys.version.split()[0])
name, request = line.decode().split()[1:]
kept = "{KEPT}/%s.%s" % (name, MAGIC_NUMBER[:2].hex())
try:
    with open(kept, "rb") as file:
        crc, data = file.read(4), file.read()
except OSError:
    crc = data = b""
new = zlib.crc32(data).to_bytes(4, "big") != crc or not data
request = stdin.read(int(request))  # all of it, before more is asked for
if new:
    print('\\x1e{{"event":"agent"}}', flush=True)
    import json
    code = {{}}
    for name, path, text in json.loads(zlib.decompress(stdin.read(int(stdin.readline())))):
        code[name] = path, marshal.dumps(compile(text, path, "exec"))
    data = marshal.dumps(code)
else:
    code = marshal.loads(data)
class Agent:
    def find_spec(self, name, path=None, target=None):
        if name in code:
            return ModuleSpec(name, self, is_package=code[name][0].endswith("__init__.py"))
    def create_module(self, spec):
        pass
    def exec_module(self, module):
        exec(marshal.loads(code[module.__name__][1]), vars(module))
sys.meta_path.insert(0, Agent())
from nodriza.agent.start import start
start(request, stdin.fileno(), (kept, zlib.crc32(data).to_bytes(4, "big") + data) if new else None)
""".strip()

# What a login or a boot has set (pam_umask, pam_env, sshd's AcceptEnv, a profile: a umask, a
# locale, proxies, BASH_ENV …) reaches neither the agent nor anything that it runs, so the
# same plan makes the same files on every host. env(1), by its whole path: PATH is one of them.
CLEAN = f"/usr/bin/env -i PATH={PATH} HOME=/root LC_ALL=C.UTF-8"
UMASK = "umask 022; cd /; "

ABSENT, BROKEN, UNINSTALLABLE = 4, 5, 6
"""How a command ends that finds no Python: nodriza.ssh.channel has the words."""
# dash passes over a link that leads nowhere. What is installed and can't be started apt-get
# would leave as it is.
_BROKEN = f"{{ /bin/ls -l /usr/bin/python3 >&2; exit {BROKEN}; }}"
_REFUSE_BROKEN = f"test -e /var/lib/dpkg/info/python3-minimal.list && {_BROKEN}"
NEED_PYTHON = f"command -v python3 >/dev/null 2>&1 || {{ {_REFUSE_BROKEN}; exit {ABSENT}; }}"
# A host as its provider hands it over may have no Python yet; apt must not eat our stdin.
GET_PYTHON = (
    f"command -v python3 >/dev/null 2>&1 || {{ {_REFUSE_BROKEN};"
    ' printf \'\\036{"event":"doing","id":"package:python3"}\\n\';'
    " export DEBIAN_FRONTEND=noninteractive;"
    " { apt-get -q update && apt-get -qy --no-install-recommends install python3; }"
    f" </dev/null >&2 || exit {UNINSTALLABLE};"
    f" command -v python3 >/dev/null 2>&1 || {_BROKEN}; }}"
)


def command(sudo: str, *, looks: bool = False) -> str:
    """The one command of a run. ``sudo``: "" for root, else the words before it.

    ``looks``: it installs nothing, not even the Python that the agent needs.
    """
    # -I -S: nothing of the host's own Python set-up takes part; -B: nothing is written.
    python = NEED_PYTHON if looks else GET_PYTHON
    script = f"{UMASK}{python}; exec python3 -I -S -B -c {shlex.quote(BOOTSTRAP)}"
    return in_sh(script, f"{sudo} {CLEAN}".strip())


def payload(request: dict[str, Any]) -> bytes:
    """Everything that follows the command on stdin, but for the agent."""
    body = zlib.compress(json.dumps(request, ensure_ascii=False).encode())
    return b"%s %s %d\n" % (MAGIC, name().encode(), len(body)) + body


@functools.cache
def name() -> str:
    """The agent's version: what it is made of."""
    return hashlib.sha256(_source()).hexdigest()[:16]


@functools.cache
def agent() -> bytes:
    """The agent for a host that asks: a line with its length, then it, zlib-compressed."""
    body = zlib.compress(_source(), 9)
    return b"%d\n" % len(body) + body


@functools.cache
def _source() -> bytes:
    """JSON, [module, path, source] each; the same bytes every time."""
    root = Path(nodriza.__file__).parent
    files = [root / "__init__.py", *(path for room in ROOMS for path in root.glob(f"{room}/*.py"))]
    modules = []
    for path in sorted(files):
        place = Path("nodriza") / path.relative_to(root)
        module = ".".join(place.with_suffix("").parts).removesuffix(".__init__")
        modules.append([module, str(place), path.read_text()])
    return json.dumps(modules, ensure_ascii=False).encode()
