"""What a migration takes from code that does not know of it.

The release that serves goes on beside a new database: while children take turns, and when a
deploy is gone back from. Each operation is judged by what it does to tables and columns, with
the state of the models before it (Django's ``ProjectState``), so that what one plan makes and
takes away again harms nobody.
"""

from __future__ import annotations

from typing import Any, Iterator, List, Optional, Set, Tuple

from django.conf import settings
from django.db import migrations, router
from django.db.backends.utils import truncate_name

from nodriza.application.rules import RULES, Effect

HARMLESS = (
    "CreateModel",
    "AlterModelOptions",
    "AlterModelManagers",
    "AlterModelTableComment",
    "AlterIndexTogether",
    "AddIndex",
    "RemoveIndex",
    "RenameIndex",
    "RemoveConstraint",
)
"""Nothing that a query or an INSERT of the old code names is another one after them."""
NOBODY_CAN_KNOW = "not judged: its kind does not tell what it does"


class Judge:
    """Goes through the operations of a plan in order; ``state`` is that of the database."""

    def __init__(self, state: Any, connection: Any) -> None:
        self.state = state
        self.connection = connection
        self._made: Set[Tuple[str, ...]] = set()
        """Models (app, model) and fields (app, model, field) that this plan has made."""

    def judge(self, app: str, operation: Any) -> List[Effect]:
        """What an operation of an app does to old code; ``state`` is then the one after it."""
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            return self._separate(app, operation)
        found = list(self._effects(app, operation))
        self._remember(app, operation)
        operation.state_forwards(app, self.state)
        return found

    def _separate(self, app: str, operation: Any) -> List[Effect]:
        before, found = self.state, []
        self.state = before.clone()
        for each in operation.database_operations:
            found += self.judge(app, each)
        self.state = before
        for each in operation.state_operations:  # these change nothing in the database
            each.state_forwards(app, self.state)
        return found

    def _effects(self, app: str, operation: Any) -> Iterator[Effect]:
        model = getattr(operation, "model_name", getattr(operation, "name", None))
        about = {"model_name": model.lower()} if isinstance(model, str) else {}
        if not router.allow_migrate(self.connection.alias, app, **about):
            return
        for kind, rule in RULES:
            if isinstance(operation, kind):
                yield from rule(self, app, operation)
                return
        if not isinstance(operation, _kinds(HARMLESS)):
            yield Effect(unsure=NOBODY_CAN_KNOW)

    def _remember(self, app: str, operation: Any) -> None:
        """Which of the models and fields are new, under the names that they have after it."""
        name = str(getattr(operation, "name", "")).lower()
        if isinstance(operation, migrations.CreateModel):
            self._made.add((app, name))
        elif isinstance(operation, migrations.AddField):
            self._made.add((app, operation.model_name_lower, name))
        elif isinstance(operation, migrations.RenameModel):
            old, new = operation.old_name_lower, operation.new_name_lower
            self._made = {
                (app, new, *key[2:]) if key[:2] == (app, old) else key for key in self._made
            }
        elif isinstance(operation, migrations.RenameField):
            model = operation.model_name_lower
            if (app, model, operation.old_name_lower) in self._made:
                self._made.add((app, model, operation.new_name_lower))

    def is_new(self, app: str, model: str, field: str = "") -> bool:
        """Nobody who serves has met it."""
        return (app, model) in self._made or (app, model, field.lower()) in self._made

    def model(self, app: str, name: str) -> Optional[Any]:
        """A model's state, if migrations make or change a table of its own."""
        found = self.state.models.get((app, name.lower()))
        if found is None or found.options.get("proxy"):
            return None
        if not found.options.get("managed", True):
            return None
        swappable = found.options.get("swappable")
        label = f"{app}.{name}".lower()
        if swappable and str(getattr(settings, swappable, label)).lower() != label:
            return None
        return found

    def table(self, app: str, model: Any) -> str:
        """The name of a model's table."""
        return self._cut(model.options.get("db_table") or f"{app}_{model.name.lower()}")

    def many_table(self, app: str, model: Any, name: str, field: Any) -> str:
        """The table that a many-to-many field has for itself; none where a model is it."""
        if field.remote_field.through is not None:
            return ""
        return self._cut(field.db_table or f"{self.table(app, model)}_{name}")

    def _cut(self, name: str) -> str:
        return str(truncate_name(name, self.connection.ops.max_name_length()))

    def type_of(self, field: Any) -> str:
        """Its column's type; of a relation it is the other model's business."""
        if field.remote_field is not None:
            return ""
        try:
            return str(field.db_type(self.connection) or "")
        except Exception:  # noqa: BLE001  somebody's own field, that wants to be in a model
            return ""


def _kinds(names: Tuple[str, ...]) -> Tuple[type, ...]:
    """Those that this Django has."""
    return tuple(getattr(migrations, name) for name in names if hasattr(migrations, name))
