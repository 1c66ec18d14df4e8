"""``backup.notify``: who is told of a backup that failed, and how."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodriza.inventory import names, text
from nodriza.inventory.base import Section, whole
from nodriza.inventory.shape import Shape

Hook = Annotated[
    str,
    Shape(
        r"https://[^\s\x00-\x1f\x7f'\"\\$`]{1,1000}|secret:[a-z0-9_]+",
        "must be an https:// address, or secret:NAME if the address is a secret",
    ),
]
Server = Annotated[str, Shape(names.HOST, names.HOST_WORDS)]
Account = Annotated[
    str, Shape(r"[A-Za-z0-9._%+@-]{1,200}", "must be the name of an account at the mail server")
]


class Notify(Section):
    """The node itself tells it, also when nobody looks."""

    web: Hook | None = Field(
        default=None,
        description="A web hook: its https:// address, or secret:NAME if the address is a secret.",
    )
    mail: text.Email | None = Field(default=None, description="Who gets a mail.")
    sender: text.Email | None = Field(
        default=None, description="Who the mail is from. Without it the reader."
    )
    smtp: Server | None = Field(
        default=None,
        description=(
            "The mail server. It has to speak TLS, with a certificate for this name; only"
            " localhost need not."
        ),
    )
    port: Annotated[int, whole(1, 65535)] = Field(
        default=587, description="Of the mail server. 465 is TLS from the start."
    )
    user: Account | None = Field(
        default=None,
        description="For the mail server; the password is the secret backup_smtp_password.",
    )
