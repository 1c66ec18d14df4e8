"""``services``: which program does a job, and on which node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from nodriza.inventory import names, text
from nodriza.inventory.base import Section, whole
from nodriza.inventory.kinds import ONE
from nodriza.inventory.sections.app import AppSettings
from nodriza.inventory.services import SERVICES
from nodriza.inventory.shape import Shape
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft

NodeName = Annotated[str, Shape(names.NODE_NAME, "must be the name of one node, such as db-1")]


class Service(Section):
    """One service: a word alone is its engine."""

    WORD: ClassVar = "engine"

    engine: text.RoleName | None = Field(
        default=None, description="The role that does it, such as mysql."
    )
    on: NodeName | None = Field(
        default=None, description="The node that does it. Default: the central one."
    )
    memory_mb: Annotated[int, whole(32, 16_777_216)] | None = Field(
        default=None,
        description="In MiB: what it may keep in memory. Default: a part of its node's.",
    )

    @model_validator(mode="before")
    @classmethod
    def _word_is_engine(cls, data: Any) -> Any:
        return {cls.WORD: data} if isinstance(data, str) else data


class Services(Section):
    """Each may be left out."""

    share: Annotated[Service, Field(description=SERVICES["share"].does)] = Service()
    database: Annotated[Service, Field(description=SERVICES["database"].does)] = Service()
    broker: Annotated[Service, Field(description=SERVICES["broker"].does)] = Service()
    cache: Annotated[Service, Field(description=SERVICES["cache"].does)] = Service()
    data: Annotated[Service | None, Field(description=SERVICES["data"].does)] = None
    beat: Annotated[Service | None, Field(description=SERVICES["beat"].does)] = None
    application: Annotated[Service, Field(description=SERVICES["application"].does)] = Service()

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """Each names a node and a role that there are."""
        from nodriza.inventory.roles import known_roles  # noqa: PLC0415  it knows the sections

        roles, app = known_roles(inventory), draft.part(AppSettings)
        nodes = [node.name for node in draft.nodes if node.name]
        for name, about in SERVICES.items():
            service: Service | None = getattr(self, name)
            if service is None:
                continue
            place, complain = ("services", name), draft.document.complain
            if service.engine and name == "share":
                complain((*place, "engine"), f"write it as share: {{engine: {service.engine}}}")
            elif service.engine and not {service.engine, f"{service.engine}_server"} & {*roles}:
                near = did_you_mean(service.engine, roles) or f"; there are {', '.join(roles)}"
                complain((*place, "engine"), f'there is no role "{service.engine}"{near}')
            if app and app.asgi and about.asgi and service.engine == about.engine:
                words = f"serves no ASGI application (app/asgi); {about.asgi} does"
                complain((*place, "engine"), words)
            if service.on and about.everywhere:
                complain((*place, "on"), "every child does this job, so it has no node", key=True)
            elif service.on and service.on not in nodes:
                near = did_you_mean(service.on, nodes)
                complain((*place, "on"), f'no node is called "{service.on}"{near}')
            if service.memory_mb and not about.sized:
                complain((*place, "memory_mb"), "no limit can be set for this service", key=True)
        if self.beat and app and not app.celery:
            words = "is Celery's clock, and the application has no Celery (app/celery)"
            draft.document.complain(("services", "beat"), words, key=True)
        self._check_memory(draft)

    def _check_memory(self, draft: Draft) -> None:
        """What the services of one node are given is less than it has."""
        central = next((node.name for node in draft.nodes if node.kind in ONE), "")
        has = {node.name: node.settings.memory_mb for node in draft.nodes if node.settings}
        given: dict[str, int] = {}
        for name in SERVICES:
            service: Service | None = getattr(self, name)
            if service and service.memory_mb:
                on = service.on or central
                given[on] = given.get(on, 0) + service.memory_mb
                if given[on] >= has.get(on, given[on] + 1):
                    words = f"{on} has {has[on]} MiB, and its services are given {given[on]}"
                    draft.document.complain(("services", name, "memory_mb"), words)
