"""The cluster of a drill: the operator's inventory and secrets, with all that leads outside
taken out of them.

It has addresses of a lab's, a name of its own, certificates that were made here, no hooks, and
backups that it can only read. Its vault has a key of its own, and lacks what opens the place of
the backups.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nodriza.errors import TargetError
from nodriza.inventory.load import load_cluster
from nodriza.inventory.yaml.partial import read_draft
from nodriza.inventory.yaml.positions import read_marked
from nodriza.lab.wiring import free_networks
from nodriza.vault.store import Vault
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

COPIES = "/mnt/nodriza-drill"
"""Where the machines see the copy of the backups."""
FOR_BACKUPS = ("backup_ssh_key", "backup_s3_id", "backup_s3_secret")
"""Secrets with which somebody could write where the backups are."""
LEAST_MB = 512
FABFILE = "from nodriza.fabfile import ns  # noqa: F401\n"


def name_of(cluster: Cluster) -> str:
    """Of the drill's cluster, its lab and its namespace."""
    return f"{cluster.name[:25].rstrip('-')}-drill"


def chosen(cluster: Cluster, only: str) -> list[Node]:
    """The nodes that are rebuilt; ``TargetError`` where one is left out that keeps data."""
    words = [word for word in only.split(",") if word]
    known = {*(node.name for node in cluster.nodes), *(node.kind for node in cluster.nodes)}
    for word in words:
        if word not in known:
            raise TargetError(
                f"--only {word[:60]}: no node and no kind{did_you_mean(word, known)}",
                kept="nothing was done",
                do=f"choose from {', '.join(sorted(known))}",
            )
    nodes = [n for n in cluster.nodes if not words or n.name in words or n.kind in words]
    names = {node.name for node in nodes}
    for service, placed in cluster.services.items():
        if placed.on and placed.on not in names:
            raise TargetError(
                f"--only leaves out {placed.on}, which does the service {service}",
                kept="nothing was done",
                do=f"--only {','.join([*words, placed.on])}",
            )
    return nodes


def write(
    cluster: Cluster,
    nodes: Sequence[Node],
    values: Mapping[str, str],
    folder: Path,
    *,
    system: str,
    memory_mb: int,
) -> Path:
    """A folder such as an operator has, for this cluster; its inventory.

    ``system``: the Debian release. ``memory_mb``: what all machines may have.
    """
    path = folder / "inventories" / f"{name_of(cluster)}.yml"
    path.parent.mkdir()
    (folder / "fabfile.py").write_text(FABFILE)
    for name in ("roles", "templates"):
        own = cluster.path.parent.parent / name
        if own.is_dir():
            (folder / name).symlink_to(own)
    data = _settings(cluster, nodes, memory_mb)
    data["lab"] = {
        "release": system or "bookworm",
        "internet": True,
        "unreachable": sorted(_hosts(cluster)),
        "folders": {COPIES: str(folder / "copies")},
    }
    kept = {name: value for name, value in values.items() if name not in FOR_BACKUPS}
    if cluster.tls.mode == "acme":
        certificate, kept["tls_key"] = self_made(cluster.names)
        (folder / "certificate.pem").write_text(certificate)
        data["tls"] = {"mode": "files", "certificate": str(folder / "certificate.pem")}
    _dump(path, data)
    Vault.beside(path).path.unlink(missing_ok=True)
    Vault(Vault.beside(path).path, folder / "age.key").change(lambda _: kept)
    load_cluster(path)
    return path


def close(path: Path) -> None:
    """From the next ``lab.up`` on its machines reach each other only."""
    data = yaml.safe_load(path.read_text())
    data["lab"]["internet"] = False
    _dump(path, data)


def self_made(names: Sequence[str]) -> tuple[str, str]:
    """A certificate for these names, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _settings(cluster: Cluster, nodes: Sequence[Node], memory_mb: int) -> dict[str, Any]:
    document = read_marked(cluster.path.read_text("utf-8-sig"))
    written = {each.name: each.settings for each in read_draft(document).nodes}
    networks = free_networks()
    addresses: dict[str, str] = {}
    for number, node in enumerate(nodes, 11):
        for address, network in zip((node.private, node.public), networks, strict=True):
            if address:
                addresses[address] = str(ipaddress.IPv4Network(network)[number])
    data: dict[str, Any] = _moved(document.data, addresses)
    memory = _memory([node.memory_mb for node in nodes], memory_mb)
    data["cluster"] = name_of(cluster)
    data["networks"] = {"private": networks[0]}
    if cluster.networks.public:
        data["networks"]["public"] = networks[1]
    data["nodes"] = {}
    for node, mb in zip(nodes, memory, strict=True):
        settings = written[node.name]
        said = settings.model_dump(mode="json", exclude_unset=True) if settings else {}
        said.pop("ssh", None)
        data["nodes"][node.name] = {**_moved(said, addresses), "memory_mb": mb}
    _shut(cluster, data)
    return data


def _memory(wanted: Sequence[int], most: int) -> list[int]:
    """MiB for each machine: what it is to have, or of what is there its part."""
    above = [max(0, mb - LEAST_MB) for mb in wanted]
    part = min(1.0, max(0, most - LEAST_MB * len(wanted)) / max(1, sum(above)))
    return [min(mb, LEAST_MB) + int(more * part) for mb, more in zip(wanted, above, strict=True)]


def _shut(cluster: Cluster, data: dict[str, Any]) -> None:
    """Without what leads to other hosts, or needs this computer's disks."""
    for key in ("ssh", "protected"):  # nobody is there to be asked
        data.pop(key, None)
    for kind in (data.get("kinds") or {}).values():
        kind.pop("ssh", None)
    app = data["app"]
    app["source"] = str(cluster.app.source_path)
    (app.get("hooks") or {}).pop("after", None)
    share = data.get("share") or {}
    for key in ("device", "size_mb"):
        share.pop(key, None)
    for key in ("certificate", "ca"):
        if (tls := data.get("tls")) and tls.get(key):
            tls[key] = str(getattr(cluster.tls, key))
    memory = cluster.backup.memory_mb if cluster.backup else 512
    data["backup"] = {"to": COPIES, "of": cluster.name, "memory_mb": memory}


def _hosts(cluster: Cluster) -> Iterator[str]:
    """The addresses of the cluster that is copied, and of where its backups are."""
    names = [cluster.backup.to if cluster.backup else ""]
    for node in cluster.nodes:
        names += [node.private, node.public or "", node.ssh.host or "", node.ssh.gateway or ""]
    for word in re.findall(r"[0-9.]+", " ".join(names)):
        try:
            yield str(ipaddress.IPv4Address(word))
        except ValueError:
            continue


def _moved(value: Any, addresses: Mapping[str, str]) -> Any:
    """The same with the nodes' new addresses in all texts."""
    if isinstance(value, dict):
        return {key: _moved(each, addresses) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_moved(each, addresses) for each in value]
    if not isinstance(value, str):
        return value
    return re.sub(
        r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])",
        lambda found: addresses.get(found[0], found[0]),
        str(value),
    )


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False))
