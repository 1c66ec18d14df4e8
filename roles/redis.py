"""redis: the queue of Celery, a cache, and data that is neither; each an instance of its own."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from nodriza.role import (
    Backup,
    Cluster,
    Command,
    Directory,
    Node,
    Offer,
    Package,
    Queue,
    Resource,
    Service,
    Template,
    Variables,
    secret,
    template,
)

MEMORY_SHARE = 0.05
"""Of the node's memory, for each instance. A task is some hundred bytes."""


@dataclass(frozen=True)
class Instance:
    """A server of its own. ``policy``: what it does when its memory is full (redis.conf).

    ``variable``: where the application is told of it; ``carries``: what it holds, for people.
    """

    name: str
    unit: str
    port: int
    policy: str
    variable: str
    carries: str

    @property
    def conf(self) -> str:
        """Where its unit looks for it."""
        return f"/etc/redis/{self.run}.conf"

    @property
    def users(self) -> str:
        """Its accounts."""
        return f"/etc/redis/{self.name}.acl"

    @property
    def run(self) -> str:
        """Its folder below /run, as Debian's units name it."""
        return self.unit.replace("redis-server", "redis").replace("@", "-")

    @property
    def folder(self) -> str:
        """What it keeps over a restart."""
        return "/var/lib/redis" if "@" not in self.unit else f"/var/lib/redis/{self.name}"


INSTANCES = {
    "broker": Instance("queue", "redis-server", 6379, "noeviction", "CELERY_BROKER_URL", "tasks"),
    "cache": Instance("cache", "redis-server@cache", 6380, "allkeys-lru", "CACHE_URL", "cache"),
    "data": Instance("data", "redis-server@data", 6381, "noeviction", "REDIS_URL", "data"),
}
"""By their jobs; all but the first by Debian's own unit for more instances. What is full of cache
entries, or is cleared, can't take a task with it."""
USUAL = ("broker", "cache")
"""On a node that has the role by hand."""


def jobs(node: Node, cluster: Cluster) -> tuple[str, ...]:
    """What the inventory wants of this node."""
    return cluster.services_on(node, "redis") or USUAL


def OFFERS(node: Node, cluster: Cluster) -> tuple[Offer, ...]:
    """Each job at its own port."""
    return tuple(
        Offer(
            job,
            (str(each.port),),
            "Redis",
            each.carries,
            variables=_told(each),
            data=("/var/lib/redis",),
            sockets=("/run/redis",),
            queue=_queue if job == "broker" else None,
        )
        for job, each in INSTANCES.items()
        if job in jobs(node, cluster)
    )


# https://docs.celeryq.dev/projects/kombu/en/stable/reference/kombu.transport.redis.html: a queue
# is a list, the oldest task last; for each priority but the first there is another list, with \6,
# \22 and a number behind the name. Sets of bindings say which queues there are. What is given out
# is in "unacked", and since when in "unacked_index". RQ keeps numbers of jobs in lists, the oldest
# first, and each job's time in a hash (https://python-rq.org/docs/). Lists for a worker itself
# (pidbox, celeryev) are no queues. Keys are listed by SCAN, which keeps nobody waiting.
OF_LISTS = """
local out = {}
for _, key in ipairs(ARGV) do
  local is_list = redis.call('TYPE', key).ok == 'list'
  local name, at = key:match('^(.-)\\6\\22') or key, ''
  local job = is_list and key:match('^rq:queue:') and redis.call('LINDEX', key, 0)
  if job then at = redis.call('HGET', 'rq:job:' .. job, 'enqueued_at') or ''
  elseif is_list then
    local last = redis.call('LINDEX', key, -1)
    local good, task = pcall(cjson.decode, last or '')
    if good and type(task) == 'table' and type(task.properties) == 'table' then
      at = tostring(task.properties.timestamp or '')
    end
  end
  if is_list and not (name:match('pidbox$') or name:match('^celeryev')) then
    if at == '' then at = '-' end
    out[#out + 1] = 'waits ' .. redis.call('LLEN', key) .. ' ' .. at .. ' ' .. name
  end
end
return out
"""
OF_BINDINGS = """
local out = {}
for _, key in ipairs(ARGV) do
  for _, bound in ipairs(redis.call('SMEMBERS', key)) do
    local name = bound:match('\\6\\22([^\\6\\22]*)$')
    if name and name ~= '' and not (name:match('pidbox$') or name:match('^celeryev')) then
      out[#out + 1] = 'waits 0 - ' .. name
    end
  end
end
return out
"""
OF_WORK = """
local first = redis.call('ZRANGE', 'unacked_index', 0, 0, 'WITHSCORES')
return 'works ' .. redis.call('HLEN', 'unacked') .. ' ' .. (first[2] or '-')
"""
ASK = """
. {admin} && export REDISCLI_AUTH || exit 1
ask() {{ redis-cli -p {port} --user admin --no-auth-warning "$@"; }}
each() {{
    xargs -r -d '\\n' -n 500 redis-cli -p {port} --user admin --no-auth-warning EVAL "$1" 0
}}
"""
LENGTHS = """
test "$(ask PING)" = PONG || {{ ask PING; exit 1; }}
ask --scan | each {lists}
ask --scan --pattern '_kombu.binding.*' | each {bindings}
ask EVAL {work} 0
ask CLIENT LIST | sed -n 's/.* addr=\\([0-9.]*\\):.* user={user} .*/from \\1/p' | sort -u
"""
# In one step: what comes meanwhile is in, or out.
PURGE = """
local number = 0
for _, key in ipairs(ARGV) do
  number = number + redis.call('LLEN', key)
  redis.call('DEL', key)
end
return number
"""
PURGED = """
set -- "$1" $(for each in $(seq 0 9); do printf '%s\\006\\026%s ' "$1" $each; done)
ask EVAL {purge} 0 "$@"
"""


def queue_at(port: int, user: str, admin: str = "/etc/redis/admin.env") -> Queue:
    """Of the instance at a port, whose application has this account."""
    ask = ASK.format(port=port, admin=admin)
    quoted = {"lists": OF_LISTS, "bindings": OF_BINDINGS, "work": OF_WORK, "purge": PURGE}
    words = {name: shlex.quote(text) for name, text in quoted.items()}
    return Queue(
        lengths=ask + LENGTHS.format(user=user, **words), purge=ask + PURGED.format(**words)
    )


def _queue(_: Node, __: Cluster) -> Queue:
    broker = INSTANCES["broker"]
    return queue_at(broker.port, broker.name)


def BACKUPS(node: Node, cluster: Cluster) -> tuple[Backup, ...]:
    """The queue and the data. A cache can be made again."""
    return tuple(
        Backup(
            each.name,
            program=f"/usr/local/sbin/{cluster.app.name}-backup-{each.name}",
            folder=f"{each.folder}/appendonlydir",  # as Redis calls it (appenddirname)
            user="redis",
            units=(each.unit,),
        )
        for job, each in INSTANCES.items()
        if each.policy == "noeviction" and job in jobs(node, cluster)
    )


def _told(instance: Instance) -> Variables:
    def variables(node: Node, cluster: Cluster) -> dict[str, str]:
        password = secret("redis")
        url = f"redis://{instance.name}:{password}@{node.private}:{instance.port}/0"
        return {instance.variable: url}

    return variables


# Redis has no checker. This lets it read the files and serve nobody: no port, no data, a
# socket in a folder of its own. Once that is there, it has read and understood everything.
CHECK = """folder=$(mktemp -d) && cd "$folder" || exit 1
redis-server {conf} --port 0 --unixsocket "$folder/socket" --dir "$folder" --daemonize no \
 --supervised no --appendonly no --save '' --logfile '' --pidfile '' &
for _ in $(seq 100); do test -S socket && break; kill -0 $! 2>/dev/null || break; sleep 0.05; done
test -S socket; status=$?; kill $! 2>/dev/null; wait; rm -r "$folder"; exit $status"""


def redis(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """An instance for each job, so that none takes another's memory.

    Each has a user for the application, which may do nothing to the server itself, and one
    for operators and reloads. Both survive a reboot.
    """
    yield Package("redis-server")
    kernel = template("redis/sysctl.conf.j2", to="/etc/sysctl.d/60-redis.conf")
    yield kernel
    # Ignored in a container, whose kernel is its host's.
    yield Command(
        "overcommit", argv=("/usr/lib/systemd/systemd-sysctl", kernel.path), on_change=(kernel,)
    )
    admin = template("redis/admin.env.j2", to="/etc/redis/admin.env", mode="0640")
    script = template("redis/users.sh.j2", to="/usr/local/sbin/redis-users", mode="0755")
    yield admin
    yield script
    wanted = jobs(node, cluster)
    for job in wanted:
        size = cluster.services[job].memory_mb if job in cluster.services else None
        memory_mb = size or max(32, int(node.memory_mb * MEMORY_SHARE))
        yield from _instance(INSTANCES[job], node, cluster, memory_mb, (admin, script))
    if USUAL[0] not in wanted:  # the package's own instance, which would begin at the next boot
        yield Service(INSTANCES[USUAL[0]].unit, enabled=False, running=False)


def _instance(
    instance: Instance,
    node: Node,
    cluster: Cluster,
    memory_mb: int,
    common: tuple[Template, ...],
) -> Iterator[Resource | Template]:
    drop_ins = f"/etc/systemd/system/{instance.unit}.service.d"
    yield Directory(drop_ins)
    if "@" in instance.unit:  # the package brings the folder of its own instance
        yield Directory(instance.folder, owner="redis", group="redis", mode="0750")
    unit = template("redis/service.conf.j2", to=f"{drop_ins}/cluster.conf", instance=instance)
    conf = template(
        "redis/redis.conf.j2",
        to=instance.conf,
        group="redis",
        mode="0640",
        memory_mb=memory_mb,
        instance=instance,
    )
    # It may read its passwords and not write them.
    users = template(
        f"redis/{instance.name}.acl.j2", to=instance.users, group="redis", mode="0640"
    )
    yield unit
    yield users
    yield conf
    for each in BACKUPS(node, cluster):
        if cluster.backup is not None and each.name == instance.name:
            yield template("redis/backup.sh.j2", to=each.program, mode="0755", instance=instance)
    yield Service(
        instance.unit,
        reload_on=(users, *common),
        restart_on=(conf, unit, *node.zone),
        check=("sh", "-c", CHECK.format(conf=instance.conf)),
    )
