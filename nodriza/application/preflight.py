"""Is a release fit to serve, and what would its migrations do to the one that serves?

One process: the application is imported, Django's own checks are asked (``manage.py check
--deploy``), and each operation of each pending migration is judged. Nothing is changed. The
answer is one JSON object behind ``MARK`` at the end of stdout.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import traceback
from itertools import islice
from typing import Any, Dict, Iterator, List, Set

MARK = "\x1enodriza-preflight "
MOST = 40
"""Entries of each list: nobody reads more, and an answer has to be bounded."""
LONG = 400
"""Characters of each text."""
NAMES = ("DEBUG", "ALLOWED_HOSTS", "SECRET_KEY")


def main(about: Dict[str, Any]) -> None:
    """Print the answer to ``about``; a release that does not import is told on stderr, exit 1.

    ``ask``: "all"; "tables", for which tables and columns the code knows; or "again", for
    whether the database has them.
    """
    try:
        importlib.import_module(about["module"])
        import django  # noqa: PLC0415  what is wrong with it is told
        from django.apps import apps  # noqa: PLC0415

        if not apps.ready:
            django.setup()
        answer = ASKED[about["ask"]](about["host"])
    except BaseException:  # noqa: BLE001  whatever an application raises
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.write(f"{MARK}{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)  # threads of the application may never end


def _answer(host: str) -> Dict[str, Any]:
    from django.conf import settings  # noqa: PLC0415
    from django.http.request import validate_host  # noqa: PLC0415

    return {
        "debug": bool(settings.DEBUG),
        # As HttpRequest.get_host does it; DEBUG has its own exception for localhost.
        "host": validate_host(host, settings.ALLOWED_HOSTS),
        "given": os.environ.get("DJANGO_SECRET_KEY") == str(settings.SECRET_KEY),
        "places": {name: _place(name) for name in NAMES},
        **_checks(),
        **_pending(),
    }


def _again(_host: str) -> Dict[str, Any]:
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415

    return {"unfit": _unfit(connection, MigrationLoader(connection))}


def _unfit(connection: Any, loader: Any) -> List[str]:
    from nodriza.application.fit import differences  # noqa: PLC0415

    return [_cut(each) for each in islice(differences(connection, loader.migrated_apps), MOST)]


def _checks() -> Dict[str, Any]:
    from django.core import checks  # noqa: PLC0415

    found = checks.run_checks(include_deployment_checks=True)
    errors = [each for each in found if each.is_serious() and not each.is_silenced()]
    rest = [each for each in found if not each.is_serious() and not each.is_silenced()]
    return {"errors": _messages(errors), "warnings": _messages(rest)}


def _messages(found: List[Any]) -> List[Dict[str, str]]:
    return [
        {
            "id": _cut(each.id or ""),
            "words": _cut(" ".join(str(each.msg).split())),
            "hint": _cut(" ".join(str(each.hint or "").split())),
            "about": "" if each.obj is None else _cut(_object(each.obj)),
        }
        for each in found[:MOST]
    ]


def _object(about: Any) -> str:
    """As ``manage.py check`` writes what a message is about."""
    meta = getattr(about, "_meta", None)
    return str(meta.label if meta is not None and isinstance(about, type) else about)


def _pending() -> Dict[str, Any]:
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    executor = MigrationExecutor(connection)
    loader = executor.loader
    loader.check_consistent_history(connection)
    conflicts = [
        f"{app}: {', '.join(sorted(names))}" for app, names in loader.detect_conflicts().items()
    ]
    plan = executor.migration_plan(loader.graph.leaf_nodes()) if not conflicts else []
    return {
        "conflicts": [_cut(each) for each in conflicts[:MOST]],
        "count": len(plan),
        "first": not loader.applied_migrations,
        # With migrations to come it can't fit yet.
        "unfit": [] if plan or conflicts else _unfit(connection, loader),
        **_judged(executor, plan, connection),
    }


def _judged(executor: Any, plan: List[Any], connection: Any) -> Dict[str, Any]:
    from nodriza.application.judgement import Judge  # noqa: PLC0415

    # Also where nothing is applied: then all that the plan takes away it has made itself.
    state = executor._create_project_state(with_applied_migrations=True) if plan else None
    judge = Judge(state, connection)
    pending: List[str] = []
    breaks: List[Dict[str, Any]] = []
    for migration, _ in plan:
        file, words = _file_of(type(migration)), []
        for operation in migration.operations:
            effects = judge.judge(migration.app_label, operation)
            does = _cut(" ".join(str(operation.describe()).split()))
            unsure = next((effect.unsure for effect in effects if effect.unsure), "")
            words.append(f"{does} ({unsure})" if unsure else does)
            breaks += [
                {
                    "file": file,
                    "own": _is_own(type(migration)),
                    "does": does,
                    "takes": _cut(effect.takes),
                    "way": _cut(effect.way),
                    "table": effect.table,
                    "column": effect.column,
                }
                for effect in effects
                if effect.takes
            ]
        pending.append(_cut(f"{file}: {'; '.join(words) or 'nothing'}"))
    return {"pending": pending[:MOST], "breaks": breaks[:MOST], "more": len(breaks[MOST:])}


def _tables(_host: str) -> Dict[str, Any]:
    """Every table that the code knows, with its columns."""
    from django.apps import apps  # noqa: PLC0415

    found: Dict[str, Set[str]] = {}
    for model in apps.get_models(include_auto_created=True, include_swapped=True):
        columns = {field.column for field in model._meta.local_concrete_fields}
        found.setdefault(model._meta.db_table, set()).update(columns)
    return {"tables": {table: sorted(columns) for table, columns in found.items()}}


def _place(name: str) -> str:
    """The file and line of the project that give a setting its value."""
    from django.conf import settings  # noqa: PLC0415

    for module in _settings_modules(settings.SETTINGS_MODULE):
        file = getattr(module, "__file__", None) or ""
        lines: List[str] = []
        if file.endswith(".py"):
            with open(file, encoding="utf-8", errors="replace") as source:
                lines = source.read().splitlines()
        at = [n for n, line in enumerate(lines, 1) if re.match(rf"\s*{name}\s*[:=]", line)]
        if at:
            return f"{_shown(file)}:{at[-1]}"
    return ""


def _settings_modules(name: str) -> Iterator[Any]:
    """The module of the settings, and then what it may have imported them from."""
    yield sys.modules.get(name)
    for other, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if other != name and "settings" in other and os.path.realpath(file).startswith(_here()):
            yield module


def _file_of(migration: type) -> str:
    module = sys.modules.get(migration.__module__)
    return _shown(getattr(module, "__file__", None) or migration.__module__)


def _is_own(migration: type) -> bool:
    """Whether it is the project's, and not that of a package."""
    module = sys.modules.get(migration.__module__)
    return os.path.realpath(getattr(module, "__file__", None) or "").startswith(_here())


def _here() -> str:
    return os.path.realpath(os.getcwd()) + os.sep


def _shown(file: str) -> str:
    """A path in the project; of a package's file, from the package on."""
    path = os.path.realpath(file)
    if path.startswith(_here()):
        return path[len(_here()) :]
    return path.rpartition("/site-packages/")[2]


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


ASKED = {"all": _answer, "tables": _tables, "again": _again}
