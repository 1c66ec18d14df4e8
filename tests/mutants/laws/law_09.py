"""9. A mistake in an inventory is found before any host is touched, with its line."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "an inventory with mistakes is taken",
        "nodriza/inventory/load.py:load_cluster",
        "raise InventoryError(_lines(document, path))",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "only the first mistake is told",
        "nodriza/inventory/load.py:_lines",
        "problems[:_MAX_PROBLEMS]",
        "problems[:1]",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "a mistake has no line",
        "nodriza/inventory/load.py:_lines",
        "{shown}:{mark.line}:{mark.column}",
        "{shown}",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "two nodes may have the same address",
        "nodriza/inventory/checks.py:check_together",
        "_check_addresses(draft)",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "two nodes may have the same name",
        "nodriza/inventory/checks.py:check_together",
        "_check_names(draft)",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "networks may overlap",
        "nodriza/inventory/checks.py:check_together",
        "_check_networks(draft)",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "a gateway may be a node that is not there",
        "nodriza/inventory/checks.py:check_together",
        "_check_gateways(draft)",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "a role may be one that is not there",
        "nodriza/inventory/checks.py:check_together",
        "_check_roles(draft, inventory)",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "the application's folder may be missing",
        "nodriza/inventory/checks.py:check_together",
        "check_application(draft, inventory)",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
    Fault(
        "a certificate may be missing",
        "nodriza/inventory/checks.py:check_together",
        "_check_tls(draft, inventory)",
        "pass",
        ("inventory/", "roles/test_tls.py"),
    ),
    Fault(
        "a huge file is read whole",
        "nodriza/inventory/load.py:_read",
        "if seen.st_size > MAX_BYTES:",
        "if False:",
        ("inventory/test_odd_files.py",),
    ),
    Fault(
        "a device is read as an inventory",
        "nodriza/inventory/load.py:_read",
        "if not (stat.S_ISREG(seen.st_mode) or stat.S_ISDIR(seen.st_mode)):",
        "if False:",
        ("inventory/test_odd_files.py",),
    ),
    Fault(
        "a variable of ours may have any value",
        "nodriza/inventory/checks.py:check_together",
        "_check_variables(draft)",
        "pass",
        ("inventory/test_mistakes.py",),
    ),
)
