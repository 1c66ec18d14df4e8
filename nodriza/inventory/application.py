"""The application that an inventory names: is it there, with all that is said of it?"""

from __future__ import annotations

import re
from pathlib import Path

from nodriza.inventory.disk import is_there, near_path
from nodriza.inventory.sections.app import AppSettings
from nodriza.inventory.text import absolute
from nodriza.inventory.yaml.partial import Draft
from nodriza.inventory.yaml.positions import Document
from nodriza.source.drivers import named_in
from nodriza.source.requirements import LOCAL, ORDER, first, instead, kind_of
from nodriza.wording import did_you_mean


def check_application(draft: Draft, inventory: Path) -> None:
    """Its folder, its files and its modules are there."""
    app = draft.part(AppSettings)
    if not app:
        return
    _check_interface(app, draft.document)
    if not app.source:
        return
    source = absolute(app.source, inventory.parent)
    if not is_there(source.is_dir):
        there = (
            "this is a file and no folder:" if is_there(source.exists) else "there is no folder"
        )
        message = f'{there} "{app.source[:200]}"{near_path(source, Path.is_dir)}'
        draft.document.complain(("app", "source"), message)
        return
    _check_modules(app, source, draft.document)
    for number, name in enumerate(app.secrets):
        if name in app.environment or name in app.secrets[:number]:
            where = "app/environment" if name in app.environment else "app/secrets"
            draft.document.complain(("app", "secrets", number), f"{where} has {name} already")
    requirements = _requirements(app, source)
    if not is_there(requirements.is_file):
        if not app.requirements:
            message = f"what is to be installed? None of {', '.join(ORDER)} is in app/source"
            draft.document.complain(("app", "requirements"), message)
    elif way := instead(requirements.name, app.installer):
        message = f"{app.installer} can't read {requirements.name}. Instead: {way}"
        draft.document.complain(("app", "requirements"), message)
    for field in ("requirements", "smoke"):
        name = getattr(app, field)
        if name and not is_there((source / name).is_file):
            near = near_path(source / name, Path.is_file)
            message = f'there is no file "{name}" in app/source{near}'
            draft.document.complain(("app", field), message)


def _check_interface(app: AppSettings, document: Document) -> None:
    """It is a WSGI or an ASGI application."""
    written = document.data.get("app") if isinstance(document.data, dict) else None
    keys = {*written} if isinstance(written, dict) else set()
    if not keys & {"wsgi", "asgi"}:
        words = "wsgi (wsgi: shop.wsgi) or asgi (asgi: shop.asgi:application) is missing here"
        document.complain(("app",), words, key=True)
    if app.wsgi and app.asgi:
        words = "nobody reads this while there is app/asgi: one of both has to go"
        document.complain(("app", "wsgi"), words, key=True)
    if app.asgi and "threads" in app.model_fields_set:
        words = "an ASGI application has none (app/asgi); it can have more app/processes"
        document.complain(("app", "threads"), words, key=True)


def _requirements(app: AppSettings, source: Path) -> Path:
    """The file that a deploy would take, or one that is not there."""
    there = [name for name in ORDER if is_there((source / name).is_file)]
    return source / (app.requirements or first(there, app.installer) or ORDER[0])


def _check_modules(app: AppSettings, source: Path, document: Document) -> None:
    """The modules of the application are in its source, or in something that it requires."""
    requirements = _requirements(app, source)
    if not is_there((source / "manage.py").is_file) or _has_nameless(requirements):
        return  # there is no place where modules begin, or no knowing what will be installed
    required = {name.replace("-", "_") for name in named_in(requirements)}
    for field in ("wsgi", "asgi", "settings", "celery"):
        name: str | None = (getattr(app, field) or "").partition(":")[0]
        if name and name.partition(".")[0].lower() not in required:
            missing, near = _missing_module(name, source)
            if missing:
                message = f'there is no module "{missing}" in app/source{near}'
                document.complain(("app", field), message)


def _has_nameless(requirements: Path) -> bool:
    """Whether something is required that has no name here: a folder, an archive, a checkout."""
    try:
        text = requirements.read_text("utf-8", errors="replace")
    except OSError:
        return False
    kind = kind_of(requirements.name)
    nameless = r"(?m)^\s*(-e\b|--editable\b|[./]|[a-z+]+:)"
    return bool(re.search(nameless if kind == "requirements.txt" else LOCAL[kind], text))


def _missing_module(name: str, source: Path) -> tuple[str, str]:
    """The first part of a dotted name that is no module, and what is near it; or nothing."""
    folder = source
    parts = name.split(".")
    for number, part in enumerate(parts):
        if is_there((folder / part).is_dir):
            folder = folder / part
            continue
        if number == len(parts) - 1 and is_there((folder / f"{part}.py").is_file):
            return "", ""
        return ".".join(parts[: number + 1]), _near_module(folder, part)
    return "", ""


def _near_module(folder: Path, part: str) -> str:
    try:
        there = {
            entry.stem for entry in folder.iterdir() if entry.is_dir() or entry.suffix == ".py"
        }
    except OSError:
        return ""
    return did_you_mean(part, sorted(there))
