"""RankingModel: what was learned from verdicts about the order of the queue."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class RankingStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"
    REFUSED = "refused", "Not used"


class RankingModel(models.Model):
    """What was learned from people's verdicts about which alerts are worth their time; it only reorders the queue.

    A row is also written when nothing could be used, so that the next try waits for new verdicts.
    """

    created_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=16, choices=RankingStatus)
    #: JSON as text, so that the bytes are those of the hash; empty when nothing could be used.
    state = models.TextField(blank=True)
    state_sha256 = models.CharField(max_length=64, blank=True)
    report = models.JSONField(default=dict)
    n_labels = models.PositiveIntegerField()
    last_verdict_id = models.BigIntegerField(default=0, help_text="The newest verdict when it was learned.")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["status"], condition=Q(status="active"), name="rankingmodel_one_active")
        ]

    def __str__(self) -> str:
        return f"ranking {self.pk} from {self.n_labels} verdicts"
