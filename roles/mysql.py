"""mysql: MariaDB; each node may log in from its own address only."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Command,
    Database,
    DatabaseAccess,
    DatabaseUser,
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
    yield Service(
        "mariadb",
        restart_on=(conf, *node.zone),
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
    children = len(cluster.children) * app.most_processes * app.threads * 2
    workers = [each for each in cluster.nodes if does(each, cluster, "tasks")]
    tasks = sum(int(video.variables.get("celery_concurrency", 1)) + 1 for video in workers)
    operators = 20  # a deploy, a dump, a look
    return children + tasks * 2 + operators
