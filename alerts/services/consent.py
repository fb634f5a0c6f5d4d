"""An admin's consent that names and addresses go to an endpoint inside as they are (policy ``raw``).

Handed: an endpoint and who agrees. Hands on: whether it may be asked under the data policy, and why not. Consent is for
one host and port, is given by an admin, and stands until it is withdrawn; both are in the audit trail.
"""

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from alerts.models import RawConsent
from alerts.permissions import has_role
from alerts.services import audit
from triage.explainers import endpoints
from triage.models import Role, User


class OutsideError(ValueError):
    """Raw text may go to loopback and private addresses only; consent does not change that."""


def consent(base_url: str, user: User) -> RawConsent:
    """Agree to raw text for the endpoint; return the consent that stands, which may be an earlier one.

    Raises ``PermissionDenied`` for anybody but an admin and :class:`OutsideError` for an endpoint outside.
    """
    _check(user)
    if not endpoints.is_internal(base_url):
        raise OutsideError(f"{endpoints.name(base_url) or 'the endpoint'} is not at a loopback or private address")
    name = endpoints.name(base_url)
    with transaction.atomic():
        row, is_new = RawConsent.objects.select_related("user").get_or_create(
            endpoint=name, withdrawn_at=None, defaults={"user": user}
        )
        if is_new:
            audit.record_person(action="consent_raw", user=user, details={"endpoint": name})
    return row


def withdraw(base_url: str, user: User) -> bool:
    """Withdraw the consent for the endpoint; return whether there was one. Raises ``PermissionDenied``."""
    _check(user)
    name = endpoints.name(base_url)
    with transaction.atomic():
        ended = _standing(name).update(withdrawn_at=timezone.now())
        if ended:
            audit.record_person(action="withdraw_raw", user=user, details={"endpoint": name})
    return bool(ended)


def has_consent(base_url: str) -> bool:
    """Return whether an admin's consent stands for the endpoint."""
    return _standing(endpoints.name(base_url)).exists()


def why_not_ask(base_url: str) -> str:
    """Return why the data policy forbids to ask the endpoint, or an empty string."""
    policy = settings.LLM_DATA_POLICY
    name = endpoints.name(base_url) or "the endpoint"
    if policy == "off":
        return "the data policy is off: nothing is sent to a language model"
    if policy != "raw":
        return ""
    if not endpoints.is_internal(base_url):
        return f"policy raw is for loopback and private addresses only, and {name} is not at one; use pseudonymise"
    if not has_consent(base_url):
        return f"policy raw needs an admin's consent for {name}: manage.py llm consent --user NAME"
    return ""


def _check(user: User) -> None:
    if not has_role(user, Role.ADMIN):
        raise PermissionDenied("only an admin may decide what leaves as it is")


def _standing(name: str) -> QuerySet[RawConsent]:
    return RawConsent.objects.filter(endpoint=name, withdrawn_at__isnull=True)
