"""Models: let a version serve, go back to the one before.

Handed: a confirmed form that names the champion the person saw. Hands on: the models page, with what came of it.
"""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from alerts.permissions import person, role_required
from alerts.services import versions
from triage.models import ModelVersion, Role


def _act(request: HttpRequest, action: Callable[[str], ModelVersion]) -> HttpResponseBase:
    """Run a service with the champion the person saw; say what came of it."""
    if "expected_champion" not in request.POST:
        messages.error(request, "Nothing was changed: the form did not say which champion you saw.")
        return redirect("models")
    try:
        model = action(request.POST["expected_champion"][:64])
    except versions.StaleVersionError as error:
        messages.error(request, f"Nothing was changed, because somebody else was faster: {error}.")
    except versions.VersionRefusedError as error:
        messages.error(request, f"Nothing was changed: {error}.")
    except ModelVersion.DoesNotExist as error:
        raise Http404("no such version") from error
    else:
        messages.success(request, f"{model.version} serves now; every worker takes it up within seconds.")
    return redirect("models")


@role_required(Role.LEAD)
@require_POST
def model_promote(request: HttpRequest, version_id: int) -> HttpResponseBase:
    """Let a version serve."""
    user = person(request)
    return _act(
        request, lambda seen: versions.promote_version(version_id=version_id, user=user, expected_champion=seen)
    )


@role_required(Role.LEAD)
@require_POST
def model_rollback(request: HttpRequest) -> HttpResponseBase:
    """Put the previous champion back."""
    user = person(request)
    return _act(request, lambda seen: versions.roll_back(user=user, expected_champion=seen))
