"""``kinds``, and what else is said of many nodes at once: variables and roles."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section
from nodriza.inventory.sections.ssh import LogIn, Ssh

Variables = Annotated[
    dict[text.VariableName, Any],
    Field(
        description=(
            "Values for roles and templates, as {{ node.variables.NAME }}. The nearest to the"
            " node wins."
        )
    ),
]
Roles = Annotated[
    Annotated[tuple[text.RoleName, ...], text.Items] | None,
    Field(
        description=(
            "The roles of nodes, by the names of modules in roles/. `default` means the roles"
            " without this list."
        )
    ),
]


class KindSettings(Section):
    """What every node of one kind gets, unless the node says otherwise."""

    ssh: LogIn = Ssh()
    variables: Variables = Field(default={})
    roles: Roles = None


OfAKind = Annotated[KindSettings, Field(description="Settings for every node of this kind.")]


class Kinds(Section):
    """Settings for each kind of node."""

    central: OfAKind = KindSettings()
    combined: OfAKind = KindSettings()
    child: OfAKind = KindSettings()
    video: OfAKind = KindSettings()
    worker: OfAKind = KindSettings()
    service: OfAKind = KindSettings()
