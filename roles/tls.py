"""tls: what nginx needs to speak HTTPS: a certificate and its key, from files or ACME."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Absent,
    Cluster,
    Command,
    Directory,
    File,
    Node,
    Package,
    Resource,
    Service,
    Template,
    secret,
    server,
    template,
)

SHOWN = False

FOLDER = "/etc/nginx/tls"

# Until there is a certificate: nginx would not start without one, and without nginx nobody
# answers the challenge.
STAND_IN = """cd "$1" && umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \\
    -subj "/CN=$2" -addext "subjectAltName=$3" -keyout key.new -out certificate.new
cat certificate.new key.new >site.new && mv site.new site.pem
rm certificate.new key.new"""


def NEEDS(node: Node, cluster: Cluster) -> tuple[str, ...]:
    """Somebody has to fetch it, where it comes by ACME."""
    return ("certificate",) if cluster.tls.mode == "acme" else ()


def tls(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """The pair is the inventory's, or what another node got and left on the share."""
    app = cluster.app
    yield Directory(FOLDER, mode="0700")
    if cluster.tls.mode == "files":
        yield Absent(f"{FOLDER}/passphrase")  # what follows the share then leaves it alone
        yield File(
            cluster.tls.pair, f"{cluster.tls.chain}{secret(cluster.tls.key)}\n", mode="0600"
        )
    if cluster.tls.mode == "acme":
        yield from _follow(cluster)
    yield template("tls/tls.conf.j2", to=f"/etc/nginx/{app.name}.tls", pair=cluster.tls.pair)


def _follow(cluster: Cluster) -> Iterator[Resource | Template]:
    name, certificate = f"{cluster.app.name}-tls", server(cluster, "certificate")
    yield Package("openssl")
    names = ",".join(f"DNS:{each}" for each in cluster.names)
    yield Command(
        "stand-in-certificate",
        argv=("sh", "-e", "-c", STAND_IN, "sh", FOLDER, cluster.domain, names),
        creates=cluster.tls.pair,
    )
    yield File(f"{FOLDER}/passphrase", f"{secret('tls_passphrase')}\n", mode="0600")
    script = template(
        "tls/follow.sh.j2",
        to=f"/usr/local/sbin/{name}",
        mode="0755",
        folder=FOLDER,
        certificate=certificate,
    )
    unit = template(
        "tls/follow.service.j2",
        to=f"/etc/systemd/system/{name}.service",
        folder=FOLDER,
        certificate=certificate,
    )
    timer = template("tls/follow.timer.j2", to=f"/etc/systemd/system/{name}.timer")
    yield script
    yield unit
    yield timer
    yield Service(f"{name}.timer", restart_on=(timer, unit), check=("sh", "-n", script.path))
