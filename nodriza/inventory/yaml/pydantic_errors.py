"""pydantic's findings in plain words, at the place in the file."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from nodriza.inventory.yaml.positions import Document, Path
from nodriza.wording import did_you_mean

_WORDS = {
    "string_type": "must be text{got}",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number{got}",
    "int_parsing": "must be a whole number{got}",
    "int_from_float": "must be a whole number{got}",
    "bool_type": "must be true or false{got}",
    "bool_parsing": "must be true or false{got}",
    "dict_type": "must have keys and values of its own{got}",
    "model_type": "must have keys and values of its own{got}",
    "model_attributes_type": "must have keys and values of its own{got}",
    "path_type": "must be a path{got}",
    "greater_than_equal": "must be at least {ge}{got}",
    "less_than_equal": "must be at most {le}{got}",
    "missing": 'the key "{key}" is missing here',
}


M = TypeVar("M", bound=BaseModel)


def check(
    model: type[M], value: Any, path: Path, document: Document, without: Sequence[Path] = ()
) -> M | None:
    """``value`` as a ``model``; problems in the document, and ``None``, if it is not one.

    ``without``: places in it that were left out, and of which nothing is to be said.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for finding in error.errors(include_url=False):
            if finding["loc"] not in without:
                _report(finding, model, path, document)
    return None


def _report(finding: ErrorDetails, model: type[BaseModel], path: Path, document: Document) -> None:
    location = tuple(part for part in finding["loc"] if part != "[key]")
    whole, topic = (*path, *location), finding["type"]
    if topic == "extra_forbidden":
        known = _model_at(model, location[:-1]).model_fields
        document.complain(whole, unknown_key(str(whole[-1]), known), key=True, topic=topic)
    else:
        is_key = "[key]" in finding["loc"] or topic == "missing"
        document.complain(whole, _sentence(finding, whole), key=is_key, topic=topic)


def unknown_key(key: str, known: Mapping[str, Any]) -> str:
    """That a key does not exist, and which do."""
    near = did_you_mean(key, known)
    return f"unknown key{near or '; known here: ' + ', '.join(known)}"


def shown(value: Any) -> str:
    """A value as people wrote it, bounded."""
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    words = str(value) if isinstance(value, (int, float)) else f'"{value}"'
    return words if len(words) <= 60 else words[:57] + '…"'


def _sentence(finding: ErrorDetails, path: Path) -> str:
    value, context = finding["input"], finding.get("ctx", {})
    if finding["type"] == "value_error":
        said = str(context["error"])
        return said if said.startswith("must be a list") else f"{shown(value)} {said}"
    if finding["type"] == "literal_error":
        known = [
            word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")
        ]
        near = did_you_mean(str(value), known)
        return f"{shown(value)} is none of {', '.join(known)}{near}"
    words = _WORDS.get(finding["type"])
    if words is None:
        return finding["msg"]
    if value is None:
        return "has no value: it " + words.format(got="", key=path[-1], **context)
    got = f", not {shown(value)}"
    if finding["type"] == "string_type" and isinstance(value, (int, float)):
        got += f': write "{shown(value)}" in quotes'
    return words.format(got=got, key=path[-1], **context)


def _model_at(kind: Any, location: Iterable[str | int]) -> type[BaseModel]:
    """The model that ``location`` leads to, starting from a type."""
    for part in location:
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field: FieldInfo = kind.model_fields[str(part)]
            kind = field.annotation
        else:
            kind = typing.get_args(kind)[-1]
    found: type[BaseModel] = _bare(kind)
    return found


def _bare(kind: Any) -> Any:
    while True:
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            kind = typing.get_args(kind)[0]
        elif origin in (typing.Union, types.UnionType):
            kind = next(item for item in typing.get_args(kind) if item is not type(None))
        else:
            return kind
