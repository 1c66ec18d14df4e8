"""14. There are never two writers."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "Celery may have two clocks, and each task is sent twice",
        "nodriza/inventory/checks.py:_check_once",
        "if where != node.name:",
        "if False:",
        ("inventory/test_services.py",),
    ),
    Fault(
        "an inventory may have two central nodes",
        "nodriza/inventory/checks.py:_check_centrals",
        "for node in centrals[1:]:",
        "for node in centrals[2:]:",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "an inventory may have no central node",
        "nodriza/inventory/checks.py:_check_centrals",
        """\
and not centrals
""",
        """\
and False
""",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "two commands write a vault at once",
        "nodriza/vault/store.py:Vault.change",
        "with exclusively(self.path):",
        "if True:",
        ("vault/test_store.py",),
    ),
    Fault(
        "two commands have a file at once",
        "nodriza/files.py:_locked",
        "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        ("test_files.py",),
    ),
    Fault(
        "a lock whose file is gone counts",
        "nodriza/files.py:_locked",
        "if _is_at(fd, lock):",
        "if True:",
        ("test_whole_files.py",),
    ),
    Fault(
        "a command waits for another one for ever",
        "nodriza/files.py:_locked",
        "if time.monotonic() > until:",
        "if False:",
        ("test_files.py",),
    ),
    Fault(
        "an edit overwrites what somebody else has changed meanwhile",
        "nodriza/vault/store.py:Vault.replace",
        "if now != before:",
        "if False:",
        ("vault/test_edit.py",),
    ),
    Fault(
        "a second key is written over one that was made meanwhile",
        "nodriza/vault/key.py:Key._make",
        "os.link(new, self.path)",
        "new.replace(self.path)",
        ("vault/test_key.py",),
    ),
    Fault(
        "what is there once begins on a second node without a lock",
        "roles/procfile.py:procfile",
        'if process.on == "one" else ""',
        'if False else ""',
        ("roles/test_processes.py",),
    ),
    Fault(
        "what is there once is planned on two nodes",
        "nodriza/inventory/processes.py:_where",
        "return [name for name, _ in ranked[:1]]",
        "return [name for name, _ in ranked[:2]]",
        ("inventory/test_processes.py",),
    ),
)
