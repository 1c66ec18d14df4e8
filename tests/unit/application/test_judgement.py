"""Each kind of operation, judged for the release that serves beside the new database."""

from __future__ import annotations

import django
import pytest
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import connection, migrations, models  # noqa: E402
from django.db.migrations.state import ProjectState  # noqa: E402

from nodriza.application.columns import is_wider  # noqa: E402
from nodriza.application.judgement import Judge  # noqa: E402


def text(**more):
    return models.CharField(max_length=20, **more)


@pytest.fixture
def judge():
    """A shop whose tables are there: what the release that serves knows."""
    state = ProjectState()
    for operation in (
        migrations.CreateModel("Maker", [("id", models.BigAutoField(primary_key=True))]),
        migrations.CreateModel(
            "Item",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", text()),
                ("note", text(null=True)),
                ("maker", models.ForeignKey("shop.Maker", models.CASCADE)),
                ("also", models.ManyToManyField("shop.Maker", related_name="+")),
                ("kept", text(db_column="title")),
            ],
        ),
        migrations.CreateModel("View", [("x", text())], options={"managed": False}),
        migrations.CreateModel("Named", [("x", text())], options={"db_table": "named"}),
        migrations.CreateModel("Proxy", [], options={"proxy": True}, bases=("shop.item",)),
    ):
        operation.state_forwards("shop", state)
    return Judge(state, connection)


def taken(judge, *operations):
    """(table, column) and words of each effect that takes something."""
    found = [effect for each in operations for effect in judge.judge("shop", each)]
    return [(effect.table, effect.column, effect.takes) for effect in found if effect.takes]


@pytest.mark.parametrize(
    ("operation", "table", "column", "words"),
    [
        (migrations.RemoveField("Item", "name"), "shop_item", "name", "takes the column"),
        (migrations.RemoveField("item", "maker"), "shop_item", "maker_id", "takes the column"),
        (migrations.RemoveField("Item", "kept"), "shop_item", "title", "takes the column"),
        (migrations.RemoveField("Item", "also"), "shop_item_also", "", "takes the table"),
        (migrations.DeleteModel("Item"), "shop_item", "", "takes the table"),
        (migrations.DeleteModel("Named"), "named", "", "takes the table"),
        (migrations.RenameField("Item", "name", "title"), "shop_item", "name", "renames the"),
        (migrations.RenameField("Item", "also", "more"), "shop_item_also", "", "renames the"),
        (migrations.RenameModel("Item", "Thing"), "shop_item", "", "renames the table"),
        (migrations.AlterModelTable("Item", "things"), "shop_item", "", "renames the table"),
        (migrations.AddField("Item", "size", text(default="")), "shop_item", "", "NOT NULL"),
        (
            migrations.AlterField("Item", "note", text(default="")),
            "shop_item",
            "note",
            "makes the column shop_item.note NOT NULL",
        ),
        (
            migrations.AlterField("Item", "name", text(db_column="title")),
            "shop_item",
            "name",
            "renames the column",
        ),
        (
            migrations.AlterField("Item", "name", models.CharField(max_length=10)),
            "shop_item",
            "name",
            "makes shop_item.name varchar(10), which was varchar(20)",
        ),
        (
            migrations.AlterField("Item", "name", models.IntegerField()),
            "shop_item",
            "name",
            "makes shop_item.name integer",
        ),
        (migrations.AlterOrderWithRespectTo("Item", "maker"), "shop_item", "", "NOT NULL"),
    ],
)
def test_operation__that_takes_something_is_named_with_what_it_takes(
    judge, operation, table, column, words
):
    ((found, of_it, said),) = taken(judge, operation)
    assert (found, of_it) == (table, column)
    assert words in said


@pytest.mark.parametrize(
    "operation",
    [
        migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("Item", "size", text(null=True)),
        migrations.AddField("Item", "others", models.ManyToManyField("shop.Item")),
        migrations.AlterField("Item", "name", text(null=True)),
        migrations.AlterField("Item", "name", models.CharField(max_length=21)),
        migrations.AlterField("Item", "name", models.TextField()),
        migrations.AlterField("Item", "name", text(help_text="what it is called")),
        migrations.RenameField("Item", "kept", "other"),
        migrations.RenameModel("Named", "Called"),
        migrations.AlterModelTable("Named", "named"),
        migrations.DeleteModel("Proxy"),
        migrations.DeleteModel("View"),
        migrations.RemoveField("View", "x"),
        migrations.AlterModelOptions("Item", {"ordering": ["name"]}),
        migrations.AddIndex("Item", models.Index(fields=["name"], name="by_name")),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Item")]),
    ],
    ids=lambda operation: operation.describe().replace(" ", "-"),
)
def test_operation__that_takes_nothing_is_harmless(judge, operation):
    assert judge.judge("shop", operation) == []


@pytest.mark.skipif(django.VERSION < (5, 0), reason="the database has no defaults before")
def test_default_of_the_database__lets_old_code_write_rows_until_it_goes(judge):
    new = text(db_default="small")
    assert taken(judge, migrations.AddField("Item", "size", new)) == []
    judge = Judge(judge.state, connection)  # another deploy
    ((_, column, words),) = taken(judge, migrations.AlterField("Item", "size", text()))
    assert (column, words) == ("size", "takes the default of the column shop_item.size away")


def test_what_one_plan_makes__it_may_take_away_again(judge):
    assert not taken(
        judge,
        migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("New", "size", text()),
        migrations.RenameModel("New", "Newer"),
        migrations.RemoveField("Newer", "size"),
        migrations.DeleteModel("Newer"),
        migrations.AddField("Item", "size", text(null=True)),
        migrations.RenameField("Item", "size", "length"),
        migrations.AlterField("Item", "length", text()),
        migrations.RemoveField("Item", "length"),
    )


def test_new_field__makes_those_beside_it_no_newer(judge):
    new = migrations.AddField("Item", "size", text(null=True))
    ((_, column, _),) = taken(judge, new, migrations.RemoveField("Item", "name"))
    assert column == "name"


def test_what_is_done_to_the_database_alone__counts(judge):
    operation = migrations.SeparateDatabaseAndState(
        database_operations=[migrations.RemoveField("Item", "name")], state_operations=[]
    )
    assert [column for _, column, _ in taken(judge, operation)] == ["name"]
    assert "name" in judge.state.models["shop", "item"].fields


def test_table_that_migrations_only_take_over__is_no_new_one(judge):
    whose = {"options": {"db_table": "shop_item"}}
    made = migrations.CreateModel("Again", [("name", text())], **whose)
    assert taken(judge, migrations.SeparateDatabaseAndState(state_operations=[made])) == []
    assert taken(judge, migrations.RemoveField("Again", "name")) != []


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RunSQL("ALTER TABLE shop_item DROP COLUMN name"),
        migrations.RunPython(lambda apps, editor: None),
        migrations.AlterField("Item", "name", text(unique=True)),
        migrations.AlterUniqueTogether("Item", {("name", "note")}),
        migrations.AddConstraint(
            "Item", models.UniqueConstraint(fields=["name"], name="one_name")
        ),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_nobody_can_know__is_told_and_taken_for_no_harm(judge, operation):
    (effect,) = judge.judge("shop", operation)
    assert effect.takes == ""
    assert effect.unsure


def test_way_around__names_model_and_field_and_the_steps(judge):
    (effect,) = judge.judge("shop", migrations.RemoveField("Item", "name"))
    assert effect.way == (
        "1. take Item.name out of the code, and leave this migration out. In its place comes one"
        " with AlterField that makes Item.name null=True, so that rows can be written without it:"
        " deploy. 2. Deploy this migration"
    )
    (effect,) = judge.judge("shop", migrations.RemoveField("Item", "note"))
    assert "AlterField" not in effect.way
    (effect,) = judge.judge("shop", migrations.RenameField("Maker", "id", "number"))
    assert effect.way.startswith('keep the column: db_column="id" in Maker.number')


@pytest.mark.parametrize(
    ("before", "after", "wider"),
    [
        ("varchar(20)", "varchar(20)", True),
        ("varchar(20)", "varchar(21)", True),
        ("varchar(20)", "longtext", True),
        ("longtext", "varchar(20)", False),
        ("integer", "bigint", True),
        ("integer AUTO_INCREMENT", "bigint AUTO_INCREMENT", True),
        ("bigint", "integer", False),
        ("integer UNSIGNED", "bigint", True),
        ("integer", "integer UNSIGNED", False),
        ("numeric(5, 2)", "numeric(6, 2)", True),
        ("numeric(5, 2)", "numeric(6, 3)", False),
        ("datetime(6)", "date", False),
    ],
)
def test_type_of_a_column__may_become_wider(before, after, wider):
    assert is_wider(before, after) is wider
