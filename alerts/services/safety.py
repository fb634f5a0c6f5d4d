"""Who asks, as an endpoint outside may know it.

Handed: the analyst who asked, or None for Winnow itself. Hands on: a keyed hash that stays the same and tells nothing
else, so that a provider who objects to one asker need not stop all. Explainers send it to endpoints outside only.
"""

from django.conf import settings

from triage.explainers import endpoints
from triage.models import User


def identifier(user: User | None) -> str:
    """Return the safety identifier by ``LLM_SAFETY_IDENTIFIER``: empty, the tenant's, or the analyst's.

    What Winnow asks by itself has no analyst and carries the tenant's.
    """
    if settings.LLM_SAFETY_IDENTIFIER == "off":
        return ""
    subject = "tenant"
    if user is not None and settings.LLM_SAFETY_IDENTIFIER == "analyst":
        subject = f"analyst:{user.pk}"
    return endpoints.safety_identifier(secret=settings.SECRET_KEY, subject=subject)
