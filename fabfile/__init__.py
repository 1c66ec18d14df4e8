"""The commands that people type: ``fab --list``.

Three kinds of words come from here: the commands below; a word for each inventory
(``fab production provision``); and, for commands that take a target, the form
``provision:server-2,server-3``, made for exactly the words on the command line so that
nothing here grows with the cluster.
"""

from __future__ import annotations

import sys
from pathlib import Path

from invoke import Collection

# Invoke's loader puts this very folder on the path, where secrets.py would stand in for
# the standard library's module of that name.
sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent]

from . import demo, deploy, hostkeys, lab, plan, provision, secrets, smoke, status  # noqa: E402
from .session import inventories, inventory_word, refuse_unknown, with_target  # noqa: E402

ns = Collection()
for module in (provision, plan, deploy, smoke, status, demo):
    for found in Collection.from_module(module).tasks.values():
        ns.add_task(found)
ns.add_collection(Collection.from_module(lab, name="lab"))
ns.add_collection(Collection.from_module(secrets, name="secrets"))
ns.add_collection(Collection.from_module(hostkeys, name="hostkeys"))

for name, path in inventories().items():
    if name not in ns.task_names:
        ns.add_task(inventory_word(name, path))
refuse_unknown(sys.argv[1:], ns.task_names)
for word in sys.argv[1:]:
    command, colon, target = word.partition(":")
    if colon and getattr(ns.tasks.get(command), "takes_target", False):
        ns.add_task(with_target(ns.tasks[command], word, target))
