"""The JSON Schema: what editors are told about an inventory."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
import yaml

from nodriza.inventory import load_cluster
from nodriza.inventory.model import ClusterSettings
from nodriza.inventory.schema import LINE, as_json, schema
from nodriza.inventory.variables import KnownVariables
from nodriza.inventory.yaml.positions import read_marked
from tests.unit.conftest import ROOT
from tests.unit.inventory.conftest import GOOD
from tests.unit.inventory.test_inventory import fields
from tests.unit.inventory.test_mistakes import FOUND, PLANTED

SHIPPED = sorted((ROOT / "inventories").glob("*.yml"))
# What only several keys together show, or the disk, or arithmetic.
BEYOND = (
    "networks/private",
    "app/source",
    "roles/1",
    "nodes/server-1",
    "nodes/server-2/private",
    "nodes/server-[3:5]/private",
    "nodes/server-[8:6]",
)


@pytest.fixture(scope="module")
def validator():
    whole = schema()
    jsonschema.Draft7Validator.check_schema(whole)
    return jsonschema.Draft7Validator(whole)


def rejected(validator, text):
    """The paths, as in our own messages, of what the schema does not accept."""
    found = set()
    for error in validator.iter_errors(yaml.safe_load(text)):
        for leaf in leaves(error):
            path = "/".join(str(part) for part in leaf.absolute_path)
            if leaf.validator == "additionalProperties":
                names = re.findall(r"'([^']+)'", leaf.message.partition("(")[2])
                found |= {f"{path}/{name}".lstrip("/") for name in names}
            elif leaf.validator == "required":
                found.add(f"{path}/{leaf.message.split(chr(39))[1]}")
            elif leaf.validator == "pattern" and "propertyNames" in leaf.absolute_schema_path:
                found.add(f"{path}/{leaf.instance}")
            else:
                found.add(path)
    return found


def leaves(error):
    """Below anyOf (something or null) the errors of the something."""
    inner = [one for one in error.context if one.validator != "type" or one.instance is None]
    if error.validator in ("anyOf", "allOf") and inner:
        return [leaf for one in inner for leaf in leaves(one)]
    return [error]


def test_schema__in_the_repository_is_what_the_models_say():
    """If not: fab inventory.schema > inventories/schema.json"""
    assert (ROOT / "inventories" / "schema.json").read_text("utf-8") == as_json()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_inventories__name_the_schema_and_keep_to_it(validator, file):
    text = file.read_text("utf-8")
    assert text.startswith(LINE)
    # As YAML 1.2 has it, and we: the key "on" is text.
    assert list(validator.iter_errors(read_marked(text).data)) == []


def test_every_key__is_explained_by_its_field_and_an_editor_shows_that():
    """The description of a field is the one place where a key is explained."""
    whole = schema()
    models = {"ClusterSettings": whole, **whole["definitions"]}
    for key in fields(ClusterSettings):
        model, _, name = key.partition(".")
        assert models[model]["properties"][name]["description"].endswith((".", ":")), key
    variables = whole["properties"]["variables"]["properties"]
    for name, field in KnownVariables.model_fields.items():
        assert variables[name]["description"] == field.description


def test_schema__rejects_the_planted_mistakes_that_a_schema_can_express(validator):
    told = {line.split(" ")[1].rstrip(":") for line in FOUND.splitlines()}
    assert told - rejected(validator, PLANTED) == set(BEYOND)


def test_schema__accepts_what_is_right_with_every_section_empty(validator, write):
    text = GOOD + "ssh:\nvariables:\nshare:\nkinds:\n  child:\nlab:\nroles:\ntls:\n"
    assert load_cluster(write(text)).children
    assert rejected(validator, text) == set()


@pytest.mark.parametrize(
    ("node", "accepted"),
    [
        ('web-[08:11]: {kind: child, private: "10.0.1.[8:11]"}', True),
        ('web-[8:9]: {kind: child, private: "[10.0.0.255:10.0.1.0]"}', True),
        ("web-[8:9]: {kind: child, private: '10.0.1.[8:9]', ssh: {host: 'h[8:9].org'}}", True),
        ("web-[8:9]: {kind: child, private: 10.0.1.x}", False),
        ("web-9: {kind: child, private: '10.0.1.[8:11]'}", False),
        ("web-9: {kind: child, private: 10.0.1.09}", False),
        ("web_9: {kind: child, private: 10.0.1.9}", False),
        ('"99": {kind: child, private: 10.0.1.9}', False),
        ("children: {kind: child, private: 10.0.1.9}", False),
        ("localhost: {kind: child, private: 10.0.1.9}", False),
        ("3com: {kind: child, private: 10.0.1.9, ssh: {gateway: ~}, memory_mb: }", True),
        ("x: {kind: child, private: }", False),
        (
            "x: {kind: child, private: 10.0.1.9, variables: {celery_concurrency: '1; reboot'}}",
            False,
        ),
        ("x: {kind: child, private: 10.0.1.9, variables: {own: [1, {a: b}]}}", True),
    ],
)
def test_schema__and_loading_agree_about_a_node(validator, write, mistakes, node, accepted):
    text = GOOD + f"  {node}\n"
    if accepted:
        assert rejected(validator, text) == set()
        assert load_cluster(write(text))
    else:
        assert rejected(validator, text)
        assert mistakes(text)


def test_schema__is_json_and_names_its_draft():
    assert json.loads(as_json())["$schema"] == "http://json-schema.org/draft-07/schema#"
