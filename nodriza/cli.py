"""``nodriza``: what can be typed where there is no fabfile yet, and all that ``fab`` can.

``nodriza COMMAND`` is the same program as ``fab COMMAND`` (``nodriza/fab.py``).
"""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from nodriza.errors import InventoryError, NodrizaError
from nodriza.inventory import Cluster, load_cluster
from nodriza.inventory.places import place
from nodriza.inventory.text import ClusterName, Domain
from nodriza.plan.render import ROOT
from nodriza.project.reading import (
    Module,
    Reading,
    for_the_cluster,
    projects,
    read_project,
    with_settings,
)
from nodriza.repository.settings import write_settings
from nodriza.repository.write import Answers, Written, rewrite_inventory, write

OWN = ("init", "example")
"""Commands that need no fabfile."""


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words and words[0] not in OWN and words not in (["-h"], ["--help"]):
        _commands(words)
    parser = _parser()
    options = parser.parse_args(words)
    if not hasattr(options, "run"):
        parser.print_help()
        sys.exit(2)
    try:
        options.run(options)
    except NodrizaError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, EOFError):
        print("\nstopped, nothing was written", file=sys.stderr)  # noqa: T201
        sys.exit(130)


def _commands(words: list[str]) -> NoReturn:
    """As ``fab WORDS``."""
    # In a checkout that is the folder fabfile; init and example need nothing of it.
    program: Any = importlib.import_module("nodriza.fabfile.program")
    program.take_over().run(["nodriza", *words])
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "nodriza",
        description="Begin a repository for a cluster. In it, nodriza COMMAND is the same as"
        " fab COMMAND; nodriza --list shows them.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    init = commands.add_parser(
        "init",
        help="write a fabfile and an inventory for a Django project",
        description="Write a fabfile and an inventory for a Django project."
        " Files that are there stay as they are.",
    )
    init.add_argument("folder", nargs="?", default=".", type=Path, help="default: this one")
    init.add_argument("--name", help="of the cluster, and of its inventory")
    init.add_argument("--domain", help="what users type into their browser")
    init.add_argument("--source", type=Path, help="the folder with the project's manage.py")
    init.add_argument(
        "--one-machine", action="store_true", help="one host does all, and serves users"
    )
    init.add_argument(
        "--settings",
        action="store_true",
        help="add a settings module to the project, with everything from the environment",
    )
    init.add_argument("--yes", action="store_true", help="ask nothing")
    init.set_defaults(run=_init)
    example = commands.add_parser(
        "example", help="print an inventory with every key there is, explained"
    )
    example.set_defaults(run=_example)
    return parser


def _example(_: argparse.Namespace) -> None:
    _say((ROOT / "inventories" / "production.example.yml").read_text("utf-8").rstrip("\n"))


def _init(options: argparse.Namespace) -> None:
    answers, module = _answers(options)
    _tell(options.folder, answers, write(options.folder, answers))
    cluster = _loaded(options, answers)
    if options.settings and module:
        _add_settings(options.folder, cluster, answers, module)
        cluster = _loaded(options, answers)
    missing = list(_missing(cluster))
    for line in missing:
        _say(line)
    if missing and module and not module.there and not options.settings:
        _say(f"nodriza init --settings writes {module.file}, with all that the cluster gives")
    first = "what is to do, then fab doctor; " if missing else ""
    _say(f"next: {first}{_go_on(options.folder)}fab plan; fab lab.up provision deploy")


def _loaded(options: argparse.Namespace, answers: Answers) -> Cluster:
    try:
        return load_cluster(options.folder / "inventories" / f"{answers.name}.yml")
    except InventoryError as error:
        error.kept = "what was written above"
        error.do = f"correct it, then: {_go_on(options.folder)}fab plan"
        raise


def _add_settings(folder: Path, cluster: Cluster, answers: Answers, module: Module) -> None:
    """The settings for this cluster, and the line of the inventory that names them."""
    from nodriza.change import doctor  # noqa: PLC0415  as below

    given = doctor.given(cluster)
    _tell_files([write_settings(answers.source, module, given.database, given.variables)])
    named = replace(answers, source=with_settings(answers.source, module))
    value = named.source.value("settings")
    if rewrite_inventory(folder, answers, named):
        _say(f"       app.settings: {value}  (on top of {module.base})")
    elif cluster.app.settings != value:
        where = place(cluster.path, "app", "settings")
        _say(f"to do  app.settings is still {cluster.app.settings}  ({where})")
        _say(f"         settings: {value}")


def _missing(cluster: Cluster) -> Iterator[str]:
    """What ``fab doctor`` says too."""
    from nodriza.change import deploy, doctor  # noqa: PLC0415  heavy, and this is the only use

    try:
        yield from doctor.as_lines(doctor.examine(cluster, deploy.read(cluster)), cluster.path)
    except NodrizaError as error:
        yield f"to do  {error.what}  ({error.where})"
        if error.do:
            yield f"         {error.do}"


def _answers(options: argparse.Namespace) -> tuple[Answers, Module | None]:
    """From the flags, else asked for, else assumed. The source first: it names the rest."""
    asks = not options.yes and sys.stdin.isatty()
    source = read_project(_source(options, asks))
    app = source.value("name").replace("_", "-")
    name = options.name or _ask("cluster's name", _as_name(app), asks)
    _must_be(ClusterName, name, "--name")
    domain = options.domain or _ask("domain", f"{name}.test", asks)
    _must_be(Domain, domain, "--domain")
    module = for_the_cluster(source)
    if options.settings and module is None:
        raise _Usage(
            f"no settings module was found in {source.folder}",
            kept="nothing was written",
            do="manage.py or wsgi.py names it: os.environ.setdefault"
            '("DJANGO_SETTINGS_MODULE", "…")',
        )
    if module and module.there:
        source = with_settings(source, module)
    return Answers(name, domain, source, options.one_machine), module


def _source(options: argparse.Namespace, asks: bool) -> Path:
    there = projects(options.folder)
    folder: Path | None = options.source
    if folder is None and (asks or len(there) == 1):
        assumed = str(there[0]) if len(there) == 1 else ""
        folder = Path(_ask("folder of the Django project", assumed, asks) or ".").expanduser()
    if folder is None:
        found = f"several: {', '.join(map(str, there))}" if there else f"none in {options.folder}"
        raise _Usage(f"which Django project? There are {found}", do="nodriza init --source FOLDER")
    if not (folder / "manage.py").is_file():
        inside = projects(folder)
        do = (
            f"nodriza init --source {inside[0]}"
            if inside
            else "if it is a git repository, clone it first"
        )
        raise _Usage(f"there is no manage.py in {folder}", kept="nothing was written", do=do)
    return folder


class _Usage(NodrizaError):
    """A flag or an answer that does not fit."""

    exit_code = 2


def _ask(what: str, assumed: str, asks: bool) -> str:
    if not asks:
        return assumed
    answer = input(f"{what} [{assumed}]: " if assumed else f"{what}: ").strip()
    return answer or assumed


def _as_name(word: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", word.lower()).strip("-")[:31] or "site"


def _must_be(kind: Any, value: str, flag: str) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        words = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise _Usage(f'{flag} "{value}" {words}', kept="nothing was written") from None


def _tell(folder: Path, answers: Answers, written: Sequence[Written]) -> None:
    _tell_files(written)
    kept = [file.path.name for file in written if file.kept]
    if "fabfile.py" in kept and "nodriza" not in (folder / "fabfile.py").read_text("utf-8"):
        _say("       to have the commands: from nodriza.fabfile import ns")
    if f"{answers.name}.yml" in kept:
        _say("       the inventory is as it was: nothing below was put into it")
    _tell_source(answers.source)


def _tell_files(written: Sequence[Written]) -> None:
    for file in written:
        _say(f"{'kept' if file.kept else 'wrote':<6} {file.path}")


def _tell_source(source: Reading) -> None:
    _say(f"assumed of {source.folder}")
    for found in source.found:
        value = found.value if isinstance(found.value, str) else " ".join(found.value)
        _say(f"       app.{found.key}: {value}  ({found.why})")
    if source.release:
        _say(f"       lab.release: {source.release}  ({source.why})")


def _go_on(folder: Path) -> str:
    return "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "


def _say(line: str) -> None:
    print(line)  # noqa: T201
