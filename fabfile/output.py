"""Words reach whoever reads them: any locale, a pipe that closes early, a narrow terminal."""

from __future__ import annotations

import atexit
import codecs
import gc
import io
import os
import select
import shutil
import sys
from types import TracebackType

ERRORS = "nodriza.plain"
GONE = 141  # as a shell has it for who dies of SIGPIPE


def prepare() -> None:
    """Once, before anything is printed."""
    # Loading a command makes a hundred thousand objects that all stay. To look for garbage
    # among them again and again, and once more at the end, takes a tenth of a short command.
    gc.set_threshold(100_000, 20, 20)
    atexit.register(gc.freeze)
    codecs.register_error(ERRORS, _plain)
    _open_all()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Line after line also into a file: what can't be written is an error where it is
        # printed. Of more than a buffer Python forgets it at the end.
        sys.stdout.reconfigure(line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and "utf" not in stream.encoding.lower():
            stream.reconfigure(errors=ERRORS)
    sys.excepthook = _unread
    atexit.register(_at_exit)


def _open_all() -> None:
    """A stream that was closed before we began goes nowhere.

    Else the next file that is opened would get its number, and what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            fd = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(fd, True)
            setattr(sys, name, open(fd, "w" if number else "r", closefd=False))  # noqa: SIM115


def is_read() -> bool:
    """Whether somebody still reads stdout; once nobody does, it goes nowhere, in silence."""
    try:
        sys.stdout.flush()
        watch = select.poll()
        watch.register(sys.stdout.fileno(), 0)
        gone = any(what & select.POLLERR for _, what in watch.poll(0))
    except BrokenPipeError:
        gone = True
    except (OSError, ValueError):  # not a stream of this machine, or closed
        return True
    if gone:
        _hush()
    return not gone


def _hush() -> None:
    """What is still buffered needs a place to go: Python flushes once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def say(line: str) -> None:
    """A line at once, also into a pipe; nobody needs to read it for the work to go on."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        if is_read():
            raise


def width() -> int:
    """Of the terminal; without one, as wide as anybody likes."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def _plain(error: UnicodeError) -> tuple[str, int]:
    """The nearest in ASCII."""
    from nodriza.report.clean import PLAIN

    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return "".join(char if char.isascii() else "?" for char in text), error.end


def _unread(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if _is_full(error):
        _hush()
    elif not isinstance(error, BrokenPipeError) or is_read():
        sys.__excepthook__(kind, error, trace)


def _is_full(error: BaseException) -> bool:
    """Whether the disk is full that stdout goes to; it is told then."""
    from nodriza.report.clean import FULL, UNWRITTEN

    if not isinstance(error, OSError) or error.errno not in FULL or error.filename is not None:
        return False
    print(UNWRITTEN.format(error.strerror), file=sys.stderr, flush=True)
    return True


def _at_exit() -> None:
    """Python's own flush would come after this, and say it in its own way."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if _is_full(error):
            os._exit(1)  # the exit code can't be changed otherwise any more
    except ValueError:  # it was closed
        return
    is_read()
