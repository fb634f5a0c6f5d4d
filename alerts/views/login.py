"""Getting in: the password, then the code of a device where one is needed; or single sign-on.

Handed: forms, and what the provider sends people back with. Hands on: a session, or the page again with what is wrong.
Between password and code nobody is logged in: the session only remembers, for ten minutes, who proved the password.
"""

import logging
import time
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from alerts.selectors.accounts import is_factor_required
from alerts.services import logins, provider, second_factor, single_sign_on
from alerts.services.accounts import AccountError
from alerts.services.logins import HeldError
from alerts.views.common import THEMES
from triage import oidc, sessions
from triage.models import User
from triage.oidc import SignOnError

logger = logging.getLogger(__name__)

PENDING, SSO, CONNECT = "pending_login", "sso", "sso_connect"
#: Seconds to type a code, to come back from the provider, or to go there.
STEP_SECONDS = 600
DEVICE_COOKIE = "__Host-device" if settings.BEHIND_TLS else "device"
BACKEND = "django.contrib.auth.backends.ModelBackend"


def address_of(request: HttpRequest) -> str:
    """Return who asks, as the server sees it; a proxy that it trusts is looked through by the server itself."""
    return str(request.META.get("REMOTE_ADDR", ""))


def _page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    theme = request.COOKIES.get("theme", "")
    response = render(request, template, {"theme": theme if theme in THEMES else "", **context}, status=status)
    response["Cache-Control"] = "no-store"
    return response


class Login(LoginView):
    """The login page, in the person's theme."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True
    attempt: logins.Attempt

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the theme and the ways in."""
        theme = self.request.COOKIES.get("theme", "")
        context: dict[str, Any] = super().get_context_data(**kwargs)
        ways = {"password_login": settings.PASSWORD_LOGIN, "sso": settings.OIDC_LABEL if settings.OIDC_ISSUER else ""}
        return context | {"theme": theme if theme in THEMES else "", **ways}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Count the attempt before the password is looked at."""
        if not settings.PASSWORD_LOGIN:
            raise PermissionDenied("passwords are switched off here")
        name, device = request.POST.get("username", ""), request.COOKIES.get(DEVICE_COOKIE, "")
        try:
            self.attempt = logins.attempt_password(name=name, address=address_of(request), device=device)
        except HeldError as error:
            return self._problem(str(error), status=429, headers={"Retry-After": str(error.seconds)})
        return super().post(request, *args, **kwargs)

    def _problem(self, text: str, *, status: int, headers: dict[str, str]) -> HttpResponse:
        form = self.form_class(self.request)
        context = self.get_context_data(form=form, problem=text)
        return self.render_to_response(context, status=status, headers=headers)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Log the person in, or ask for the second factor."""
        user = form.get_user()
        self.attempt.was_right()
        enrolled = second_factor.is_on(user)
        if not enrolled and not is_factor_required(user):
            return _enter(self.request, user, how="password", to=self.get_success_url())
        self.request.session.cycle_key()
        self.request.session[PENDING] = {
            "user": user.pk,
            "proof": user.get_session_auth_hash(),
            "at": time.time(),
            "to": self.get_success_url(),
        }
        return redirect("login_code" if enrolled else "login_enrol")


def _enter(request: HttpRequest, user: User, *, how: str, to: str) -> HttpResponse:
    """Log a person in; the audit entry comes first, so that nobody is in without one."""
    logins.logged_in(user=user, how=how, address=address_of(request))
    request.session.pop(PENDING, None)
    login(request, user, backend=BACKEND)
    request.session[sessions.STARTED] = time.time()
    request.session[sessions.AGENT] = request.headers.get("User-Agent", "")[:200]
    request.session[sessions.ADDRESS] = address_of(request)[:45]
    response = redirect(to)
    response.set_cookie(
        DEVICE_COOKIE,
        logins.new_device(user.get_username()),
        max_age=logins.DEVICE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.BEHIND_TLS,
    )
    return response


def _pending(request: HttpRequest) -> tuple[User, str] | None:
    """Return who has proved their password in this session, and where they want to go."""
    found = request.session.get(PENDING)
    if not isinstance(found, dict) or time.time() - found["at"] > STEP_SECONDS:
        return None
    user = User.objects.filter(pk=found["user"], is_active=True).first()
    if user is None or user.get_session_auth_hash() != found["proof"]:
        return None
    return user, str(found["to"])


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login_code(request: HttpRequest) -> HttpResponseBase:
    """Ask for the code of the device, or a recovery code."""
    pending = _pending(request)
    if pending is None:
        return redirect("login")
    user, to = pending
    if request.method != "POST":
        return _page(request, "registration/code.html")
    try:
        attempt = logins.attempt_code(user=user, address=address_of(request))
    except HeldError as error:
        return _page(request, "registration/code.html", status=429, problem=str(error))
    try:
        right = second_factor.accept(user=user, code=request.POST.get("code", "")[:100])
    except AccountError as error:
        return _page(request, "registration/code.html", status=422, problem=str(error))
    if not right:
        return _page(request, "registration/code.html", status=422, problem=second_factor.WRONG)
    attempt.was_right()
    return _enter(request, user, how="password and code", to=to)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login_enrol(request: HttpRequest) -> HttpResponseBase:
    """Let a person whose role needs a second factor set one up before they are in."""
    pending = _pending(request)
    if pending is None:
        return redirect("login")
    user, to = pending
    if second_factor.is_on(user):
        return redirect("login_code")
    problem, status = "", 200
    if request.method == "POST":
        try:
            codes = second_factor.confirm(user=user, code=request.POST.get("code", "")[:100])
            entered = _enter(request, user, how="password and code", to=to)
            shown = _page(request, "registration/recovery.html", codes=codes, to=to)
            shown.cookies.update(entered.cookies)
            return shown
        except AccountError as error:
            problem, status = str(error), 422
    enrolment = second_factor.begin(user=user)
    return _page(request, "registration/enrol.html", status=status, problem=problem, enrolment=enrolment)


@never_cache
@require_safe
def sso_start(request: HttpRequest) -> HttpResponseBase:
    """Send a person to the provider; a person who asked to be connected comes back connected."""
    if not settings.OIDC_ISSUER:
        return redirect("login")
    connecting = request.user.is_authenticated and time.time() - request.session.pop(CONNECT, 0.0) < STEP_SECONDS
    if request.user.is_authenticated and not connecting:
        return redirect(settings.LOGIN_REDIRECT_URL)
    started = oidc.start(_return_address(request))
    try:
        to = oidc.login_url(
            provider.discover(), started, client_id=settings.OIDC_CLIENT_ID, scopes=settings.OIDC_SCOPES
        )
    except SignOnError as error:
        return _refused(request, error)
    request.session[SSO] = {
        "started": asdict(started),
        "at": time.time(),
        "to": _wanted(request),
        "connect": request.user.pk if connecting else None,
    }
    return redirect(to)


def _return_address(request: HttpRequest) -> str:
    path = reverse("sso_return")
    return settings.PUBLIC_URL.rstrip("/") + path if settings.PUBLIC_URL else request.build_absolute_uri(path)


def _wanted(request: HttpRequest) -> str:
    """Return where a person wanted to go, if that is here."""
    to = request.GET.get("next", "")
    here = url_has_allowed_host_and_scheme(to, {request.get_host()}, require_https=request.is_secure())
    return to if here else resolve_url(settings.LOGIN_REDIRECT_URL)


@never_cache
@require_safe
def sso_return(request: HttpRequest) -> HttpResponseBase:
    """Take a person back from the provider."""
    kept = request.session.pop(SSO, None) or {}
    started = oidc.remembered(kept.get("started"))
    try:
        if started is None or time.time() - kept["at"] > STEP_SECONDS:
            raise SignOnError("this login was not begun in this browser, or it took too long")
        found = provider.discover()
        identity = provider.exchange(found, started, oidc.code_in(request.GET.dict(), started, found))
        if kept["connect"] is not None:
            return _connect(request, identity, kept["connect"])
        return _enter(request, single_sign_on.person_of(identity), how="single sign-on", to=kept["to"])
    except SignOnError as error:
        return _refused(request, error)


def _connect(request: HttpRequest, identity: oidc.Identity, user_id: int) -> HttpResponseBase:
    """Connect the person who asked for it, if it is still they."""
    if not isinstance(request.user, User) or request.user.pk != user_id:
        raise SignOnError("you were logged out meanwhile")
    single_sign_on.connect(user=request.user, identity=identity)
    return redirect("settings")


def _refused(request: HttpRequest, error: SignOnError) -> HttpResponse:
    logger.warning("single sign-on failed for %s: %s", address_of(request), error)
    return _page(
        request, "registration/sso_problem.html", status=403, problem=str(error), password_login=settings.PASSWORD_LOGIN
    )
