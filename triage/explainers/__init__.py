"""Explainers: from evidence to an answer in words.

Handed: a plug-in's name. Hands on: the class or function that makes that explainer. Loading is lazy: a
process that only asks for the evidence explainer never imports an LLM client.
"""

from importlib.metadata import entry_points
from typing import Any

from triage import plugins

GROUP = "winnow.explainers"
TABLE: dict[str, str] = {
    "evidence": "triage.explainers.evidence:EvidenceExplainer",
    "openai_chat": "triage.explainers.openai_chat:OpenAIChatExplainer",
}


def get(name: str) -> Any:
    """Return the explainer factory of this name; raise :class:`~triage.plugins.PluginError` when unknown.

    >>> get("evidence")().name
    'evidence'
    """
    if name in TABLE:
        return plugins.load(TABLE[name])
    for entry_point in entry_points(group=GROUP, name=name):
        return entry_point.load()
    raise plugins.PluginError(f"no explainer is called {name!r}; known: {', '.join(TABLE)}")
