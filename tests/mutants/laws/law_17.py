"""17. A backup is whole, or it is none; and a restore keeps what was there."""

from tests.mutants.fault import Fault

NODE = ("backup/test_on_the_node.py",)
DRILL = ("drill/test_drill.py",)
FAULTS = (
    Fault(
        "a run that was killed counts as a backup",
        "templates/backup/store.py:Store.runs",
        "(run for run in whole if run.files)",
        "whole",
        NODE,
    ),
    Fault(
        "copies of another cluster are taken for this one's",
        "templates/backup/store.py:Store.snapshots",
        'if mine not in (each.get("tags") or ())',
        "if not each",
        NODE,
    ),
    Fault(
        "a repository is made where one was lost",
        "templates/backup/store.py:Store.open",
        "            if known:\n",
        "            if known is None:\n",
        NODE,
    ),
    Fault(
        "another repository is taken for the one of before",
        "templates/backup/store.py:Store.open",
        "if known and id != known",
        "if known is None",
        NODE,
    ),
    Fault(
        "a count that is missing in what was restored is no difference",
        "templates/backup/trial.py:compare",
        "for name in {**wanted, **got}",
        "for name in got",
        NODE,
    ),
    Fault(
        "what was there is lost in a swap",
        "templates/backup/restore.py:_swap",
        "os.rename(there, old)",
        "shutil.rmtree(there)",
        NODE,
    ),
    Fault(
        "a second try keeps the new data in the place of the old ones",
        "templates/backup/restore.py:_swap",
        """\
    if not os.path.lexists(new):
        return  # a killed run came so far
""",
        "",
        NODE,
    ),
    Fault(
        "old data do not come back when a unit does not start",
        "templates/backup/restore.py:_place",
        'os.rename(f"{there}{OLD}{stamp}", there)',
        "pass",
        NODE,
    ),
    Fault(
        "a file that is still written is in the sample",
        "templates/backup/run.py:sample",
        "if time.time() - Path(file).stat().st_mtime > 60:",
        "if True:",
        NODE,
    ),
    Fault(
        "the backups' host may have any key",
        "roles/backup.py:configuration",
        "StrictHostKeyChecking=yes",
        "StrictHostKeyChecking=no",
        ("roles/test_backup.py",),
    ),
    Fault(
        "everybody reads the repository's password",
        "roles/backup.py:backup",
        """f"{secret('backup_password')}\\n", mode="0600")""",
        """f"{secret('backup_password')}\\n")""",
        ("roles/test_backup.py",),
    ),
    Fault(
        "a drill leaves a lock in the repository that the cluster writes to",
        "nodriza/drill/copy.py:Copy._there",
        'options = ["--no-lock"]',
        "options = []",
        DRILL,
    ),
    Fault(
        "a drill may write to the repository of the cluster",
        "nodriza/drill/copy.py:Copy._there",
        "if word not in READS:",
        "if word is None:",
        DRILL,
    ),
    Fault(
        "the copies of a drill have the key for the place of the backups",
        "nodriza/drill/cluster.py:write",
        "for name, value in values.items() if name not in FOR_BACKUPS}",
        "for name, value in values.items()}",
        DRILL,
    ),
    Fault(
        "the copies of a drill make backups of their own",
        "nodriza/drill/cluster.py:_shut",
        '"of": cluster.name, ',
        "",
        DRILL,
    ),
    Fault(
        "the copies of a drill reach the hosts of the cluster while they install",
        "nodriza/drill/cluster.py:write",
        '"unreachable": sorted(_hosts(cluster)),',
        '"unreachable": [],',
        DRILL,
    ),
    Fault(
        "the copies of a drill have the addresses of the cluster in their variables",
        "nodriza/drill/cluster.py:_moved",
        "addresses.get(found[0], found[0])",
        "found[0]",
        DRILL,
    ),
    Fault(
        "a drill tells the hooks of the cluster",
        "nodriza/drill/cluster.py:_shut",
        '.pop("after", None)',
        '.get("after", None)',
        DRILL,
    ),
    Fault(
        "a drill restores before its lab is closed",
        "nodriza/drill/run.py:DrillRun._all",
        """        with self._stage("close"):\n""",
        """        self._fab("restore", "restore")\n        with self._stage("close"):\n""",
        DRILL,
    ),
    Fault(
        "a drill goes on in a lab that is not closed",
        "nodriza/drill/run.py:DrillRun._all",
        "            self._refuse_open(path)\n",
        "",
        DRILL,
    ),
    Fault(
        "a closed lab goes on with connections that were open",
        "nodriza/lab/wiring.py:inner_rules",
        "    {way_out.refused}\n    ct state established,related accept\n",
        "    ct state established,related accept\n    {way_out.refused}\n",
        ("lab/test_way_out.py",),
    ),
    Fault(
        "a cluster that only reads the backups of another one writes there",
        "templates/backup/store.py:Store.argv",
        "if words[0] not in READS:",
        "if not words:",
        NODE,
    ),
    Fault(
        "a cluster that only reads the backups of another one unlocks them",
        "templates/backup/store.py:Store.open",
        """        if not self.conf.get("read_only"):\n            self.run("unlock")""",
        """        if True:\n            self.run("unlock")""",
        NODE,
    ),
    Fault(
        "a cluster that only reads the backups of another one has timers that write",
        "roles/backup.py:backup",
        "if cluster.backup.of:",
        "if False:",
        ("roles/test_backup.py",),
    ),
)
