"""A program of the release that serves, run on a node as the node's own services run it.

The application's user, its folder, its variables and nothing of a login's; in a transient unit
(systemd-run(1)), so that it has bounds, sees no other service's data, and ends with whoever
started it, together with all that it started. systemd reads the variables from their file: no
value is in a command line.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodriza.errors import TargetError
from nodriza.host import transient
from nodriza.inventory import resolve_target
from nodriza.plan import hidden
from nodriza.plan.offers import servers, users

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

# systemd-run outlives a terminal that is hung up, and its unit outlives systemd-run. So sh waits
# for it in a way that a signal ends (wait), and ends both; once more a moment later, for a start
# that was on its way to systemd. sh says itself that a job has ended, and must not die of nobody
# being there to read it (PIPE). A job of sh has no stdin but one that it is given. env(1): for
# systemd what is in a file is stronger than --setenv. SYSTEMD_…: from 256 on it would colour the
# terminal and name its window.
SCRIPT = r"""
release=$(readlink -e {current}) || {{ echo {nothing} >&2; exit 1; }}
own=$(sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' {env_file}) || exit 1
own=" $(echo $own) {ours} "
unset=
for name in $(systemctl show-environment | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
    case $own in *" $name "*) ;; *) unset="$unset $name" ;; esac
done
unit={unit}-$$.service
end() {{ systemctl stop "$unit" 2>/dev/null; }}
trap '' PIPE
trap 'kill $! 2>/dev/null; wait $!; end; sleep 0.3; end; exit 143' HUP INT TERM
exec 3<&0
export SYSTEMD_TINT_BACKGROUND=0 SYSTEMD_ADJUST_TERMINAL_TITLE=0
systemd-run --quiet --wait --collect --service-type=exec {how} --unit="$unit" \
    --working-directory="$release/app" ${{unset:+--property=UnsetEnvironment="$unset"}} \
    {options} -- /usr/bin/env STATIC_ROOT="$release/static" \
    "$release/venv/bin/python" {words} <&3 3<&- &
wait $!
status=$?
trap '' HUP INT TERM
end
exit $status
"""


def node_for(cluster: Cluster, target: str) -> Node:
    """The one that is meant; without a word the first that serves the application.

    Raises ``TargetError`` for several, and for one that has no release.
    """
    if not target:
        return servers(cluster, "application")[0]
    found = resolve_target(cluster, target)
    if len(found) != 1:
        names = ", ".join(node.name for node in found)
        raise TargetError(f"one node at a time: {target} is {names}", kept="nothing was done")
    (node,) = found
    if not (node.builds or node in users(cluster, "releases")):
        known = [each.name for each in cluster.nodes if each in users(cluster, "releases")]
        raise TargetError(
            f"{node.name} has no release of {cluster.app.name}",
            kept="nothing was done",
            do=f"choose from {', '.join(known)}",
        )
    return node


def script(cluster: Cluster, words: Sequence[str], *, terminal: bool) -> str:
    """For sh(1) as root: Python with these words, beside manage.py, and its exit code."""
    app = cluster.app
    properties = [f"User={app.user}", f"EnvironmentFile={app.environment_file}"]
    properties += transient.ALWAYS
    properties += [f"ReadWritePaths={path}" for path in app.own_files]
    # "-": where it is not there, there is nothing to hide.
    properties += [f"InaccessiblePaths=-{path}" for path in hidden.from_application(cluster)]
    options = [f"--setenv={name}={value}" for name, value in transient.ENVIRONMENT.items()]
    options += [f"--property={each}" for each in properties]
    options.append(f"--description=program of {app.name}")
    nothing = f"nothing is deployed here yet: {app.current} leads nowhere. Next: fab deploy"
    return SCRIPT.format(
        current=shlex.quote(app.current),
        nothing=shlex.quote(nothing),
        env_file=shlex.quote(app.environment_file),
        ours=" ".join([*transient.ENVIRONMENT, "STATIC_ROOT", "TERM"]),
        unit=f"nodriza-{app.name}-manage",
        how="--pty" if terminal else "--pipe",
        options=shlex.join(options),
        # systemd puts variables in the place of $NAME (systemd.service(5)).
        words=shlex.join(word.replace("$", "$$") for word in words),
    )
