"""Machines that were started and never say a word are reported, not waited for.

A machine whose kernel runs asks for an address within seconds: that is a packet on its first
network, whatever its box is. Vagrant itself waits for minutes, and then says only that it
waited.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator

from nodriza.errors import LabError
from nodriza.inventory.sections.lab import Acceleration
from nodriza.lab import programs
from nodriza.lab.virtual import libvirt

SECONDS: dict[Acceleration, int] = {"kvm": 90, "emulated": 600}
"""From a machine's start to its first packet; with KVM it takes 5 to 15 s."""
EVERY = 3
SENT = re.compile(r"net\.\d+\.tx\.pkts=([1-9]\d*)")


class Watch:
    """Follows the machines of one lab while Vagrant starts them."""

    def __init__(self, prefix: str, seconds: int, clock: Callable[[], float] = time.monotonic):
        self.prefix = prefix
        self.seconds = seconds
        self.clock = clock
        self.silent: list[str] = []
        self._since: dict[str, float] = {}

    def look(self, stats: str) -> list[str]:
        """Take what ``virsh domstats --interface`` prints; the machines silent for too long."""
        running = dict(_domains(stats, self.prefix))
        # One that was stopped or has spoken begins anew when it is started again.
        quiet = [name for name, words in running.items() if not SENT.search(words)]
        self._since = {name: self._since.get(name, self.clock()) for name in quiet}
        late = self.clock() - self.seconds
        self.silent = [name for name, since in self._since.items() if since <= late]
        return self.silent


@contextlib.contextmanager
def refused(prefix: str, chosen: Acceleration, stop: Callable[[], None]) -> Iterator[None]:
    """Meanwhile ``stop`` is called once a machine is silent for too long, and that is the error.

    Raises ``LabError`` in the place of the one that being stopped has caused.
    """
    watch, over = Watch(prefix, SECONDS[chosen]), threading.Event()
    thread = threading.Thread(target=_follow, args=(watch, over, stop), daemon=True)
    thread.start()
    try:
        yield
    except LabError:
        if watch.silent:
            raise _error(watch, chosen) from None
        raise
    finally:
        over.set()
        thread.join()


def _follow(watch: Watch, over: threading.Event, stop: Callable[[], None]) -> None:
    while not over.wait(EVERY):
        # A daemon that does not answer for a moment is no machine that is silent.
        with contextlib.suppress(LabError):
            argv = ["virsh", "--connect", libvirt.URI, "domstats", "--interface", "--list-running"]
            if watch.look(programs.run(argv)):
                stop()
                return


def _domains(stats: str, prefix: str) -> Iterator[tuple[str, str]]:
    for part in stats.split("Domain: ")[1:]:
        name, _, words = part.partition("\n")
        if name.strip("'").startswith(prefix):
            yield name.strip("'").removeprefix(prefix), words


def _error(watch: Watch, chosen: Acceleration) -> LabError:
    names = ", ".join(watch.silent)
    other = (
        "fab lab.down, then NODRIZA_ACCELERATION=emulated fab lab.up, or acceleration: emulated"
        " in the inventory's lab"
    )
    return LabError(
        f"{names}: started, and has not sent one packet in {watch.seconds} s:"
        + (
            " KVM starts it here, and its kernel does not run"
            if chosen == "kvm"
            else " its kernel does not run, or its box asks for no address"
        ),
        where=f"virsh console {watch.prefix}{watch.silent[0]}",
        kept="machines that are there stay as they are",
        do=other if chosen == "kvm" else "fab lab.down, then another box: fab lab.box makes one",
    )
