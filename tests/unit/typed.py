"""A command line in a process of its own, forked from this one: nothing is loaded twice.

Fifty times as quick as starting ``fab``, which tests/unit/fabfile/test_commands.py does, so that
every command can be tried with every mistake.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# What the commands load when they run, loaded here once.


class Typed(NamedTuple):
    """What came of it; ``touched``: each other machine that was to be connected to, and each
    program that was started."""

    returncode: int
    stdout: str
    stderr: str
    touched: list[str]


def typed(*words: str, folder: Path, stdin: bytes = b"", user: str = "", **env: str) -> Typed:
    """``fab WORDS`` in ``folder``; it reaches no other machine and starts no program.

    ``user``: the number of the one who types it.
    """
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryFile() as log,
    ):
        given.write(stdin)
        given.seek(0)
        files = (given, out, err)
        child = os.fork()
        if child == 0:
            gc.disable()  # it would copy every page of ours
            for number, file in enumerate(files):
                os.dup2(file.fileno(), number)
            if user:
                os.setuid(int(user))
            os._exit(_child(words, folder, env, lambda what: os.write(log.fileno(), what)))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return Typed(code, _read(out), _read(err), _read(log).splitlines())


def _read(file: io.BufferedRandom) -> str:
    file.seek(0)
    return file.read().decode()


def _child(words: tuple[str, ...], folder: Path, env: dict[str, str], log: Callable) -> int:
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    try:
        os.chdir(folder)
        os.environ.update({"NODRIZA_LAB_STATE": "/nonexistent", **env})
        _cut_off(log)
        sys.argv = ["fab", *words]
        return _run()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001  as Python itself would
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _run() -> int:
    import fabric.main
    from nodriza.fabfile.program import take_over

    take_over()
    fabric.main.program.run()
    return 0


def _cut_off(log: Callable) -> None:
    def refuse(what: str) -> None:
        log(f"{what}\n".encode())
        raise FileNotFoundError(errno.ENOENT, "no unit test touches that", what)

    def connect(self: socket.socket, address: object, *_: object) -> None:
        refuse(f"connection to {address}")

    class Popen(subprocess.Popen):
        def __init__(self, argv: object, *args: object, **options: object) -> None:
            refuse(f"program {argv}")

    socket.socket.connect = connect  # type: ignore[method-assign,assignment]
    subprocess.Popen = Popen  # type: ignore[misc]
