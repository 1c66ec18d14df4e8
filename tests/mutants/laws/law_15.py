"""15. A flag, a word or a page that promises something does it, or is refused."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "--check applies",
        "nodriza/rollout.py:Run.request",
        '"mode": "check" if self.check else "apply"',
        '"mode": "apply"',
        ("test_roll_out.py",),
    ),
    Fault(
        "an agent that is to check applies",
        "nodriza/agent/main.py:_serve",
        'check = request["mode"] != "apply"',
        'check = request["mode"] == "dry"',
        ("agent/test_main.py",),
    ),
    Fault(
        "a word that names no node means all of them",
        "nodriza/inventory/targets.py:_named",
        """\
if missing and names == [word]:
        raise _refusal(""",
        """\
if missing and names == [word]:
        return sorted(existing)
        raise _refusal(""",
        ("inventory/test_targets.py",),
    ),
    Fault(
        "a range that is partly there is taken",
        "nodriza/inventory/targets.py:_named",
        """\
if missing:
        shown""",
        """\
if False:
        shown""",
        ("inventory/test_targets.py",),
    ),
    Fault(
        "--serial takes anything",
        "nodriza/turns.py:refuse_bad_serial",
        "raise TargetError(",
        "TargetError(",
        ("test_turns.py",),
    ),
    Fault(
        "--serial 0 per cent is nobody",
        "nodriza/turns.py:how_many",
        "max(1, children * int(serial[:-1]) // 100)",
        "children * int(serial[:-1]) // 100",
        ("test_turns.py",),
    ),
    Fault(
        "a flag of Fabric's that nobody honours is taken",
        "fabfile/flags.py:refuse_flags",
        "if flag in REFUSED:",
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "a flag of a later Fabric is taken",
        "fabfile/flags.py:refuse_flags",
        "if flag not in {*INVOKES, *LOGIN, DRY, HOSTS}:",
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "a password is asked for by a command that logs in nowhere",
        "fabfile/flags.py:refuse_flags",
        "if flag in LOGIN and not task.connects:",
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "any time to connect is taken",
        "fabfile/flags.py:refuse_flags",
        'if flag == "connect-timeout" and not 1 <= given[flag] <= LONGEST:',
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "a setting that nobody reads is taken",
        "fabfile/program.py:Program.update_config",
        "flags.refuse_settings(self.config)",
        "pass",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "--dry is taken by a command that can't be tried",
        "fabfile/flags.py:refuse_dry",
        "if not (task.reads or task.checks):",
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "a variable that asks for a dry run is not read",
        "fabfile/program.py:Program.update_config",
        "if flags.dry_by_variable():",
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "flags are not looked at",
        "fabfile/program.py:Program.update_config",
        "flags.refuse_flags(self.args.values(), ours)",
        "pass",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "help for a command that is not there is all help",
        "fabfile/program.py:Program.parse_cleanup",
        "if isinstance(of, str) and of not in self.parser.contexts:",
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "an ssh_config that is not there is ignored",
        "fabfile/program.py:Program._refuse_files",
        "if path is not None and not Path(path).is_file():",
        "if False:",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "--hosts is left to Fabric",
        "fabfile/program.py:Program.parse_tasks",
        "sentence.read(typed, self.args.hosts.value)",
        "sentence.read(typed, None)",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "a command is taken twice",
        "fabfile/program.py:Program.parse_tasks",
        "refuse_doubles(typed, set(known) - words, self.collection)",
        "pass",
        ("test_flags.py", "test_grammar.py"),
    ),
    Fault(
        "logs of a service that no node has are asked for",
        "fabfile/shell.py:logs",
        "engine.refuse_unit(unit, plans)",
        "pass",
        ("test_logs.py",),
    ),
    Fault(
        "a password that is piped takes some of what the command reads",
        "fabfile/program.py:Program.update_config",
        "with pipes.passwords_by_line():",
        "if True:",
        ("test_piped_password.py",),
    ),
    Fault(
        "nodriza says nothing of where to go in a folder without a fabfile",
        "fabfile/program.py:Program.load_collection",
        """if not str(error.message).startswith("Can't find any collection"):""",
        "if True:",
        ("test_commands.py",),
    ),
    Fault(
        "a check ends the trial of a deploy that is under way",
        "nodriza/resources/trial.py:Trial._ask",
        'self.unit and f"{self.unit}-{os.getpid()}"',
        "self.unit",
        ("resources/test_trial.py",),
    ),
    Fault(
        "a web hook whose address nobody has is told when all is done",
        "nodriza/hooks.py:refuse_unknown",
        "if not good:",
        "if False:",
        ("test_hooks.py",),
    ),
    Fault(
        "a door is open to every node",
        "nodriza/offers.py:doors",
        "for word in (role, offer.job) for n in known.users.get(word, ())",
        "for n in cluster.nodes",
        ("test_offers.py", "roles/test_firewall.py"),
    ),
    Fault(
        "a node that needs nothing is told of everything",
        "nodriza/offers.py:told",
        "known.needs[node.name].items()",
        "dict.fromkeys(known.servers, '').items()",
        ("test_offers.py",),
    ),
    Fault(
        "an own role upon a shipped one closes its doors",
        "nodriza/plan.py:_own_role",
        "return {**said, **own}",
        "return own",
        ("test_offers.py",),
    ),
    Fault(
        "the firewall opens to everybody what is for those who need it",
        "nodriza/offers.py:public",
        "if o.public and o.ports",
        "if o.ports",
        ("test_offers.py", "roles/test_firewall.py"),
    ),
    Fault(
        "the smoke test forgets what an own role offers",
        "nodriza/smoke/checks.py:private_ports",
        "if not offer.public for port",
        "if not offer.public and offer.name for port",
        ("test_offers.py",),
    ),
    Fault(
        "roles are asked anew for each node",
        "nodriza/offers.py:links",
        "if not _last or _last[0].cluster is not cluster:",
        "if True:",
        ("test_offers.py",),
    ),
    Fault(
        "health follows a program's name and not its job",
        "roles/nginx.py:nginx",
        'does(node, cluster, "application")',
        '"uwsgi" in node.roles',
        ("test_offers.py",),
    ),
    Fault(
        "a word for the nodes of a kind means others",
        "nodriza/inventory/kinds.py",
        'words=("videos",)',
        'words=("videos", "children")',
        ("inventory/test_kinds.py",),
    ),
    Fault(
        "the lab that is not up is told before the word that names no node",
        "fabfile/session.py:reachable_cluster",
        "if target:",
        "if False:",
        ("test_commands.py",),
    ),
)
