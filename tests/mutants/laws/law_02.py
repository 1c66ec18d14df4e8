"""2. Killed at any instant, nothing is half-done and no restart is lost."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "the mark of being away is written before the debt",
        "nodriza/agent/rolling.py:Gate._leave",
        """\
        self.journal.owe(health.id, "run", None, since)
        if not away:
            health.leave(self.host, {"run": self.journal.run, "since": since})
""",
        """\
        if not away:
            health.leave(self.host, {"run": self.journal.run, "since": since})
        self.journal.owe(health.id, "run", None, since)
""",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a copy that an earlier run kept is replaced by what it wrote",
        "nodriza/agent/journal.py:Journal.owe",
        """\
        if path is not None and all(kept["path"] != path for kept in debt["files"]):
""",
        """\
        if path is not None:
            debt["files"] = [kept for kept in debt["files"] if kept["path"] != path]
""",
        ("agent/test_journal.py",),
    ),
    Fault(
        "a copy of a later change of the same run is kept",
        "nodriza/agent/journal.py:Journal.keep",
        'if kept["path"] == path:',
        "if False:",
        ("agent/test_journal.py",),
    ),
    Fault(
        "the deed comes before the debt",
        "nodriza/agent/converge.py:Converge._fix",
        """\
        self.followers.owe(self.journal, resource, self.since)
        if resource.subject""",
        """\
        resource.fix(self.host, now)
        self.followers.owe(self.journal, resource, self.since)
        if resource.subject""",
        ("agent/test_converge.py",),
    ),
    Fault(
        "the debt is paid before the deed",
        "nodriza/agent/converge.py:Converge._fix",
        """\
        resource.fix(self.host, now)
        self.journal.settle(resource.id)
""",
        """\
        self.journal.settle(resource.id)
        resource.fix(self.host, now)
""",
        ("agent/test_killed.py",),
    ),
    Fault(
        "a service's debt is paid before its restart",
        "nodriza/agent/transaction.py:settle",
        """\
        asked = True
""",
        """\
        asked = True
        journal.settle(service.id)
""",
        ("agent/test_converge.py",),
    ),
    Fault(
        "the old file is not kept before a change",
        "nodriza/agent/journal.py:Journal.owe",
        'debt["files"].append(self.keep(path))',
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "packages are installed before what they make due is written down",
        "nodriza/agent/converge.py:Converge._together",
        """\
                for resource in missing:
                    self.followers.owe(self.journal, resource, self.since)
                type(group[0]).fix_together(self.host, missing)  # type: ignore[attr-defined]
""",
        """\
                type(group[0]).fix_together(self.host, missing)  # type: ignore[attr-defined]
                for resource in missing:
                    self.followers.owe(self.journal, resource, self.since)
""",
        ("agent/test_killed.py",),
    ),
    Fault(
        "what an earlier run owed is not asked for",
        "nodriza/agent/converge.py:Converge._owed",
        "if not self._dirty and resource.id not in self._old_debts:",
        "if not self._dirty:",
        ("agent/test_killed.py",),
    ),
    Fault(
        "a reload takes the place of a restart that is due",
        "nodriza/agent/journal.py:Journal.owe",
        'if debt.get("action") != "restart":',
        "if True:",
        ("agent/test_lock.py",),
    ),
    Fault(
        "a run is written down after its first change",
        "nodriza/agent/transaction.py:Followers.owe",
        "journal.begin()",
        "pass",
        ("agent/test_killed.py",),
    ),
    Fault(
        "old copies that a service may get back are thrown away",
        "nodriza/agent/journal.py:Journal._clean",
        "if old and name not in needed:",
        "if old:",
        ("agent/test_journal.py",),
    ),
    Fault(
        "a half-written file of a killed run stays",
        "nodriza/agent/journal.py:Journal._sweep",
        "if is_temporary(name):",
        "if False:",
        ("agent/test_killed.py",),
    ),
    Fault(
        "a temporary file of a killed run is in the way",
        "nodriza/host/files.py:Files.write",
        """\
_unlink(new)
            flags""",
        "flags",
        ("agent/test_converge.py", "host/test_host.py"),
    ),
    Fault(
        "a tree is unpacked in its place",
        "nodriza/host/tree.py:made_whole",
        """\
        host.mkdir(new)
""",
        """\
        if host.stat(path) is None:
            host.mkdir(path)
            yield path
            return
        host.mkdir(new)
""",
        ("resources/test_upload.py",),
    ),
    Fault(
        "the marker of an environment comes first",
        "nodriza/resources/venv.py:Venv.fix",
        """\
            host.remove(marker)
""",
        """\
            pass
""",
        ("resources/test_venv.py",),
    ),
    Fault(
        "a release that is taken apart keeps its name",
        "nodriza/resources/old_releases.py:_take_apart",
        'host.rename(f"{folder}/{name}", f"{folder}/{aside}")',
        'host.remove(f"{folder}/{name}")',
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "a node that a run took out of rotation is not brought back at its end",
        "nodriza/agent/rolling.py:Gate.end",
        "health.come_back(self.host)",
        "pass",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a program goes down with a line that broke",
        "nodriza/host/program.py:run",
        "start_new_session=True,",
        "start_new_session=False,",
        ("host/test_host.py",),
    ),
    Fault(
        "a damaged debt is taken for none",
        "nodriza/agent/journal.py:Journal._read",
        'raise HostError(f"{path} is damaged: look at it, and take it away") from None',
        "found = None",
        ("host/test_program.py",),
    ),
    Fault(
        "what must not be cut short is ended by the next run",
        "nodriza/host/transient.py:free",
        "if not patient:",
        "if True:",
        ("host/test_transient.py",),
    ),
    Fault(
        "what a killed run left runs beside the next",
        "nodriza/host/transient.py:run",
        "free(host, unit.name, patient=timeout is None)",
        "pass",
        ("host/test_transient.py",),
    ),
    Fault(
        "a migration has a clock",
        "nodriza/resources/migrations.py:Migrations.fix",
        "timeout=None",
        "timeout=600",
        ("resources/test_preflight.py::test_migration__has_all_the_time_there_is",),
    ),
    Fault(
        "a program that takes long gives no sign of life",
        "nodriza/host/program.py:_read",
        "alive()\n",
        "pass\n",
        ("host/test_program.py",),
    ),
)
