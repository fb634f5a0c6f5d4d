"""The shape of an explainer: from evidence to an answer in words.

An explainer is handed an :class:`~triage.contracts.ExplanationRequest` and hands on an answer whose
claims cite evidence lines. It never sees the database and never decides anything.
"""

from typing import Protocol

from triage.contracts import ExplanationAnswer, ExplanationRequest


class ExplanationError(RuntimeError):
    """No explanation could be had. ``reason`` is one of budget, timeout, refused, invalid, unreachable."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Explainer(Protocol):
    """Something that explains an alert."""

    name: str

    def explain(self, request: ExplanationRequest) -> ExplanationAnswer:
        """Return a validated answer; raise :class:`ExplanationError` when there is none."""
