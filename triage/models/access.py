"""How people get in: sessions, the second factor, names at a single sign-on provider, counted attempts."""

from typing import ClassVar

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from triage.models.accounts import User

#: What stands in a browser's name for itself. Most call themselves several things; the rarest one counts.
FAMILIES = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


class Session(AbstractBaseSession):
    """A browser's session. ``session_key`` is a hash of what the cookie holds, so that nobody logs in from a backup."""

    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    agent = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=45, blank=True)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"session of {self.user_id}"

    @property
    def browser(self) -> str:
        """What the browser calls itself, in two words; whoever wants to lie about it can."""
        family = next((name for mark, name in FAMILIES if mark in self.agent), "")
        system = next((name for mark, name in SYSTEMS if mark in self.agent), "")
        return " on ".join(filter(None, (family, system))) or self.agent[:60] or "a client that does not say what it is"


class SecondFactor(models.Model):
    """A person's key for time-based codes, sealed, and the hashes of their recovery codes."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="second_factor")
    sealed = models.CharField(max_length=200)
    #: None while the person has not yet shown that their device knows the key.
    confirmed_at = models.DateTimeField(null=True)
    #: The last time step a code was taken of; a code counts once.
    last_step = models.BigIntegerField(default=0)
    recovery_hashes = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"second factor of {self.user}"


class SsoIdentity(models.Model):
    """Who a person is at a provider: its issuer and the subject there, which never changes hands, unlike a name."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="sso_identity")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_person_per_subject")]

    def __str__(self) -> str:
        return f"{self.user} by single sign-on"


class AttemptCount(models.Model):
    """Attempts at one thing (a name, an address, a device), by a hash of it, until ``ends_at``."""

    bucket = models.CharField(primary_key=True, max_length=64)
    count = models.IntegerField()
    ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} until {self.ends_at}"
