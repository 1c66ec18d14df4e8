"""The settings that a module gives, with those that it imports from the project's own modules.

Read as Python reads them, from above to below. What a branch decides is not decided here: of such
a setting only the variables are known that it may come from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nodriza.project.environment import UNKNOWN as UNKNOWN
from nodriza.project.environment import Read, Readers, literal
from nodriza.project.files import Files

DEEPEST = 12
"""Modules that import each other."""


@dataclass(frozen=True)
class Setting:
    """``value`` where it stands there, else ``UNKNOWN``; ``text`` is the expression."""

    name: str
    where: str
    text: str
    value: Any = UNKNOWN
    reads: tuple[Read, ...] = ()
    choices: tuple[tuple[str, str, str], ...] = ()
    """Where a variable decides (``if os.getenv("DB") == "mysql":``): its name, its value, and the
    expression that is chosen so."""

    @property
    def variables(self) -> set[str]:
        """The variables that it may come from."""
        return {read.name for read in self.reads}


@dataclass
class Settings:
    """``reads``: each variable that is read on the way; ``files``: the modules that were read."""

    values: dict[str, Setting] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    wrong: str = ""
    """A module that can't be read, and why."""


def read_settings(files: Files, module: str) -> Settings:
    """What ``module`` says, which the project has."""
    found = Settings()
    name = files.module(module)
    if name:
        found.values = _Module(files, found, name, ()).run()
    return found


class _Module:
    def __init__(self, files: Files, all: Settings, name: str, above: tuple[str, ...]) -> None:
        self.files, self.all, self.name, self.above = files, all, name, (*above, name)
        self.names: dict[str, Setting] = {}
        self.readers = Readers(name)
        self.chosen: tuple[str, str] | None = None
        """The variable and the value that lead to the branch that is read."""

    def run(self) -> dict[str, Setting]:
        try:
            tree = ast.parse(self.files.text(self.name))
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None) or 1
            self.all.wrong = f"{self.name}:{line}: {type(error).__name__}: {error}"
            return {}
        if self.name not in self.all.files:
            self.all.files.append(self.name)
        self._body(tree.body, sure=True)
        return self.names

    def _body(self, body: Sequence[ast.stmt], *, sure: bool) -> None:
        for statement in body:
            self._statement(statement, sure=sure)

    def _statement(self, statement: ast.stmt, *, sure: bool) -> None:
        self.readers.learn(statement)
        if isinstance(statement, ast.ImportFrom):
            self._import(statement, sure=sure)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._assign(target, statement.value, sure=sure)
        elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)) and statement.value:
            whole = isinstance(statement, ast.AnnAssign)
            self._assign(statement.target, statement.value, sure=sure, whole=whole)
        elif isinstance(statement, ast.If):
            self._read(statement.test, sure=sure)
            self.chosen = self._choice(statement.test)
            self._body(statement.body, sure=False)
            self.chosen = None
            self._body(statement.orelse, sure=False)
        elif isinstance(statement, ast.Try):
            self._body(statement.body, sure=False)
            for handler in statement.handlers:
                self._body(handler.body, sure=False)
            self._body([*statement.orelse, *statement.finalbody], sure=False)
        elif isinstance(statement, (ast.With, ast.For, ast.While)):
            self._body(statement.body, sure=sure and isinstance(statement, ast.With))
        elif isinstance(statement, ast.Expr):
            self._expression(statement.value, sure=sure)

    def _expression(self, value: ast.expr, *, sure: bool) -> None:
        """``DATABASES["default"].update(…)`` changes what is left of it."""
        reads = self._read(value, sure=sure)
        root = value.func if isinstance(value, ast.Call) else value
        if (known := self.names.get(_root(root))) and isinstance(value, ast.Call):
            merged = (*known.reads, *reads)
            self.names[known.name] = replace(known, value=UNKNOWN, reads=merged)

    def _assign(
        self, target: ast.expr, value: ast.expr, *, sure: bool, whole: bool = True
    ) -> None:
        reads: list[Read] = self._read(value, sure=sure)
        whole = whole and isinstance(target, ast.Name)
        name = _root(target)
        before = self.names.get(name)
        if not name:
            return
        new = Setting(
            name, f"{self.name}:{target.lineno}", ast.unparse(value), literal(value), tuple(reads)
        )
        if self.chosen and whole:
            new = replace(new, choices=((*self.chosen, new.text),))
        # A name that stands for another has its value, or comes from the same variables.
        same = self.names.get(value.id) if isinstance(value, ast.Name) else None
        if same:
            new = replace(new, value=same.value)
        if before and not (sure and whole):
            value_now = new.value if whole and new.value == before.value else UNKNOWN
            text = before.text if not whole else f"{before.text} or {new.text}"
            choices = (*before.choices, *new.choices)
            reads = [*before.reads, *new.reads]
            where = new.where if whole else before.where
            new = Setting(name, where, text, value_now, tuple(reads), choices)
        elif not sure:
            new = replace(new, value=UNKNOWN)
        self.names[name] = new

    def _choice(self, test: ast.expr) -> tuple[str, str] | None:
        """The variable that is compared with a text, or with several, and the text."""
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], (ast.Eq, ast.In)):
            return None
        read = next(self.readers.reads(test.left), None)
        if isinstance(test.left, ast.Name) and (known := self.names.get(test.left.id)):
            read = next(iter(known.reads), None)
        value = literal(test.comparators[0])
        if isinstance(test.ops[0], ast.In) and isinstance(value, (list, tuple)) and value:
            value = value[0]  # any of them
        return (read.name, value) if read and isinstance(value, str) else None

    def _read(self, value: ast.expr, *, sure: bool) -> list[Read]:
        """The variables that an expression comes from; those that are read here are noted."""
        here = list(self.readers.reads(value, sure=sure))
        self.all.reads += here
        for each in ast.walk(value):
            if isinstance(each, ast.NamedExpr):
                reads = tuple(self.readers.reads(each.value, sure=sure))
                where = f"{self.name}:{each.lineno}"
                text = ast.unparse(each.value)
                self.names[each.target.id] = Setting(each.target.id, where, text, reads=reads)
        for each in ast.walk(value):
            if isinstance(each, ast.Name) and each.id in self.names:
                here += self.names[each.id].reads
        return here

    def _import(self, statement: ast.ImportFrom, *, sure: bool) -> None:
        name = self.files.module(self._absolute(statement))
        if not name or name in self.above or len(self.above) > DEEPEST:
            return
        other = _Module(self.files, self.all, name, self.above)
        there = other.run() if sure else _unsure(other)
        for alias in statement.names:
            if alias.name == "*":
                self.names.update({n: each for n, each in there.items() if not n.startswith("_")})
            elif alias.name in there:
                self.names[alias.asname or alias.name] = there[alias.name]
            self._learn(other.readers, alias)

    def _learn(self, other: Readers, alias: ast.alias) -> None:
        """``from .env import env``: it reads the environment here too."""
        for name, fails in other.functions.items():
            if alias.name in ("*", name):
                self.readers.functions[alias.asname or name] = fails
        for name, declared in other.objects.items():
            if alias.name in ("*", name):
                self.readers.objects[alias.asname or name] = declared
        if alias.name == "*":
            self.readers.decouple |= other.decouple

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        # From a module or from a package's __init__, one dot is the folder that it is in.
        parts = self.name.split("/")[: -statement.level]
        return ".".join([*parts, *(statement.module.split(".") if statement.module else [])])


def _unsure(module: _Module) -> dict[str, Setting]:
    """Of an import that may fail, as ``from .local import *`` in a ``try``."""
    noted = len(module.all.reads)
    found = module.run()
    module.all.reads[noted:] = [replace(each, sure=False) for each in module.all.reads[noted:]]
    return {name: replace(each, value=UNKNOWN) for name, each in found.items()}


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Subscript, ast.Attribute, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def literals(text: str) -> Iterator[str]:
    """Every text that stands in an expression."""
    for node in ast.walk(ast.parse(text, mode="eval")):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
