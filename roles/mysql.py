"""mysql: MariaDB; each node may log in from its own address only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from nodriza.role import (
    Backup,
    Cluster,
    Command,
    Database,
    DatabaseAccess,
    DatabaseUser,
    Directory,
    Dump,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    does,
    secret,
    template,
    users,
)

MEMORY_SHARE = 0.4
"""Of the node's memory, for InnoDB. The rest is Redis, the share, the system's page cache
for the videos that the share reads, and what a deploy needs."""


def _variables(node: Node, cluster: Cluster) -> dict[str, str]:
    """By its private address also on the node itself: it listens nowhere else."""
    name, password = cluster.app.name, secret("mysql_app")
    return {
        "DATABASE_HOST": node.private,
        "DATABASE_PORT": "3306",
        "DATABASE_NAME": name,
        "DATABASE_USER": name,
        "DATABASE_PASSWORD": password,
        # The same in one, for settings that take it so (dj-database-url, django-environ).
        "DATABASE_URL": f"mysql://{name}:{password}@{node.private}:3306/{name}",
    }


CLIENT = "mariadb --protocol=socket --default-character-set=utf8mb4"
SAVE = r"""set -o pipefail
mariadb-dump --protocol=socket --default-character-set=utf8mb4 --single-transaction --quick \
    --hex-blob --routines --events "$1" | gzip -1"""
HOLDS = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{name}'"
# The file may be anybody's: statements for another database, or of the client's own that start a
# program (--sandbox refuses these, where the client knows it). So a user is made for reading it,
# in a unit without network (DynamicUser of systemd.exec(5)), and an account that may do nothing
# but fill the new database. RENAME TABLE is one step for all tables, and none of them changes if
# one can't (MariaDB's manual, "Atomic DDL").
LOAD = r"""set -eu -o pipefail
name=$1 next=${1}__next before=${1}__before unit=nodriza-$1-load-$$.service
sql() { mariadb --protocol=socket --default-character-set=utf8mb4 --batch --skip-column-names; }
end() {
    systemctl stop "$unit" 2>/dev/null || true
    rm -f "$login"
    sql <<<"DROP USER IF EXISTS '$next'@'localhost'; DROP DATABASE IF EXISTS \`$next\`;"
}
exec 9>"/run/lock/nodriza-$1-load"
flock --nonblock 9 || { echo "another db.load is at work" >&2; exit 1; }
login=$(mktemp /run/nodriza-load.XXXXXXXX)
trap end EXIT
trap 'exit 143' HUP INT TERM
trap '' PIPE # whoever read its words may be gone
password=$(head -c 32 /dev/urandom | base64 --wrap=0)
printf '[client]\nuser=%s\npassword="%s"\n' "$next" "$password" >"$login"
kind=$(sql <<<"SELECT CONCAT('CHARACTER SET ', DEFAULT_CHARACTER_SET_NAME, ' COLLATE ',
    DEFAULT_COLLATION_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '$name'")
sql <<<"DROP DATABASE IF EXISTS \`$next\`; CREATE DATABASE \`$next\` $kind;
    CREATE OR REPLACE USER '$next'@'localhost' IDENTIFIED BY '$password';
    GRANT ALL PRIVILEGES ON \`${next//_/\\_}\`.* TO '$next'@'localhost';"
gzip -dc | systemd-run --quiet --wait --collect --pipe --unit="$unit" --property=DynamicUser=yes \
    --property=PrivateNetwork=yes --property=ProtectHome=yes --property=ProtectProc=invisible \
    --property=PrivateDevices=yes --property=CapabilityBoundingSet= \
    --property=LoadCredential=login.cnf:"$login" -- /usr/bin/mariadb \
    --defaults-file=/run/credentials/"$unit"/login.cnf --socket=/run/mysqld/mysqld.sock \
    --loose-sandbox --default-character-set=utf8mb4 --max-allowed-packet=1G "$next"
more=$(sql <<<"SELECT (SELECT COUNT(*) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '$next')
    + (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '$next')
    + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '$next')
    + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '$next')")
if [ "$more" != 0 ]; then
    echo "it has $more views, triggers, routines or events: these can't come with tables" >&2
    exit 1
fi
if [ "$(sql <<<"${HOLDS/\{name\}/$next}")" = 0 ]; then
    echo "it makes no table" >&2
    exit 1
fi
sql <<<"DROP DATABASE IF EXISTS \`$before\`; CREATE DATABASE \`$before\` $kind;
    SET SESSION group_concat_max_len = 16777216, lock_wait_timeout = 60;
    SELECT CONCAT('RENAME TABLE ', GROUP_CONCAT(one ORDER BY step, one SEPARATOR ', ')) INTO @swap
    FROM (SELECT TABLE_SCHEMA = '$next' AS step, CONCAT('\`', TABLE_SCHEMA, '\`.\`',
            REPLACE(TABLE_NAME, '\`', '\`\`'), '\` TO \`',
            IF(TABLE_SCHEMA = '$next', '$name', '$before'), '\`.\`',
            REPLACE(TABLE_NAME, '\`', '\`\`'), '\`') AS one FROM information_schema.TABLES
        WHERE TABLE_SCHEMA IN ('$name', '$next') AND TABLE_TYPE = 'BASE TABLE') AS every;
    PREPARE swap FROM @swap; EXECUTE swap;"
sql <<<"DROP DATABASE \`$before\`;" || echo "the tables of before are in $before still" >&2
"""


def _dump(_: Node, cluster: Cluster) -> Dump:
    name = cluster.app.name
    holds = HOLDS.format(name=name)
    return Dump(
        save=shlex.join(["bash", "-c", SAVE, "save", name]),
        end="-- Dump completed",
        holds=f"{CLIENT} --batch --skip-column-names --execute={shlex.quote(holds)}",
        load=f"HOLDS={shlex.quote(HOLDS)} " + shlex.join(["bash", "-c", LOAD, "load", name]),
        client=f"{CLIENT} {name}",
    )


OFFERS = (
    Offer(
        "database",
        ("3306",),
        "MariaDB",
        "rows",
        variables=_variables,
        data=("/var/lib/mysql",),
        sockets=("/run/mysqld",),
        drivers=("mysqlclient", "pymysql", "mysql-connector-python"),
        dump=_dump,
    ),
)

BINARY_LOGS = "/var/lib/mysql-binlog"
KEPT = 7
"""Days of them on the node's own disk."""


def BACKUPS(node: Node, cluster: Cluster) -> tuple[Backup, ...]:
    """The whole server, with its accounts."""
    return (
        Backup(
            "database",
            paths=(BINARY_LOGS,),
            program=f"/usr/local/sbin/{cluster.app.name}-backup-database",
            folder="/var/lib/mysql",
            user="mysql",
            units=("mariadb",),
        ),
    )


def mysql(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """One database, and one user at as many addresses as there are nodes."""
    app = cluster.app
    size = cluster.services["database"].memory_mb if "database" in cluster.services else None
    yield Package("mariadb-server")
    conf = template(
        "mysql/60-cluster.cnf.j2",
        to="/etc/mysql/mariadb.conf.d/60-cluster.cnf",
        pool_mb=size or int(node.memory_mb * MEMORY_SHARE),
    )
    room = template(
        "mysql/61-connections.cnf.j2",
        to="/etc/mysql/mariadb.conf.d/61-connections.cnf",
        connections=connections(cluster),
    )
    yield conf
    yield room
    logged = tuple(_backup(node, cluster))
    yield from logged
    yield Service(
        "mariadb",
        restart_on=(conf, *(each for each in logged if each.id.endswith(".cnf")), *node.zone),
        # MariaDB has no --validate-config (that is MySQL). This reads all files as a start
        # does, says what it doesn't know, ends with 7, and touches no data.
        check=("mariadbd", "--help", "--verbose"),
    )
    yield from _time_zones()
    # A cluster that grows must not lose its database for a moment: this needs no restart.
    yield Command(
        "max-connections",
        argv=("mariadb", "-e", f"SET GLOBAL max_connections = {connections(cluster)}"),
        on_change=(room,),
    )
    yield Database(app.name)
    password, *also = cluster.accepted("mysql_app")
    own = users(cluster, "database")
    for other in own:
        yield DatabaseUser(
            app.name,
            host=other.private,
            password=password,
            also=tuple(also),
            grants=((app.name, "ALL"),),
        )
    yield DatabaseAccess(app.name, hosts=tuple(each.private for each in own))


def _backup(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Where the inventory wants backups: binary logs, and what copies and rebuilds all of it."""
    if cluster.backup is None:
        return
    program = BACKUPS(node, cluster)[0].program
    yield Package("mariadb-backup")
    yield Directory(BINARY_LOGS, owner="mysql", group="mysql", mode="0700")
    yield template(
        "mysql/62-binary-log.cnf.j2",
        to="/etc/mysql/mariadb.conf.d/62-binary-log.cnf",
        logs=BINARY_LOGS,
        days=KEPT,
    )
    yield template("mysql/backup.sh.j2", to=program, mode="0755", logs=BINARY_LOGS)


def _time_zones() -> Iterator[Resource | Template]:
    """The zones that CONVERT_TZ knows: what Django groups by day with is NULL without them.

    Loaded here, and whenever an upgrade brings a new tzdata.
    """
    name = "mariadb-time-zones"
    script = template("mysql/time-zones.sh.j2", to=f"/usr/local/sbin/{name}", mode="0755")
    units = (
        template("mysql/time-zones.service.j2", to=f"/etc/systemd/system/{name}.service"),
        template("mysql/time-zones.path.j2", to=f"/etc/systemd/system/{name}.path"),
    )
    yield script
    yield from units
    yield Service(f"{name}.path", restart_on=units, check=("sh", "-n", script.path))
    yield Command("time-zones", argv=(script.path,), unless=(script.path, "--known"))


def connections(cluster: Cluster) -> int:
    """As many as the cluster can hold open at once, so that no child is ever refused.

    Each thread of each worker keeps one, and a reload has old and new workers for a
    moment; a video node has one for each task and one for Celery itself, and as many again while
    a worker from before a deploy ends its tasks.
    """
    app = cluster.app
    children = len(cluster.children) * app.most_workers * app.most_connections * 2
    workers = [each for each in cluster.nodes if does(each, cluster, "tasks")]
    tasks = sum(int(video.variables.get("celery_concurrency", 1)) + 1 for video in workers)
    operators = 20  # a deploy, a dump, a look
    return children + tasks * 2 + operators
