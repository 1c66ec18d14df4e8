"""The faults of each law of docs/design.rst, by its number."""

from __future__ import annotations

import importlib
import pkgutil

from tests.mutants.fault import Fault


def faults() -> dict[int, tuple[Fault, ...]]:
    """From the modules here, ``law_03.py`` for the third."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return {int(name.removeprefix("law_")): module.FAULTS for name, module in modules.items()}
