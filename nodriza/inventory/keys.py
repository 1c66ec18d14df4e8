"""What each key of an inventory means, in a line: what editors show beside it."""

from __future__ import annotations

from nodriza.inventory.kinds import KINDS

_SSH = "How to log in. The nearest to the node wins, key by key: node, then kind, then cluster."
_VARIABLES = (
    "Values for roles and templates, as {{ node.variables.NAME }}. The nearest to the node wins."
)
_ROLES = (
    "What nodes are made of, by the names of modules in roles/. `default` stands for the roles "
    "there would be without this list."
)
_KIND = "What every node of this kind gets."

KEYS = {
    "ClusterSettings.cluster": "The cluster's name.",
    "ClusterSettings.domain": "What users type into their browser: what nginx answers to.",
    "ClusterSettings.aliases": "More names of the site. Who comes by one is sent on to domain.",
    "ClusterSettings.proxies": (
        "Load balancers and proxies of your own before the children, by address or network: what "
        "they say of a visitor (address, HTTPS) is believed, and nobody else is."
    ),
    "ClusterSettings.limits": "What one address may have open at one child at the same time.",
    "ClusterSettings.networks": "Where nodes talk to each other, and where users come in.",
    "ClusterSettings.app": "The Django application.",
    "ClusterSettings.share": "The network file system for code, static files and media.",
    "ClusterSettings.tls": "How the children speak HTTPS.",
    "ClusterSettings.rollout": "How children that serve are changed: few at a time.",
    "ClusterSettings.dns": "What the role dns says of the domain.",
    "ClusterSettings.ssh": _SSH,
    "ClusterSettings.variables": _VARIABLES,
    "ClusterSettings.roles": _ROLES,
    "ClusterSettings.kinds": "What all nodes of one kind get.",
    "ClusterSettings.nodes": (
        "The nodes by name, which becomes the hostname. server-[2:50] is as many nodes as it has "
        "numbers; every text of such a node may have ranges of the same length."
    ),
    "ClusterSettings.lab": "That `fab lab.up` may make this cluster on your own machine, and how.",
    "Networks.private": "For the share, MariaDB and Redis: they listen here and nowhere else.",
    "Networks.public": "Where users come in. Without it children serve on their private address.",
    "AppSettings.name": "Its unix user and group, its database, /srv/NAME and /etc/NAME.",
    "AppSettings.source": "The folder with manage.py on this machine, relative to this file.",
    "AppSettings.wsgi": "The module that has `application` in it.",
    "AppSettings.settings": "DJANGO_SETTINGS_MODULE.",
    "AppSettings.celery": "The application for `celery -A`. Without it there is no Celery.",
    "AppSettings.tasks": "What Celery's tasks are like.",
    "Tasks.longest": (
        "Seconds that the longest may take: a deploy ends none before, and waits for none."
    ),
    "AppSettings.requirements": (
        "The file that says what is installed, relative to source. Else the first that is there "
        "of uv.lock, pylock.toml, requirements.txt, poetry.lock and pyproject.toml."
    ),
    "AppSettings.installer": "What makes the environment: uv, or pip.",
    "AppSettings.hooks": "Commands of the project's own around a deploy.",
    "Hooks.build": (
        "Lines for sh, such as npm ci && npm run build, run in the release by a user without "
        "rights, once its environment is there."
    ),
    "Hooks.before_switch": (
        "Lines for sh, run as the application on the central node, after the migrations."
    ),
    "Hooks.after": (
        "Once all children serve: https:// addresses (or secret:NAME of one) that get a POST, "
        "or lines for sh on this computer. Their failure fails nothing."
    ),
    "AppSettings.include": "Files and folders that are deployed although git ignores them.",
    "AppSettings.releases": (
        "Where code and environments lie: `share`, on the central node for all (by NFS), or "
        "`local`, a copy on each node's own disk. Always local with GlusterFS."
    ),
    "AppSettings.health": (
        "Pages that have to answer as expected before a deploy goes on to the next child."
    ),
    "AppSettings.debug": (
        "That a release may serve whose DEBUG is True: its errors show source and settings."
    ),
    "HealthCheck.path": "The page, from its first /.",
    "HealthCheck.expect": "The status of its answer, 200 to 499.",
    "AppSettings.uid": "The number of its unix user and group, the same on all nodes.",
    "AppSettings.processes": "uwsgi workers on each child; else one more than it has cores.",
    "AppSettings.threads": "Threads in each worker.",
    "AppSettings.max_upload_mb": "The largest request that nginx takes at app/uploads, in MiB.",
    "AppSettings.uploads": (
        "Where visitors send files, by the beginning of the address: [/upload/, /admin/]. "
        "All other addresses take 3 MiB."
    ),
    "AppSettings.environment": "More environment variables, one line each. Nothing secret here.",
    "AppSettings.packages": "Debian packages for every node that runs the application.",
    "AppSettings.build_packages": "Debian packages for the installer, on nodes that build.",
    "AppSettings.smoke": "The application's own checks for `fab smoke`, relative to source.",
    "Share.engine": "What the share is made with.",
    "Share.device": (
        "NFS only: the disk that the share has for itself (/dev/disk/by-id/NAME), or with size_mb "
        "an image file. Without it the share is a folder of the system's disk."
    ),
    "Share.size_mb": "For an image file: its size in MiB. It can grow, and not shrink.",
    "Share.options": "Mount options added to those of the role.",
    "TlsSettings.mode": "none: HTTP; files: a certificate that you have; acme: one is fetched.",
    "TlsSettings.certificate": "For files: the chain in PEM, relative to this file.",
    "TlsSettings.key": "For files: the name of the secret that is the private key.",
    "TlsSettings.email": "For acme: who hears of trouble with the certificate.",
    "TlsSettings.directory": "For acme: the address of the authority.",
    "TlsSettings.ca": "Certificates in PEM of an authority that browsers don't know.",
    "TlsSettings.hsts": "Seconds for which browsers refuse to come without HTTPS. 0 is off.",
    "Rollout.serial": 'How many change at a time: 2, or "25%" of the children.',
    "Rollout.max_failures": "How many may fail before the others are left alone.",
    "Rollout.pause": "Seconds that load balancers have to see that a child is away.",
    "Limits.connections": "TCP connections, those with half a request among them.",
    "Limits.requests": "Requests for the application, uploads on their way among them.",
    "Dns.ttl": "Seconds that resolvers may believe an answer: so long a drain takes.",
    "Dns.email": "Who is to be told of trouble with the zone.",
    "Ssh.user": "Any other than root needs sudo on the node.",
    "Ssh.port": "Where sshd listens.",
    "Ssh.key": "The private key, relative to this file or below ~.",
    "Ssh.gateway": "The way in: a node, user@host or user@host:port; null: not even ssh_config's.",
    "Ssh.known_hosts": "The file with the keys of the hosts.",
    "Ssh.host": "The address to connect to, if it is not the private one.",
    "KindSettings.ssh": _SSH,
    "KindSettings.variables": _VARIABLES,
    "KindSettings.roles": _ROLES,
    **{f"Kinds.{name}": _KIND for name in KINDS},
    "NodeSettings.kind": " ".join(f"{name}: {about.does}" for name, about in KINDS.items()),
    "NodeSettings.private": "Its address in networks/private.",
    "NodeSettings.public": "Its address in networks/public.",
    "NodeSettings.memory_mb": "In MiB: sizes MariaDB and Redis; a lab's machines get it.",
    "NodeSettings.cpus": "A lab's virtual machine gets so many.",
    "NodeSettings.ssh": _SSH,
    "NodeSettings.variables": _VARIABLES,
    "NodeSettings.roles": _ROLES,
    "LabConfig.release": "The Debian release of its machines.",
    "LabConfig.releases": "That of single machines, by their names.",
    "LabConfig.driver": "nspawn: containers with systemd; vagrant: virtual machines.",
    "LabConfig.box": "The Vagrant box. Default: Debian's own of this release.",
    "LabConfig.acceleration": "Of libvirt's machines: kvm or emulated. Default: what works.",
    "KnownVariables.timezone": "The zone of its clock and its logs; a change restarts services.",
    "KnownVariables.celery_concurrency": "Tasks of a video node at once.",
    "KnownVariables.needs": "Jobs of other nodes that it uses besides, such as [database].",
}
