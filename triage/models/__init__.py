"""Tables of the event side, by what they are about."""

from triage.models.access import AttemptCount, SecondFactor, Session, SsoIdentity
from triage.models.accounts import ApiToken, Role, TokenScope, User
from triage.models.drift import Alarm, AlarmKind, DriftBlock, Recommendation, ScoreTally
from triage.models.events import POSITION_BITS, Event, EventChunk, batch_and_position, event_id
from triage.models.intake import Ack, AckChannel, BatchStatus, RawBatch, RecordKey, Source
from triage.models.minutes import IntakeMinute, ParserMinute, SourceHealth, SourceMinute, WorkerHeartbeat
from triage.models.operations import CanaryRun
from triage.models.versions import AlertPolicy, LearnState, ModelStatus, ModelVersion, ShadowTally

__all__ = [
    "POSITION_BITS",
    "Ack",
    "AckChannel",
    "Alarm",
    "AlarmKind",
    "AlertPolicy",
    "ApiToken",
    "AttemptCount",
    "BatchStatus",
    "CanaryRun",
    "DriftBlock",
    "Event",
    "EventChunk",
    "IntakeMinute",
    "LearnState",
    "ModelStatus",
    "ModelVersion",
    "ParserMinute",
    "RawBatch",
    "Recommendation",
    "RecordKey",
    "Role",
    "ScoreTally",
    "SecondFactor",
    "Session",
    "ShadowTally",
    "Source",
    "SourceHealth",
    "SourceMinute",
    "SsoIdentity",
    "TokenScope",
    "User",
    "WorkerHeartbeat",
    "batch_and_position",
    "event_id",
]
