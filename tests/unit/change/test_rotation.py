"""The rotation of a secret: whatever happens, every program's value is one that is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodriza.change.rotation import Rotation, Step, shown
from nodriza.errors import InventoryError, SecretError
from nodriza.vault.rotating import Rotating
from nodriza.vault.store import Vault
from nodriza.vault.token import OTHER, Secret, names_in, secret
from tests.unit.conftest import ROOT


class Killed(Exception):
    """As a Ctrl-C, a power cut, a node that is away."""


class Node:
    """What a node was last told: the value that its programs use, those that it accepts."""

    uses = ""
    accepts: frozenset[str] = frozenset()


class Pretend:
    """A cluster, of which every node asks every node; and an operator with bad luck.

    After ``luck`` events everything ends. Any node may be provisioned at any time, by
    somebody else, so all of them are, in turn, after every write.
    """

    def __init__(self, folder: Path, nodes: int = 3) -> None:
        self.folder = folder
        self.nodes = [Node() for _ in range(nodes)]
        self.luck = 10_000
        self.events = 0
        for node in self.nodes:
            self.provision(node)

    def vault(self) -> Vault:
        return Vault(self.folder / "home.secrets.age", self.folder / "key")

    def rotating(self) -> Rotating:
        return Rotating(self.folder / "home.rotating")

    def provision(self, node: Node) -> None:
        both = [OTHER] if "redis" in self.rotating().read() else []
        values = self.vault().ensure(["redis", *("redis" + other for other in both)])
        node.uses, node.accepts = values["redis"], frozenset(values.values())

    def event(self) -> None:
        self.events += 1
        if self.events >= self.luck:
            raise Killed

    def all_is_well(self) -> None:
        for user in self.nodes:
            for server in self.nodes:
                assert user.uses in server.accepts

    def bring(self, step: Step) -> None:
        for node in self.nodes:
            self.provision(node)
            self.all_is_well()
            self.event()

    def rotate(self, *, keep_old: bool = False) -> None:
        rotation = Rotation("redis", self.vault(), self.rotating())
        for owner, name in (
            (rotation.vault, "change"),
            (rotation.rotating, "add"),
            (rotation.rotating, "remove"),
        ):
            self._watch(owner, name)
        rotation.run(self.bring, keep_old=keep_old)

    def _watch(self, owner: object, name: str) -> None:
        original = getattr(owner, name)

        def watched(*words: object) -> object:
            self.event()
            answer = original(*words)
            self.event()
            return answer

        setattr(owner, name, watched)


@pytest.fixture
def cluster(tmp_path: Path) -> Pretend:
    return Pretend(tmp_path)


def test_rotation__gives_a_new_value_and_ends_the_old_one(cluster: Pretend) -> None:
    old = cluster.vault().value("redis")
    cluster.rotate()
    new = cluster.vault().value("redis")

    assert new != old
    assert {node.uses for node in cluster.nodes} == {new}
    assert {node.accepts for node in cluster.nodes} == {frozenset({new})}
    assert cluster.vault().names() == ["redis"]
    assert not cluster.rotating().path.exists()


def test_rotation__is_three_steps_and_two_values_in_the_middle(cluster: Pretend) -> None:
    old = cluster.vault().value("redis")
    seen = []

    def bring(step: Step) -> None:
        cluster.bring(step)
        node = cluster.nodes[0]
        seen.append((step, node.uses == old, len(node.accepts), old in node.accepts))

    Rotation("redis", cluster.vault(), cluster.rotating()).run(bring)
    assert seen == [
        (Step.ANNOUNCE, True, 2, True),
        (Step.USE, False, 2, True),
        (Step.DROP, False, 1, False),
    ]


MOMENTS = 19


@pytest.mark.parametrize("moment", range(1, MOMENTS + 1))
@pytest.mark.parametrize("guest", [None, 0, 1, 2])
def test_rotation__killed_at_any_moment_is_safe_and_goes_on(
    cluster: Pretend, moment: int, guest: int | None
) -> None:
    """``guest``: a node that somebody else provisions after the accident."""
    old = cluster.vault().value("redis")
    cluster.luck = moment
    with pytest.raises(Killed):
        cluster.rotate()
    cluster.all_is_well()
    if guest is not None:
        cluster.provision(cluster.nodes[guest])
        cluster.all_is_well()

    cluster.luck = 10_000
    cluster.rotate()
    cluster.all_is_well()
    new = cluster.vault().value("redis")
    assert new != old
    assert {node.accepts for node in cluster.nodes} == {frozenset({new})}
    assert cluster.vault().names() == ["redis"]


def test_rotation__has_no_more_moments_than_that(cluster: Pretend) -> None:
    cluster.rotate()
    assert cluster.events == MOMENTS


def test_rotation__that_keeps_the_old_value_ends_it_when_asked_again(cluster: Pretend) -> None:
    old = cluster.vault().value("redis")
    cluster.rotate(keep_old=True)
    new = cluster.vault().value("redis")
    assert {node.accepts for node in cluster.nodes} == {frozenset({old, new})}
    cluster.rotate(keep_old=True)
    assert cluster.vault().value("redis") == new

    cluster.rotate()
    assert cluster.vault().value("redis") == new
    assert {node.accepts for node in cluster.nodes} == {frozenset({new})}


def test_rotation__of_two_operators_at_once_ends_well(cluster: Pretend) -> None:
    second: list[Step] = []

    def bring(step: Step) -> None:
        cluster.bring(step)
        if not second:
            second.append(step)
            Rotation("redis", cluster.vault(), cluster.rotating()).run(cluster.bring)

    Rotation("redis", cluster.vault(), cluster.rotating()).run(bring)
    cluster.all_is_well()
    assert cluster.vault().names() == ["redis"]


def test_at_once__is_one_new_value_and_ends_a_rotation(cluster: Pretend) -> None:
    old = cluster.vault().value("redis")
    cluster.rotate(keep_old=True)
    Rotation("redis", cluster.vault(), cluster.rotating()).at_once()

    assert cluster.vault().names() == ["redis"]
    assert cluster.vault().value("redis") not in {old, *cluster.nodes[0].accepts}
    assert cluster.rotating().read() == {}


def test_rotation__of_an_unknown_secret_names_the_known_ones(cluster: Pretend, three_node) -> None:
    rotation = Rotation("reds", cluster.vault(), cluster.rotating())
    with pytest.raises(SecretError, match=r"no secret reds(?s:.*)redis"):
        rotation.refuse_without_overlap(three_node)
    with pytest.raises(SecretError, match="no secret reds"):
        rotation.at_once()
    assert not cluster.rotating().path.exists()


def test_rotation__needs_a_server_that_takes_two(cluster: Pretend, three_node) -> None:
    cluster.vault().set("mail", "long-enough")
    rotation = Rotation("mail", cluster.vault(), cluster.rotating())
    with pytest.raises(SecretError, match="accepts two values of mail") as error:
        rotation.refuse_without_overlap(three_node)
    assert "--at-once" in str(error.value)
    for name in ("mysql_app", "redis", "django_secret_key"):
        cluster.vault().ensure([name])
        Rotation(name, cluster.vault(), cluster.rotating()).refuse_without_overlap(three_node)


def test_rotation__makes_up_no_private_key(cluster: Pretend, three_node) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----"
    cluster.vault().set("tls_key", key)
    with pytest.raises(SecretError, match="several lines") as error:
        Rotation("tls_key", cluster.vault(), cluster.rotating()).at_once()
    assert "fab secrets.set tls_key" in str(error.value)
    assert cluster.vault().value("tls_key") == key


def test_shown__says_what_is_in_rotation_and_since_when(cluster: Pretend) -> None:
    assert shown(["a", "b"], {}) == ["a", "b"]
    cluster.rotate(keep_old=True)
    since = cluster.rotating().read()
    line = shown(cluster.vault().names(), since)[0]
    assert line.startswith(f"redis  (in rotation since {since['redis']}: the new value is in use")
    assert shown(["a", "a.next"], {})[0].endswith("the old value is in use, the new one comes)")
    assert "the old one goes" in shown(["a", "a.old"], {})[0]


def test_vault__hides_both_values(cluster: Pretend) -> None:
    cluster.rotate(keep_old=True)
    vault = cluster.vault()
    new, old = vault.value("redis"), vault.value("redis.old")
    assert vault.redact(f"{new} {old}") == "‹secret:redis› ‹secret:redis.old›"


# The list beside the inventory


def test_rotating__is_a_list_that_goes_when_it_is_empty(tmp_path: Path) -> None:
    rotating = Rotating(tmp_path / "home.rotating")
    assert rotating.read() == {}
    rotating.add("redis")
    rotating.add("mysql_app")
    assert set(Rotating(rotating.path).read()) == {"mysql_app", "redis"}
    since = rotating.read()["redis"]
    rotating.add("redis")
    assert rotating.read()["redis"] == since
    rotating.remove("redis")
    assert set(rotating.read()) == {"mysql_app"}
    rotating.remove("mysql_app")
    assert list(tmp_path.iterdir()) == []


def test_rotating__with_something_else_in_it_is_a_mistake_with_a_line(tmp_path: Path) -> None:
    path = tmp_path / "home.rotating"
    path.write_text("redis 2026-01-01T00:00:00Z\n<<<<<<< HEAD\n")
    with pytest.raises(InventoryError, match=r"home\.rotating:2: must be"):
        Rotating(path).read()


def test_cluster__knows_what_is_being_rotated(three_node, tmp_path: Path) -> None:
    from nodriza.inventory import load_cluster

    assert three_node.accepted("redis") == ("‹secret:redis›",)
    path = tmp_path / "three-node.yml"
    path.write_text(three_node.path.read_text().replace("../examples", str(ROOT / "examples")))
    Rotating.beside(path).add("redis")
    cluster = load_cluster(path)
    assert cluster.accepted("redis") == ("‹secret:redis›", "‹secret:redis.other›")
    assert cluster.accepted("mysql_app") == ("‹secret:mysql_app›",)


# Tokens


def test_second_value__is_a_token_that_only_a_rotation_has() -> None:
    assert names_in(f"{Secret('redis.other')} {secret('redis')}") == {"redis", "redis.other"}
    with pytest.raises(SecretError, match="being rotated"):
        secret("redis.other")
    with pytest.raises(SecretError, match="can't be the name"):
        Secret("redis.old")
