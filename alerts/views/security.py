"""Settings: one's own second factor, sessions and connection to the single sign-on provider.

Handed: forms. Hands on: the settings page with what came of it. Recovery codes stand on the one page that answers the
second factor's making.
"""

import time

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from alerts.permissions import person, role_required
from alerts.services import logins, second_factor, single_sign_on
from alerts.services.accounts import AccountError
from alerts.services.logins import HeldError
from alerts.views.accounts import settings_with
from alerts.views.common import page
from alerts.views.login import CONNECT, address_of
from triage.models import Role, Session


@role_required(Role.VIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def settings_factor(request: HttpRequest) -> HttpResponseBase:
    """Show the key to scan (GET); switch the second factor on and show recovery codes once (POST)."""
    user = person(request)
    problem, status = "", 200
    if request.method == "POST":
        try:
            codes = second_factor.confirm(user=user, code=request.POST.get("code", "")[:100])
            return page(request, "alerts/factor.html", {"codes": codes}, active="settings")
        except AccountError as error:
            problem, status = str(error), 422
    try:
        enrolment = second_factor.begin(user=user)
    except AccountError:
        return redirect("settings")
    context = {"enrolment": enrolment, "problem": problem}
    return page(request, "alerts/factor.html", context, active="settings", status=status)


@role_required(Role.VIEWER)
@require_POST
def factor_remove(request: HttpRequest) -> HttpResponseBase:
    """Switch one's own second factor off, with a code of it."""
    user = person(request)
    try:
        attempt = logins.attempt_code(user=user, address=address_of(request))
        second_factor.remove(user=user, code=request.POST.get("code", "")[:100])
        attempt.was_right()
    except (AccountError, HeldError) as error:
        return settings_with(request, status=422, problem=str(error))
    messages.success(request, "Your second factor is off.")
    return redirect("settings")


@role_required(Role.VIEWER)
@require_POST
def session_end(request: HttpRequest) -> HttpResponseBase:
    """End one of one's own sessions (``session``), or all but this one."""
    user = person(request)
    if key := request.POST.get("session", ""):
        try:
            logins.end_session(user=user, key=key[:40])
        except Session.DoesNotExist as error:
            raise Http404("no such session") from error
    else:
        logins.end_others(user=user, keep=str(request.session.session_key))
    messages.success(request, "Ended.")
    return redirect("settings")


@role_required(Role.VIEWER)
@require_POST
def settings_sso(request: HttpRequest) -> HttpResponseBase:
    """Take the connection to the provider back (``do=disconnect``), or begin one, which takes the password."""
    user = person(request)
    try:
        if request.POST.get("do") == "disconnect":
            single_sign_on.disconnect(user=user)
            messages.success(request, "You are no longer connected.")
            return redirect("settings")
        attempt = logins.attempt_code(user=user, address=address_of(request))
        if not settings.OIDC_ISSUER or not user.check_password(request.POST.get("password", "")):
            return settings_with(request, status=422, problem="the password is wrong")
        attempt.was_right()
    except (AccountError, HeldError) as error:
        return settings_with(request, status=422, problem=str(error))
    request.session[CONNECT] = time.time()
    return settings_with(request, go_to_provider=True)
