"""1. A second run changes nothing, and a check foretells what the run then does."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "an exit code is believed, and nobody looks again after a fix",
        "nodriza/agent/converge.py:Converge._see_again",
        "if left:",
        "if False:",
        ("agent/test_converge.py",),
    ),
    Fault(
        "packages are not looked at again after apt has run",
        "nodriza/agent/converge.py:Converge._together",
        "self._see_again(missing)",
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a check installs packages",
        "nodriza/agent/converge.py:Converge._group",
        'if hasattr(type(group[0]), "fix_together") and not self.check:',
        'if hasattr(type(group[0]), "fix_together"):',
        ("agent/test_check.py",),
    ),
    Fault(
        "a check does not foretell the reload that a change makes due",
        "nodriza/agent/converge.py:Converge._due",
        "return self.followers.due(self.changed, resource) if self.check else None",
        "return None",
        ("agent/test_check.py",),
    ),
    Fault(
        "a check takes a node out of rotation",
        "nodriza/agent/converge.py:Converge._needs_turn",
        "if self.check or self.gate.open or",
        "if self.gate.open or",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a check writes down that it was there",
        "nodriza/agent/main.py:_serve",
        """\
    if not check:
        if request["whole"]""",
        """\
    if True:
        if request["whole"]""",
        ("agent/test_main.py",),
    ),
    Fault(
        "what an earlier fix has changed is not seen",
        "nodriza/agent/converge.py:Converge.run",
        "if self._dirty:  #",
        "if False:  #",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a noun that is asked alone is asked before the one in front of it",
        "nodriza/agent/converge.py:Converge._group",
        "if resource.ALONE and resource.id not in self._seen:",
        "if False:",
        ("agent/test_converge.py",),
    ),
    Fault(
        "what others did while a node waited is not seen",
        "nodriza/agent/converge.py:Converge.run",
        """\
# Others have been at work meanwhile.
                self._moved()
                states.update(self._look(group))""",
        "pass",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a value that is wanted and missing is no gap",
        "nodriza/resources/base.py:gap_between",
        "if now.get(key) != value",
        "if now.get(key, value) != value",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a file of the same size counts as the same file",
        "nodriza/resources/file.py:File._look",
        """\
if seen.type == "file" and seen.size == len(self.data):
            digest = hashlib.sha256(host.read(self.path) or b"").hexdigest()""",
        """\
if seen.type == "file" and seen.size == len(self.data):
            digest = hashlib.sha256(self.data).hexdigest()""",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a check does not foretell that no migration is pending",
        "nodriza/agent/converge.py:Converge._one",
        "self._seen.clear()",
        "pass",
        ("agent/test_check.py",),
    ),
)
