"""4. One run a host at a time; the second is told who is at work and since when."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "the lock is not taken",
        "nodriza/agent/journal.py:Journal.lock",
        "fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "the lock is shared",
        "nodriza/agent/journal.py:Journal.lock",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        ("agent/test_converge.py",),
    ),
    Fault(
        "the second waits, and is told nothing",
        "nodriza/agent/journal.py:Journal.lock",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_EX",
        ("agent/test_converge.py",),
    ),
    Fault(
        "the lock is let go at once",
        "nodriza/agent/journal.py:Journal.lock",
        "self._lock = fd",
        "os.close(fd)",
        ("agent/test_converge.py",),
    ),
    Fault(
        "nobody is named as the holder",
        "nodriza/agent/journal.py:Journal.lock",
        "os.write(fd, json.dumps(holder).encode())",
        "os.write(fd, b'{}')",
        ("agent/test_converge.py",),
    ),
    Fault(
        "the name of the holder before is left behind",
        "nodriza/agent/journal.py:Journal.lock",
        "os.ftruncate(fd, 0)",
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "the lock is not let go for the next run",
        "nodriza/agent/journal.py:Journal.unlock",
        "os.close(self._lock)",
        "pass",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a busy host is not said to be busy",
        "nodriza/rollout.py:_node",
        "result.error = taken.refusal",
        "pass",
        ("test_roll_out.py",),
    ),
    Fault(
        "a busy host's holder is not named",
        "nodriza/taken.py:_who",
        "if not holder:",
        "if True:",
        ("test_roll_out.py",),
    ),
    Fault(
        "a busy host is waited for without being asked to",
        "nodriza/taken.py:Taken.again",
        "left > 0",
        "left > -1",
        ("test_roll_out.py",),
    ),
    Fault(
        "a Ctrl-C does not end the waiting for a busy host",
        "nodriza/taken.py:Taken.again",
        "not self.stop.wait(min(AGAIN, left))",
        "not time.sleep(min(AGAIN, left))",
        ("test_roll_out.py",),
    ),
)
