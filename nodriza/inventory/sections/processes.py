"""``app.processes``: what runs beside the web, each as it is written."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from nodriza.inventory import names
from nodriza.inventory.base import Model, whole
from nodriza.inventory.calendar import Every, on_calendar
from nodriza.inventory.kinds import KINDS
from nodriza.inventory.shape import Shape

ONE, EACH = "one", "each"
_LINE = r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,1999}"
_CELERY_WORKER = re.compile(r"\sworker\b")
_FOR_SHELL = re.compile(r"[|&;<>()`$*?]|^~|^[A-Za-z_]\w*=")
_QUOTED = re.compile(r"'[^']*'|\\.|\"(?:[^\"\\$`]|\\.)*\"")
"""In which a shell would see nothing of its own."""


def _line(value: str) -> str:
    if not re.fullmatch(_LINE, value):
        raise ValueError("must be one line, such as manage.py relay")
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"can't be split into words: {str(error).lower()}") from None
    if not words or not words[0]:
        raise ValueError("must be one line, such as manage.py relay")
    return value


Run = Annotated[str, Shape(_LINE, "must be one line, such as manage.py relay", _line)]
"""A program with its words, quoted as for sh(1)."""
ProcessName = Annotated[
    str,
    Shape(
        r"[a-z][a-z0-9_]{0,31}", "must be small letters, digits and _, a letter first, at most 32"
    ),
]
Place = Annotated[
    str,
    Shape(
        names.NODE_NAME,
        f"must be one, each, {', '.join(KINDS)}, or the name of a node",
    ),
]
"""Where something runs."""


class Process(Model):
    """One of them: a line alone is what runs."""

    WORD: ClassVar = "run"

    run: Run = Field(
        description=(
            "The program with its words, in the folder with manage.py, with the release's Python:"
            " manage.py relay. Quotes work as in sh(1), and nothing else does."
        )
    )
    every: Every | None = Field(
        default=None,
        description="How often it is begun, and ends by itself. Without it, it runs for ever.",
    )
    on: Place = Field(
        default=ONE,
        description=(
            "Where: one (once in the cluster, on a worker if there is one, else on a video node,"
            " else on the first node that serves), each (every node that runs the application),"
            " all nodes of a kind, or one node by its name."
        ),
    )
    count: Annotated[int, whole(1, 64)] = Field(
        default=1, description="How many of it run side by side on each of these nodes."
    )
    shell: bool = Field(
        default=False, description="That the line is for sh(1), with its pipes and variables."
    )
    memory_mb: Annotated[int, whole(32, 16_777_216)] | None = Field(
        default=None,
        description=(
            "In MiB: what it may take with all that it starts. Default: half of its node's."
        ),
    )
    cpus: Annotated[float, Field(strict=True, ge=0.05, le=1024)] | None = Field(
        default=None, description="Processors that it may keep busy, such as 0.5. Default: all."
    )
    longest: Annotated[int, whole(1, 604_800)] | None = Field(
        default=None,
        description=(
            "Seconds: with `every` what a run may take (default: 3600), else what it may take to"
            " end when it is told to, by SIGTERM (default: 30). Then it is killed."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _line_is_run(cls, data: Any) -> Any:
        return {cls.WORD: data} if isinstance(data, str) else data

    @property
    def words(self) -> tuple[str, ...]:
        """What is executed; manage.py by the release's Python."""
        if self.shell:
            return ("/bin/sh", "-c", self.run)
        words = tuple(shlex.split(self.run))
        manage = words[0] in ("manage.py", "./manage.py")
        return ("python", "manage.py", *words[1:]) if manage else words

    @property
    def calendar(self) -> str:
        """``every`` as a timer of systemd has it."""
        return on_calendar(self.every) if self.every else ""

    @property
    def patience(self) -> int:
        """Seconds of ``longest``."""
        return self.longest or (3600 if self.every else 30)

    def wrong(self) -> tuple[str, str] | None:
        """A key and what is wrong with it, which no key shows alone."""
        bare = _QUOTED.sub("''", self.run)
        sign = next((found for word in bare.split() if (found := _FOR_SHELL.search(word))), None)
        if sign and not self.shell:
            return "run", (
                f'has "{sign[0]}" in it, which only a shell knows: put it in quotes, or write'
                " shell: true"
            )
        words = shlex.split(self.run)
        if any(word.rpartition("/")[2] == "celery" for word in words[:3]):
            if _CELERY_WORKER.search(self.run):
                return "run", (
                    "is a worker of Celery: a node of the kind worker does that (its variables are"
                    " celery_concurrency and celery_queues), and ends its tasks before it follows"
                    " a release"
                )
            if "beat" in words:
                return "run", "is Celery's clock: write services: {beat: {}}, which is there once"
        if self.count > 1 and (self.every or self.on == ONE):
            why = "on: one is exactly once" if self.on == ONE else "a timer begins one at a time"
            return "count", f"{why}: leave it out, or write on: each, a kind or a node"
        return None


Processes = dict[ProcessName, Process]
