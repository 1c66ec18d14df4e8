"""What may stand behind each flag. Read before anything is done: a slip touches nothing.

A command's parameter that takes a value has one of these in its annotation, or can't be
defined (task.py). What only an inventory or a host knows (nodes, units, runs) is refused
where that is read; here is what a value can never be.
"""

from __future__ import annotations

import ipaddress
import re
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from nodriza.errors import NodrizaError
from nodriza.files import refuse_closed, refuse_unwritable

from .refusal import near, refusal, short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .completion import Here


class Kind:
    """Any text but none: a variable of a script that was empty must not mean "all"."""

    writes: ClassVar[bool] = False
    """Whether a file or folder of that name is written."""

    placeholder: ClassVar[str] = "TEXT"
    """What stands for a value in the help."""

    def completions(self, here: Here) -> Iterable[str]:  # noqa: ARG002
        """What a value may be, for a shell that completes it; no host is asked."""
        return ()

    def refuse(self, flag: str, value: object) -> None:
        """Raises ``Exit`` for what can't be meant."""
        if not str(value).strip():
            raise refusal(f"there is nothing behind {flag}", f"{flag} VALUE, or leave it out")


class OneOf(Kind):
    """One of a few words."""

    placeholder = "WORD"

    def __init__(self, *words: str) -> None:
        self.words = words

    def completions(self, here: Here) -> Iterable[str]:  # noqa: ARG002
        """All of them."""
        return self.words

    def refuse(self, flag: str, value: object) -> None:
        """With the nearest one."""
        if value not in self.words:
            hint = near(str(value), self.words)
            raise refusal(
                f"{flag} {short(str(value))}: there is no such {flag.strip('-')}",
                f"{hint}choose from {', '.join(self.words)}",
            )


class Whole(Kind):
    """A whole number within bounds."""

    placeholder = "NUMBER"

    def __init__(self, least: int, most: int = 1_000_000) -> None:
        self.least, self.most = least, most

    def refuse(self, flag: str, value: object) -> None:
        """With the bound that it is beyond."""
        if not self.least <= int(str(value)) <= self.most:
            low = int(str(value)) < self.least
            bound = f"at least {self.least}" if low else f"at most {self.most}"
            raise refusal(f"{flag} must be {bound}", f"{flag} {bound.split()[-1]}")


class Like(Kind):
    """Text of a certain form, with an example of it."""

    def __init__(self, pattern: str, words: str, *examples: str) -> None:
        self.pattern, self.words, self.examples = pattern, words, examples

    def refuse(self, flag: str, value: object) -> None:
        """With the examples."""
        if not re.fullmatch(self.pattern, str(value)):
            examples = ", or ".join(f"{flag} {each}" for each in self.examples)
            raise refusal(f"{flag} {short(str(value))}: {self.words}", examples)


class Share(Kind):
    """A number of children, or a percentage of them."""

    placeholder = "NUMBER|PERCENT"

    def completions(self, here: Here) -> Iterable[str]:  # noqa: ARG002
        """Those that people take."""
        return ("1", "2", "25%", "50%")

    def refuse(self, flag: str, value: object) -> None:
        """As the inventory's ``rollout`` has it."""
        from nodriza.rollout.turns import refuse_bad_serial

        super().refuse(flag, value)
        refuse_bad_serial(str(value))


class Keeping(Kind):
    """Services that keep data; with commas between them."""

    placeholder = "SERVICE[,…]"

    def completions(self, here: Here) -> Iterable[str]:  # noqa: ARG002
        """All of them."""
        from nodriza.inventory.services import KEEPING

        return KEEPING

    def refuse(self, flag: str, value: object) -> None:
        """The first word that is none, with the nearest one."""
        from nodriza.inventory.services import KEEPING

        super().refuse(flag, value)
        for word in str(value).split(","):
            OneOf(*KEEPING).refuse(flag, word)


class When(Kind):
    """A time that has been, or how long ago it was."""

    placeholder = "TIME"

    def completions(self, here: Here) -> Iterable[str]:  # noqa: ARG002
        """How long ago."""
        return ("15m", "1h", "1d")

    def refuse(self, flag: str, value: object) -> None:
        """As ``nodriza.watch.logs`` reads it."""
        from nodriza.watch.logs import since

        super().refuse(flag, value)
        try:
            at = since(str(value), time.time())
        except NodrizaError as error:
            raise refusal(error.what, error.do) from None
        if at is not None and at > time.time():
            raise refusal(f"{flag} {short(str(value))}: that time has not come", f"{flag} 15m")


class At(Kind):
    """A time in UTC to the second, which has been."""

    placeholder = "TIME"

    def refuse(self, flag: str, value: object) -> None:
        """What is no time, or has not come."""
        super().refuse(flag, value)
        try:
            at = datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        except ValueError:
            raise refusal(
                f"{flag} {short(str(value))}: not a time in UTC to the second",
                f'{flag} "{time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())}"',
            ) from None
        if at.timestamp() > time.time():
            raise refusal(f"{flag} {short(str(value))}: that time has not come", f"{flag} EARLIER")


class Addresses(Kind):
    """IP addresses; ``several``: with commas between them."""

    placeholder = "ADDRESS"

    def __init__(self, *, several: bool = False) -> None:
        self.several = several

    def refuse(self, flag: str, value: object) -> None:
        """The first one that is none."""
        words = str(value).split(",") if self.several else [str(value)]
        for word in words:
            try:
                ipaddress.ip_address(word.strip())
            except ValueError:
                raise refusal(
                    f"{flag} {short(word.strip())}: that is no IP address", f"{flag} 192.0.2.1"
                ) from None


class Networks(Kind):
    """An IPv4 address, or a network."""

    def refuse(self, flag: str, value: object) -> None:
        """As the inventory does."""
        from nodriza.inventory.addresses import proxy

        try:
            proxy(str(value))
        except ValueError as error:
            what = str(error).replace("whoever comes from there is believed; ", "")
            raise refusal(
                f"{short(str(value))} {what}", f"{flag} 192.0.2.7, or {flag} 192.0.2.0/28"
            ) from None


class NewFile(Kind):
    """A file that is written at the end, so that it is known now whether it can be."""

    writes = True
    placeholder = "FILE"

    def __init__(self, suffix: str = "", words: str = "") -> None:
        self.suffix, self.words = suffix, words

    def refuse(self, flag: str, value: object) -> None:
        """Where its folder is missing or closed, or another kind of file is asked for."""
        super().refuse(flag, value)
        path = Path(str(value))
        if self.suffix and path.suffix.lower() != self.suffix:
            raise refusal(
                f"{flag} {short(str(path))}: {self.words}",
                f"{flag} {short(str(path.with_suffix(self.suffix)))}",
            )
        refuse_unwritable(path)


class NewFolder(Kind):
    """A folder that is made if need be, and files in it."""

    writes = True
    placeholder = "FOLDER"

    def refuse(self, flag: str, value: object) -> None:
        """Where it can't be made."""
        super().refuse(flag, value)
        refuse_closed(Path(str(value)))


class Target(Kind):
    """Nodes (nodriza/inventory/targets.py)."""

    placeholder = "TARGET"

    def completions(self, here: Here) -> Iterable[str]:
        """The nodes, and the words for several of them."""
        return here.targets()


class UnitName(Kind):
    """A service of a node's."""

    placeholder = "UNIT"

    def completions(self, here: Here) -> Iterable[str]:
        """Those that a plan has."""
        return here.units()


class Secret(Like):
    """The name of a secret."""

    placeholder = "NAME"

    def completions(self, here: Here) -> Iterable[str]:
        """Those that there are, and those that the inventory asks for."""
        return here.secrets()


Text = Annotated[str, Kind()]
"""Free text, or a name that something else looks up."""
Nodes = Annotated[str, Target()]
Unit = Annotated[str, UnitName()]
SecretName = Annotated[
    str,
    Secret("[a-z0-9_]+", "a secret's name has small letters, digits and underscores", "api_key"),
]
FromOne = Annotated[int, Whole(1)]
FromNought = Annotated[int, Whole(0)]
Serial = Annotated[str, Share()]
Moved = Annotated[str, Keeping()]
Since = Annotated[str, When()]
Moment = Annotated[str, At()]
Address = Annotated[str, Addresses()]
Blocked = Annotated[str, Networks()]
Resolvers = Annotated[str, Addresses(several=True)]
Fingerprint = Annotated[
    str,
    Like("(SHA256:)?[A-Za-z0-9+/]{43}=?", "not the form that ssh-keygen -l prints", "SHA256:…"),
]
Report = Annotated[str, NewFile()]
Picture = Annotated[str, NewFile(".svg", "a picture is drawn as SVG")]
Folder = Annotated[str, NewFolder()]
WAIT = "seconds to wait for a host on which another run is at work"
"""What ``--wait`` says of itself, in all commands that change hosts."""
