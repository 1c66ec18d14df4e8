"""What pages name becomes a link: another page, a command, a key of the inventory.

The pages need no markup of Sphinx for it. A name in double backticks is enough, and the
links of README.rst, which lead to files.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from docs.site.commands import label, shipped
from nodriza.inventory.key_docs import all_keys

COMMANDS, KEYS = "commands", "inventory-keys"
"""The two pages that are made."""
KNOWN_COMMANDS = dict(shipped())
KNOWN_KEYS = {key.path for key in all_keys()}
NAMES = {"fab --help COMMAND": COMMANDS, "fab inventory.keys": KEYS}


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("source-read", _contents)
    app.connect("doctree-read", _link)
    return {"parallel_read_safe": True}


def _contents(app: Sphinx, name: str, text: list[str]) -> None:
    """Each list of pages in the index is a part of the contents, under its heading."""
    if name == "README":
        text[0] = text[0].replace(":: docs/", ":: ")  # pictures lie beside the pages here
    if name == app.config.root_doc:
        parts = re.split(r"(?m)^(.+)\n-+\n", text[0])
        for index in range(1, len(parts), 2):
            parts[index + 1] += _toctree(parts[index], parts[index + 1])
            parts[index] += f"\n{'-' * len(parts[index])}\n"
        text[0] = "".join(parts)


def _toctree(caption: str, part: str) -> str:
    pages = re.findall(r"`([^`<]+) <(?:\.\./)?([\w-]+)\.rst>`_", part)
    entries = [f"{title} <{page}>" for title, page in pages]
    entries += [page for name, page in NAMES.items() if f"``{name}``" in part]
    lines = ("", ".. toctree::", "   :hidden:", f"   :caption: {caption}", "")
    return "\n".join([*lines, *(f"   {entry}" for entry in entries), "", ""])


def _link(app: Sphinx, document: nodes.document) -> None:
    """Names in double backticks, and links to files."""
    for literal in list(document.findall(nodes.literal)):
        if isinstance(literal.parent, nodes.TextElement) and not isinstance(
            literal.parent, (nodes.title, nodes.reference, pending_xref)
        ):
            role, target = _meant(literal.astext())
            if role:
                _wrap(literal, role, target, app)
    for picture in list(document.findall(nodes.image)):
        frame = nodes.container(classes=["picture"])
        picture.replace_self(frame)
        frame += picture
    for link in list(document.findall(nodes.reference)):
        path = PurePosixPath(link.get("refuri", ""))
        if path.suffix == ".rst" and ":" not in str(path):
            inner = nodes.inline("", "", *link.children)
            link.replace_self(inner)
            _wrap(inner, "doc", path.stem, app)


def _meant(text: str) -> tuple[str, str]:
    """Sphinx's role and target for a name, or nothing."""
    if text in NAMES:
        return "doc", NAMES[text]
    if page := re.fullmatch(r"(?:docs/)?([\w-]+)\.rst", text):
        return "doc", page[1]
    if text in KNOWN_KEYS and "." in text:
        return "confval", text
    command = re.match(r"fab ([a-z][\w.]*)", text)
    if command and command[1] in KNOWN_COMMANDS:
        return "ref", label(command[1])
    return "", ""


def _wrap(node: nodes.Element, role: str, target: str, app: Sphinx) -> None:
    """A reference that Sphinx resolves once it has read all pages; a page's file is its title."""
    document = app.env.docname
    reference = pending_xref(
        "",
        refdoc=document,
        refdomain="std",
        reftype=role,
        reftarget=target,
        refexplicit=not node.astext().endswith(".rst"),
        refwarn=True,
    )
    node.replace_self(reference)
    reference += node
