"""11. A release serves everywhere or nowhere.

What is on disk: copies, seals, what stays and what goes.
"""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "the release in use is taken away",
        "nodriza/resources/old_releases.py:OldReleases._too_old",
        'kept = {*self.kept, os.path.basename((host.readlink(self.current) or "").rstrip("/"))}',
        "kept = {*self.kept}",
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "a release is taken away in which a process still works",
        "nodriza/resources/old_releases.py:OldReleases._too_old",
        "kept |= at_work(host, self.path)",
        "pass",
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "an environment is taken away whose program still runs",
        "nodriza/resources/old_releases.py:OldReleases._too_old",
        "used |= at_work(host, self.venvs)",
        "pass",
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "a release that was gone back from is taken away with a task at work in it",
        "nodriza/releases.py:Releases.kept",
        "return (*kept, *busy[:BUSY])",
        "return kept",
        ("test_releases.py",),
    ),
    Fault(
        "an environment that a release needs is taken away",
        "nodriza/resources/old_releases.py:OldReleases._too_old",
        "if n not in used and",
        "if",
        ("resources/test_old_releases.py",),
    ),
    Fault(
        "an environment that is made anew for another Python keeps its old seal",
        "nodriza/resources/intact.py:Intact._is_intact",
        "if self.python and made_for",
        "if False and made_for",
        ("resources/test_interpreter.py",),
    ),
    Fault(
        "a release that never served is kept to go back to",
        "nodriza/releases.py:Releases.kept",
        "r.served is not None and",
        "",
        ("test_releases.py",),
    ),
    Fault(
        "a pack that another node has changed is unpacked",
        "nodriza/agent/host.py:Host.copy",
        "if found.hexdigest() != sha256:",
        "if False:",
        ("resources/test_copy.py",),
    ),
    Fault(
        "a link in the place of a pack is followed",
        "nodriza/agent/host.py:Host.copy",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDONLY | os.O_NONBLOCK",
        ("resources/test_copy.py",),
    ),
    Fault(
        "a tree that somebody has changed counts as it was",
        "nodriza/resources/intact.py:Intact._is_intact",
        'tree.digest(host, self.path) == seal["tree"]',
        "True",
        ("resources/test_copy.py",),
    ),
    Fault(
        "a file that became executable is not noticed",
        "nodriza/agent/tree.py:_file",
        'kind = b"program" if seen.st_mode & 0o111 else b"file"',
        'kind = b"file"',
        ("resources/test_copy.py",),
    ),
    Fault(
        "a seal that is written again is a later one",
        "nodriza/resources/sealed.py:Sealed.fix",
        'seal["number"] if seal else',
        "",
        ("resources/test_copy.py",),
    ),
    Fault(
        "a seal survives a power cut, and its tree does not",
        "nodriza/resources/sealed.py:Sealed.fix",
        "tree.flush(host, self.path)",
        "pass",
        ("resources/test_copy.py",),
    ),
    Fault(
        "a tree is in its place before it is on the disk",
        "nodriza/agent/tree.py:made_whole",
        "flush(host, new)",
        "pass",
        ("resources/test_copy.py", "resources/test_upload.py"),
    ),
    Fault(
        "a source that did not come leaves an empty release",
        "nodriza/agent/tree.py:made_whole",
        "host.remove(ours)",
        "host.remove(new)",
        ("resources/test_upload.py",),
    ),
    Fault(
        "a copy is begun where it has no room",
        "nodriza/resources/copy.py:Copy.vet",
        "refuse_full(host, self.path, 2 * self.size)",
        "pass",
        ("resources/test_copy.py",),
    ),
    Fault(
        "a pack is begun where it has no room",
        "nodriza/resources/sealed.py:Sealed.vet",
        "refuse_full(host, self.pack, tree.extent(host, self.path)[0])",
        "pass",
        ("resources/test_copy.py",),
    ),
)
