"""17. A backup is whole, or it is none; and a restore keeps what was there."""

from tests.mutants.fault import Fault

NODE = ("backup/test_on_the_node.py",)
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
)
