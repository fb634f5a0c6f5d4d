"""Who may do what on the analyst side.

Handed: a request. Hands on: the same request to the view when the person's role reaches the one the view
asks for; otherwise the login page (nobody logged in) or a 403 (role too low). Roles are ordered: viewer
reads, analyst decides, lead runs sources, admin everything.
"""

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from triage.models import Role, User

View = Callable[..., HttpResponseBase]
RANK: dict[str, int] = {Role.VIEWER: 0, Role.ANALYST: 1, Role.LEAD: 2, Role.ADMIN: 3}


def has_role(user: object, role: str) -> bool:
    """Return whether a user is logged in, active and at least of this role. Unknown roles reach nothing."""
    if not isinstance(user, User) or not user.is_active:
        return False
    return user.is_superuser or RANK.get(user.role, -1) >= RANK[role]


def person(request: HttpRequest) -> User:
    """Return the logged-in person of a request that passed :func:`role_required`."""
    if not isinstance(request.user, User):
        raise PermissionDenied("login needed")
    return request.user


def role_required(role: str) -> Callable[[View], View]:
    """Let only people of at least ``role`` into a view; remembered on the view as ``required_role``."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            if not has_role(request.user, role):
                raise PermissionDenied(f"this needs the role {role}")
            return view(request, *args, **kwargs)

        guarded.required_role = role  # type: ignore[attr-defined]  # read by the permission table test
        return guarded

    return decorate


def _to_login(request: HttpRequest) -> HttpResponseBase:
    """Send a browser to the login page; a fragment request makes the whole page go there, not the panel."""
    if request.headers.get("HX-Request") != "true":
        return redirect_to_login(request.get_full_path())
    response = HttpResponse(status=401)
    response["HX-Redirect"] = f"{reverse('login')}?{urlencode({'next': reverse('queue')})}"
    return response
