"""ssh_config is honoured as ssh honours it, or refused in words; ssh itself reads it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from nodriza.errors import SshConfigError
from nodriza.inventory import load_cluster
from nodriza.ssh import hops, ssh_config, ssh_config_files
from nodriza.ssh.hops import Hop

INVENTORY = """
cluster: home
domain: example.test
networks: {{private: 198.18.7.0/24}}
app: {{name: site, source: ., wsgi: site.wsgi, settings: site.settings}}
nodes:
  server-1: {{kind: central, private: 198.18.7.11, ssh: {{{ssh}}}}}
"""
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def dot_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder .ssh of an operator with no configuration; the system has none either."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(ssh_config_files, "SYSTEM", (tmp_path / "etc/ssh_config",))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "etc").mkdir()
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path / ".ssh"


@pytest.fixture
def way(dot_ssh: Path) -> Callable[..., Hop]:
    """The way to a node with a configuration."""

    def to(config: str, ssh: str = "") -> Hop:
        (dot_ssh / "config").write_text(config)
        (dot_ssh / "config").chmod(0o600)
        (dot_ssh.parent / "home.yml").write_text(INVENTORY.format(ssh=ssh))
        cluster = load_cluster(dot_ssh.parent / "home.yml")
        return hops.to_node(cluster.builder, cluster)

    return to


Way = Callable[..., Hop]


def test_options__have_the_meaning_that_they_have_for_ssh(way: Way, dot_ssh: Path) -> None:
    (dot_ssh / "id_x").touch()
    hop = way(
        "Host 198.18.7.*\n"
        "  HostName real.example.test\n  Port 2222\n  User deploy\n"
        "  IdentityFile ~/.ssh/id_x\n  IdentityFile ~/.ssh/not-there\n  IdentitiesOnly yes\n"
        "  UserKnownHostsFile ~/.ssh/others\n  GlobalKnownHostsFile none\n"
        "  RevokedHostKeys ~/.ssh/revoked\n"
        "  ConnectTimeout 33\n  AddressFamily inet\n  Compression yes\n  ForwardAgent yes\n"
    )
    assert hop.login == "deploy@real.example.test:2222"
    assert hop.known_as == "[real.example.test]:2222"
    assert hop.known_hosts == ((dot_ssh.parent / "home.known_hosts",), (dot_ssh / "others",))
    assert hop.revoked == (str(dot_ssh / "revoked"),)
    assert hop.keys.files == (str(dot_ssh / "id_x"),)
    assert hop.keys.only == (str(dot_ssh / "id_x"), str(dot_ssh / "not-there"))
    assert not hop.keys.defaults
    assert (hop.timeout, hop.family, hop.compress, hop.forward_agent) == (33, "inet", True, True)
    assert hop.before is None


def test_required_rsa_size__is_honoured_and_a_keychain_has_no_meaning(way: Way) -> None:
    config = "IgnoreUnknown UseKeychain\nHost *\n  UseKeychain yes\n  RequiredRSASize 3072\n"
    assert way(config).rsa_bits == 3072
    assert way("Host *\n  Port 23\n").rsa_bits == 0


def test_host_key_alias__is_the_name_in_known_hosts_without_a_port(way: Way) -> None:
    hop = way("Host *\n  HostKeyAlias the-machine\n  Port 2222\n")
    assert (hop.known_as, hop.port) == ("the-machine", 2222)


def test_inventory__is_stronger_than_ssh_config(way: Way) -> None:
    config = "Host *\n  Port 2222\n  User deploy\n  IdentityFile ~/.ssh/id_x\n  ProxyJump gate\n"
    hop = way(
        config + "Host gate\n  ProxyJump none\n", "port: 22, user: root, key: k, gateway: null"
    )
    assert hop.login == "root@198.18.7.11:22"
    assert [Path(file).name for file in hop.keys.files] == ["k"]
    assert hop.keys.agent is None
    assert hop.before is None, "null is none"


@pytest.mark.parametrize(
    ("config", "user"),
    [
        ("", "root"),
        ("Host *\n  Port 23\n", "root"),
        ("Host *\n  User deploy\n", "deploy"),
        (f"Host *\n  User {ME}\n", ME),
        (f"Host other\n  User {ME}\nHost *\n  Port 23\n", "root"),
    ],
)
def test_user__is_root_where_neither_inventory_nor_ssh_config_names_one(
    way: Way, monkeypatch: pytest.MonkeyPatch, config: str, user: str
) -> None:
    assert way(config).user == user


def test_include_match_and_quotes__are_read_as_ssh_reads_them(way: Way, dot_ssh: Path) -> None:
    (dot_ssh / "conf.d").mkdir()
    (dot_ssh / "conf.d/a").write_text('Match originalhost "198.18.7.11"\n  Port 2201\n')
    (dot_ssh / "conf.d/b").write_text("Host 198.18.7.11\n  User=deploy\n")
    hop = way(
        "Include conf.d/*\nHost !198.18.7.11 *\n  Port 1\nMatch exec true\n  Compression yes\n"
    )
    assert hop.login == "deploy@198.18.7.11:2201"
    assert hop.compress


def test_system_file__holds_where_the_own_one_says_nothing(way: Way, dot_ssh: Path) -> None:
    ssh_config_files.SYSTEM[0].write_text("Host *\n  Port 2201\n  User system\n")
    assert way("Host 198.18.7.11\n  User own\n").login == "own@198.18.7.11:2201"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('Host *\n  User "deploy\n', "config line 2: invalid quotes"),
        ("Host *\n  Prot 22\n", "config: line 2: Bad configuration option: prot"),
        ("Host *\n  Port\n", "config line 2"),
        ("Host *\n  Port many\n", "config line 2"),
    ],
)
def test_mistake__is_told_with_file_and_line(
    way: Way, dot_ssh: Path, config: str, words: str
) -> None:
    with pytest.raises(SshConfigError) as caught:
        way(config)
    assert f"{dot_ssh}/{words}" in str(caught.value)


def test_mistake_in_an_included_file__is_told_with_that_file(way: Way, dot_ssh: Path) -> None:
    (dot_ssh / "inner").write_text("Host *\n  Bogus 1\n")
    with pytest.raises(SshConfigError, match=rf"{dot_ssh}/inner: line 2"):
        way("Include inner\n")


@pytest.mark.parametrize(
    "option",
    [
        "BindInterface lo",
        "CheckHostIP yes",
        "KnownHostsCommand /bin/cat /dev/null",
        "LocalCommand touch /tmp/x\n  PermitLocalCommand yes",
        "PKCS11Provider /lib/p.so",
        "PubkeyAuthentication no",
        "PreferredAuthentications password",
        "ProxyUseFdpass yes",
        "CertificateFile ~/elsewhere-cert.pub",
        'UserKnownHostsFile "~/.ssh/two words"',
        "IdentityFile ~/.ssh/%C",
    ],
)
def test_option_that_can_not_be_honoured__is_refused_and_not_ignored(
    way: Way, dot_ssh: Path, option: str
) -> None:
    with pytest.raises(SshConfigError) as caught:
        way(f"Host other\n  Port 1\nHost 198.18.7.*\n  {option}\n")
    assert option.split()[0].lower() in str(caught.value).lower() or "%C" in str(caught.value)
    way(f"Host other\n  {option}\n")  # and hinders nobody else


def test_refused_option__is_told_with_its_line(way: Way, dot_ssh: Path) -> None:
    with pytest.raises(
        SshConfigError, match=rf"{dot_ssh}/config:3: not possible here: bindinterface"
    ):
        way("Host *\n  Port 1\n  BindInterface lo\n")


def test_options_for_terminals_and_forwardings__change_nothing(way: Way) -> None:
    plain = way("")
    config = (
        "Host *\n  ControlMaster auto\n  ControlPath ~/.ssh/%C\n  LocalForward 8080 a:80\n"
        "  RequestTTY yes\n  ServerAliveInterval 5\n  SendEnv LANG\n  StrictHostKeyChecking no\n"
        "  RemoteCommand tmux\n  HashKnownHosts yes\n  GSSAPIAuthentication yes\n"
    )
    assert way(config) == plain


def test_algorithms_that_ssh_config_forbids__are_not_offered(way: Way) -> None:
    hop = way("Host *\n  HostKeyAlgorithms ssh-ed25519\n  Ciphers aes256-ctr\n")
    assert dict(hop.algorithms) == {"keys": ("ssh-ed25519",), "ciphers": ("aes256-ctr",)}


# Ways


def test_proxy_jump__leads_through_each_hop_with_what_ssh_config_says_of_it(way: Way) -> None:
    config = (
        "Host 198.18.7.11\n  ProxyJump ops@one:2200,two\n"
        "Host one\n  HostName 192.0.2.1\n  ProxyJump outer\n"
        "Host two\n  User twice\n  ProxyJump x\n"
    )
    assert [hop.login for hop in way(config)] == [
        f"{ME}@outer:22",
        "ops@192.0.2.1:2200",
        "twice@two:22",
        "root@198.18.7.11:22",
    ]


def test_gateways__are_called_as_people_write_them(way: Way) -> None:
    jumps = "u@192.0.2.1,192.0.2.2:2200,[2001:db8::1]:22,name"
    found = [hop.word for hop in way(f"Host 198.18.7.11\n  ProxyJump {jumps}\n")]
    assert found == ["192.0.2.1", "192.0.2.2:2200", "[2001:db8::1]:22", "name", "server-1"]


def test_gateway_of_the_inventory__has_its_own_lines_in_ssh_config(way: Way) -> None:
    config = "Host bastion.test\n  HostName 192.0.2.1\n  User ops\n  ProxyJump outer\n"
    found = [hop.login for hop in way(config, "gateway: bastion.test")]
    assert found == [f"{ME}@outer:22", "ops@192.0.2.1:22", "root@198.18.7.11:22"]


def test_proxy_command__is_made_ready_with_its_tokens(way: Way) -> None:
    hop = way("Host *\n  ProxyCommand nc -x p %h %p | cat %% %r %n\n", "user: deploy, port: 2222")
    assert hop.command == "nc -x p 198.18.7.11 2222 | cat % deploy 198.18.7.11"
    assert way("Host *\n  ProxyCommand none\n").command == ""


@pytest.mark.parametrize(
    "config",
    [
        "Host *\n  ProxyJump gate\n",
        "Host 198.18.7.11\n  ProxyJump a\nHost a\n  ProxyJump b\nHost b\n  ProxyJump a\n",
    ],
)
def test_way_that_leads_in_a_circle__is_refused(way: Way, config: str) -> None:
    with pytest.raises(SshConfigError, match=r"circle|loop"):
        way(config)


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("h", (None, "h", None)),
        ("u@h:22", ("u", "h", 22)),
        ("ssh://u@h:22", ("u", "h", 22)),
        ("[::1]:22", (None, "::1", 22)),
        ("u@[::1]", ("u", "::1", None)),
        ("::1", (None, "::1", None)),
    ],
)
def test_gateways__are_written_as_for_ssh(
    spec: str, parts: tuple[str | None, str, int | None]
) -> None:
    assert hops.split(spec) == parts


# Cost


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What ssh is asked."""
    calls: list[list[str]] = []
    real = ssh_config._ask

    def ask(arguments: list[str], names: dict[str, str]) -> list[tuple[str, str]]:
        calls.append(arguments)
        return real(arguments, names)

    monkeypatch.setattr(ssh_config, "_ask", ask)
    return calls


DEBIAN = (
    "Include /etc/ssh/ssh_config.d/*.conf\n\nHost *\n#   Port 22\n    SendEnv LANG LC_*\n"
    "    HashKnownHosts yes\n    GSSAPIAuthentication yes\n"
)
"""What openssh-client installs."""


@pytest.mark.parametrize(
    "config",
    [
        "",
        DEBIAN,
        "Host other*\n  Port 1\n  ProxyJump x\nHost a b ?.c\n  User x\n",
        "# Port 1\nHost 198.18.7.12 !198.18.7.11\n  User x\n",
        "Match host x\n  ForwardX11 no\n",
    ],
)
def test_ssh__is_not_asked_about_a_host_that_no_line_can_concern(
    way: Way, asked: list[list[str]], config: str
) -> None:
    assert way(config).login == "root@198.18.7.11:22"
    assert asked == []


def test_ssh__is_asked_once_about_a_host(way: Way, asked: list[list[str]]) -> None:
    way("Host *\n  Port 24\n  User anybody\n")
    first = len(asked)
    assert 1 <= first <= 2, "and once for what it does without a configuration"
    for _ in range(3):
        assert ssh_config.about("198.18.7.11").port == 24
    assert len(asked) == first


def test_file_that_has_changed__is_read_again(way: Way) -> None:
    assert way("Host *\n  Port 24\n").port == 24
    assert way("Host *\n  Port 2400\n").port == 2400


def test_hosts_that_all_lines_treat_alike__are_asked_about_once(
    way: Way, asked: list[list[str]]
) -> None:
    """A thousand nodes in one network: one question, and not seven seconds."""
    way("Host 198.18.7.1\n  Port 1\nHost 198.18.7.*\n  Port 24\n  User u\n  ProxyJump gate\n")
    before = len(asked)
    found = {ssh_config.about(f"198.18.7.{number}") for number in range(2, 200)}
    assert len(asked) == before
    assert {said.port for said in found} == {24}
    assert len({said.host for said in found}) == 198
    assert ssh_config.about("198.18.7.1").port == 1


@pytest.mark.parametrize(
    "config",
    [
        "Host 198.18.7.*\n  Hostname %h.example.test\n",
        "Host *\n  Port 24\nMatch host 198.18.7.3\n  User u\n",
        "Host *\n  Port 24\nHost 198.18.7.[345]\nHost 198.18.7.3 # x\n  User u\n",
        'Host *\n  Port 24\nHost "198.18.7.3"\n  User u\n',
        "Host *\n  Port 24\nHost !198.18.7.3 198.18.7.*\n  User v\n",
        "Host *\n  Port 24\nInclude inner\n",
        "Host *\n  Port 24\nHost 198.18.7.3\n  Include inner\n",
    ],
)
def test_hosts_that_lines_tell_apart__are_not_taken_for_one_another(
    way: Way, dot_ssh: Path, config: str
) -> None:
    (dot_ssh / "inner").write_text("Host *.3\n  User u\n")
    way(config)
    alone = {}
    for number in (2, 3):
        ssh_config._answers.clear()
        alone[number] = ssh_config.about(f"198.18.7.{number}")
    ssh_config._answers.clear()
    for number in (2, 3):
        assert ssh_config.about(f"198.18.7.{number}") == alone[number]
    assert (alone[2].host, alone[2].user) != (alone[3].host, alone[3].user)
    assert alone[3].host.startswith("198.18.7.3")
    different = {(said.user, said.host.removesuffix(".example.test")) for said in alone.values()}
    assert len(different) == 2
