"""nginx's files: what must hold for every location, also for those that are still to come."""

from __future__ import annotations

import re

import crossplane
import pytest

from nodriza.inventory.sections.maintenance import Maintenance
from nodriza.resources import File
from nodriza.vault.token import secret
from tests.unit.roles.made import content, remake, resources
from tests.unit.roles.test_tls import with_tls

SITE = "/etc/nginx/conf.d/videoteca.conf"
NAMES = ("www.videoteca.test", "videoteca.example")


@pytest.fixture(params=["none", "files", "acme"])
def site(request, three_node, tmp_path):
    """The servers of a site with everything that an inventory can have, as crossplane reads it."""
    app = three_node.app.model_copy(update={"uploads": ("/upload/", "/admin/a.b")})
    cluster = with_tls(
        remake(three_node, aliases=NAMES, proxies=("192.0.2.7",), app=app), request.param, hsts=60
    )
    file = tmp_path / "site.conf"
    file.write_text(content(cluster, "server-2", SITE))
    parsed = crossplane.parse(str(file), single=True, check_ctx=False)
    assert parsed["errors"] == []
    return parsed["config"][0]["parsed"]


def blocks(items, directive):
    """Every block of that kind, at any depth."""
    for item in items:
        if item["directive"] == directive and "block" in item:
            yield item
        yield from blocks(item.get("block", []), directive)


def names(block):
    return [item["directive"] for item in block["block"]]


def includes(block):
    return [item["args"][0] for item in block["block"] if item["directive"] == "include"]


def places(site):
    return [*blocks(site, "server"), *blocks(site, "location")]


def test_place_with_files__follows_no_link_to_what_others_own(site):
    served = [place for place in places(site) if {"alias", "root"} & {*names(place)}]
    assert len(served) >= 2
    for place in served:
        args = {item["directive"]: item["args"] for item in place["block"]}
        folder = [*args.get("alias", ()), *args.get("root", ())][0].rstrip("/")
        how = "if_not_owner" if folder.startswith("/srv") else "on"
        assert args["disable_symlinks"] == [how, f"from={folder}"]


def test_place_with_headers_of_its_own__has_those_of_all_too(site):
    """add_header replaces what is inherited."""
    for place in places(site):
        if "add_header" in names(place):
            assert "/etc/nginx/videoteca.headers" in includes(place), place["args"]


def test_place_of_the_application__has_limits_unless_it_is_asked_by_monitors(site):
    application = [
        place for place in places(site) if "/etc/nginx/videoteca.application" in includes(place)
    ]
    paths = [place["args"][-1] for place in application]
    assert paths == ["/", "^/upload/", r"^/admin/a\.b", "/healthz/here"]
    for place in application[:-1]:
        zones = [i["args"] for i in place["block"] if i["directive"] == "limit_conn"]
        assert zones == [["connections", "1024"], ["requests", "128"]]


def test_program_of_the_application__is_known_in_one_file_and_by_its_name(site):
    assert [place for place in places(site) if "uwsgi_pass" in names(place)] == []


def test_redirects__lead_to_the_domain_and_to_no_name_that_a_visitor_claims(site):
    found = [
        item["args"]
        for place in [*places(site), *blocks(site, "if")]
        for item in place["block"]
        if item["directive"] == "return" and item["args"][0] == "301"
    ]
    assert found
    for _, to in found:
        assert re.fullmatch(r"(https|\$visitor_scheme)://videoteca\.test\$request_uri", to)


def test_body__is_small_but_where_files_are_sent(site):
    sizes = {
        place["args"][-1] if place["args"] else "server": item["args"][0]
        for place in places(site)
        for item in place["block"]
        if item["directive"] == "client_max_body_size"
    }
    assert sizes == {"server": "3m", "^/upload/": "201m", r"^/admin/a\.b": "201m"}


def test_claims__are_taken_from_proxies_of_the_inventory_or_from_nobody(three_node):
    path = "/etc/nginx/videoteca.application"
    alone = content(three_node, "server-2", path)
    assert 'uwsgi_param HTTP_X_FORWARDED_HOST "" if_not_empty;' in alone
    assert "$claim" not in alone + content(three_node, "server-2", SITE)
    behind = remake(three_node, proxies=("192.0.2.7", "10.0.9.0/28"))
    assert "HTTP_X_FORWARDED_HOST $claim_x_forwarded_host" in content(behind, "server-2", path)
    text = content(behind, "server-2", SITE)
    for proxy in behind.proxies:
        assert f"    {proxy} 1;\n" in text
        assert f"set_real_ip_from {proxy};\n" in text


def test_static_files__are_those_of_the_release_that_serves_and_hashes_of_the_one_made_last(site):
    static, newest = (
        {item["directive"]: item["args"] for item in place["block"]}
        for place in places(site)
        if "/static/" in place["args"][-1:] or "/static/.newest/" in place["args"][-1:]
    )
    assert static["alias"] == ["/opt/videoteca/current/static/"]
    assert newest["alias"] == ["/opt/videoteca/newest/static/"]
    assert "internal" in newest
    refused = [place["args"] for place in blocks(site, "if") if "404" in str(place["block"])]
    assert refused == [["$without_hash", "=", ""]], "plain names of other releases"


def test_site__can_be_closed_before_any_place_of_it_is_looked_for(site):
    """Also places of one's own: none can be forgotten."""
    server = [*blocks(site, "server")][-1]
    order = [(item["directive"], item["args"]) for item in server["block"]]
    asked = [args for directive, args in order if directive == "if"]
    assert ["-f", "/var/lib/nodriza-maintenance/on"] in asked
    assert ["-f", "/var/lib/nodriza-maintenance/allow-$remote_addr"] in asked
    (closes,) = [block for block in blocks(site, "map") if block["args"] == ["$uri", "$closes"]]
    words = [item["directive"] for item in closes["block"]]
    pattern, page = words[words.index("volatile") + 1 :][:2]
    free = re.compile(pattern.removeprefix("~"))
    for path in ("/healthz", "/healthz/here", "/static/a.css", "/.well-known/acme-challenge/x"):
        assert free.search(path)
    for path in ("/", "/healthzz", "/staticx", "/.well-known/security.txt", "/a/static/"):
        assert not free.search(path)
    assert page == "/.maintenance.html"


def test_password__is_asked_for_everywhere_but_by_monitors_and_authorities(three_node):
    closed = remake(three_node, basic_auth="site_passwords")
    text = content(with_tls(closed, "acme"), "server-2", SITE)
    assert text.count("auth_basic_user_file /etc/nginx/videoteca.passwords;") == 1
    for place in (
        "= /healthz {",
        "= /healthz/here {",
        "= /.maintenance.html {",
        "acme-challenge/ {",
    ):
        inside = text.partition(f"location {place}")[2] or text.partition(place)[2]
        assert "auth_basic off;" in inside.partition("\n    }")[0], place
    assert "auth_basic" not in content(three_node, "server-2", SITE)


def test_files_with_secrets__are_read_by_nginx_alone(three_node):
    closed = remake(three_node, basic_auth="site_passwords")
    files = {file.path: file for file in resources(closed, "server-2", File)}
    passwords = files["/etc/nginx/videoteca.passwords"]
    assert (passwords.group, passwords.mode) == ("www-data", "0640")
    assert passwords.content == f"{secret('site_passwords')}\n"
    for extra in ("site.extra.j2", "http.extra.j2"):
        file = files[f"/etc/nginx/videoteca.own/{extra}"]
        assert (file.owner, file.mode) == ("root", "0600")


def test_page_of_the_project__is_sent_as_it_is(three_node):
    page = Maintenance(page="maintenance.html", retry_after=60)
    changed = remake(three_node, maintenance=page)
    text = content(changed, "server-2", "/etc/nginx/videoteca.pages/.maintenance.html")
    assert text == (three_node.app.source_path / "maintenance.html").read_text()
    assert "Retry-After 60 always" in content(changed, "server-2", SITE)
