"""What every part of an inventory's model has in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft


def whole(least: int, most: int) -> Any:
    """A whole number from ``least`` to ``most``, and nothing that only looks like one."""
    return Field(strict=True, ge=least, le=most)


class Model(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:
        # "environment:" with every line below it commented out is not a mistake. Where
        # the default is None, null stays: a node says so to undo what its kind has set.
        if not isinstance(data, dict) or None not in data.values():
            return data
        fields = cls.model_fields
        return {
            key: value
            for key, value in data.items()
            if value is not None
            or key not in fields
            or fields[key].is_required()
            or fields[key].default is None
        }


class Section(Model):
    """A key of an inventory with keys of its own."""

    STAND_INS: ClassVar[dict[str, Any]] = {}
    """Values for the keys that it needs: with them the rest can be checked if one is wrong."""

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """Add to the draft's document what no single key can show. A section may say more.

        Where a key is needed and wrong, the attribute is ``None`` whatever its type says.
        """
