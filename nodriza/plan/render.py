"""Templates into files: strict, pure, the same bytes every time.

An undefined name is an error with the template's file and line, and so is a value that
is ``None``: neither belongs in a configuration file. Secrets render as tokens.
"""

from __future__ import annotations

import importlib
import os
import traceback
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from nodriza.errors import SecretError, TemplateError
from nodriza.resources import File
from nodriza.vault.token import env, names_in, secret

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

ROOT = Path(str(importlib.import_module("nodriza.roles").__file__)).parent.parent
"""The folder that holds ``roles`` and ``templates``: a checkout, or the installed package."""
SHIPPED = ROOT / "templates"


@dataclass(frozen=True)
class Template:
    """A ``File`` whose content is still to be rendered; the same id as that file."""

    path: str
    source: str
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"
    variables: dict[str, Any] = field(default_factory=dict)
    same_lines: bool = False

    @property
    def id(self) -> str:
        """As the ``File`` it becomes."""
        return f"file:{self.path}"


def template(
    source: str,
    *,
    to: str,
    owner: str = "root",
    group: str = "root",
    mode: str = "0644",
    same_lines: bool = False,
    **variables: Any,
) -> Template:
    """The file ``to``, made from ``templates/<source>``.

    ``same_lines``: each line has the number that it has in the source, where no loop repeats
    lines: what a program says of one is said of the source.

    The template sees ``node``, ``cluster``, ``app``, ``secret(name)`` and ``variables``; its
    filter ``env`` is for what stands inside of double quotes.
    """
    return Template(to, source, owner, group, mode, variables, same_lines)


class Renderer:
    """Renders templates; folders earlier in the list win over later ones."""

    def __init__(self, folders: Sequence[Path] = (SHIPPED,)) -> None:
        self.folders = [str(folder) for folder in folders]
        self._texts: dict[str, str] = {}
        self._templates: dict[str, jinja2.Template] = {}
        self._jinja = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self.folders),
            undefined=jinja2.StrictUndefined,
            finalize=_no_none,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,  # a template does not change while a plan is made
            bytecode_cache=_compiled(),
            autoescape=False,  # noqa: S701  configuration files, not HTML
        )
        self._jinja.filters["env"] = env
        # Where a line has a block and nothing else, an empty one stays. Compiled each time: what
        # is kept compiled is found by its text alone.
        self._lined = self._jinja.overlay(trim_blocks=False, bytecode_cache=None)

    @classmethod
    def of(cls, cluster: Cluster) -> Renderer:
        """With the user's own ``templates/`` before the shipped ones."""
        own = own_folder(cluster, "templates")
        return cls([own, SHIPPED] if own != SHIPPED else [SHIPPED])

    def render(self, wanted: Template, node: Node, cluster: Cluster) -> File:
        """The file, or ``TemplateError`` with the template's file and line."""
        context = {
            "node": node,
            "cluster": cluster,
            "app": cluster.app,
            "secret": secret,
            **wanted.variables,
        }
        try:
            text = self._template(wanted).render(context)
            if text not in self._texts:  # else it was seen to be well
                names_in(text)
        except jinja2.TemplateNotFound as error:
            raise TemplateError(
                f"no template {error.name} in {', '.join(self.folders)}", where=node.name
            ) from None
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                error.message or "syntax error", where=f"{error.filename}:{error.lineno}"
            ) from None
        except SecretError as error:
            raise TemplateError(error.what, where=wanted.source, do=error.do) from None
        except Exception as error:
            where = next(self._lines(error), wanted.source)
            raise TemplateError(
                f"{error} (while rendering {wanted.path} for {node.name})",
                where=where,
                kept="no host was touched",
            ) from error
        # Most files are the same on many nodes: one copy of them is enough.
        text = self._texts.setdefault(text, text)
        return File(wanted.path, text, wanted.owner, wanted.group, wanted.mode)

    def _template(self, wanted: Template) -> jinja2.Template:
        found = self._templates.get(wanted.source)
        if found is None:
            jinja = self._lined if wanted.same_lines else self._jinja
            found = self._templates[wanted.source] = jinja.get_template(wanted.source)
            # Copied for each file, and a ChainMap takes as long for that as many a file.
            found.globals = dict(found.globals)
        return found

    def _lines(self, error: Exception) -> Iterator[str]:
        """ "file:line" of each template in a traceback, the innermost first."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if any(frame.filename.startswith(folder) for folder in self.folders):
                yield f"{frame.filename}:{frame.lineno}"


def _compiled() -> jinja2.BytecodeCache | None:
    """Compiled templates from one run to the next: compiling is most of a small plan's time.

    By content and version, in a folder of this user's that nobody else can write to; where
    that can't be had, as for root in another user's home, none.
    """
    made_by = zlib.crc32(Path(__file__).read_bytes() + jinja2.__version__.encode())
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        place = caches / "nodriza" / f"templates-{made_by:08x}"
        if not _is_ours(next(each for each in (place, *place.parents) if each.exists())):
            return None
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return jinja2.FileSystemBytecodeCache(str(place), "%s") if _is_ours(place) else None
    except (OSError, RuntimeError):  # RuntimeError: nobody knows this user's home
        return None


def _is_ours(folder: Path) -> bool:
    seen = folder.stat()
    ours = seen.st_uid == os.geteuid() and not seen.st_mode & 0o022
    return ours and os.access(folder, os.W_OK)


def own_folder(cluster: Cluster, name: str) -> Path:
    """``roles`` or ``templates`` of the user's repository: beside ``inventories``."""
    return cluster.path.parent.parent / name


def _no_none(value: Any) -> Any:
    if value is None:
        raise ValueError("a value is None")
    return value
