"""Settings: one's own password, preferences and tokens; for administrators people and how the installation is set up.

Handed: forms. Hands on: the settings pages, with what came of it. A password or token stands on the one page that
answers its making, and nowhere else.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.forms import first_error
from alerts.permissions import has_role, person, role_required
from alerts.selectors import accounts as selected
from alerts.services import accounts, logins, second_factor
from alerts.services.accounts import AccountError
from alerts.services.logins import HeldError
from alerts.views.common import page
from triage.models import ApiToken, Role, TokenScope, User

#: Preferences that the browser reads too, so that the first paint is right.
COOKIES = ("theme", "zone")
YEAR = 365 * 24 * 3600


def settings_with(request: HttpRequest, *, status: int = 200, **extra: Any) -> HttpResponse:
    """Return the settings page, with what came of something."""
    user = person(request)
    context = {
        "tokens": selected.tokens(user),
        "scopes": TokenScope.choices,
        "token_days": accounts.TOKEN_DAYS,
        "security": selected.security(user, session_key=request.session.session_key or ""),
        "preferences": user.preferences,
        "may_administer": has_role(user, Role.ADMIN),
        "may_audit": has_role(user, Role.LEAD),
        "facts": selected.installation() if has_role(user, Role.ADMIN) else [],
        **extra,
    }
    return page(request, "alerts/settings.html", context, active="settings", status=status)


@role_required(Role.VIEWER)
@require_safe
def settings_page(request: HttpRequest) -> HttpResponse:
    """Show a person's own settings."""
    return settings_with(request)


@role_required(Role.VIEWER)
@require_POST
def settings_prefer(request: HttpRequest) -> HttpResponseBase:
    """Keep preferences, in the account and as cookies for the next page."""
    wishes = {name: request.POST[name][:20] for name in accounts.PREFERENCES if name in request.POST}
    try:
        accounts.prefer(user=person(request), **wishes)
    except AccountError as error:
        return settings_with(request, status=422, problem=str(error))
    messages.success(request, "Saved.")
    response = redirect("settings")
    for name in COOKIES:
        if wishes.get(name):
            response.set_cookie(name, wishes[name], max_age=YEAR, samesite="Lax")
        elif name in wishes:
            response.delete_cookie(name)
    return response


@role_required(Role.VIEWER)
@require_POST
def settings_password(request: HttpRequest) -> HttpResponseBase:
    """Change one's own password; every other session of the person ends."""
    user = person(request)
    form = PasswordChangeForm(user, request.POST)
    try:
        attempt = logins.attempt_code(user=user, address=str(request.META.get("REMOTE_ADDR", "")))
    except HeldError as error:
        return settings_with(request, status=429, password_problem=str(error))
    if "old_password" not in form.errors:
        attempt.was_right()
    if not form.is_valid():
        return settings_with(request, status=422, password_problem=first_error(form).split(": ", 1)[-1])
    with transaction.atomic():
        form.save()
        accounts.password_changed(user=user)
    update_session_auth_hash(request, user)
    messages.success(request, "Your password is changed; other sessions of yours have ended.")
    return redirect("settings")


@role_required(Role.VIEWER)
@require_POST
def settings_tour(request: HttpRequest) -> HttpResponseBase:
    """Remember that the tour was seen (``seen=1``), or show it again."""
    seen = request.POST.get("seen") == "1"
    accounts.tour_seen(user=person(request), seen=seen)
    return HttpResponse(status=204) if seen else redirect("queue")


@role_required(Role.VIEWER)
@require_POST
def token_create(request: HttpRequest) -> HttpResponse:
    """Make a token for the API and show it once."""
    try:
        _, text = accounts.create_token(
            user=person(request),
            scope=request.POST.get("scope", ""),
            name=request.POST.get("name", "").strip(),
            days=_days(request.POST.get("days", "")),
        )
    except AccountError as error:
        return settings_with(request, status=422, problem=str(error))
    return settings_with(request, new_token=text)


def _days(text: str) -> int:
    """Return a number of days; none given is the usual one, nonsense is none that is allowed."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else -1 if text else accounts.TOKEN_DAYS[0]


@role_required(Role.VIEWER)
@require_POST
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponseBase:
    """End one of one's own tokens."""
    try:
        accounts.revoke_token(user=person(request), token_id=token_id)
    except ApiToken.DoesNotExist as error:
        raise Http404("no such token") from error
    messages.success(request, "The token is revoked.")
    return redirect("settings")


def _users(request: HttpRequest, *, status: int = 200, **extra: Any) -> HttpResponse:
    context = {"users": selected.users(), "roles": Role.choices, "me": person(request).pk, **extra}
    return page(request, "alerts/users.html", context, active="settings", status=status)


@role_required(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def user_list(request: HttpRequest) -> HttpResponse:
    """List people (GET); make one and show the password for the first login once (POST)."""
    if request.method != "POST":
        return _users(request)
    try:
        user, password = accounts.create_user(
            by=person(request), username=request.POST.get("username", ""), role=request.POST.get("role", "")
        )
    except AccountError as error:
        return _users(request, status=422, problem=str(error))
    return _users(request, new_user=user, new_password=password)


@role_required(Role.ADMIN)
@require_POST
def user_change(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Change a person's role, lock them out or in, or (``do``) reset their password or second factor."""
    by = person(request)
    try:
        if request.POST.get("do") == "factor":
            user = second_factor.reset(by=by, user_id=user_id)
            messages.success(request, f"{user.username} logs in without a second factor now.")
            return redirect("users")
        if request.POST.get("do") == "password":
            user, password = accounts.reset_password(by=by, user_id=user_id)
            return _users(request, new_user=user, new_password=password)
        active = request.POST.get("active") == "1"
        user = accounts.change_user(by=by, user_id=user_id, role=request.POST.get("role", ""), active=active)
    except User.DoesNotExist as error:
        raise Http404("no such user") from error
    except AccountError as error:
        return _users(request, status=422, problem=str(error))
    messages.success(request, f"{user.username} is changed.")
    return redirect("users")
