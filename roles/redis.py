"""redis: the queue of Celery, and a cache, on the central node."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.inventory import Cluster, Node
from nodriza.render import Template, template
from nodriza.resources import Directory, Package, Resource, Service

MEMORY_SHARE = 0.1
"""Of the node's memory. A task is some hundred bytes: this is mostly cache."""

USERS = "/etc/redis/users.acl"

# Redis has no checker. This lets it read the file and serve nobody: no port, no data, a
# socket in a folder of its own; still alive after a second (timeout's 124) is a yes.
CHECK = """folder=$(mktemp -d) && cd "$folder" || exit 1
timeout 1 redis-server /etc/redis/redis.conf --port 0 --unixsocket "$folder/socket" \
 --dir "$folder" --daemonize no --supervised no --appendonly no --save '' --logfile '' --pidfile ''
status=$?; rm -r "$folder"; test $status -eq 124"""


def redis(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Private address, password, and a queue that survives a reboot."""
    drop_ins = "/etc/systemd/system/redis-server.service.d"
    yield Package("redis-server")
    yield Directory(drop_ins)
    unit = template("redis/service.conf.j2", to=f"{drop_ins}/cluster.conf", users=USERS)
    conf = template(
        "redis/redis.conf.j2",
        to="/etc/redis/redis.conf",
        group="redis",
        mode="0640",
        memory_mb=max(32, int(node.memory_mb * MEMORY_SHARE)),
        users=USERS,
    )
    # It may read its passwords and not write them.
    users = template("redis/users.acl.j2", to=USERS, group="redis", mode="0640")
    yield unit
    yield users
    yield conf
    yield Service(
        "redis-server",
        reload_on=(users,),
        restart_on=(conf, unit),
        check=("sh", "-c", CHECK),
    )
