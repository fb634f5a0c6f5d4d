"""What all JSON views of the event side share: who may call, how a parameter is read, what an error is.

Handed: a request with ``Authorization: Bearer T`` or a session. Hands on: the view's JSON, or
``{"error": {"code", "message"}}`` with a fitting status; a bad parameter is named.
"""

import datetime as dt
import logging
import math
from collections.abc import Callable
from functools import wraps

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from triage.authentication import api_token_user, token_in
from triage.models import Role, TokenScope, User

logger = logging.getLogger(__name__)

ApiView = Callable[..., HttpResponse]
TRUE, FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def bad_parameter(name: str, problem: str) -> ApiError:
    """Return the error for a parameter, which it names."""
    return ApiError(400, "bad_parameter", f"{name}: {problem}")


def error_reply(status: int, code: str, message: str) -> JsonResponse:
    """Return an error as JSON."""
    response = JsonResponse({"error": {"code": code, "message": message}}, status=status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def api_access(scope: str = TokenScope.READ, *, method: str = "GET") -> Callable[[ApiView], ApiView]:
    """Let a view answer one method to a token of a scope, or to a session (which needs CSRF to write)."""

    def decorate(view: ApiView) -> ApiView:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            try:
                _check(request, scope, method)
                return view(request, *args, **kwargs)
            except ApiError as error:
                return error_reply(error.status, error.code, str(error))
            except (OperationalError, InterfaceError) as error:
                logger.warning("the database does not answer: %s", error)
                return error_reply(503, "busy", "the database does not answer; try again later")

        # Whoever may log in may read; the table of who may do what is tested by it.
        guarded.required_role = Role.VIEWER  # type: ignore[attr-defined]
        return guarded

    return decorate


def _check(request: HttpRequest, scope: str, method: str) -> None:
    user = caller(request, scope)
    if not user.is_superuser and user.role not in Role.values:
        raise ApiError(403, "forbidden", "this needs a role")
    if request.method not in (method, "HEAD" if method == "GET" else method):
        raise ApiError(405, "method_not_allowed", f"only {method}")


def caller(request: HttpRequest, scope: str) -> User:
    """Return who calls; raise 401 or 403."""
    header = request.headers.get("Authorization", "")
    if header:
        return _token_user(header, scope)
    if not isinstance(request.user, User):
        raise ApiError(401, "unauthorized", "send Authorization: Bearer TOKEN")
    answer = CsrfViewMiddleware(lambda _: HttpResponse()).process_view(request, lambda _: HttpResponse(), (), {})
    if answer is not None:
        raise ApiError(403, "csrf", "a session needs the CSRF token; scripts use a bearer token")
    return request.user


def _token_user(header: str, scope: str) -> User:
    found = api_token_user(token_in(header) or "")
    if found is None:
        raise ApiError(401, "unauthorized", "unknown or revoked token")
    user, held = found
    if scope == TokenScope.WRITE and held != TokenScope.WRITE:
        raise ApiError(403, "forbidden", "this needs a token of scope write")
    return user


class Parameters:
    """The query of a request; reading a value checks it. Names that no one reads are an error."""

    def __init__(self, request: HttpRequest, allowed: frozenset[str]) -> None:
        for name in request.GET:
            if name not in allowed:
                raise bad_parameter(name[:80], f"unknown; known are {', '.join(sorted(allowed))}")
        self._values = request.GET

    def text(self, name: str) -> str:
        """Return a text without NUL of up to 1,000 characters; empty when absent."""
        value = self._values.get(name, "")
        if "\0" in value or len(value) > 1000:
            raise bad_parameter(name, "must be up to 1000 characters, without NUL")
        return value

    def number(self, name: str, default: int, *, maximum: int) -> int:
        """Return a whole number from 1 to ``maximum``."""
        value = self._values.get(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 20 and 1 <= int(value) <= maximum):
            raise bad_parameter(name, f"must be a whole number from 1 to {maximum}")
        return int(value)

    def boolean(self, name: str) -> bool | None:
        """Return true, false, or ``None`` when absent."""
        value = self._values.get(name)
        if value is None:
            return None
        if value.lower() not in TRUE | FALSE:
            raise bad_parameter(name, "must be true or false")
        return value.lower() in TRUE

    def time(self, name: str) -> dt.datetime | None:
        """Return a time from ISO 8601 (no zone = UTC) or seconds since the epoch; ``None`` when absent."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return _time(value)
        except (ValueError, OverflowError, OSError) as error:
            raise bad_parameter(name, "must be ISO 8601 or seconds since 1970") from error


def _time(value: str) -> dt.datetime:
    # "+" of a zone is a blank once the query is decoded
    try:
        moment = dt.datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
    except ValueError:
        seconds = float(value)
        if not math.isfinite(seconds):
            raise
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _of_the_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that nothing is there: to programs in the API's form, to people as a page."""
    if _of_the_api(request):
        return error_reply(404, "not_found", "there is nothing at this path")
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that a request makes no sense, in the same two forms."""
    if _of_the_api(request):
        return error_reply(400, "invalid", "the request cannot be read")
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Say that Winnow failed, in the same two forms."""
    if _of_the_api(request):
        return error_reply(500, "failed", "Winnow could not answer; the log says why")
    return defaults.server_error(request)
