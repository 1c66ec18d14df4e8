"""``nodes``: each of them as it is written."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole
from nodriza.inventory.kinds import KINDS, SERVING, Kind
from nodriza.inventory.sections.kinds import Roles, Variables
from nodriza.inventory.sections.ssh import LogIn, Ssh


class NodeSettings(Section):
    """One node as written, its ranges already expanded."""

    STAND_INS: ClassVar = {"kind": SERVING, "private": "192.0.2.1"}

    kind: Kind = Field(
        description=" ".join(f"{name}: {about.does}" for name, about in KINDS.items())
    )
    private: text.Address = Field(description="Its address in networks/private.")
    public: text.Address | None = Field(
        default=None, description="Its address in networks/public."
    )
    memory_mb: Annotated[int, whole(128, 16_777_216)] = Field(
        default=1024, description="Memory in MiB. It sizes MariaDB, Redis and a lab's machines."
    )
    cpus: Annotated[int, whole(1, 1024)] = Field(
        default=1, description="Processors of a lab's virtual machine."
    )
    ssh: LogIn = Ssh()
    variables: Variables = Field(default={})
    roles: Roles = None
