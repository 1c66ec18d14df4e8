"""Which variables of its environment an expression of a settings module reads.

``os.environ`` and ``os.getenv``, the objects of django-environ, environs and python-decouple,
dj-database-url, and functions of the project's own that read ``os.environ``. The names of their
methods are those of their documentations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
UNKNOWN = object()
"""A value that only running the project would tell."""
_GETS = ("os.environ.get", "environ.get", "os.getenv", "getenv")
_MAPPINGS = ("os.environ", "environ")
_URLS = {
    "db": "DATABASE_URL",
    "db_url": "DATABASE_URL",
    "dj_db_url": "DATABASE_URL",
    "cache": "CACHE_URL",
    "cache_url": "CACHE_URL",
    "dj_cache_url": "CACHE_URL",
    "email": "EMAIL_URL",
    "email_url": "EMAIL_URL",
    "dj_email_url": "EMAIL_URL",
}
"""What they read when they are given no name (django-environ, environs)."""


@dataclass(frozen=True)
class Read:
    """A variable that is read. Without a default the project does not start where it lacks.

    ``sure``: it is read whenever the module is imported, and not only in a branch.
    """

    name: str
    where: str
    needed: bool = False
    default: Any = field(default=UNKNOWN, compare=False)
    sure: bool = True


@dataclass
class Readers:
    """The names that read the environment, in one module."""

    file: str
    functions: dict[str, bool] = field(default_factory=dict)
    """Functions of the project's own; whether a variable that lacks ends them."""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Objects such as ``env``, with the defaults that were declared when they were made."""
    decouple: set[str] = field(default_factory=set)

    def learn(self, statement: ast.stmt) -> None:
        """What a statement defines or imports that reads the environment from here on."""
        if isinstance(statement, ast.ImportFrom) and statement.module == "decouple":
            found = (each.asname or each.name for each in statement.names)
            self.decouple |= {name for name in found if name != "Csv"}
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.unparse(statement)
            if "environ" in text or "getenv" in text:
                self.functions[statement.name] = "os.environ[" in text
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            made = ast.unparse(statement.value.func).rpartition(".")[2]
            if made in ("Env", "FileAwareEnv"):
                declared = {
                    each.arg: _default_of(each.value)
                    for each in statement.value.keywords
                    if each.arg
                }
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self.objects[target.id] = declared

    def reads(self, node: ast.AST, *, sure: bool = True) -> Iterator[Read]:
        """In the order in which they stand."""
        read = self._read(node, sure=sure)
        if read is not None:
            yield read
        for child, always in _parts(node):
            yield from self.reads(child, sure=sure and always)

    def _read(self, node: ast.AST, *, sure: bool) -> Read | None:
        if isinstance(node, ast.Subscript):
            name = _constant(node.slice)
            base = ast.unparse(node.value)
            if base in (*_MAPPINGS, *self.objects) and isinstance(node.ctx, ast.Load):
                return self._made(node, name, needed=True, sure=sure)
        if isinstance(node, ast.Call):
            return self._called(node, sure=sure)
        return None

    def _called(self, call: ast.Call, *, sure: bool) -> Read | None:
        dotted = ast.unparse(call.func)
        first, _, method = dotted.rpartition(".")
        name = _constant(call.args[0]) if call.args else _keyword(call, "var", "name")
        if dotted in _GETS:
            default = _default(call, 1) if len(call.args) > 1 or call.keywords else None
            return self._made(call, name, default=default, sure=sure)
        if first == "dj_database_url" and method == "config":
            url = _keyword(call, "env") or "DATABASE_URL"
            return self._made(call, url, default=_default(call, 9), sure=sure)
        if dotted in self.functions:
            given = len(call.args) > 1 or any(each.arg == "default" for each in call.keywords)
            needed = self.functions[dotted] and not given
            return self._made(call, name, needed=needed, default=_default(call, 1), sure=sure)
        if dotted in self.decouple:
            given = len(call.args) > 1 or any(each.arg == "default" for each in call.keywords)
            default = _default(call, 1)
            return self._made(call, name, needed=not given, default=default, sure=sure)
        owner = dotted if dotted in self.objects else first
        if owner not in self.objects or method in ("read_env", "prefixed", "path", "seal"):
            return None
        name = name or _URLS.get(method, "")
        declared = self.objects[owner]
        # env("NAME", cast, default) and env.bool("NAME", default) of django-environ.
        at = 2 if owner == dotted else 1
        given = len(call.args) > at or any(each.arg == "default" for each in call.keywords)
        default = _default(call, at) if given else declared.get(name, UNKNOWN)
        needed = not given and name not in declared
        return self._made(call, name, needed=needed, default=default, sure=sure)

    def _made(
        self,
        node: ast.expr,
        name: str,
        *,
        needed: bool = False,
        default: Any = UNKNOWN,
        sure: bool,
    ) -> Read | None:
        if not VARIABLE.fullmatch(name):
            return None
        return Read(name, f"{self.file}:{node.lineno}", needed, default, sure)


def literal(node: ast.AST) -> Any:
    """The value that stands there, or ``UNKNOWN``."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


def _parts(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """The parts of an expression, and whether each is always reached."""
    if isinstance(node, ast.IfExp):
        yield node.test, True
        yield node.body, False
        yield node.orelse, False
    elif isinstance(node, ast.BoolOp):
        for number, value in enumerate(node.values):
            yield value, number == 0
    elif isinstance(node, (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    else:
        for child in ast.iter_child_nodes(node):
            yield child, True


def _constant(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _keyword(call: ast.Call, *names: str) -> str:
    return next((_constant(each.value) for each in call.keywords if each.arg in names), "")


def _default(call: ast.Call, at: int) -> Any:
    """The default that a call gives, by place or by name."""
    named = next((each.value for each in call.keywords if each.arg == "default"), None)
    given = named if named is not None else call.args[at] if len(call.args) > at else None
    return UNKNOWN if given is None else literal(given)


def _default_of(node: ast.AST) -> Any:
    """``Env(DEBUG=(bool, False))``: a type and a default, or the type alone."""
    if isinstance(node, ast.Tuple) and len(node.elts) > 1:
        return literal(node.elts[1])
    return UNKNOWN
