"""What each kind of operation takes from code that does not know of it, and the way around.

A rule gets the state before its operation. What the same plan has made harms nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, NamedTuple

import django
from django.db import migrations

from nodriza.application.columns import column_of, has_default, is_wider

if TYPE_CHECKING:
    from nodriza.application.judgement import Judge

MAY_WRITE = "the code that serves may write what it does not allow"


class Effect(NamedTuple):
    """``takes``: what the old code misses, in words; else ``unsure`` says what nobody can know.

    It hits code that knows ``table``, and of it ``column`` if there is one. ``way``: how the
    same is reached without harm.
    """

    table: str = ""
    column: str = ""
    takes: str = ""
    way: str = ""
    unsure: str = ""


def _remove_field(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model, name = judge.model(app, operation.model_name), operation.name
    if model is None or judge.is_new(app, operation.model_name_lower, name):
        return
    field = dict(model.fields).get(name)
    if field is None:
        return
    whose = f"{model.name}.{name}"
    out = f"1. take {whose} out of the code, and leave this migration out"
    if field.many_to_many:
        if table := judge.many_table(app, model, name, field):
            way = f"{out}: deploy. 2. Deploy this migration"
            yield Effect(table, "", f"takes the table {table} away", way)
        return
    table, column = judge.table(app, model), column_of(name, field)
    if not (field.null or has_default(field)):
        out += (
            f". In its place comes one with AlterField that makes {whose} null=True, so that rows"
            " can be written without it"
        )
    way = f"{out}: deploy. 2. Deploy this migration"
    yield Effect(table, column, f"takes the column {table}.{column} away", way)


def _delete_model(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model = judge.model(app, operation.name)
    if model is None or judge.is_new(app, operation.name_lower):
        return
    table = judge.table(app, model)
    way = f"1. take {model.name} out of the code, and leave this migration out: deploy."
    yield Effect(table, "", f"takes the table {table} away", f"{way} 2. Deploy this migration")


def _rename_field(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model, old = judge.model(app, operation.model_name), operation.old_name
    if model is None or judge.is_new(app, operation.model_name_lower, old):
        return
    field = dict(model.fields).get(old)
    if field is None or (field.db_column and not field.many_to_many):
        return
    if field.many_to_many:
        table = judge.many_table(app, model, old, field)
        if table and not field.db_table:
            way = f'keep the table: db_table="{table}" in {model.name}.{operation.new_name}'
            yield Effect(table, "", f"renames the table {table}", f"{way}, and make it anew")
        return
    table, column = judge.table(app, model), column_of(old, field)
    way = (
        f'keep the column: db_column="{column}" in {model.name}.{operation.new_name}, and make'
        " this migration anew with makemigrations"
    )
    yield Effect(table, column, f"renames the column {table}.{column}", way)


def _rename_model(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model = judge.model(app, operation.old_name)
    if model is None or judge.is_new(app, operation.old_name_lower):
        return
    if model.options.get("db_table"):
        return  # it stays, and Django changes nothing
    table = judge.table(app, model)
    way = f'keep the table: db_table = "{table}" in the Meta of {operation.new_name}'
    words = "and make this migration anew with makemigrations"
    yield Effect(table, "", f"renames the table {table}", f"{way}, {words}")


def _alter_table(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model = judge.model(app, operation.name)
    if model is None or judge.is_new(app, operation.name_lower):
        return
    old = judge.table(app, model)
    if old != (operation.table or f"{app}_{operation.name_lower}"):
        way = f'keep the table: db_table = "{old}" in the Meta of {model.name}'
        yield Effect(old, "", f"renames the table {old}", way)


def _add_field(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model, field = judge.model(app, operation.model_name), operation.field
    if model is None or judge.is_new(app, operation.model_name_lower):
        return
    if (
        field.many_to_many
        or field.null
        or has_default(field)
        or getattr(field, "generated", False)
    ):
        return
    table, name = judge.table(app, model), operation.name
    way = (
        f"give {model.name}.{name} a default that the database knows, db_default=…"
        if django.VERSION >= (5, 0)
        else f"let {model.name}.{name} have null=True now, and take that away in a later deploy"
    )
    words = f"makes a column NOT NULL that code without it can't fill: {table}.{name}"
    yield Effect(table, "", words, way)


def _alter_field(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model, name = judge.model(app, operation.model_name), operation.name
    if model is None or judge.is_new(app, operation.model_name_lower, name):
        return
    old, new = dict(model.fields).get(name), operation.field
    if old is None or old.many_to_many or new.many_to_many:
        return
    table, column = judge.table(app, model), column_of(name, old)
    where, whose = f"{table}.{column}", f"{model.name}.{name}"
    if column != column_of(name, new):
        way = f'keep the column: db_column="{column}" in {whose}'
        yield Effect(table, column, f"renames the column {where}", way)
    if old.null and not new.null:
        way = (
            f"1. deploy code that always writes {whose}, with null=True as before."
            " 2. Deploy this migration with --breaking"
        )
        yield Effect(table, column, f"makes the column {where} NOT NULL", way)
    if has_default(old) and not has_default(new):
        way = f"1. take db_default out of {whose}, and leave this migration out: deploy."
        words = f"takes the default of the column {where} away"
        yield Effect(table, column, words, f"{way} 2. Deploy this migration")
    before, after = judge.type_of(old), judge.type_of(new)
    if before and after and not is_wider(before, after):
        way = f"add a field of the new type beside {whose}, copy, and remove the old one later"
        yield Effect(table, column, f"makes {where} {after}, which was {before}", way)
    if new.unique and not old.unique:
        yield Effect(unsure=MAY_WRITE)


def _order(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model = judge.model(app, operation.name)
    if model is None or judge.is_new(app, operation.name_lower):
        return
    before = model.options.get("order_with_respect_to")
    table, to = judge.table(app, model), operation.order_with_respect_to
    if bool(before) != bool(to):
        what = f"the column {table}._order"
        words = f"adds {what}, NOT NULL" if to else f"takes {what} away"
        way = "there is no way without harm: deploy it with --breaking, at a quiet hour"
        yield Effect(table, "" if to else "_order", words, way)


def _constraint(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    name = operation.model_name
    if judge.model(app, name) is not None and not judge.is_new(app, name.lower()):
        yield Effect(unsure=MAY_WRITE)


def _together(judge: Judge, app: str, operation: Any) -> Iterator[Effect]:
    model = judge.model(app, operation.name)
    if model is None or judge.is_new(app, operation.name_lower):
        return
    if set(operation.unique_together or ()) - set(model.options.get("unique_together") or ()):
        yield Effect(unsure=MAY_WRITE)


Rule = Callable[["Judge", str, Any], Iterator[Effect]]
_RULES: Dict[str, Rule] = {
    "RemoveField": _remove_field,
    "DeleteModel": _delete_model,
    "RenameField": _rename_field,
    "RenameModel": _rename_model,
    "AlterModelTable": _alter_table,
    "AddField": _add_field,
    "AlterField": _alter_field,
    "AlterOrderWithRespectTo": _order,
    "AddConstraint": _constraint,
    "AlterUniqueTogether": _together,
}
RULES = tuple((getattr(migrations, name), rule) for name, rule in _RULES.items())
