"""OpenID Connect, the relying party's side without the network: authorization code flow with PKCE, state and nonce.

Handed: what a provider publishes and answers. Hands on: the address to send a person to, and who came back as an
:class:`Identity`, or :class:`SignOnError`. Only ID tokens signed with a key pair are taken, so that nobody who knows
the client's secret, or sends none at all, can make one.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
#: Clocks differ.
LEEWAY_SECONDS = 60
MAX_GROUPS = 1000
#: Where a provider may speak without TLS: on this machine.
HERE = frozenset({"127.0.0.1", "localhost", "::1"})


class SignOnError(Exception):
    """The provider's answer cannot be used. The text says why, without any part of a token."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What is needed of a provider's discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    auth_method: str
    says_issuer: bool


@dataclass(frozen=True, slots=True)
class Started:
    """What has to be remembered, in the person's session, between going and coming back."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at the provider."""

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]


def provider_of(document: Any, *, issuer: str) -> Provider:
    """Return a checked discovery document. Raises :class:`SignOnError`."""
    found = document if isinstance(document, dict) else {}
    if found.get("issuer") != issuer:
        raise SignOnError("the provider's discovery document names another issuer than OIDC_ISSUER")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    urls = {name: str(found.get(name) or "") for name in names}
    here = urlsplit(issuer).hostname in HERE
    if urlsplit(issuer).scheme != "https" and not here:
        raise SignOnError("OIDC_ISSUER must begin with https://")
    for name, url in urls.items():
        if urlsplit(url).scheme not in (("https", "http") if here else ("https",)):
            raise SignOnError(f"the provider's discovery document has no usable {name}")
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
    says = found.get("authorization_response_iss_parameter_supported") is True
    return Provider(issuer=issuer, auth_method=method, says_issuer=says, **urls)


def start(redirect_uri: str) -> Started:
    """Return fresh random values for one login."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Started(state=state, nonce=nonce, verifier=verifier, redirect_uri=redirect_uri)


def remembered(value: Any) -> Started | None:
    """Return what :func:`dataclasses.asdict` made of a :class:`Started`, ``None`` where it is something else."""
    wanted = set(asdict(Started("", "", "", "")))
    if not isinstance(value, dict) or set(value) != wanted or not all(isinstance(one, str) for one in value.values()):
        return None
    return Started(**value)


def login_url(provider: Provider, started: Started, *, client_id: str, scopes: str) -> str:
    """Return where the person goes."""
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": started.redirect_uri,
        "scope": scopes,
        "state": started.state,
        "nonce": started.nonce,
        "code_challenge": create_s256_code_challenge(started.verifier),
        "code_challenge_method": "S256",
    }
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{joint}{urlencode(query)}"


def code_in(answer: Mapping[str, str], started: Started, provider: Provider) -> str:
    """Return the code a person came back with. Raises :class:`SignOnError`."""
    if not hmac.compare_digest(answer.get("state", "").encode(), started.state.encode()):
        raise SignOnError("this login was not begun in this browser, or it was begun again since")
    said = answer.get("iss")
    if (said is not None or provider.says_issuer) and said != provider.issuer:
        raise SignOnError("the answer comes from another provider")
    if "error" in answer:
        raise SignOnError("the provider did not log you in")
    if not answer.get("code"):
        raise SignOnError("the provider's answer has no code")
    return answer["code"]


def identity_of(
    id_token: str, *, keys: Any, provider: Provider, client_id: str, nonce: str, access_token: str, groups_claim: str
) -> Identity:
    """Return who an ID token is about, after its signature, issuer, audience, times and nonce are checked.

    Raises :class:`SignOnError`.
    """
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        token = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=list(ALGORITHMS))
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": client_id},
            },
            params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SignOnError(f"the provider's ID token does not hold: {type(error).__name__}") from error
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise SignOnError("the provider's ID token has no usable subject")
    return Identity(provider.issuer, subject, _name(claims), _groups(claims.get(groups_claim)))


def _name(claims: Mapping[str, Any]) -> str:
    """Return what to call somebody: the name they log in with there, else their address, if it is theirs."""
    if isinstance(claims.get("preferred_username"), str) and claims["preferred_username"]:
        return str(claims["preferred_username"])
    if isinstance(claims.get("email"), str) and claims.get("email_verified") is True:
        return str(claims["email"])
    return str(claims["sub"])


def _groups(value: Any) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(one for one in found[:MAX_GROUPS] if isinstance(one, str))
