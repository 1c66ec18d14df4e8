"""What roles make of a cluster, for tests to look at."""

from __future__ import annotations

import ast
import importlib

from nodriza.plan.plan import Plan, plan_node
from nodriza.resources import File


def role(name):
    return getattr(importlib.import_module(f"nodriza.roles.{name}"), name)


def remake(cluster, **changes):
    """The same cluster with other fields, for nodes of one role."""
    return cluster.model_copy(update=changes)


def with_gunicorn(cluster, asgi=""):
    """The same cluster with another application server; ``asgi``: of such an application."""
    interface = {"asgi": asgi, "wsgi": None} if asgi else {}
    nodes = tuple(
        node.model_copy(
            update={"roles": tuple("gunicorn" if r == "uwsgi" else r for r in node.roles)}
        )
        for node in cluster.nodes
    )
    return remake(cluster, nodes=nodes, app=cluster.app.model_copy(update=interface))


def resources(cluster, name, kind=object):
    plan: Plan = plan_node(cluster.node(name), cluster)
    return [planned.resource for planned in plan.resources if isinstance(planned.resource, kind)]


def content(cluster, name, path):
    return next(file.content for file in resources(cluster, name, File) if file.path == path)


def settings(text):
    """The lines of a configuration file that are not comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


def functions(cluster, name, path):
    """Of a Python file on a node, with nothing of what it does when it runs."""
    kept = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.Assign)
    body = [
        node for node in ast.parse(content(cluster, name, path)).body if isinstance(node, kept)
    ]
    beginnings = ("release, reason = choose()", "main, until =")
    module = [node for node in body if not ast.unparse(node).lstrip("(").startswith(beginnings)]
    names = {"release": ""}
    exec(compile(ast.Module(module, []), path, "exec"), names)
    return names
