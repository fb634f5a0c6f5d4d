"""Verdict: what people decided, and which decisions say something about the event."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.models.alerts import Alert


class VerdictValue(models.TextChoices):
    TP_IMPACT = "tp_impact", "True positive, with impact"
    TP_NO_IMPACT = "tp_no_impact", "True positive, without impact"
    BENIGN_TP = "benign_tp", "Benign true positive (expected activity)"
    FP_LOGIC = "fp_logic", "False positive (logic)"
    FP_DATA = "fp_data", "False positive (data)"
    DUPLICATE = "duplicate", "Duplicate"
    UNDETERMINED = "undetermined", "Undetermined"


#: Verdicts that say something about the event and so may become a label. Undetermined and duplicate do not.
LABELS: dict[str, int] = {
    VerdictValue.TP_IMPACT: 1,
    VerdictValue.TP_NO_IMPACT: 1,
    VerdictValue.BENIGN_TP: 0,
    VerdictValue.FP_LOGIC: 0,
    VerdictValue.FP_DATA: 0,
}


class DecidedBy(models.TextChoices):
    PERSON = "person", "A person"
    AUTOMATION = "automation", "Automation"


class StandingVerdicts(models.Manager["Verdict"]):
    """Verdicts that nobody has taken back."""

    def get_queryset(self) -> models.QuerySet["Verdict"]:
        """Leave out what was withdrawn."""
        return super().get_queryset().filter(withdrawn_at__isnull=True)


class Verdict(models.Model):
    """One decision on an alert. The newest one that stands counts; the others are its history."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="verdicts")
    value = models.CharField(max_length=32, choices=VerdictValue)
    note = models.TextField(blank=True, max_length=10_000)
    decided_by = models.CharField(max_length=16, choices=DecidedBy)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="verdicts"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    #: Undone by the person who decided: it says nothing any more, and stays as history.
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["Verdict"]] = models.Manager()
    standing: ClassVar[StandingVerdicts] = StandingVerdicts()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_by="automation", user__isnull=True) | Q(decided_by="person", user__isnull=False),
                name="verdict_person_or_automation",
            )
        ]

    def __str__(self) -> str:
        return self.get_value_display()
