"""Does the database have what the code works with?

It has not where a migration was never made, and where code is older than the database: after a
way back, migrations stay applied.
"""

from __future__ import annotations

from typing import Any, Collection, Iterator

from django.apps import apps
from django.db import router


def differences(connection: Any, migrated: Collection[str]) -> Iterator[str]:
    """What queries and INSERTs of this code would fail at, in words.

    ``migrated``: the apps that have migrations. Tables of others are nobody's to make here.
    """
    introspection = connection.introspection
    with connection.cursor() as cursor:
        there = {name.lower(): name for name in introspection.table_names(cursor)}
        for model in apps.get_models(include_auto_created=True):
            meta = model._meta
            if meta.app_label not in migrated or not meta.can_migrate(connection):
                continue
            if not router.allow_migrate_model(connection.alias, model):
                continue
            table = meta.db_table
            if table.lower() not in there:
                yield f"{table}: the code has this table, and the database does not"
                continue
            columns = introspection.get_table_description(cursor, there[table.lower()])
            yield from _columns(table, meta, columns)


def _columns(table: str, meta: Any, columns: Any) -> Iterator[str]:
    known = {field.column.lower() for field in meta.local_concrete_fields}
    there = {column.name.lower() for column in columns}
    for name in sorted(known - there):
        yield f"{table}.{name}: the code has this column, and the database does not"
    for column in columns:
        # What the database fills by itself: MariaDB says so in "extra".
        filled = column.null_ok or column.default is not None or getattr(column, "extra", "")
        if column.name.lower() not in known and not filled:
            yield (
                f"{table}.{column.name}: the code does not have this column, which is NOT NULL and"
                f" has no default: no row of {table} can be written"
            )
