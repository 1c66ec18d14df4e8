"""Who keeps the data of the jobs that this node does or needs, as its last whole plan had it.

A job that moves leaves its data behind. So a node whose plan names another keeper changes nothing,
until the operator says that the data has been moved.
"""

from __future__ import annotations

import json
from typing import Any, Dict

from nodriza.agent.memory import FOLDER
from nodriza.host.errors import HostError
from nodriza.host.host import Host

BYTES = 64 * 1024


def moved(host: Host, request: Dict[str, Any]) -> Dict[str, str]:
    """Jobs of the last whole plan that have another keeper now, each with the one that it had."""
    if not request["whole"]:
        return {}
    now, known = request["keepers"], request["moved"]
    last = _last(host, request["cluster"]).items()
    return {job: was for job, was in last if now.get(job) != was and job not in known}


def remember(host: Host, request: Dict[str, Any]) -> None:
    """Those of the jobs that this node does or needs."""
    keepers = {job: request["keepers"][job] for job in request["uses"]}
    if keepers != _last(host, request["cluster"]):
        host.write(_path(request["cluster"]), json.dumps(keepers), mode="0600")


def _path(cluster: str) -> str:
    return f"{FOLDER}/{cluster}.keepers"


def _last(host: Host, cluster: str) -> Dict[str, str]:
    try:
        data = json.loads(host.read(_path(cluster), BYTES) or "{}")
        return {str(job): str(keeper) for job, keeper in data.items()}
    except (HostError, ValueError, AttributeError, RecursionError):
        return {}  # as on a node that was never provisioned
