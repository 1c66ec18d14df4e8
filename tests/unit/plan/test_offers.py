"""What roles offer and need: doors, variables, health and pictures know no service by name."""

from __future__ import annotations

import re

import pytest

from nodriza.errors import RoleError, TemplateError
from nodriza.inventory import load_cluster
from nodriza.plan import hidden
from nodriza.plan.offers import doors, links, server, servers, told, users
from nodriza.plan.plan import declared, plan_all
from nodriza.release.release import Release
from nodriza.resources import DatabaseAccess, DatabaseUser, File, Health, Package, Peers
from nodriza.smoke import Site
from nodriza.smoke.checks import private_ports
from nodriza.smoke.run import all_checks
from nodriza.watch.dns import as_zone_file, zone_of
from nodriza.watch.topology import draw
from tests.unit.conftest import ROOT
from tests.unit.roles.test_tls import with_tls

POSTGRESQL = '''
"""postgresql: in the place of mysql."""
from nodriza.role import Offer, Package, secret, users

def variables(node, cluster):
    return {"DATABASE_URL": f"postgres://{cluster.app.name}:{secret('pg')}@{node.private}/shop"}

OFFERS = (Offer("database", ("5432",), "PostgreSQL", "rows", variables=variables),)

def postgresql(node, cluster):
    """Whoever needs the database may log in."""
    assert [each.name for each in users(cluster, "database")] == [n.name for n in cluster.nodes]
    yield Package("postgresql")
'''
GUNICORN = '''
"""gunicorn: in the place of uwsgi."""
from nodriza.role import Offer, Package

NEEDS = ("database", "cache")
OFFERS = (Offer("application"),)

def gunicorn(node, cluster):
    """Another server of the application."""
    yield Package("gunicorn")
'''
MUNIN = '''
"""munin: the monitoring may look at this node."""
from nodriza.role import Offer, Package

OFFERS = (Offer("munin", ("4949",)),)

def munin(node, cluster):
    """The node's own part."""
    yield Package("munin-node")
'''
KINDS = """
kinds:
  central:
    roles: [base, firewall, nfs_server, {database}, redis, app]
    variables: {{needs: [munin]}}
  child:
    roles: [base, firewall, nfs_client, app, {application}, nginx, munin]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A repository with roles of its own."""
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))

    def make(database="mysql", application="uwsgi", kinds=KINDS, change=str, **roles):
        for folder in ("roles", "inventories"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for name, text in {"munin": MUNIN, **roles}.items():
            (tmp_path / f"roles/{name}.py").write_text(text)
        lab = (ROOT / "inventories/three-node.yml").read_text()
        lab = change(lab.replace("../examples/", f"{ROOT}/examples/"))
        inventory = tmp_path / "inventories/mine.yml"
        inventory.write_text(lab + kinds.format(database=database, application=application))
        return load_cluster(inventory)

    return make


def plans(cluster):
    return {plan.node: plan for plan in plan_all(cluster, cluster.nodes)}


def only(plan, kind):
    return [each.resource for each in plan.resources if isinstance(each.resource, kind)]


def environment(plan):
    text = next(each.content for each in only(plan, File) if each.path.endswith("/videoteca.env"))
    return dict(re.findall(r'^(\w+)="(.*)"$', text, re.MULTILINE))


def allowed(plan):
    return {port: set(each.allow) for each in only(plan, Peers) for port in each.ports}


CHILDREN, VIDEO, CENTRAL = {"198.18.7.12", "198.18.7.13"}, "198.18.7.21", "198.18.7.11"


def test_own_database__has_its_port_its_users_and_its_variables_and_nothing_is_left_of_ours(own):
    cluster = own(database="postgresql", postgresql=POSTGRESQL)
    all_ = plans(cluster)
    central = allowed(all_["server-1"])
    assert central["5432"] == CHILDREN | {VIDEO}
    assert "3306" not in central
    for plan in all_.values():
        assert environment(plan)["DATABASE_URL"] == (
            f"postgres://videoteca:‹secret:pg›@{CENTRAL}/shop"
        )
        assert "DATABASE_HOST" not in environment(plan)
        assert "mysql_app" not in plan.secrets
    assert "PostgreSQL" in draw(cluster)
    assert 5432 in private_ports(cluster.node("server-2"), cluster)
    assert 3306 not in private_ports(cluster.node("server-2"), cluster)


def test_own_application_server__has_the_doors_and_the_health_of_ours(own):
    cluster = own(application="gunicorn", gunicorn=GUNICORN)
    all_ = plans(cluster)
    central = allowed(all_["server-1"])
    assert central["3306"] == central["6380"] == CHILDREN | {VIDEO}
    assert central["6379"] == {VIDEO}  # it needs no broker
    assert "CELERY_BROKER_URL" not in environment(all_["server-2"])
    assert len(only(all_["server-2"], Health)) == 1


def test_own_application_server__is_spoken_to_as_it_says(own):
    spoken = {}
    for speaks in ("http", "uwsgi"):
        text = GUNICORN.replace('"application"', f'"application", speaks="{speaks}"')
        cluster = own(application="gunicorn", gunicorn=text)
        files = {f.path: f.content for f in only(plans(cluster)["server-2"], File)}
        site = files["/etc/nginx/conf.d/videoteca.conf"]
        spoken[speaks] = set(re.findall(r"(proxy|uwsgi)_\w+ ", site))
        spoken[speaks] |= set(
            re.findall(r"^(proxy|uwsgi)_", files["/etc/nginx/videoteca.application"], re.MULTILINE)
        )
    assert spoken == {"http": {"proxy"}, "uwsgi": {"uwsgi"}}


def test_application_server_that_speaks_http__hears_of_nginx_alone_who_comes_and_who_asks(own):
    all_ = plans(own(application="gunicorn", gunicorn=GUNICORN))
    files = {f.path: f.content for f in only(all_["server-2"], File)}
    headers = dict(
        re.findall(r"proxy_set_header (\S+) (\S+);", files["/etc/nginx/videoteca.application"])
    )
    assert headers["Nodriza-Health"] == "$asks_health"
    assert headers["X-Real-IP"] == headers["X-Forwarded-For"] == "$remote_addr"
    assert headers["x-forwarded-host"] == '""'
    site = files["/etc/nginx/conf.d/videoteca.conf"]
    assert re.findall(r"set \$asks_health (.*);", site) == ['""', "1"]


def test_protocol_that_nobody_knows__is_told_with_the_folders(own):
    text = GUNICORN.replace('"application"', '"application", speaks="ajp"')
    with pytest.raises(TemplateError, match=r"no template nginx/ajp.j2 in .*templates"):
        plans(own(application="gunicorn", gunicorn=text))


def test_role__has_a_smoke_check_of_its_own(own):
    check = '''
def answers(site):
    """munin answers"""

SMOKE = (answers,)
'''
    cluster = own(munin=MUNIN + check, application="gunicorn", gunicorn=GUNICORN)
    sentences = [each.__doc__ for each in all_checks(cluster, Site(cluster)).all]
    assert "munin answers" in sentences
    assert not [words for words in sentences if "uwsgi" in words]
    ours = own()
    sentences = [each.__doc__ for each in all_checks(ours, Site(ours)).all]
    assert sentences.count("a touched reload file reloads uwsgi on every child") == 1


def test_own_service__is_open_to_those_who_need_it_and_to_nobody_else(own):
    cluster = own()
    all_ = plans(cluster)
    assert allowed(all_["server-2"]) == {"4949": {CENTRAL}}
    rules = next(f.content for f in only(all_["server-2"], File) if "nftables" in f.path)
    assert [line.strip() for line in rules.splitlines() if "4949" in line] == [
        f"ip saddr {{ {CENTRAL} }} ip daddr 198.18.7.12 tcp dport {{ 4949 }} accept"
    ]
    assert "4949" not in allowed(all_["video-1"])
    assert "munin 4949" in draw(cluster)
    assert 4949 in private_ports(cluster.node("video-1"), cluster)


def test_node__is_told_only_of_what_its_roles_need(own):
    cluster = own(change=lambda text: text.replace("  celery: videoteca\n", ""))
    assert told(cluster.node("video-1"), cluster) == []
    jobs = [each.offer.job for each in told(cluster.node("server-2"), cluster)]
    assert jobs == ["database", "broker", "cache"]
    assert [node.name for node in users(cluster, "database")] == [
        "server-1",
        "server-2",
        "server-3",
    ]
    assert server(cluster, "database").name == "server-1"


def test_account_in_the_database__is_for_those_who_need_it(own):
    cluster = own(change=lambda text: text.replace("  celery: videoteca\n", ""))
    accounts = only(plans(cluster)["server-1"], DatabaseUser)
    assert {each.host for each in accounts} == {CENTRAL} | CHILDREN
    assert only(plans(cluster)["server-1"], DatabaseAccess)[0].hosts == tuple(
        each.host for each in accounts
    )


def test_own_role_upon_a_shipped_one__offers_and_needs_the_same(own):
    shipped = (
        "from nodriza.roles.nginx import nginx as shipped\n\n"
        "def nginx(node, cluster):\n    yield from shipped(node, cluster)\n"
    )
    rules = next(
        each.content
        for each in only(plans(own(nginx=shipped))["server-2"], File)
        if each.path == "/etc/nftables.conf"
    )
    assert "tcp dport { 80 } accept" in rules
    silent = own(nginx=f"OFFERS = ()\n{shipped}")
    assert not [o for _, o in links(silent).offers["server-2"] if o.job == "web"]


NAMED = """
kinds:
  central: {{roles: [default, dns]}}
"""
ZONE = '''
"""dns: another name server."""
from nodriza.role import Offer, Zone

OFFERS = (Offer("names", ("53",), "DNS", public=True, protocols=("tcp", "udp")),)

def dns(node, cluster):
    """The zone of somebody who has other secondaries."""
    children = tuple((child.name, child.web_address) for child in cluster.children)
    head = "$TTL 7\\n@ IN NS ns.elsewhere.test.\\n"
    yield Zone("/etc/bind/zone", head, children, health="", name="")
'''


@pytest.mark.parametrize("kinds", [NAMED, ""])
def test_own_name_server__makes_the_zone_that_is_printed(own, kinds):
    cluster = own(kinds=kinds, dns=ZONE)
    assert zone_of(cluster).path == "/etc/bind/zone"
    assert ("ns.elsewhere.test" in as_zone_file(cluster, [])) == bool(kinds)
    assert [node.name for node in servers(cluster, "names")] == (["server-1"] if kinds else [])


def test_own_name_server_of_another_name__is_meant_where_no_node_has_any(own):
    cluster = own(kinds="", named=ZONE.replace("def dns", "def named"))
    assert zone_of(cluster).path == "/etc/bind/zone"


def test_own_name_server__that_makes_no_zone_is_told_with_its_line(own):
    cluster = own(dns=ZONE.split("    children")[0] + "    yield from ()\n")
    with pytest.raises(RoleError, match=r'dns offers "names" and yields no Zone') as told_:
        zone_of(cluster)
    assert "roles/dns.py:5" in str(told_.value)


def test_data_of_an_own_database__is_out_of_reach_of_the_application_s_code(own):
    its = POSTGRESQL.replace(
        "variables=variables", 'variables=variables, data=("/var/lib/pg",), sockets=("/run/pg",)'
    )
    cluster = own(database="postgresql", postgresql=its)
    seen = hidden.from_application(cluster)
    assert set(seen) == {"/var/lib/nodriza", "/var/lib/redis", "/var/lib/pg"}
    built = {*hidden.from_builder(cluster)} - {*seen}
    assert built == {
        "/run/pg",
        "/run/redis",
        "/run/uwsgi",
        "/run/videoteca.sock",
        "/etc/videoteca",
        "/srv/videoteca/media",
    }


def test_role_that_is_not_for_people_to_see__is_left_out_of_the_picture(own):
    kinds = KINDS.replace("    variables: {{needs: [munin]}}\n", "")
    assert "munin" in draw(own(kinds=kinds))
    text = draw(own(kinds=kinds, munin=f"{MUNIN}\nSHOWN = False\n"))
    assert "munin" not in text
    assert "firewall" not in text


def test_release__comes_with_its_newest_files_to_whoever_serves_the_web(own):
    """By the job, whatever serves it: nginx is a role among others."""
    caddy = '''
from nodriza.role import Offer, Package

OFFERS = (Offer("web", ("80",), public=True),)

def caddy(node, cluster):
    """Another web server."""
    yield Package("caddy")
'''
    cluster = own(kinds=KINDS.replace("nginx", "caddy"), caddy=caddy)
    to = Release("aaa", served=1.0, venv="bbb")
    items = [item for item, _ in declared(
        "release", cluster.node("server-2"), cluster, to, ("aaa",), to
    )]  # fmt: skip
    assert f"link:{cluster.app.newest}" in [item.id for item in items]


def test_need_that_nobody_offers__is_told_with_its_line_and_the_near_word(own):
    typed = GUNICORN.replace('"database"', '"databse"')
    with pytest.raises(RoleError) as told_:
        plans(own(application="gunicorn", gunicorn=typed))
    said = str(told_.value)
    assert 'server-2 needs "databse" for its role gunicorn, and no node offers that' in said
    assert 'did you mean "database"?' in said
    assert "roles/gunicorn.py:5" in said
    assert "no host was touched" in said


KEPT = """
kinds:
  central: {{roles: [base, firewall, nfs_server, redis, app]}}
"""


def test_need_that_somebody_outside_meets__is_told_in_the_environment(own):
    with pytest.raises(RoleError) as told_:
        plans(own(kinds=KEPT))
    said = str(told_.value)
    assert "give a node the role mysql" in said
    assert "DATABASE_HOST in app.environment" in said
    outside = 'app:\n  environment: {DATABASE_URL: "mysql://db.example.org/shop"}\n'
    all_ = plans(own(kinds=KEPT, change=lambda text: text.replace("app:\n", outside)))
    assert environment(all_["server-2"])["DATABASE_URL"] == "mysql://db.example.org/shop"
    assert set(allowed(all_["server-1"])) == {"6379", "6380", "2049"}


TWICE = """
kinds:
  child: {{roles: [default, mysql]}}
"""


def test_job_with_variables__is_done_by_one_node(own):
    with pytest.raises(RoleError, match=r"mysql on server-1 and mysql on server-2 .* both offer"):
        plans(own(kinds=TWICE))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('NEEDS = "database"', "NEEDS of the role munin must be a tuple of str"),
        ('OFFERS = Offer("munin")', "OFFERS of the role munin must be a tuple of Offer"),
    ],
)
def test_what_is_no_tuple__is_told_with_its_line(own, line, words):
    with pytest.raises(RoleError, match=words) as told_:
        plans(own(munin=f"{MUNIN}\n{line}\n"))
    assert "roles/munin.py:" in str(told_.value)


def test_mistake_in_what_a_role_offers__is_told_as_one_of_the_role(own):
    broken = MUNIN + "\ndef NEEDS(node, cluster):\n    return (node.nickname,)\n"
    with pytest.raises(RoleError, match="the role munin does not work") as told_:
        plans(own(munin=broken))
    assert "roles/munin.py:12" in str(told_.value)


def test_users__are_in_the_order_of_the_inventory(own):
    cluster = own(kinds=KINDS.replace("[munin]", "[munin, nfs_server]"))
    for door in doors(cluster.node("server-1"), cluster):
        assert door.users == sorted(door.users)


COUNTED = '''
"""munin: counts how often it is asked."""
from nodriza.role import Package
asked = []

def OFFERS(node, cluster):
    asked.append(node.name)
    return ()

def munin(node, cluster):
    """Nothing much."""
    yield Package("munin-node")
'''


def test_roles__are_asked_once_for_all_plans_of_a_cluster(own):
    """Asked anew for each node, plans of a thousand nodes take minutes."""
    from nodriza.plan.plan import role_names

    cluster = own(munin=COUNTED, kinds=KINDS.replace("needs: [munin]", ""))
    plan_all(cluster, cluster.nodes)
    assert role_names("munin", cluster)["asked"] == ["server-2", "server-3"]


QUIET = {
    *("ca-certificates", "certbot", "e2fsprogs", "ffmpeg", "gcc", "glusterfs-client", "logrotate"),
    *("libjpeg62-turbo", "libmariadb-dev", "nftables", "openssl", "pkg-config", "python3"),
    *("python3-dev", "python3-venv", "systemd-timesyncd", "tzdata", "unattended-upgrades"),
    "uwsgi-core",  # a socket of Unix
    "uwsgi-plugin-python3",
    "nfs-common",  # its portmapper is masked
}
"""Packages of which nothing answers on the network."""
LISTEN = {
    "mariadb-server": "3306",
    "redis-server": "6379",
    "nfs-kernel-server": "2049",
    "glusterfs-server": "24007",
    "nginx": "80",
    "nsd": "53",
}


def test_every_package_that_listens__is_behind_an_offer(three_node, monkeypatch):
    """A new package is quiet, or its port is offered: else nobody could reach it."""
    seen = set()
    central = three_node.builder
    for roles in (central.roles, [r.replace("nfs", "glusterfs") for r in central.roles]):
        first = central.model_copy(update={"roles": (*roles, "dns")})
        cluster = three_node.model_copy(update={"nodes": (first, *three_node.nodes[1:])})
        for whole in (cluster, with_tls(cluster, "acme")):
            for name, plan in plans(whole).items():
                offered = {p for _, o in links(whole).offers[name] for p in o.ports}
                names = {package.name for package in only(plan, Package)}
                assert names <= QUIET | set(LISTEN), names - QUIET - set(LISTEN)
                assert {LISTEN[each] for each in names if each in LISTEN} <= offered
                seen |= names
    assert set(LISTEN) <= seen
