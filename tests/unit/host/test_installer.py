"""Why an installer failed, from what it said."""

import pytest

from nodriza.host.installer import reason

DEAD = """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object \
at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'\
: /simple/tiny/
ERROR: Could not find a version that satisfies the requirement tiny (from versions: none)
"""


@pytest.mark.parametrize(
    ("said", "first"),
    [
        (DEAD, "the package index can't be reached from this host: Temporary failure in name"),
        (DEAD.replace("Temporary failure in name resolution", "x"), "WARNING: Retrying"),
        ("(caused by ConnectTimeoutError: connection to a.example timed out", "the package ind"),
        ("ERROR: No matching distribution found for tiny==9", "ERROR: No matching"),
        (
            "OSError: [Errno 28] No space left on device\nhint: x",
            "a disk of this host became full",
        ),
        ("error: failed to write: (os error 28)", "a disk of this host became full"),
    ],
)
def test_reason__is_above_what_pip_said(said, first):
    lines = reason(said).splitlines()
    assert lines[0].startswith(first)
    assert lines[-1] == said.splitlines()[-1]
