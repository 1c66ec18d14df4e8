"""postgresql: the database, in the place of MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Backup,
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


def version(node: Node) -> int:
    """Variable ``postgresql_version``: Debian 12 has 15, Debian 13 has 17."""
    found: int = node.variables.get("postgresql_version", 15)
    return found


def BACKUPS(node: Node, cluster: Cluster) -> tuple[Backup, ...]:
    """The application's database, with the accounts."""
    return (
        Backup(
            "database",
            program=f"/usr/local/sbin/{cluster.app.name}-backup-database",
            folder=f"/var/lib/postgresql/{version(node)}/main",
            user="postgres",
            units=(f"postgresql@{version(node)}-main",),
        ),
    )


def postgresql(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """One database, and one account, from the addresses of the nodes that need it."""
    app, number = cluster.app, version(node)
    folder, unit = f"/etc/postgresql/{number}/main", f"postgresql@{number}-main"
    programs = f"/usr/lib/postgresql/{number}/bin"
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
    if cluster.backup:
        yield template(
            "postgresql/backup.sh.j2",
            to=f"/usr/local/sbin/{app.name}-backup-database",
            mode="0755",
            programs=programs,
        )
    postgres = f"{programs}/postgres"
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
