"""What visitors are told of a site must fit together: its names, and where they send files."""

from __future__ import annotations

import re

from nodriza.inventory.roles import DEFAULT
from nodriza.inventory.sections.app import AppSettings
from nodriza.inventory.sections.site import FORM_MB, SiteNames
from nodriza.inventory.yaml.partial import Draft


def check_visitors(draft: Draft) -> None:
    """Each name stands once; uploads go where nginx does not answer by itself."""
    _check_aliases(draft)
    _check_uploads(draft)


def _check_aliases(draft: Draft) -> None:
    names = draft.part(SiteNames)
    if not names:
        return
    domain, seen = names.domain, set[str]()
    for index, alias in enumerate(names.aliases):
        why = ""
        if alias == domain:
            why = "is the domain itself: only the other names stand here"
        elif alias in seen and alias != DEFAULT:  # which stands for one that is wrong
            why = f"{alias} stands here twice"
        elif domain and re.fullmatch(rf"ns[0-9]+\.{re.escape(domain)}", alias):
            why = "is what the zone calls one of its name servers"
        if why:
            draft.document.complain(("aliases", index), why)
        seen.add(alias)


def _check_uploads(draft: Draft) -> None:
    app, document = draft.part(AppSettings), draft.document
    if not app:
        return
    if "max_upload_mb" in app.model_fields_set and ("app", "uploads") not in document.values:
        document.complain(
            ("app", "max_upload_mb"),
            'needs "uploads", the addresses where visitors send files, such as'
            f" uploads: [/upload/]; all others take {FORM_MB} MiB ([/] is everywhere)",
        )
    for index, prefix in enumerate(app.uploads):
        if re.match("/(static|media|healthz)(/|$)", prefix):
            document.complain(("app", "uploads", index), f"the web server serves {prefix} itself")
