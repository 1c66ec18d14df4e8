"""app: what the application finds on every node that runs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nodriza.role import (
    Cluster,
    Directory,
    Node,
    Offer,
    Package,
    Resource,
    Secret,
    Service,
    Template,
    Touch,
    User,
    env,
    environment,
    needs,
    secret,
    server,
    template,
    told,
)

SHOWN = False


def OFFERS(node: Node, cluster: Cluster) -> tuple[Offer, ...]:
    """Releases are made on one node, for all of them."""
    return (Offer("releases"),) if node.builds else ()


def NEEDS(node: Node, cluster: Cluster) -> tuple[str, ...]:
    """Where releases are made they are tried and migrated; all others take them from there, and
    so does that node where it serves."""
    own = ("database", "broker", "cache") if node.builds else ()
    taken = ("releases",) if node.serves or not node.builds else ()
    data = ("data",) if "data" in cluster.services else ()
    return (*own, *taken, *data)


def app(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Its variables and its packages; where releases are made also the folders of the share.

    A node that mounts the share gets a unit that waits for it; services start after that.
    """
    application = cluster.app
    yield Package("python3")
    for name in application.packages:
        yield Package(name)
    yield Directory(application.own)
    if node.builds or application.releases == "local":
        # Code is root's: who breaks into the application can't change it.
        yield Directory(application.release_folder)
        yield Directory(application.venv_folder)
    yield Directory(application.home, owner=application.user, group=application.user, mode="0750")
    yield from _variables(node, cluster)
    if node.builds or application.releases == "local":
        yield from _builder(cluster)
    if node.builds:
        yield from _share(cluster)
    if needs(node, cluster, "share"):  # who has the files on a disk of its own mounts nothing
        unit = f"{application.name}-share.service"
        wait = template(
            "app/share.service.j2",
            to=f"/etc/systemd/system/{unit}",
            share=server(cluster, "share"),
        )
        yield wait
        yield Service(unit, restart_on=(wait,))


def _variables(node: Node, cluster: Cluster) -> Iterator[Template]:
    """Where releases are made beside one that serves, the next one's are a file too."""
    app = cluster.app
    jobs = [
        (each, {key: as_told(value) for key, value in each.variables.items()})
        for each in told(node, cluster)
    ]
    ours = given(node, cluster) | {k: value for _, job in jobs for k, value in job.items()}
    values: dict[str, Any] = {
        "ours": ours,
        "jobs": jobs,
        "environment": environment(cluster, ours),
        "secrets": {key: env(secret(key.lower())) for key in app.secrets},
    }
    file, group = app.environment_file, app.user
    yield template("app/app.env.j2", to=file, group=group, mode="0640", **values)
    if node.builds and node.serves:
        # Read by systemd, for each step of a build.
        yield template("app/app.env.j2", to=app.next_environment_file, mode="0600", **values)


def _builder(cluster: Cluster) -> Iterator[Resource | Template]:
    """Who runs other people's build code, and has nothing else on this host.

    With copies of releases each node has one: it makes the environment itself where its Python is
    another one than the builder's, and the packages for that come when it does.
    """
    app = cluster.app
    yield User(app.builder, home=app.cache)
    yield Directory(app.cache.rpartition("/")[0])
    yield Directory(app.cache, owner=app.builder, group=app.builder, mode="0700")
    yield template("app/uv.txt.j2", to=f"{app.uv}.txt")


def _share(cluster: Cluster) -> Iterator[Resource]:
    app = cluster.app
    yield Package("python3-venv")
    for name in app.build_packages:
        yield Package(name)
    yield Directory(app.packs, owner=app.user, group=app.user, mode="0755")
    yield Directory(app.media, owner=app.user, group=app.user)
    if any(process.on == "one" for process in app.processes.values()):
        yield Directory(app.once, owner=app.user, group=app.user, mode="0750")
    yield Touch(app.reload)


def given(node: Node, cluster: Cluster) -> dict[str, str]:
    """What the application is told besides its jobs; app.env.j2 has the reasons.

    Not STATIC_ROOT, which is another one for each release.
    """
    app, keys = cluster.app, cluster.accepted("django_secret_key")
    variables = {
        "DJANGO_SECRET_KEY": env(keys[0]),
        "DJANGO_SECRET_KEY_FALLBACKS": " ".join(keys[1:]),
        "DJANGO_ALLOWED_HOSTS": ",".join(hosts(node, cluster)),
        "CELERY_VISIBILITY_TIMEOUT": str(app.tasks.visibility),
        "MEDIA_ROOT": app.media,
        "MAX_UPLOAD_MB": str(app.largest_body_mb),
        "NODE_NAME": node.name,
    }
    if cluster.tls.on:
        variables["DJANGO_SECURE"] = "1"
        variables["CSRF_TRUSTED_ORIGINS"] = f"https://{cluster.domain}"
    return variables


def hosts(node: Node, cluster: Cluster) -> list[str]:
    """What may stand in a request's Host: the site, and the node itself for those who test it.

    Not the siblings: a cluster that grows must not restart the children it has.
    """
    own = [node.name, node.web_address, node.private] if node.serves else []
    return list(dict.fromkeys([cluster.domain, *own, "localhost", "127.0.0.1"]))


def as_told(value: str) -> str:
    """Inside of double quotes; a secret by itself is escaped where it is known."""
    return env(value) if isinstance(value, Secret) else value
