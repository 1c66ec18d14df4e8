"""fab doctor"""

from __future__ import annotations

from invoke import Context, Exit

from .kinds import Text
from .session import command, current_cluster


@command(
    reads=True, help={"ref": "a commit, a branch or a tag of git's, in the place of the files"}
)
def doctor(c: Context, ref: Text = "") -> None:
    """Say what the application lacks to be served, with the line to write; no host is asked.

    It is read and not run. Exit 1 while something is to do.
    """
    from nodriza.change import deploy
    from nodriza.change import doctor as engine

    cluster = current_cluster(c)
    found = engine.examine(cluster, deploy.read(cluster, ref))
    for line in engine.as_lines(found, cluster.path):
        print(line)
    if found:
        raise Exit(code=1)
    print(f"{cluster.app.settings}: nothing is missing, as far as reading tells")
