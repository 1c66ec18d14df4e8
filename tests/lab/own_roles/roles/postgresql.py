"""postgresql: the database, in the place of MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Command,
    Directory,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    secret,
    template,
    users,
)

MEMORY_SHARE = 0.25
"""Of the node's memory, for shared_buffers."""


def variables(node: Node, cluster: Cluster) -> dict[str, str]:
    """What the application is told."""
    name, password = cluster.app.name, secret("postgresql_app")
    return {
        "DATABASE_HOST": node.private,
        "DATABASE_PORT": "5432",
        "DATABASE_NAME": name,
        "DATABASE_USER": name,
        "DATABASE_PASSWORD": password,
        "DATABASE_URL": f"postgres://{name}:{password}@{node.private}:5432/{name}",
    }


OFFERS = (
    Offer(
        "database",
        ("5432",),
        "PostgreSQL",
        "rows",
        variables=variables,
        data=("/var/lib/postgresql",),
        sockets=("/run/postgresql",),
        drivers=("psycopg", "psycopg2", "psycopg2-binary"),
    ),
)


def postgresql(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """One database, and one account, from the addresses of the nodes that need it.

    Variable ``postgresql_version``: Debian 12 has 15, Debian 13 has 17.
    """
    app, version = cluster.app, node.variables.get("postgresql_version", 15)
    folder, unit = f"/etc/postgresql/{version}/main", f"postgresql@{version}-main"
    drop_ins = "/etc/systemd/system/postgresql@.service.d"
    yield Package("postgresql")
    yield Directory(drop_ins)
    boot = template("postgresql/boot.conf.j2", to=f"{drop_ins}/boot.conf")
    conf = template(
        "postgresql/cluster.conf.j2",
        to=f"{folder}/conf.d/cluster.conf",
        buffers_mb=int(node.memory_mb * MEMORY_SHARE),
    )
    who = template(
        "postgresql/pg_hba.conf.j2",
        to=f"{folder}/pg_hba.conf",
        group="postgres",
        mode="0640",
        users=users(cluster, "database"),
    )
    yield boot
    yield conf
    yield who
    postgres = f"/usr/lib/postgresql/{version}/bin/postgres"
    yield Service(
        unit,
        restart_on=(conf, boot, *node.zone),
        reload_on=(who,),
        check=("runuser", "-u", "postgres", "--", postgres, "-D", folder, "-C", "max_connections"),
    )
    account = template(
        "postgresql/account.sql.j2",
        to="/etc/postgresql/account.sql",
        group="postgres",
        mode="0640",
    )
    yield account
    psql = ("psql", "--no-psqlrc", "--quiet", "--tuples-only")
    there = f"SELECT 1 / count(*) FROM pg_database WHERE datname = '{app.name}'"
    yield Command(
        "account",
        argv=(*psql, "--set=ON_ERROR_STOP=1", f"--file={account.path}"),
        on_change=(account,),
        unless=(*psql, f"--command={there}"),
        user="postgres",
    )
