"""certbot: one node gets the certificate and renews it, the children show it."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Backup,
    Cluster,
    Directory,
    File,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    secret,
    template,
)

OFFERS = (Offer("certificate", name="certbot"),)
# The account and the pairs: the authority gives only so many a week.
BACKUPS = (Backup("certificate", paths=("/etc/letsencrypt",)),)


def certbot(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """The challenge lies on the share, where every child serves it from; so it doesn't
    matter which of them the authority asks. The pair goes to the share as well, its key
    encrypted, so that neither the application nor the wire learns it.

    The first one comes when the children answer; Debian's certbot.timer renews it.
    """
    app, name = cluster.app, f"{cluster.app.name}-certificate"
    yield Package("certbot")
    yield Package("openssl")
    yield Directory(f"{app.root}/acme")
    yield Directory(f"{app.root}/tls")
    passphrase = File(
        f"/etc/{app.name}/tls.passphrase", f"{secret('tls_passphrase')}\n", mode="0600"
    )
    yield passphrase
    authority = f"/etc/{app.name}/acme-ca.pem" if cluster.tls.ca else ""
    if cluster.tls.ca:
        yield File(authority, cluster.tls.authority)
    drop_ins = "/etc/systemd/system/certbot.service.d"
    yield Directory(drop_ins)
    yield template("certbot/renew.conf.j2", to=f"{drop_ins}/nodriza.conf", authority=authority)
    hook = template("certbot/deploy.sh.j2", to=f"/usr/local/sbin/{name}-deploy", mode="0755")
    script = template(
        "certbot/certificate.py.j2",
        to=f"/usr/local/sbin/{name}",
        mode="0755",
        hook=hook.path,
        children=[child.private for child in cluster.children],
    )
    unit = template(
        "certbot/certificate.service.j2",
        to=f"/etc/systemd/system/{name}.service",
        run=script.path,
        authority=authority,
    )
    yield hook
    yield script
    yield unit
    yield Service(
        name,
        restart_on=(hook, script, unit, passphrase),
        check=("sh", "-n", hook.path),
    )
    yield Service("certbot.timer")
