"""The JSON Schema of an inventory as people write it, for editors.

It comes from the models that check inventories, so that it says the same as far as a
schema can: what only several keys together show (an address used twice, a range of
another length) is found by ``load_cluster`` alone. Draft 7, which every editor speaks.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from nodriza.inventory import names
from nodriza.inventory.model import ClusterSettings
from nodriza.inventory.ranges import ADDRESS, NUMBER
from nodriza.inventory.sections.processes import Process
from nodriza.inventory.sections.services import Service
from nodriza.inventory.targets import GROUPS
from nodriza.inventory.variables import KnownVariables

Schema = dict[str, Any]

LINE = "# yaml-language-server: $schema=schema.json\n"
"""The first line of an inventory that has the schema beside it."""

_RANGE = rf"\[(?:{NUMBER}:{NUMBER}|{ADDRESS}:{ADDRESS})\]"
_SPREAD = "In"  # a definition's name with this behind it: the same, in a node of a range
_NODE_WORDS = (
    "a node's name becomes its hostname: small letters, digits and hyphens, at most 63; "
    "server-[2:50] is a range"
)


def as_json() -> str:
    """The schema as the text of a file, the same every time."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> Schema:
    """The schema as data."""
    whole = ClusterSettings.model_json_schema(ref_template="#/definitions/{model}")
    models: dict[str, Schema] = whole.pop("$defs")
    models["ClusterSettings"] = whole
    variables = KnownVariables.model_json_schema()
    for model in models.values():
        _open_variables(model, variables["properties"])
    models["KnownVariables"] = variables
    about = {name: model.pop("description") for name, model in models.items()}
    for model in models.values():
        _finish(model, about)
    word = models["Service"]["properties"][Service.WORD]
    for place in models["Services"]["properties"].values():
        place["anyOf"].insert(0, {**word, "type": "string"})
    processes = models["AppSettings"]["properties"]["processes"]
    line = {**models["Process"]["properties"][Process.WORD]}
    processes["additionalProperties"] = {"anyOf": [line, processes["additionalProperties"]]}
    del models["KnownVariables"]
    for name in ("NodeSettings", "Ssh"):
        models[name + _SPREAD] = _spread(copy.deepcopy(models[name]))
    whole = models.pop("ClusterSettings")
    whole["properties"]["nodes"] = _nodes()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A cluster, for nodriza",
        **whole,
        "definitions": models,
    }


def _nodes() -> Schema:
    """Names with and without a range."""
    spread = rf"^[a-z0-9-]*\[{NUMBER}:{NUMBER}\][a-z0-9-]*$"
    groups = "|".join(sorted({*GROUPS, *names.NO_NODE}))
    return {
        "type": "object",
        "description": ClusterSettings.model_fields["nodes"].description,
        "minProperties": 1,
        "propertyNames": {
            "pattern": rf"^(?!(?:{groups})$){names.NODE_NAME}$|{spread}",
            "patternErrorMessage": _NODE_WORDS,
        },
        "patternProperties": {spread: {"$ref": f"#/definitions/NodeSettings{_SPREAD}"}},
        "additionalProperties": {"$ref": "#/definitions/NodeSettings"},
    }


def _open_variables(model: Schema, known: Schema) -> None:
    """Names the variables that shipped roles read, in a model that has variables."""
    if "variables" in model.get("properties", {}):
        place = model["properties"]["variables"]
        place["properties"] = copy.deepcopy(known)


def _finish(model: Schema, about: dict[str, str]) -> None:
    """Words for each key come first, and null is right for those that may be left out.

    ``about``: what each model is. pydantic leaves out a key's words where they are the same.
    """
    model.pop("title", None)
    needed = model.get("required", ())
    for key, written in model["properties"].items():
        words = written.pop("description", "") or about[written["$ref"].rpartition("/")[2]]
        place = _plain(written)
        if key not in needed:
            place = _or_null(place)
        elif "$ref" in place:
            place = {"allOf": [place]}  # in draft 7 nothing counts beside a $ref
        model["properties"][key] = {"description": words, **place}


def _plain(place: Schema) -> Schema:
    """Without pydantic's titles and defaults that say nothing."""
    place = {key: value for key, value in place.items() if key != "title"}
    if place.get("default") in (None, [], {}) or isinstance(place.get("default"), dict):
        place.pop("default", None)
    for inner in place.get("properties", {}).values():
        inner.pop("title", None)
        inner.pop("default", None)
    for pattern, inner in place.pop("patternProperties", {}).items():
        place["propertyNames"]["pattern"] = pattern
        place["additionalProperties"] = inner or True
    return place


def _or_null(place: Schema) -> Schema:
    """``ssh:`` with nothing behind it is as if it were absent."""
    branches = [branch for branch in place.pop("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        place.update(branches[0])
    if "$ref" in place:
        default = {key: place[key] for key in place if key != "$ref"}
        return {"anyOf": [{"$ref": place["$ref"]}, {"type": "null"}], **default}
    if "enum" in place:
        place["enum"] = [*place["enum"], None]
    kinds = place["type"] if isinstance(place["type"], list) else [place["type"]]
    return {**place, "type": [*kinds, "null"]}


def _spread(place: Any) -> Any:
    """The same for a node of a range: every text may have ranges in it."""
    if isinstance(place, list):
        return [_spread(item) for item in place]
    if not isinstance(place, dict):
        return place
    place = {key: _spread(value) for key, value in place.items()}
    if isinstance(place.get("pattern"), str):
        place["pattern"] = f"{place['pattern']}|{_RANGE}"
    if place.get("$ref") == "#/definitions/Ssh":
        place["$ref"] += _SPREAD
    return place
