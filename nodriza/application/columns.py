"""Columns, as the fields of a migration's state describe them."""

from __future__ import annotations

import re
from typing import Any, List, Tuple

from django.db import models
from django.db.models.fields import NOT_PROVIDED

WHOLE = ("smallint", "integer", "bigint")


def has_default(field: Any) -> bool:
    """Whether the database itself has a default for it (Django 5.0)."""
    return getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED


def column_of(name: str, field: Any) -> str:
    """The name of a field's column; the field of a state is in no model that knows it."""
    if field.db_column:
        return str(field.db_column)
    return f"{name}_id" if isinstance(field, models.ForeignKey) else name


def is_wider(before: str, after: str) -> bool:
    """Whether a column of the second type holds and gives all that one of the first does."""
    if before == after:
        return True
    if "char" in before and "text" in after:
        return True
    old, new = _parted(before), _parted(after)
    if old[0] in WHOLE and new[0] in WHOLE:
        more = WHOLE.index(new[0]) - WHOLE.index(old[0])
        return more >= 0 if old[2] == new[2] else more > 0 and not new[2] and bool(old[2])
    same = old[0] == new[0] and old[2] == new[2] and len(old[1]) == len(new[1])
    if same and len(old[1]) == 2:  # digits, and those of them after the point
        return old[1][1] == new[1][1] and old[1][0] <= new[1][0]
    return same and old[1] <= new[1]


def _parted(type_: str) -> Tuple[str, List[int], str]:
    """ "varchar(20) x" as "varchar", [20], "x"; the marks of a key that counts up don't matter."""
    words = re.sub(r"\bAUTO_?INCREMENT\b", "", type_, flags=re.IGNORECASE).lower()
    found = re.match(r"\s*([a-z ]+?)\s*(?:\(([\d, ]+)\))?\s*(unsigned)?\s*$", words)
    if found is None:
        return words, [], ""
    return found[1], [int(each) for each in (found[2] or "").split(",") if each], found[3] or ""
