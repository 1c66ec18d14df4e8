"""Write the few files of an own repository; nothing that is there is ever touched."""

from __future__ import annotations

import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import jinja2

from nodriza.files import write_whole
from nodriza.inventory import schema
from nodriza.project.reading import Reading

FILES = Path(__file__).with_name("files")
NOTHING: dict[str, str | tuple[str, ...]] = {
    **dict.fromkeys(("wsgi", "asgi", "settings", "celery", "requirements"), ""),
    **dict.fromkeys(("packages", "build_packages"), ()),
}
"""For what was not found; where a key is needed the inventory says so."""
PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")


@dataclass(frozen=True)
class Answers:
    """What ``nodriza init`` asks for."""

    name: str
    domain: str
    source: Reading
    one_machine: bool = False


@dataclass(frozen=True)
class Written:
    """A file, and whether it was there before; then it is as it was."""

    path: Path
    kept: bool


def write(folder: Path, answers: Answers) -> list[Written]:
    """The files of a repository; ``folder`` and ``inventories`` are made if need be."""
    (folder / "inventories").mkdir(parents=True, exist_ok=True)
    names = {
        "fabfile.py": "fabfile.py.j2",
        f"inventories/{answers.name}.yml": "inventory.yml.j2",
        ".gitignore": "gitignore.j2",
        "README.rst": "README.rst.j2",
    }
    if any(folder.glob("README*")):
        del names["README.rst"]
    texts = {to: _render(name, folder, answers) for to, name in names.items()}
    texts["inventories/schema.json"] = schema.as_json()  # for editors
    return [write_new(folder / to, text) for to, text in texts.items()]


def rewrite_inventory(folder: Path, before: Answers, after: Answers) -> bool:
    """The inventory of other answers, if it is still as it was written; whether it is that now."""
    path = folder / "inventories" / f"{before.name}.yml"
    now, new = path.read_text("utf-8"), _render("inventory.yml.j2", folder, after)
    if now == _render("inventory.yml.j2", folder, before):
        write_whole(path, new.encode(), 0o644)
        return True
    return now == new


def write_new(path: Path, text: str) -> Written:
    """Write a file, unless there is one of that name."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return Written(path, kept=True)
    return Written(path, kept=False)


def environment() -> jinja2.Environment:
    """Of the templates beside this module."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FILES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  YAML and Python, not HTML
    )
    made.filters["yaml"] = _yaml
    return made


def _render(name: str, folder: Path, answers: Answers) -> str:
    return (
        environment()
        .get_template(name)
        .render(
            schema=schema.LINE,
            name=answers.name,
            domain=answers.domain,
            source=os.path.relpath(
                _place(answers.source.folder), (folder / "inventories").resolve()
            ),
            app={**NOTHING, **{found.key: found.value for found in answers.source.found}},
            third=_third(answers.name),
            release=answers.source.release or "bookworm",
            why=answers.source.why,
            one_machine=answers.one_machine,
        )
    )


def _place(path: Path) -> Path:
    """Where it is; a link to a project stays that link."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  resolve() would follow it
    return path.parent.resolve() / path.name


def _third(name: str) -> int:
    """Every lab has addresses of its own, 198.18.<third>.0/24 and the next one."""
    return 60 + 2 * (zlib.crc32(name.encode()) % 80)


def _yaml(value: str | tuple[str, ...]) -> str:
    """As YAML on one line; quoted only where it has to be."""
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    plain = PLAIN.fullmatch(value) and value.lower() not in {"yes", "no", "on", "off", "true"}
    return value if plain else json.dumps(value, ensure_ascii=False)
