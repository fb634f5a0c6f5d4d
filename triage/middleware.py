"""Response headers that every page gets."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from triage.sessions import SessionStore

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)


#: Paths that an open page asks by itself; they keep nobody logged in.
BY_ITSELF = frozenset(
    {
        "queue_pulse", "queue_head", "queue_rows", "alert_presence", "alert_waiting", "overview_intake",
        "overview_flow", "overview_work", "overview_quality", "overview_techniques",
    }
)  # fmt: skip


def session_use(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Note that a session was used, unless only its open page asked how things are."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        store = request.session
        name = request.resolver_match.url_name if request.resolver_match else None
        if isinstance(store, SessionStore) and name not in BY_ITSELF:
            store.note_use()
        return response

    return middleware


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add a strict Content-Security-Policy to every response."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response

    return middleware
