"""Every key of an inventory with its shape, its default and what it is for: from the models.

For ``fab inventory.keys`` and the documentation's reference. It reads the JSON Schema, which has
all of this from the fields of ``nodriza.inventory.model`` and ``nodriza.inventory.sections``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from nodriza.inventory.schema import Schema, schema

Models = dict[str, Schema]
VARIABLES = "KnownVariables"
"""Those that shipped roles read: in the schema wherever there are variables."""
_LEAD = re.compile("must be |is not |can't name [^:]*: ")
"""What a message says of a wrong value; behind it stands how a right one looks."""


@dataclass(frozen=True)
class Key:
    """``path``: with dots, as in ``app.health[].path`` (a list) or ``nodes.NAME.kind``.

    ``shape``: what may stand there, and in which bounds; empty for a key with keys of its own.
    ``default``: as YAML; empty where there is none. ``needed``: an inventory must have it.
    """

    path: str
    about: str
    shape: str
    default: str
    needed: bool

    @property
    def terms(self) -> str:
        """Shape, and default or need, in a line; of a section that may be left out, nothing."""
        default = f"default: {self.default}" if self.default else "optional"
        need = "needed" if self.needed else default if self.shape else ""
        return "; ".join(filter(None, (self.shape, need)))


def all_keys() -> Iterator[Key]:
    """All keys, first those that every inventory needs. What sections share is there once."""
    whole = schema()
    places, needed = whole["properties"], whole["required"]
    whole["properties"] = {
        key: places[key] for key in sorted(places, key=lambda key: key not in needed)
    }
    homes = {inner: key for key, place in places.items() if (inner := _inner(place)[0])}
    variables = {VARIABLES: {"properties": places["variables"]["properties"]}}
    yield from _below(whole, "", {**whole["definitions"], **variables}, homes)


def as_text() -> str:
    """For a terminal: two or three lines a key."""
    blocks = (
        filter(None, (key.path, _behind(key.terms), _behind(key.about))) for key in all_keys()
    )
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def _behind(line: str) -> str:
    return f"    {line}" if line else ""


def _below(model: Schema, before: str, models: Models, homes: dict[str, str]) -> Iterator[Key]:
    """``homes``: the key at which the keys of a model are shown, for all other places too."""
    needed = model.get("required", ())
    for name, place in model["properties"].items():
        path = f"{before}{name}"
        inner, between = _inner(place)
        home = homes.setdefault(inner, path) if inner else path
        yield Key(
            path,
            about=place["description"],
            shape=_shape(place) if home == path else f"as {home}",
            default=_default(place),
            needed=name in needed,
        )
        if inner and home == path:
            yield from _below(models[inner], f"{path}{between}.", models, homes)


def _inner(place: Schema) -> tuple[str, str]:
    """The model that is below a key, and what stands between the two: [] for a list, a name."""
    if "properties" in place:
        return VARIABLES, ""
    beside = [*place.get("allOf", ()), *place.get("anyOf", ())]
    for between, where in (
        *(("", each) for each in (place, *beside)),
        ("[]", place.get("items")),
        (".NAME", _keyed(place.get("additionalProperties"))),
    ):
        reference = where.get("$ref", "") if isinstance(where, dict) else ""
        if reference:
            return str(reference).rpartition("/")[2], between
    return "", ""


def _keyed(place: Any) -> Any:
    """What has keys of its own, where a line alone is enough as well."""
    several = place.get("anyOf", ()) if isinstance(place, dict) else ()
    return next((each for each in several if "$ref" in each), place)


def _shape(place: Schema | Literal[True]) -> str:
    if place is True:
        return "anything"
    if "type" not in place:
        return ""
    kinds = place["type"] if isinstance(place["type"], list) else [place["type"]]
    if "enum" in place:
        *words, last = (str(word) for word in place["enum"] if word is not None)
        return f"{', '.join(words)} or {last}"
    if "patternErrorMessage" in place:
        return _LEAD.sub("", place["patternErrorMessage"], count=1)
    if "array" in kinds:
        return f"list of: {_shape(place['items']) or 'keys as below'}"
    if "object" in kinds:
        values = place.get("additionalProperties", True)
        return f"names and values: {_shape(values) or 'keys as below'}"
    if "boolean" in kinds:
        return "true or false"
    if "integer" in kinds:
        return f"a whole number, {place['minimum']} to {place['maximum']}"
    if "number" in kinds:
        return f"a number, {place['minimum']:g} to {place['maximum']:g}"
    return "a path" if place.get("format") == "path" else "text"


def _default(place: Schema) -> str:
    default: Any = place.get("default")
    if default is None or isinstance(default, str):
        return default or ""
    return str(yaml.safe_dump(default, default_flow_style=True)).removesuffix("...\n").strip()
