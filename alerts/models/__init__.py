"""Tables of the analyst side, by what they are about."""

from alerts.models.alerts import (
    Alert,
    AlertEvent,
    AlertOrigin,
    AlertStatus,
    AlertTechnique,
    ExplanationState,
    Severity,
)
from alerts.models.audit import AppendOnlyError, AuditEntry, AuditHead, AuditSeal
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
from alerts.models.notifications import Channel, ChannelKind, Condition, Delivery, DeliveryState, Notification, Topic
from alerts.models.ranking import RankingModel, RankingStatus
from alerts.models.verdicts import LABELS, DecidedBy, Verdict, VerdictValue
from alerts.models.workspace import (
    ActionKind,
    AlertPresence,
    MuteRule,
    ReviewAction,
    ReviewedAlert,
    SavedPage,
    SavedView,
)

__all__ = [
    "LABELS",
    "ActionKind",
    "Alert",
    "AlertEvent",
    "AlertOrigin",
    "AlertPresence",
    "AlertStatus",
    "AlertTechnique",
    "AppendOnlyError",
    "AuditEntry",
    "AuditHead",
    "AuditSeal",
    "CallPurpose",
    "CallState",
    "CallTier",
    "Channel",
    "ChannelKind",
    "Condition",
    "DecidedBy",
    "Delivery",
    "DeliveryState",
    "Explanation",
    "ExplanationState",
    "LlmCall",
    "MuteRule",
    "Notification",
    "RankingModel",
    "RankingStatus",
    "RawConsent",
    "ReviewAction",
    "ReviewedAlert",
    "SavedPage",
    "SavedView",
    "Severity",
    "SharedAnswer",
    "SourceBudget",
    "SpendBlock",
    "Topic",
    "Verdict",
    "VerdictValue",
]
