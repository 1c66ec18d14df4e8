"""11. A release serves everywhere or nowhere.

Who serves it, and when: turns, ways back, workers that follow.
"""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "the services are not told of a release",
        "nodriza/change/switch.py:followers",
        "(kept(it.reload_on) or kept(it.restart_on))",
        "kept(it.restart_on)",
        ("test_switch.py",),
    ),
    Fault(
        "the central node takes from the share what others still work in",
        "nodriza/change/switch.py:Switch.settle",
        "working=self.there.working.union(*working)",
        "working=self.there.working",
        ("test_switch.py",),
    ),
    Fault(
        "a node that serves no visitors is not asked for its Python",
        "roles/release.py:release",
        "    else:\n        yield Interpreter",
        "    elif node.serves:\n        yield Interpreter",
        ("roles/test_release.py",),
    ),
    Fault(
        "an environment is tried before it is there",
        "roles/release.py:release",
        "        yield environment(cluster, to)\n",
        "",
        ("roles/test_release.py",),
    ),
    Fault(
        "a video node switches to a release that it has not tried",
        "roles/release.py:release",
        "    elif not central:\n        yield trial(cluster, folder)",
        "    elif False:\n        yield trial(cluster, folder)",
        ("test_switch.py",),
    ),
    Fault(
        "processes go on with an environment that somebody had changed",
        "nodriza/change/switch.py:release_plan",
        "isinstance(item, (Copy, Environment, File))",
        "isinstance(item, (Copy, File))",
        ("test_switch.py",),
    ),
    Fault(
        "a release serves before the record says so",
        "roles/release.py:release",
        "    if central:\n",
        "    if False:\n",
        ("roles/test_release.py",),
    ),
    Fault(
        "what is not well on one node stays on the others",
        "nodriza/change/switch.py:Switch.settle",
        "if len(well) < len(reached) or",
        "if",
        ("test_switch.py",),
    ),
    Fault(
        "a node that can't be reached takes the release from all",
        "nodriza/change/switch.py:Switch.settle",
        "node.name not in self.away",
        "True",
        ("test_switch.py",),
    ),
    Fault(
        "a failed build is switched to",
        "nodriza/change/switch.py:Switch.take",
        "if built.bad:",
        "if False:",
        ("test_switch.py",),
    ),
    Fault(
        "a node that missed a deploy is left with its old release",
        "nodriza/change/switch.py:Stragglers._behind",
        '["current"] != to.id',
        '["current"] == ""',
        ("test_switch.py",),
    ),
    Fault(
        "a release that answers nobody is switched to",
        "roles/release.py:release",
        "if node.serves:",
        "if False:",
        ("roles/test_release.py",),
    ),
    Fault(
        "a page that the inventory names is not asked after the switch",
        "nodriza/resources/health.py:Health.fix",
        "self._wrong_path(host) if",
        '"" if',
        ("agent/test_gate.py",),
    ),
    Fault(
        "a copy that nobody has switched to owes a look at how the node is",
        "nodriza/agent/transaction.py:Followers.owe",
        "() if resource.ahead else self._of_all",
        "self._of_all",
        ("agent/test_gate.py",),
    ),
    Fault(
        "a child does not know the static files of the release that comes",
        "roles/release.py:release",
        "yield Link(app.newest,",
        "Link(app.newest,",
        ("roles/test_release.py",),
    ),
    Fault(
        "a new child has no static files of the release that was gone back from",
        "roles/release.py:release",
        "newest.id != to.id",
        "False",
        ("roles/test_release.py",),
    ),
    Fault(
        "a release that is gone back from is taken away with the files of its pages",
        "nodriza/change/switch.py:Switch._go_back",
        "former, self.to.id)",
        "former)",
        ("test_switch.py",),
    ),
    Fault(
        "a child switches before the others have the release",
        "nodriza/change/switch.py:Switch.take",
        "together=True",
        "together=False",
        ("test_switch.py",),
    ),
    Fault(
        "who waits for the others waits for nobody",
        "nodriza/rollout/turns.py:Turns.take",
        " and self._all_are_here()",
        "",
        ("test_turns.py",),
    ),
    Fault(
        "a release that is not good on one node is switched to on the others",
        "nodriza/rollout/turns.py:Turns.end",
        "early or node in self._needed",
        "node in self._needed",
        ("test_turns.py",),
    ),
    Fault(
        "those that wait for each other take the places of those they wait for",
        "nodriza/rollout/run.py:_node",
        "run.places.release()",
        "pass",
        ("test_roll_out.py",),
    ),
    Fault(
        "a node that was left on a release is not named",
        "nodriza/change/switch.py:Switch._stayed",
        "% 2 == 1",
        "> 2",
        ("test_switch.py",),
    ),
    Fault(
        "workers go on with a copy that somebody has changed",
        "nodriza/change/switch.py:release_plan",
        "copies if to.id == there.current else ()",
        "()",
        ("test_switch.py",),
    ),
    Fault(
        "a reload is well though a worker serves the release before",
        "templates/uwsgi/renew.py.j2",
        "if os.path.isdir(wanted) and serves != wanted:",
        "if False:",
        ("roles/test_uwsgi.py",),
    ),
    Fault(
        "the old worker is told to end before the new one takes tasks",
        "templates/celery/celery.py.j2",
        "elif self.next.takes_tasks:",
        "else:",
        ("roles/test_celery.py",),
    ),
    Fault(
        "a deploy waits for the task of the old worker",
        "templates/celery/celery.py.j2",
        """\
            self.now, self.next = self.next, None
            self._answer(WELL)
""",
        """\
            self.now, self.next = self.next, None
            while self.leaving and self.leaving[0].ended is None:
                self.leaving[0].leave(self.longest)
            self._answer(WELL)
""",
        ("roles/test_celery.py",),
    ),
    Fault(
        "a new worker that does not come up is well",
        "templates/celery/celery.py.j2",
        '            self.next = None\n            self._answer(f"the new worker ended',
        '            self.next = None\n            self._answer(WELL or f"the new worker ended',
        ("roles/test_celery.py",),
    ),
    Fault(
        "the end of one worker ends the task of another",
        "templates/celery/celery.py.j2",
        "if not self.leaving:",
        "if True:",
        ("roles/test_celery.py",),
    ),
    Fault(
        "a task that never ends is left for ever",
        "templates/celery/celery.py.j2",
        "elif now - self.told > longest and not self._hurried:",
        "elif False:",
        ("roles/test_celery.py",),
    ),
    Fault(
        "a stop does not let a worker end its task",
        "templates/celery/celery.py.j2",
        "while not (workers.stopping and not (workers.leaving or workers.now or workers.next)):",
        "while not workers.stopping:",
        ("roles/test_celery.py",),
    ),
    Fault(
        "a task that takes long is given to a second worker",
        "nodriza/inventory/sections/app.py:Tasks.visibility",
        "2 * self.longest",
        "0",
        ("roles/test_celery.py",),
    ),
    Fault(
        "a run waits for a task no longer than for any service",
        "roles/celery.py",
        "longer=app.tasks.longest",
        "longer=0",
        ("roles/test_celery.py",),
    ),
    Fault(
        "who follows the variables alone is left out of a deploy",
        "nodriza/change/switch.py:followers",
        "(kept(it.reload_on) or kept(it.restart_on))",
        "link in {*it.reload_on, *it.restart_on}",
        ("test_switch.py",),
    ),
    Fault(
        "strangers are told which release serves",
        "templates/app/release.py.j2",
        'if is_near(environ.get("REMOTE_ADDR", "")):',
        "if True:",
        ("roles/test_health.py",),
    ),
    Fault(
        "nodes with different releases are not told apart",
        "nodriza/watch/status.py:_serving",
        "if len(nodes) > 1:\n        words",
        "if False:\n        words",
        ("test_status.py",),
    ),
)
