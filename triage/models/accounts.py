"""People and their tokens for the API."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    ANALYST = "analyst", "Analyst"
    LEAD = "lead", "Lead"
    ADMIN = "admin", "Administrator"


class User(AbstractUser):
    """A person who logs in."""

    role = models.CharField(max_length=16, choices=Role, default=Role.ANALYST)
    #: What the person set for themselves: ``tour`` (true once it was seen), ``density``, ``zone`` and the like.
    preferences = models.JSONField(default=dict, blank=True)


class TokenScope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Read and write"


class ApiToken(models.Model):
    """A person's token for ``/api/v1/``; only its SHA-256 is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=16, choices=TokenScope, default=TokenScope.READ)
    name = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    #: None = it does not end by itself.
    expires_at = models.DateTimeField(null=True, blank=True)
    #: To the minute, so that a busy script does not write a row per request.
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user} ({self.scope})"
