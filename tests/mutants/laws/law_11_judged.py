"""11. A release serves everywhere or nowhere.

Whether it may serve: the preflight, migrations, trials, variables.
"""

from tests.mutants.fault import Fault

FAULTS = (
    Fault(
        "a release is not imported before it is switched to",
        "roles/build.py:_made",
        "yield preflight(cluster, folder, breaking=breaking)",
        "",
        ("roles/test_release.py",),
    ),
    Fault(
        "a release is asked whether it is fit, and serves whatever it answers",
        "nodriza/resources/preflight.py:Preflight.fix",
        "        if found:\n",
        "        if False:\n",
        (
            "resources/test_preflight.py::test_debug__is_refused_with_its_line_unless_the_inventory_allows_it",
        ),
    ),
    Fault(
        "every deploy may take from the release that serves",
        "nodriza/resources/preflight.py:Preflight.fix",
        "if self.breaking:",
        "if True:",
        (
            "resources/test_preflight.py"
            "::test_migration__that_takes_from_the_release_that_serves_is_refused",
        ),
    ),
    Fault(
        "where nobody knows what serves, nothing is taken from it",
        "nodriza/host/verdict.py:hit",
        "        return breaks\n",
        "        return []\n",
        (
            "resources/test_preflight.py"
            "::test_migration__that_takes_something_is_refused_where_nobody_knows_what_serves",
        ),
    ),
    Fault(
        "a migration is judged by what it does to the models, and not to the database",
        "nodriza/application/judgement.py:Judge._separate",
        "        for each in operation.database_operations:\n",
        "        for each in ():\n",
        ("application/test_judgement.py",),
    ),
    Fault(
        "a column that old code can't fill is no harm",
        "nodriza/application/rules.py:_add_field",
        "or field.null\n",
        "or True\n",
        ("application/test_judgement.py",),
    ),
    Fault(
        "a field is taken for new because its model has another one that is",
        "nodriza/application/judgement.py:Judge.is_new",
        "(app, model, field.lower()) in self._made",
        "(app, model) in {key[:2] for key in self._made}",
        ("application/test_judgement.py",),
    ),
    Fault(
        "a release is gone back to whatever the database lacks for it",
        "nodriza/resources/preflight.py:Preflight._go_back",
        "if found and not self.breaking:",
        "if False:",
        ("resources/test_preflight.py",),
    ),
    Fault(
        "a column that old code does not fill is no hindrance to going back",
        "nodriza/application/fit.py:_columns",
        "column.null_ok or",
        "True or",
        ("resources/test_preflight.py",),
    ),
    Fault(
        "an error counts as an answer",
        "nodriza/resources/trial.py:Trial._look",
        "self._ask(host).exit == 0",
        "self._ask(host).exit is not None",
        ("resources/test_trial.py",),
    ),
    Fault(
        "the folder of a release is made before there is room for it",
        "roles/build.py:_made",
        "    yield tree\n",
        "    yield Link(folder, folder)\n    yield tree\n",
        ("roles/test_release.py",),
    ),
    Fault(
        "a release is tried with variables that it will not have",
        "nodriza/release/variables.py:switched_with",
        "in tried_with(cluster, taken, files):",
        "in taken:",
        ("change/test_switch.py",),
    ),
    Fault(
        "a deploy leaves the variables as they are",
        "nodriza/release/variables.py:switched_with",
        "yield from files",
        "pass",
        ("change/test_switch.py",),
    ),
    Fault(
        "a release that needs a new variable is built without it",
        "nodriza/change/deploy.py:build_plan",
        "chain(files, tried_with(",
        "chain(tried_with(",
        ("change/test_switch.py",),
    ),
    Fault(
        "other variables for what serves are not tried",
        "nodriza/resources/trial.py:Trial._look",
        " and not self._has_others(host)",
        "",
        ("resources/test_trial.py",),
    ),
    Fault(
        "a variable may turn DEBUG on",
        "nodriza/resources/trial.py",
        ' and not about["debug"]',
        ' and about["debug"]',
        ("resources/test_trial.py",),
    ),
    Fault(
        "a provision restarts the application with variables that nobody has tried",
        "nodriza/change/provision.py:provision",
        "(tried_first(cluster, plan) for plan",
        "(plan for plan",
        ("release/test_variables.py",),
    ),
    Fault(
        "variables are tried after they have come",
        "nodriza/release/variables.py:tried_first",
        """\
            resources.append(Planned(_to_try(cluster, serves, text), each.origin))
        resources.append(each)
""",
        """\
            resources += [each, Planned(_to_try(cluster, serves, text), each.origin)]
            continue
        resources.append(each)
""",
        ("release/test_variables.py",),
    ),
    Fault(
        "variables are tried before the central node has what they are about",
        "nodriza/resources/trial.py:Trial.ahead",
        "self.path != self.current",
        "True",
        ("resources/test_trial.py",),
    ),
    Fault(
        "variables with which what serves does not work come all the same",
        "nodriza/resources/trial.py:Trial.fix",
        "if not before._wrong(host):",
        "if False:",
        ("resources/test_trial.py",),
    ),
    Fault(
        "what is broken can't be mended by a variable",
        "nodriza/resources/trial.py:Trial.fix",
        "if not before._wrong(host):",
        "if True:",
        ("resources/test_trial.py",),
    ),
    Fault(
        "a check does not look at what would be refused",
        "nodriza/agent/converge.py:Converge._one",
        "resource.foretell(self.host)",
        "pass",
        ("agent/test_check.py",),
    ),
    Fault(
        "a check of a release that is there does not ask whether it may serve",
        "nodriza/resources/preflight.py:Preflight.foretell",
        "unit=unit, env_file=env_file).fix(host, None)",
        "unit=unit, env_file=env_file)",
        ("resources/test_preflight.py",),
    ),
    Fault(
        "a check keeps quiet about what it did not look at",
        "nodriza/resources/preflight.py:Preflight.foretell",
        "host.warn(UNKNOWN)",
        "pass",
        ("resources/test_preflight.py",),
    ),
)
