"""The detectors' room: how unusual is an event, and why.

Handed: a detector's name. Hands on: its class. Outsiders add theirs under the entry-point group.
"""

from triage import plugins
from triage.detectors.base import Detector

GROUP = "winnow.detectors"
DEFAULT = "baseline_forest"
TABLE: dict[str, str] = {DEFAULT: "triage.detectors.baseline_forest:BaselineForest"}


def get(name: str) -> type[Detector]:
    """Return a detector's class; raise :class:`triage.plugins.PluginError` for an unknown name."""
    loaded = plugins.load_table(TABLE, GROUP)
    if name not in loaded:
        raise plugins.PluginError(f"there is no detector {name!r}; known: {', '.join(sorted(loaded))}")
    found: type[Detector] = loaded[name]
    return found
