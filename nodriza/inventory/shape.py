"""A kind of text: how it is checked, and what an editor is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Shape:
    """Goes into ``Annotated``: text like ``pattern``, and else ``why`` not.

    ``check`` stands in for the pattern where the words depend on what is wrong; the
    pattern is then for the JSON Schema only, and lets through at least what ``check``
    does. ``more``: other keywords of JSON Schema.
    """

    def __init__(
        self,
        pattern: str,
        why: str,
        check: Callable[[Any], Any] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        self.compiled = re.compile(pattern)
        self.why = why
        self.check = check or self._match
        # Unlike Python's fullmatch, a pattern in JSON Schema may match anywhere.
        self.schema = {"pattern": f"^(?:{pattern})$", "patternErrorMessage": why, **(more or {})}

    def _match(self, value: str) -> str:
        if not self.compiled.fullmatch(value):
            raise ValueError(self.why)
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", **self.schema}
