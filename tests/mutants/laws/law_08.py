"""8. One bad node hides no other's result; the recap always comes; the exit code tells."""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "nobody waits for those that it needs",
        "nodriza/rollout/waves.py:_wave",
        "run.stop, before, together)",
        "run.stop, together=together)",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "a check waits for the nodes that others need",
        "nodriza/rollout/waves.py:_wave",
        "if not run.check and len",
        "if len",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "a mistake of ours at one node ends the run of all",
        "nodriza/rollout/node.py:bring",
        "except Exception as error:",
        "except ZeroDivisionError as error:",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "the recap does not come when something breaks",
        "nodriza/rollout/waves.py:roll_out",
        "    finally:  #",
        "    except ZeroDivisionError:  #",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "a failed resource is not in the exit code",
        "nodriza/report/result.py:NodeResult.bad",
        "return self.error is not None or self.failed > 0",
        "return self.error is not None",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "a node that could not be reached is not in the exit code",
        "nodriza/report/result.py:NodeResult.bad",
        "return self.error is not None or self.failed > 0",
        "return self.failed > 0",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "an interrupted run ends as a failed one",
        "nodriza/rollout/waves.py:exit_code",
        "return Interrupted.exit_code",
        "return 1",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "the exit code of a failure is 0",
        "nodriza/rollout/waves.py:exit_code",
        "return int(any(result.bad for result in results.values()))",
        "return 0",
        ("rollout/test_waves.py",),
    ),
    Fault(
        "who needs a node goes on after it has failed",
        "nodriza/rollout/turns.py:Turns._over",
        "or lost ",
        "",
        ("rollout/test_turns.py",),
    ),
    Fault(
        "others change after a failure",
        "nodriza/rollout/turns.py:Turns._over",
        "or len(self.failed) > borne",
        "",
        ("rollout/test_turns.py",),
    ),
    Fault(
        "more nodes change at once than may",
        "nodriza/rollout/turns.py:Turns.take",
        "len(self._at_work) < self.serial",
        "True",
        ("rollout/test_turns.py",),
    ),
    Fault(
        "a node changes before those that it needs are done",
        "nodriza/rollout/turns.py:Turns.take",
        "lambda: self._all_before(node, self._done) and",
        "lambda:",
        ("rollout/test_turns.py",),
    ),
    Fault(
        "a node that was left alone counts as one that failed",
        "nodriza/rollout/turns.py:Turns.end",
        " and not result.denied",
        "",
        ("rollout/test_turns.py",),
    ),
    Fault(
        "of nodes that need each other the one that the others need comes last",
        "nodriza/plan/order.py:in_order",
        "most = max(",
        "most = min(",
        ("plan/test_order.py",),
    ),
    Fault(
        "a job that several nodes do makes the others wait",
        "nodriza/plan/order.py:in_order",
        "if len(found) == 1",
        "if found",
        ("plan/test_order.py",),
    ),
    Fault(
        "a node that failed keeps its place",
        "nodriza/rollout/turns.py:Turns.end",
        "self._at_work.discard(node)",
        "pass",
        ("rollout/test_turns.py",),
    ),
    Fault(
        "Ctrl-C does not end the waiting",
        "nodriza/rollout/turns.py:Turns._over",
        "self.stop.is_set() or",
        "",
        ("rollout/test_turns.py",),
    ),
    Fault(
        "a node that is ill after a change stays in rotation",
        "nodriza/agent/rolling.py:Gate.pass_through",
        """\
health.fix(self.host, None)
        except""",
        """\
pass
        except""",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "the files of a node that is ill stay as they are",
        "nodriza/agent/rolling.py:Gate.pass_through",
        "restored = self.journal.restore(health.id)",
        "restored = []",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a service does not read the files that were put back",
        "nodriza/agent/rolling.py:Gate._put_back",
        "resource.act(self.host, action)",
        "pass",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a node serves while it changes",
        "nodriza/agent/rolling.py:Gate._leave",
        'health.leave(self.host, {"run": self.journal.run, "since": since})',
        "pass",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a node does not wait for its turn",
        "nodriza/agent/rolling.py:Gate._leave",
        "if not self.ask(True):",
        "if False:",
        ("agent/test_rolling.py",),
    ),
    Fault(
        "a plan goes on after a failure",
        "nodriza/agent/converge.py:Converge._one",
        """\
told(error, resource.subject), began)
            return f"after {resource.id} failed"
        self._changed(""",
        """\
told(error, resource.subject), began)
            return ""
        self._changed(""",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a Ctrl-C while a source is on its way is a failure",
        "nodriza/host/line.py:Controller._next",
        'raise Stopped("the run was stopped',
        'raise HostError("the run was stopped',
        ("host/test_line.py",),
    ),
    Fault(
        "what was given up because of a Ctrl-C has failed",
        "nodriza/agent/converge.py:Converge._one",
        "except Stopped:",
        "except ZeroDivisionError:",
        ("agent/test_converge.py",),
    ),
    Fault(
        "a deploy that a Ctrl-C ended between two of its steps came to a good end",
        "nodriza/rollout/waves.py:roll_out",
        "_leave_out(run, well, results)",
        "pass",
        ("rollout/test_waves.py",),
    ),
)
