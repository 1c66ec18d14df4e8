"""The structure of a rendered file, without its values: the same whatever the names are.

Each kind of file is read as the program reads it that it is for, as far as that goes
without the program.
"""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import crossplane

from nodriza.host.env_file import parse_environment


def shape(path: str, content: bytes, scratch: Path) -> object:
    """``path``: as it is with harmless names, which says what kind of file it is."""
    text = content.decode()
    first = text.partition("\n")[0]
    if path.startswith("/etc/nginx/") and path.endswith((".conf", ".headers", ".tls")):
        return nginx(text, scratch)
    if path.endswith(".py") or "python" in first:
        return python(text)
    if first.startswith("#!/bin/sh"):
        return shell(text)
    if path.startswith("/etc/systemd/"):
        return unit(text)
    if path.endswith(".env"):
        # The variables behind this, whose names are the inventory's, are compared one by one.
        return sorted(parse_environment(text.partition("# app.environment of")[0]))
    return lines(text)


def nginx(text: str, scratch: Path) -> object:
    """Directives with the number of their words, block in block (crossplane)."""
    file = scratch / "nginx.conf"
    file.write_text(text)
    parsed = crossplane.parse(str(file), single=True, check_ctx=False, comments=False)
    assert parsed["errors"] == [], text

    def tree(block: list[dict], inside: str = "") -> list:
        # What begins a line of a geo or a map is a value, and no directive.
        return [
            (
                "w" if inside in ("geo", "map") else item["directive"],
                len(item["args"]),
                tree(item.get("block", []), item["directive"]),
            )
            for item in block
        ]

    return tree(parsed["config"][0]["parsed"])


def python(text: str) -> str:
    """The syntax tree, its constants masked."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def shell(text: str) -> list[str]:
    """Words as "w", and the punctuation between them, expansions apart."""
    lexer = shlex.shlex(text, posix=False, punctuation_chars=True)
    lexer.commenters = "#"
    words = list(lexer)
    kept = re.compile(r"[();<>|&]+|.*[$`].*")
    return [word if kept.fullmatch(word) else "w" for word in words]


def unit(text: str) -> list:
    """Sections and keys in order, with the words of their values (systemd.syntax(7))."""
    found = []
    for line in text.splitlines():
        if not line or line[0] in "#;":
            continue
        assert not line.endswith("\\"), line
        if line.startswith("["):
            found.append(line)
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        assert re.fullmatch(r"[A-Za-z0-9]+", key), line
        words = shlex.split(value) if key.startswith("Exec") else value.split()
        # A specifier or a variable would be replaced.
        found.append((key, len(words), value.count("%"), value.count("$")))
    return found


def lines(text: str) -> list[str]:
    """Line by line: words as "w" and the punctuation between them; comments as "#"."""
    found = []
    for line in text.splitlines():
        comment = re.match(r"\s*(#|//)(?!!)", line)
        found.append("#" if comment else re.sub(r"[\w.:/@+‹›-]+", "w", line))
    return found


def sql(statements: str) -> str:
    """Statements with every quoted thing masked, as MariaDB finds its end."""
    quoted = r"'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`"
    return re.sub(quoted, "?", statements)
