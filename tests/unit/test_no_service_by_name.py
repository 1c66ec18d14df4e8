"""The engine knows jobs, and no service that does one: roles are named where it says why."""

from __future__ import annotations

import ast
import re

from tests.unit.conftest import ROOT

ENGINE = {"app", "base", "build", "record", "release"}
"""Words of their own besides: keys of the inventory, the plans of a deploy."""
PROGRAMS = {"mariadb", "nsd", "nftables", "postgresql", "gunicorn", "munin"}
NAMES = {
    path.stem for path in (ROOT / "roles").glob("*.py") if not path.stem.startswith("_")
} - ENGINE
WORD = re.compile(rf"(?<![\w-])({'|'.join(sorted(NAMES | PROGRAMS))})(?![\w-])", re.IGNORECASE)
REASONS = {
    "nodriza/inventory/kinds.py": "what a kind is made of when nobody says otherwise",
    "nodriza/inventory/services.py": "which engine does a job when nobody says otherwise",
    "nodriza/inventory/roles.py": "which of those only some ways to a certificate need",
    "nodriza/inventory/names.py": "names that are taken on a host: users and folders of packages",
    "nodriza/inventory/tls.py": "where the certificate's pair lies on a node",
    "nodriza/resources/database.py": "nouns that a role for MariaDB asks for",
    "nodriza/resources/database_access.py": "nouns that a role for MariaDB asks for",
    "nodriza/resources/database_user.py": "nouns that a role for MariaDB asks for",
    "nodriza/change/drivers.py": "to which engine each of Python's drivers speaks, for a message",
    "nodriza/lab/network.py": "the network of a lab, on the operator's computer",
    "nodriza/lab/programs.py": "what a lab needs of the operator's computer",
    "nodriza/inventory/text.py": "an example, for people",
    "fabfile/examples.py": "examples, for people",
    "fabfile/shell.py": "an example, for people",
    "nodriza/project/rules.py": "what Django calls its databases",
    "nodriza/smoke/site.py": "what the smoke test needs of the operator's computer",
}
"""Where a service is known by its name, and why."""
KEYS = {"backup", "beat", "celery", "dns", "firewall", "tls"}
"""Words of the inventory, of Django projects and of everyday English too: as such they are
anything but a role."""

ASKED = ("'base' in self.roles",)
"""``Node.zone``: the time zone is set by what every node of the project's own has."""


def constants(path):
    """The texts of a module that are no docstring, each with its line."""
    tree = ast.parse(path.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    described = {
        id(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("description", "help")
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in said | described:
            yield node.lineno, node.value


def modules():
    for folder in ("nodriza", "fabfile"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def known(path):
    """The services that a module knows by name."""
    for line, text in constants(path):
        for found in WORD.findall(text):
            if found.lower() not in KEYS:
                yield f"{path.relative_to(ROOT)}:{line}: {found} in {text[:60]!r}"


def is_with_reason(name):
    return any(name == place or name.startswith(f"{place}/") for place in REASONS)


def test_engine__knows_no_service_by_its_name():
    found = [
        each
        for path in modules()
        if not is_with_reason(str(path.relative_to(ROOT)))
        for each in known(path)
    ]
    assert not found, "\n".join(found)


def test_engine__asks_no_node_for_a_role_by_its_name():
    """Whatever the word: what counts is the job (``does``, ``server``, ``users``)."""
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant):
                asked = ast.unparse(node)
                if re.search(r" in .*roles", asked) and asked not in ASKED:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {asked}")
    assert not found


def test_engine__imports_no_role():
    """But by a name in a node's list of roles (``find_role``), which a repository may replace."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in modules()
        for line, text in constants(path)
        if re.search(r"nodriza\.roles\.\w", text)
    ]
    found += [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nodriza.roles")
    ]
    assert not found


def test_each_reason__is_still_needed():
    for place in REASONS:
        where = ROOT / place
        paths = [where] if where.is_file() else [*where.rglob("*.py")]
        assert any(found for path in paths for found in known(path)), place
