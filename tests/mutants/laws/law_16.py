"""16. What a plan has made and no plan has any more is taken away; all else stays."""

from tests.mutants.fault import Fault

LEFT = ("agent/test_left.py",)
FAULTS = (
    Fault(
        "a job moves, and its data is left behind without a word",
        "nodriza/agent/keepers.py:moved",
        "if now.get(job) != was and job not in known",
        "if False",
        ("agent/test_keepers.py",),
    ),
    Fault(
        "a node that would leave data behind changes nevertheless",
        "nodriza/agent/main.py:_serve",
        "        return 1\n    if not check:",
        "    if not check:",
        ("agent/test_main.py",),
    ),
    Fault(
        "who keeps the data is forgotten",
        "nodriza/agent/main.py:_serve",
        "keepers.remember(host, request)",
        "pass",
        ("agent/test_main.py",),
    ),
    Fault(
        "a host may refuse a plan that is not whole",
        "nodriza/ssh/conversation.py:Conversation.heard",
        'event["event"] == "moved" and not self._whole',
        "False",
        ("hostile/test_conversation.py",),
    ),
    Fault(
        "a part of a plan takes away what it does not have",
        "nodriza/agent/memory.py:Memory.gone",
        "if self.whole else self.entries",
        "",
        LEFT,
    ),
    Fault(
        "a file that somebody else has changed is taken away",
        "nodriza/resources/file.py:File.remains",
        'return "" if known else CHANGED',
        'return ""',
        LEFT,
    ),
    Fault(
        "a link that somebody else has changed is taken away",
        "nodriza/resources/link.py:Link.remains",
        'return "" if host.readlink(left.name) in left.marks else CHANGED',
        'return ""',
        LEFT,
    ),
    Fault(
        "a folder goes before its files may have to come back",
        "nodriza/agent/left.py:Left.ahead",
        "return self.kind is Directory",
        "return False",
        LEFT,
    ),
    Fault(
        "a folder goes with what others have put into it",
        "nodriza/resources/directory.py:Directory.take_away",
        "host.rmdir(left.name)",
        "host.remove(left.name)",
        ("resources/test_left.py",),
    ),
    Fault(
        "the line of a mount that is in use goes",
        "nodriza/resources/mount.py:Mount.take_away",
        """\
            mount._unmount(host)
        write_entry(host, mount._at, None)
""",
        """\
            write_entry(host, mount._at, None)
            mount._unmount(host)
""",
        ("resources/test_mount.py",),
    ),
    Fault(
        "an account that somebody else has changed is dropped",
        "nodriza/resources/database_user.py:DatabaseUser.remains",
        'return "" if _digest(found.state) in left.marks else CHANGED',
        'return ""',
        ("resources/test_database.py",),
    ),
    Fault(
        "what a rollback brings back is not read",
        "nodriza/agent/rollback.py:rolled_back",
        """\
    plan = following(plan, left)
""",
        "",
        ("agent/test_main.py",),
    ),
    Fault(
        "what was here before a plan is taken away",
        "nodriza/agent/left.py:_why_not",
        'return why if why is None or entry["made"] else "it was here before"',
        "return why",
        LEFT,
    ),
    Fault(
        "a service that ran before a plan counts as its own",
        "nodriza/resources/service.py:Service.makes",
        'return not (now and now["running"])',
        "return True",
        LEFT,
    ),
    Fault(
        "what is made is remembered when it is there, not before",
        "nodriza/agent/memory.py:Memory.note",
        """\
                entry["marks"] = [*entry["marks"], mark][-MARKS:]
        self._write()
""",
        """\
                entry["marks"] = [*entry["marks"], mark][-MARKS:]
""",
        LEFT,
    ),
    Fault(
        "what a file becomes takes the place of what it was before it is written",
        "nodriza/agent/memory.py:Memory.note",
        'entry["marks"] = [*entry["marks"], mark][-MARKS:]',
        'entry["marks"] = [mark]',
        LEFT,
    ),
    Fault(
        "what a deploy has made is missed by the next whole plan",
        "nodriza/agent/memory.py:Memory.note",
        "if entry is None and self.whole:",
        "if entry is None:",
        LEFT,
    ),
    Fault(
        "a run that failed forgets what the one before had made",
        "nodriza/agent/main.py:_serve",
        'if request["whole"] and not (counts["failed"] or counts["skipped"]):',
        'if request["whole"]:',
        ("agent/test_main.py",),
    ),
    Fault(
        "a part of a plan takes the place of the whole one",
        "nodriza/agent/main.py:_serve",
        'if request["whole"] and not (counts["failed"] or counts["skipped"]):',
        'if not (counts["failed"] or counts["skipped"]):',
        ("agent/test_main.py",),
    ),
    Fault(
        "a service goes after its files",
        "nodriza/agent/left.py:_rank",
        "return 1 if name.endswith(TRIGGERS) else 2",
        "return 4",
        LEFT,
    ),
    Fault(
        "a service that read a file is not told that it has gone",
        "nodriza/agent/left.py:find",
        "    plan = following(plan, entries)\n",
        "",
        LEFT,
    ),
    Fault(
        "what another cluster has in its plan is taken away",
        "nodriza/agent/left.py:find",
        "if id in shared or _place",
        "if _place",
        LEFT,
    ),
    Fault(
        "what is planned by another name is taken away",
        "nodriza/agent/left.py:find",
        "if id in shared or _place(host, id) in planned or _holds",
        "if id in shared or _holds",
        LEFT,
    ),
    Fault(
        "what a memory that is damaged says is believed",
        "nodriza/agent/memory.py:_entry",
        "known = noun in nouns.__all__ and",
        "known = True or",
        LEFT,
    ),
    Fault(
        "a damaged memory of another cluster keeps nothing from going",
        "nodriza/agent/left.py:find",
        "if memory.broken:",
        "if False:",
        LEFT,
    ),
    Fault(
        "others may read what is remembered",
        "nodriza/agent/memory.py:Memory._write",
        'self.host.own(self.folder, "root", "root", "0700")',
        "pass",
        LEFT,
    ),
    Fault(
        "a host may take away what it likes in a part of a plan",
        "nodriza/ssh/conversation.py:Conversation._goes",
        "if left and not self._whole:",
        "if False:",
        ("ssh/test_conversation.py",),
    ),
    Fault(
        "a provision is no whole plan",
        "nodriza/plan/keepers.py:whole",
        "whole=True",
        "whole=False",
        ("plan/test_keepers.py",),
    ),
    Fault(
        "a restart that was due of what has gone stays due",
        "nodriza/agent/memory.py:Memory.replace",
        "journal.settle(id)",
        "pass",
        LEFT,
    ),
)
