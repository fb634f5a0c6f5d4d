"""Tables of the analyst side, by what they are about."""

from alerts.models.alerts import Alert, AlertEvent, AlertOrigin, AlertStatus, ExplanationState, Severity
from alerts.models.audit import AppendOnlyError, AuditEntry
from alerts.models.explanations import (
    CallPurpose,
    CallState,
    CallTier,
    Explanation,
    LlmCall,
    RawConsent,
    SharedAnswer,
    SourceBudget,
    SpendBlock,
)
from alerts.models.ranking import RankingModel, RankingStatus
from alerts.models.verdicts import LABELS, DecidedBy, Verdict, VerdictValue

__all__ = [
    "LABELS",
    "Alert",
    "AlertEvent",
    "AlertOrigin",
    "AlertStatus",
    "AppendOnlyError",
    "AuditEntry",
    "CallPurpose",
    "CallState",
    "CallTier",
    "DecidedBy",
    "Explanation",
    "ExplanationState",
    "LlmCall",
    "RankingModel",
    "RankingStatus",
    "RawConsent",
    "Severity",
    "SharedAnswer",
    "SourceBudget",
    "SpendBlock",
    "Verdict",
    "VerdictValue",
]
