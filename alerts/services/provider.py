"""The way to the single sign-on provider: its discovery document, its keys, and a code for a token.

Handed: the settings. Hands on: what :mod:`triage.oidc` checks. Every address is looked at before it is connected to
(:mod:`triage.outbound`), those that the provider names too; redirects are not followed; documents are kept for an hour,
and keys asked for again when one is missing.
"""

import base64
import threading
import time
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2
import orjson
from django.conf import settings

from triage import oidc, outbound
from triage.explainers.chat_transport import CONNECT_SECONDS, Limited
from triage.oidc import Identity, Provider, SignOnError, Started

SECONDS, KEEP_SECONDS = 10.0, 3600.0
_kept: dict[str, tuple[float, Any]] = {}
_lock = threading.Lock()


def discover() -> Provider:
    """Return the provider. Raises :class:`SignOnError`."""
    issuer = settings.OIDC_ISSUER
    document = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    return oidc.provider_of(document, issuer=issuer)


def exchange(provider: Provider, started: Started, code: str) -> Identity:
    """Return who a code stands for. Raises :class:`SignOnError`."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": started.redirect_uri,
        "code_verifier": started.verifier,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if not settings.OIDC_CLIENT_SECRET:
        form["client_id"] = settings.OIDC_CLIENT_ID
    elif provider.auth_method == "client_secret_post":
        form |= {"client_id": settings.OIDC_CLIENT_ID, "client_secret": settings.OIDC_CLIENT_SECRET}
    else:
        pair = f"{quote_plus(settings.OIDC_CLIENT_ID)}:{quote_plus(settings.OIDC_CLIENT_SECRET)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    answer = _ask("POST", provider.token_endpoint, body=urlencode(form).encode(), headers=headers)
    if not isinstance(answer, dict) or not isinstance(answer.get("id_token"), str):
        raise SignOnError("the provider answered without an ID token")
    return _identity(provider, started, answer["id_token"], str(answer.get("access_token") or ""))


def _identity(provider: Provider, started: Started, id_token: str, access_token: str) -> Identity:
    def checked(keys: Any) -> Identity:
        return oidc.identity_of(
            id_token,
            keys=keys,
            provider=provider,
            client_id=settings.OIDC_CLIENT_ID,
            nonce=started.nonce,
            access_token=access_token,
            groups_claim=settings.OIDC_GROUPS_CLAIM,
        )

    try:
        return checked(_get(provider.jwks_uri))
    except SignOnError:  # the provider may have changed its keys since they were fetched
        return checked(_get(provider.jwks_uri, fresh=True))


def _get(url: str, *, fresh: bool = False) -> Any:
    """Return a JSON document, from memory while it is young."""
    with _lock:
        until, document = _kept.get(url, (0.0, None))
    if not fresh and time.monotonic() < until:
        return document
    document = _ask("GET", url)
    with _lock:
        _kept[url] = (time.monotonic() + KEEP_SECONDS, document)
    return document


def forget() -> None:
    """Forget what was fetched."""
    with _lock:
        _kept.clear()


def _ask(method: str, url: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
    """Return what an address of the provider answers, as JSON. Raises :class:`SignOnError`."""
    inside = [str(urlsplit(settings.OIDC_ISSUER).hostname), *settings.OUTBOUND_ALLOW]
    try:
        target = outbound.checked(url, allow=inside)
    except outbound.RefusedError as error:
        raise SignOnError(f"the provider is not asked: {error}") from error
    told = {"Accept": "application/json", "Accept-Encoding": "identity"} | (headers or {}) | {"Host": target.netloc}
    inner = httpx2.HTTPTransport(proxy=None, trust_env=False)
    limited = Limited(inner, seconds=SECONDS, deadline=time.monotonic() + SECONDS, most_unanswered=1)
    timeout = httpx2.Timeout(SECONDS, connect=CONNECT_SECONDS)
    extensions = {"sni_hostname": target.host}
    try:
        with httpx2.Client(transport=limited, timeout=timeout, follow_redirects=False, trust_env=False) as client:
            reply = client.request(method, target.place, content=body, headers=told, extensions=extensions)
        if reply.status_code != 200:
            raise SignOnError(f"the provider answered {reply.status_code}")
        return orjson.loads(reply.content)
    except httpx2.HTTPError as error:
        raise SignOnError(f"the provider does not answer: {type(error).__name__}") from error
    except orjson.JSONDecodeError as error:
        raise SignOnError("the provider's answer is no JSON") from error
