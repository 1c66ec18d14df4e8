"""11. A release serves everywhere or nowhere."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "a release is not imported before it is switched to",
        "roles/release.py:_build",
        'yield step("import", "-c", f"from {app.wsgi} import application")',
        "",
        ("roles/test_release.py",),
    ),
    Fault(
        "a release that is gone back to is not tried",
        "roles/release.py:release",
        "else _try(cluster, folder)",
        "else ()",
        ("test_releases.py", "roles/test_release.py"),
    ),
    Fault(
        "the workers are not told of a release",
        "roles/release.py:release",
        "yield Touch(app.reload, on_change=(current,))",
        "",
        ("roles/test_release.py",),
    ),
    Fault(
        "the release in use is taken away",
        "nodriza/resources/old_releases.py:OldReleases._old",
        "kept = {used, *",
        "kept = {*",
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "an environment that a release needs is taken away",
        "nodriza/resources/old_releases.py:OldReleases._unlinked",
        "n not in used and",
        "",
        ("resources/test_old_releases.py", "resources/test_venv.py"),
    ),
    Fault(
        "the same source is another release each time",
        "nodriza/deploy.py",
        'mode="wb", mtime=0)',
        'mode="wb")',
        ("test_deploy.py",),
    ),
    Fault(
        "the last releases that served are taken away",
        "nodriza/resources/old_releases.py:OldReleases._old",
        "for name in reversed(served)",
        "for name in served",
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "a release that never served is kept",
        "nodriza/resources/old_releases.py:OldReleases._old",
        "if name not in kept and not",
        "if name in served and name not in kept and not",
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "a release serves before the record says so",
        "roles/release.py:release",
        """\
    yield Served(app.record, release_id, current=app.current, how=how, commit=commit)
    yield current
""",
        """\
    yield current
    yield Served(app.record, release_id, current=app.current, how=how, commit=commit)
""",
        (
            "test_releases.py",
            "resources/test_served.py",
            "resources/test_contract.py",
            "roles/test_release.py",
            "resources/test_old_releases.py",
        ),
    ),
)
