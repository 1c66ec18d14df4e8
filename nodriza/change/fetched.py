"""Whether the node that builds can fetch what the requirements name from git repositories."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodriza.errors import SourceError
from nodriza.source.requirements import POETRY, kind_of, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodriza.inventory import Cluster
    from nodriza.source.requirements import Requirements
    from nodriza.source.tree import Source

_GIT = re.compile(
    r'(?:@\s*|^\s*(?:-e\s+|--editable[\s=]+)?)git\+|\bgit\s*=\s*"|\btype\s*=\s*"git"'
)
_SSH = re.compile(r'\bssh://|["+/][\w.-]+@[\w.-]+:(?!//)')
_OTHERS = re.compile(r"(?:@\s*|^\s*(?:-e\s+|--editable[\s=]+)?)(hg|svn|bzr)\+")
NEAR = 4
"""Lines of a table in a lock: the one with the address stands beside the one with the type."""


def refuse_unfetchable(cluster: Cluster, source: Source, needs: Requirements) -> None:
    """Raise ``SourceError`` with the line of the first that nobody could fetch there.

    Who builds has no key, and no program but those of ``app.build_packages``.
    """
    for where, words, way in _wrong(cluster, source, needs):
        raise SourceError(
            words,
            where=str(cluster.app.source_path / where),
            kept="no host was touched",
            do=way,
        )


def _wrong(
    cluster: Cluster, source: Source, needs: Requirements
) -> Iterator[tuple[str, str, str]]:
    lines = [*lines_of(source, needs.file)]
    if kind_of(needs.file) == POETRY and not _GIT.search(needs.pinned):
        return  # what only a desk needs is not installed
    for number, (name, at, line) in enumerate(lines):
        if line.lstrip().startswith("#"):
            continue
        if other := _OTHERS.search(line):
            words = (
                f"what {other[1]} holds can't be installed: uv and the node that builds have git"
            )
            yield f"{name}:{at}", words, "a package on an index, or its folder in the source"
        if not _GIT.search(line):
            continue
        table = "".join(text for _, _, text in lines[number : number + NEAR])
        if _SSH.search(table if '"git"' in line else line):
            yield (
                f"{name}:{at}",
                "a repository that is reached by ssh: who builds has no key, and is to have none",
                "an https:// address; or its folder in the source, as a submodule",
            )
        if "git" not in cluster.app.build_packages:
            builder = cluster.builder.name
            yield (
                f"{name}:{at}",
                f"a git repository, and {builder}, which builds, has no git",
                f"app: {{build_packages: [git]}} in the inventory, and provision {builder}",
            )
