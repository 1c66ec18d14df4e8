"""The commands that people type: ``fab --list``.

Three kinds of words may be typed: the commands below; the tasks of the user's own fabfile,
which says ``from nodriza.fabfile import ns``; and a word for each inventory
(``fab production provision``). What a command is about, as in ``provision:server-2``, is
read by grammar.py, so that nothing here grows with the cluster.
"""

from __future__ import annotations

import sys
from pathlib import Path

from invoke import Collection

# Invoke's loader puts this very folder on the path, where secrets.py would stand in for
# the standard library's module of that name.
sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent]
# Invoke forbids Python to keep what it compiles (its --write-pyc), for the sake of a folder with
# one tasks.py. From a checkout every command would compile all of nodriza anew, for a quarter of
# its time. So what Python was told by its own user holds: PYTHONDONTWRITEBYTECODE, or nothing.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

from . import (  # noqa: E402
    backup,
    block,
    cache,
    db,
    demo,
    deploy,
    dns,
    doctor,
    drain,
    drift,
    drill,
    env,
    history,
    hostkeys,
    inventory,
    lab,
    maintenance,
    manage,
    node,
    plan,
    provision,
    queue,
    restart,
    secrets,
    shell,
    smoke,
    status,
    topology,
)
from .beside import Shipped  # noqa: E402
from .output import prepare  # noqa: E402
from .program import take_over  # noqa: E402

prepare()
take_over()
ns = Shipped()
FLAT = (
    provision,
    plan,
    doctor,
    deploy,
    restart,
    drain,
    drill,
    maintenance,
    block,
    smoke,
    status,
    drift,
    env,
    history,
    shell,
    manage,
    topology,
    demo,
)
for module in FLAT:
    for found in Collection.from_module(module).tasks.values():
        ns.add_task(found)
ns.add_task(backup.restore)
ns.add_collection(Collection("backup", backup.now, backup.verify, backup.listing))
ns.add_collection(Collection.from_module(inventory, name="inventory"))
ns.add_collection(Collection.from_module(cache, name="cache"))
ns.add_collection(Collection.from_module(db, name="db"))
ns.add_collection(Collection.from_module(dns, name="dns"))
ns.add_collection(Collection.from_module(lab, name="lab"))
ns.add_collection(Collection.from_module(node, name="node"))
ns.add_collection(Collection("queue", queue.lengths, queue.purge))
ns.add_collection(Collection.from_module(secrets, name="secrets"))
ns.add_collection(Collection.from_module(hostkeys, name="hostkeys"))
