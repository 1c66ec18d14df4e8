"""12. What comes from outside is checked where it enters: a dump that is cut is no dump."""

from tests.mutants.fault import Fault

TESTS = ("operate/test_database.py",)
FAULTS = (
    Fault(
        "a dump without an end is whole",
        "nodriza/operate/database.py:is_end",
        "return bool(lines) and lines[-1].startswith(end.encode())",
        "return bool(lines)",
        TESTS,
    ),
    Fault(
        "a dump whose compressed form is cut is whole",
        "nodriza/operate/database.py:Plain.finish",
        "self._zip.eof and ",
        "",
        TESTS,
    ),
    Fault(
        "the end of a dump is written before it is known to be whole",
        "nodriza/operate/database.py:Plain._keep",
        "self._last = joined[-LAST:]",
        "self._last = joined[-LAST:]; self._out.write(self._last)",
        TESTS,
    ),
    Fault(
        "a file that is cut is sent as a whole one",
        "nodriza/operate/database.py:Loading._parts",
        "            raise EOFError\n",
        "            pass\n",
        TESTS,
    ),
    Fault(
        "a compressed file that is cut is read as a whole one",
        "nodriza/operate/database.py:Loading._plain",
        "if not unpack.eof:",
        "if False:",
        TESTS,
    ),
    Fault(
        "a part of a dump is unpacked as a whole",
        "nodriza/operate/database.py:Plain.write",
        "self._zip.decompress(data, PART)",
        "self._zip.decompress(data)",
        TESTS,
    ),
)
