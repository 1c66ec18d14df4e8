"""The faults of each law of docs/design.rst, by its number."""

from __future__ import annotations

import importlib
import pkgutil

from tests.mutants.fault import Fault


def faults() -> dict[int, tuple[Fault, ...]]:
    """From the modules here: ``law_03.py`` has those of the third, ``law_11_built.py`` those of
    one subject of the eleventh.
    """
    found: dict[int, tuple[Fault, ...]] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        law = int(name.split("_")[1])
        module = importlib.import_module(f"{__name__}.{name}")
        found[law] = (*found.get(law, ()), *module.FAULTS)
    return found
