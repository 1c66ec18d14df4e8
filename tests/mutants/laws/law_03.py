"""3. A file is replaced whole, with its final owner and mode, flushed and renamed."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "a file is not flushed before it is renamed",
        "nodriza/host/files.py:Files.write",
        "os.fsync(file.fileno())",
        "pass",
        ("agent/test_power_cut.py",),
    ),
    Fault(
        "a folder is not flushed after a name in it has changed",
        "nodriza/host/files.py:Files._changing",
        "os.fsync(fd)",
        "pass",
        ("agent/test_power_cut.py",),
    ),
    Fault(
        "what Python still buffers is not flushed",
        "nodriza/host/files.py:Files.write",
        "file.flush()",
        "pass",
        ("agent/test_power_cut.py",),
    ),
    Fault(
        "a file gets its mode after it was flushed",
        "nodriza/host/files.py:Files.write",
        """\
                    self._own(file.fileno(), owner, group, mode)
                    file.flush()
                    os.fsync(file.fileno())
""",
        """\
                    file.flush()
                    os.fsync(file.fileno())
                    self._own(file.fileno(), owner, group, mode)
""",
        ("agent/test_power_cut.py",),
    ),
    Fault(
        "others may read a file while it is written",
        "nodriza/host/files.py:Files.write",
        "os.open(new, flags, 0o600)",
        "os.open(new, flags, 0o644)",
        ("host/test_host.py",),
    ),
    Fault(
        "others may enter a folder before it has its mode",
        "nodriza/host/files.py:Files.mkdir",
        "os.mkdir(real, 0o700)",
        "os.mkdir(real, 0o755)",
        ("host/test_host.py",),
    ),
    Fault(
        "the mode comes before the owner",
        "nodriza/host/files.py:Files._own",
        """\
        if os.geteuid() == 0:
            os.fchown(fd, number_of(owner, user=True), number_of(group, user=False))
        os.fchmod(fd, int(mode, 8))  # after chown, which clears set-id bits
""",
        """\
        os.fchmod(fd, int(mode, 8))
        if os.geteuid() == 0:
            os.fchown(fd, number_of(owner, user=True), number_of(group, user=False))
""",
        ("host/test_host.py",),
    ),
    Fault(
        "a file is written in its place",
        "nodriza/host/files.py:Files.write",
        "os.rename(new, real)",
        "open(real, 'wb').write(data); _unlink(new)",
        ("host/test_host.py",),
    ),
    Fault(
        "a link is away while it is switched",
        "nodriza/host/files.py:Files.symlink",
        "os.rename(new, real)",
        "_unlink(real); os.rename(new, real)",
        ("host/test_host.py",),
    ),
    Fault(
        "a write that failed leaves its temporary file",
        "nodriza/host/files.py:Files.write",
        """\
            except BaseException:
                _unlink(new)""",
        """\
            except BaseException:
                pass""",
        ("host/test_host.py",),
    ),
    Fault(
        "a vault is not flushed before it is renamed",
        "nodriza/files.py:_replace",
        "os.fsync(new.fileno())",
        "pass",
        ("test_whole_files.py", "test_files.py"),
    ),
    Fault(
        "a file of the controller is written in its place",
        "nodriza/files.py:_replace",
        "Path(new.name).replace(real)",
        "real.write_bytes(data)",
        ("test_whole_files.py", "test_files.py"),
    ),
    Fault(
        "a file of the controller has its mode only later",
        "nodriza/files.py:_replace",
        "os.fchmod(new.fileno(), mode)",
        "pass",
        ("test_whole_files.py", "test_files.py"),
    ),
    Fault(
        "a file of the controller that can't be written leaves another",
        "nodriza/files.py:_replace",
        "Path(new.name).unlink(missing_ok=True)",
        "pass",
        ("test_whole_files.py", "test_files.py"),
    ),
    Fault(
        "a link to a vault is replaced by a file",
        "nodriza/files.py:_real",
        "return path.resolve()",
        "return path",
        ("test_whole_files.py", "test_files.py"),
    ),
    Fault(
        "a folder of the controller is not flushed",
        "nodriza/files.py:_replace",
        "flush_folder(real.parent)",
        "pass",
        ("test_whole_files.py", "test_files.py"),
    ),
    Fault(
        "a file of the controller comes back after it was removed",
        "nodriza/files.py:remove",
        "flush_folder(path.parent)",
        "pass",
        ("test_files.py",),
    ),
)
