"""One fault: where it is planted, and which tests have to die of it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path


class BadFault(Exception):
    """A fault that can't be planted, so that it says nothing of the tests."""


@dataclass(frozen=True)
class Fault:
    """``name`` says in plain words what is wrong with the engine once it is planted.

    ``where``: a file of the repository, and after a colon the function or class in it
    ("nodriza/host/files.py:Files.write"), so that the same line elsewhere does no harm.
    ``was`` stands there exactly once, and becomes ``now``. ``tests``: below tests/unit, as
    pytest takes them.
    """

    name: str
    where: str
    was: str
    now: str
    tests: tuple[str, ...]

    @property
    def file(self) -> str:
        """Without what is after the colon."""
        return self.where.partition(":")[0]

    def planted(self, root: Path) -> str:
        """The text of the file with the fault in it. Raises ``BadFault``."""
        path = root / self.file
        if not path.is_file():
            raise BadFault(f"the code moved: there is no {self.file}")
        text = path.read_text()
        first, last = self._scope(text)
        lines = text.splitlines(keepends=True)
        scope = "".join(lines[first:last])
        if scope.count(self.was) != 1:
            raise BadFault(
                f"the code moved: {self.where} has this {scope.count(self.was)} times, not once:"
                f" {self.was!r}. Plant the fault where the promise is kept now"
            )
        new = scope.replace(self.was, self.now)
        text = "".join([*lines[:first], new, *lines[last:]])
        if self.file.endswith(".py"):
            try:
                compile(text, self.file, "exec")
            except SyntaxError as error:
                raise BadFault(f"with the fault in it {self.file} is no Python: {error}") from None
        return text

    def _scope(self, text: str) -> tuple[int, int]:
        """The lines of the function or class after the colon, from and to; else all."""
        names = self.where.partition(":")[2]
        if not names:
            return 0, len(text.splitlines())
        node: ast.AST = ast.parse(text)
        for name in names.split("."):
            found = [each for each in ast.walk(node) if getattr(each, "name", None) == name]
            if not found:
                raise BadFault(f"the code moved: there is no {names} in {self.file}")
            node = found[0]
        return node.lineno - 1, node.end_lineno  # type: ignore[attr-defined]
