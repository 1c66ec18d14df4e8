"""7. A failure names the node, the resource, the role's file and line, and what the host said."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "a failure does not name its node",
        "nodriza/report/recap.py:_failure",
        '(failure["node"], failure["id"])',
        '(failure["id"],)',
        ("report/",),
    ),
    Fault(
        "a failure does not name its resource",
        "nodriza/report/recap.py:_failure",
        '(failure["node"], failure["id"])',
        '(failure["node"],)',
        ("report/",),
    ),
    Fault(
        "a failure does not name the role's line",
        "nodriza/rollout/node.py:bring",
        'event["origin"] = plan.origin(event["id"])',
        'event["origin"] = ""',
        ("rollout/test_waves.py",),
    ),
    Fault(
        "a recap leaves the role's line out",
        "nodriza/report/recap.py:_failure",
        'yield [("dim", f"  at    {failure[\'origin\']}")]',
        "pass",
        ("report/",),
    ),
    Fault(
        "a recap leaves out what the host said",
        "nodriza/report/recap.py:_failure",
        'yield [("dim", mark), ("", line)]',
        "pass",
        ("report/",),
    ),
    Fault(
        "a recap leaves out what was kept",
        "nodriza/report/recap.py:_failure",
        'for label in ("kept", "next"):',
        'for label in ("next",):',
        ("report/",),
    ),
    Fault(
        "a recap leaves out what to type",
        "nodriza/report/recap.py:_failure",
        'for label in ("kept", "next"):',
        'for label in ("kept",):',
        ("report/",),
    ),
    Fault(
        "a program's words are left out of its failure",
        "nodriza/host/errors.py:CommandFailed.__init__",
        '"\\n".join(words[-20:])',
        '""',
        ("host/test_host.py",),
    ),
    Fault(
        "a program is not named in its failure",
        "nodriza/host/errors.py:CommandFailed.__init__",
        "{' '.join(result.argv)}: ",
        "",
        ("host/test_host.py",),
    ),
    Fault(
        "a service's own log is left out of its failure",
        "nodriza/resources/service.py:Service.act",
        "{log.strip()}",
        "",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a refusal of the kernel has no hint",
        "nodriza/host/os_errors.py:told",
        "hint = HINTS.get(error.errno)",
        "hint = None",
        ("host/test_host.py",),
    ),
    Fault(
        "a trap is not named",
        "nodriza/host/path.py:_trusted_target",
        'f"{path} is a link that {_user(link.st_uid)} could make: root does not follow it"',
        '"no"',
        ("host/test_path.py",),
    ),
    Fault(
        "a mistake of ours on the host is not told",
        "nodriza/agent/main.py:main",
        'line.emit({"event": "error", "words": traceback.format_exc(limit=-4)})',
        "pass",
        ("agent/test_main.py",),
    ),
)
