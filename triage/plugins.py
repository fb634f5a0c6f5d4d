"""Load the plug-ins of a room from its explicit table, then from installed entry points.

Handed: a room's table of ``name -> "package.module:attribute"`` and its entry-point group. Hands on: the
named objects, in table order. Four rooms use it: receivers, parsers, detectors, explainers.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any


class PluginError(LookupError):
    """A plug-in is unknown or cannot be loaded; the message names it."""


def load(path: str) -> Any:
    """Return the object at ``package.module:attribute``."""
    module_name, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"cannot load plug-in {path}: {error}") from error


def names(table: Mapping[str, str], group: str) -> set[str]:
    """Return the names a room knows, without loading what they stand for."""
    return {*table, *(found.name for found in entry_points(group=group))}


def load_table(table: Mapping[str, str], group: str) -> dict[str, Any]:
    """Return every plug-in of a room by name; an outsider cannot replace a built-in one."""
    loaded = {name: load(path) for name, path in table.items()}
    for entry_point in sorted(entry_points(group=group), key=lambda found: found.name):
        if entry_point.name in loaded:
            raise PluginError(f"plug-in {entry_point.name!r} of group {group} is already built in")
        loaded[entry_point.name] = entry_point.load()
    return loaded
