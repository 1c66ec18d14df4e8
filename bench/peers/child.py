"""A child node as this project's roles make it, written as somebody would who knows pyinfra.

``bench.same`` proves that nothing is missing and nothing is more, and the floor looks at
the hosts after each cold run. ``files`` has what the templates make of each host.
"""

from pyinfra import host
from pyinfra.facts.server import Command, Hostname
from pyinfra.operations import apt, files, server, systemd
from pyinfra.operations.util import any_changed

HERE = f"{host.data.files}/{host.name}"
FSTAB = (
    "198.18.87.11:/videoteca /srv/videoteca glusterfs "
    "attribute-timeout=1,entry-timeout=1,nosuid,nodev,_netdev,nofail,"
    "x-systemd.mount-timeout=30,x-systemd.automount 0 0"
)


def put(path, group="root", mode="644"):
    """A file as it was rendered for this host."""
    return files.put(src=f"{HERE}{path}", dest=path, user="root", group=group, mode=mode)


# Nothing starts before its configuration has come.
zone = files.link(path="/etc/localtime", target="/usr/share/zoneinfo/Etc/UTC", force=True)
put("/etc/timezone")
installed = apt.packages(
    packages=[
        "tzdata",
        "ca-certificates",
        "systemd-timesyncd",
        "unattended-upgrades",
        "logrotate",
        "nftables",
        "glusterfs-client",
        "python3",
        "uwsgi-core",
        "uwsgi-plugin-python3",
        "nginx",
    ],
    no_recommends=True,
    _env={"SYSTEMD_OFFLINE": "1"},
)
server.shell(commands=["systemctl start systemd-timesyncd.service"], _if=installed.did_change)
server.shell(
    commands=["for unit in cron rsyslog; do systemctl try-restart $unit 2>/dev/null || :; done"],
    _if=zone.did_change,
)
put("/etc/apt/apt.conf.d/52nodriza")
systemd.service(service="logrotate.timer", enabled=True, running=True)
files.directory(path="/etc/systemd/journald.conf.d", user="root", group="root", mode="755")
journal = put("/etc/systemd/journald.conf.d/nodriza.conf")
systemd.service(service="systemd-journald", enabled=True, running=True)
systemd.service(service="systemd-journald", restarted=True, _if=journal.did_change)
files.directory(path="/etc/cloud", user="root", group="root", mode="755")
files.directory(path="/etc/cloud/cloud.cfg.d", user="root", group="root", mode="755")
files.directory(path="/etc/systemd/system/cloud-.service.d", user="root", group="root", mode="755")
put("/etc/cloud/cloud.cfg.d/99-nodriza.cfg")
put("/etc/systemd/system/cloud-.service.d/nodriza.conf")
put("/etc/hostname")
if host.get_fact(Hostname) != host.name:
    server.shell(commands=[f"hostname {host.name}"])
put("/etc/hosts")
server.group(group="videoteca", gid=800, system=True)
server.user(
    user="videoteca",
    uid=800,
    group="videoteca",
    shell="/usr/sbin/nologin",
    system=True,
    ensure_home=False,
)
files.directory(path="/etc/videoteca", user="root", group="videoteca", mode="750")

rules = put("/etc/nftables.conf")
if host.get_fact(Command, "nft list table inet nodriza >/dev/null 2>&1 || echo gone") == "gone":
    server.shell(commands=["nft -f /etc/nftables.conf"])
systemd.service(service="nftables", enabled=True, running=True)
server.shell(commands=["nft -c -f /etc/nftables.conf"], _if=rules.did_change)
systemd.service(service="nftables", reloaded=True, _if=rules.did_change)

files.directory(
    path="/etc/systemd/system/srv-videoteca.mount.d", user="root", group="root", mode="755"
)
retry = put("/etc/systemd/system/srv-videoteca.mount.d/retry.conf")
fstab = files.line(path="/etc/fstab", line=r".*\s/srv/videoteca\s.*", replace=FSTAB)
systemd.daemon_reload(_if=any_changed(retry, fstab))
systemd.service(service="srv-videoteca.automount", running=True)

files.directory(path="/opt/videoteca", user="root", group="root", mode="755")
files.directory(path="/opt/videoteca/releases", user="root", group="root", mode="755")
files.directory(path="/opt/videoteca/venvs", user="root", group="root", mode="755")
files.directory(path="/var/lib/videoteca-home", user="videoteca", group="videoteca", mode="750")
variables = put("/etc/videoteca/videoteca.env", group="videoteca", mode="640")
server.user(
    user="videoteca-build",
    home="/var/cache/nodriza/videoteca",
    shell="/usr/sbin/nologin",
    system=True,
    ensure_home=False,
)
files.directory(path="/var/cache/nodriza", user="root", group="root", mode="755")
files.directory(
    path="/var/cache/nodriza/videoteca",
    user="videoteca-build",
    group="videoteca-build",
    mode="700",
)
put("/opt/videoteca/uv.txt")
wait = put("/etc/systemd/system/videoteca-share.service")
systemd.daemon_reload(_if=wait.did_change)
systemd.service(service="videoteca-share.service", enabled=True, running=True)
systemd.service(service="videoteca-share.service", restarted=True, _if=wait.did_change)

files.directory(path="/etc/uwsgi", user="root", group="root", mode="755")
put("/etc/uwsgi/videoteca_ready.py")
ini = put("/etc/uwsgi/videoteca.ini")
release = put("/etc/uwsgi/videoteca_release.py")
follow = put("/etc/uwsgi/videoteca_reload.py")
put("/etc/uwsgi/videoteca_renew.py")
unit = put("/etc/systemd/system/uwsgi.service")
socket = put("/etc/systemd/system/uwsgi.socket")
systemd.daemon_reload(_if=any_changed(unit, socket))
systemd.service(service="uwsgi", enabled=True, running=True)
server.shell(
    commands=["uwsgi-core --ini /etc/uwsgi/videoteca.ini --hook-asap exit:0"],
    _if=any_changed(ini, release, follow, variables, unit),
)
systemd.service(service="uwsgi", reloaded=True, _if=any_changed(ini, release, follow, variables))
systemd.service(service="uwsgi", restarted=True, _if=any_changed(unit, zone))
systemd.service(service="uwsgi.socket", enabled=True, running=True)
systemd.service(service="uwsgi.socket", restarted=True, _if=socket.did_change)

nginx = put("/etc/nginx/nginx.conf")
files.directory(path="/etc/nginx/videoteca.pages", user="root", group="root", mode="755")
files.directory(path="/etc/nginx/videoteca.own", user="root", group="root", mode="755")
files.directory(path="/var/lib/nodriza-maintenance", user="root", group="root", mode="755")
page = put("/etc/nginx/videoteca.pages/.maintenance.html")
own_http = put("/etc/nginx/videoteca.own/http.extra.j2", mode="600")
own_site = put("/etc/nginx/videoteca.own/site.extra.j2", mode="600")
put("/var/lib/nodriza-maintenance/known")
headers = put("/etc/nginx/videoteca.headers")
application = put("/etc/nginx/videoteca.application")
site = put("/etc/nginx/conf.d/videoteca.conf")
systemd.service(service="nginx", enabled=True, running=True)
server.shell(
    commands=["nginx -t"],
    _if=any_changed(nginx, page, own_http, own_site, headers, application, site, zone),
)
systemd.service(
    service="nginx",
    reloaded=True,
    _if=any_changed(nginx, page, own_http, own_site, headers, application, site, zone),
)
