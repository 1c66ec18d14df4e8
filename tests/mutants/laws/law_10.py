"""10. What runs has read what is on disk."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "a service is not told that its files have changed",
        "nodriza/agent/transaction.py:_act",
        'service.act(host, owed["action"])',
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "what follows a change is not found",
        "nodriza/agent/transaction.py:Followers.owe",
        "[*self._of.get(resource.id, ()), *of_all]",
        "self._of_all",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a service reads new files that its checker refuses",
        "nodriza/agent/transaction.py:_ask_checker",
        "host.run(service.check)",
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "files that were refused stay",
        "nodriza/agent/transaction.py:settle",
        "restored = journal.restore(service.id)",
        "restored = []",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a service that came to no good is left down",
        "nodriza/agent/transaction.py:settle",
        "_run_as_before(host, service, debt, error, restored)",
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a service that has not seen the refused files is restarted",
        "nodriza/agent/transaction.py:_has_read",
        "return (began and ours) or",
        "return began or",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a service that dies at once is believed",
        "nodriza/resources/service.py:Service._stays_up",
        "if self._main_process(host)[0] != process:",
        "if False:",
        ("resources/test_service.py",),
    ),
    Fault(
        "a restart is a reload",
        "nodriza/resources/service.py:Service._verb",
        """\
        if action != "reload":
            return action
""",
        """\
        if action == "stop":
            return action
""",
        ("host/test_units.py", "resources/test_service.py", "agent/test_converge.py"),
    ),
    Fault(
        "unit files that changed are not read by systemd",
        "nodriza/resources/service.py:Service._verb",
        "if host.units_changed or not known:",
        "if False:",
        ("host/test_units.py", "resources/test_service.py"),
    ),
    Fault(
        "a changed unit file is not noticed",
        "nodriza/host/files.py:Files._changing",
        "self.units_changed |= path.startswith(UNITS)",
        "pass",
        ("resources/test_service.py",),
    ),
    Fault(
        "what rolls back is not read",
        "nodriza/agent/rollback.py:rolled_back",
        ", *_followers(plan, {file.subject: file.id for file in files})]",
        "]",
        ("agent/test_journal.py",),
    ),
    Fault(
        "a unit that is just starting counts as one that has read nothing",
        "nodriza/resources/service.py:_state",
        '"began": unit.began or unit.coming,',
        '"began": unit.state == "active",',
        ("host/test_units.py", "resources/test_service.py"),
    ),
    Fault(
        "a unit that is just starting is told to reload",
        "nodriza/resources/service.py:Service._verb",
        '"restart" if seen.get("ActiveState") == "activating" else "reload-or-restart"',
        '"reload-or-restart"',
        ("host/test_units.py", "resources/test_service.py"),
    ),
    Fault(
        "a unit is looked at before it has settled",
        "nodriza/resources/service.py:Service.look",
        "found = units.settled(host,",
        "found = units.seen(host,",
        ("host/test_units.py", "resources/test_service.py"),
    ),
    Fault(
        "a unit that never settles counts as up",
        "nodriza/resources/service.py:Service.arrived",
        "if unit and unit.passing:",
        "if False:",
        ("host/test_units.py", "resources/test_service.py"),
    ),
    Fault(
        "what somebody else has started meanwhile counts as old",
        "nodriza/agent/transaction.py:_has_read",
        'service.began_since(host, debt["monotonic"])',
        "False",
        ("host/test_units.py", "resources/test_service.py"),
    ),
    Fault(
        "a drop-in that no service follows is not read",
        "nodriza/agent/converge.py:Converge._let_units_be_read",
        "units.read_files(self.host)",
        "pass",
        ("agent/test_killed.py",),
    ),
    Fault(
        "a drop-in of a killed run is not read",
        "nodriza/agent/converge.py:Converge._fix",
        'self.journal.owe(UNITS_DEBT, "daemon-reload", None, self.since)',
        "pass",
        ("agent/test_killed.py",),
    ),
    Fault(
        "a service that ends and begins again counts as well in between",
        "nodriza/host/units.py:Unit.begins_again",
        "return self.restarts >= OFTEN and time.monotonic() - self.moved < LATELY",
        "return False",
        ("resources/test_service.py",),
    ),
)
