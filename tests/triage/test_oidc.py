"""ID tokens: only the provider's own, for us, now, for this login; and what a discovery document may say."""

import base64
import hmac
import time
from dataclasses import asdict
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from triage import oidc
from triage.oidc import SignOnError

pytestmark = pytest.mark.once
ISSUER = "https://id.example"
KEY = RSAKey.generate_key(2048, parameters={"kid": "k1", "alg": "RS256", "use": "sig"}, auto_kid=False)
OTHER = RSAKey.generate_key(2048, parameters={"kid": "k1", "alg": "RS256", "use": "sig"}, auto_kid=False)
KEYS = KeySet([KEY]).as_dict(private=False)
DOCUMENT = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}
PROVIDER = oidc.provider_of(DOCUMENT, issuer=ISSUER)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": "winnow", "sub": "s-1", "nonce": "n", "iat": now, "exp": now + 300}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def token(key: Any = KEY, header: dict[str, str] | None = None, **changes: Any) -> str:
    head = header or {"alg": "RS256", "kid": "k1"}
    return jwt.encode(head, claims(**changes), key, algorithms=[head["alg"]])


def identity(text: str, keys: Any = KEYS) -> oidc.Identity:
    return oidc.identity_of(
        text, keys=keys, provider=PROVIDER, client_id="winnow", nonce="n", access_token="a", groups_claim="groups"
    )


def test_a_good_token_says_who_it_is():
    found = identity(token(preferred_username="nia", groups=["a", 7, "b"]))
    assert found == oidc.Identity(ISSUER, "s-1", "nia", ("a", "b"))


def test_a_name_is_what_the_provider_vouches_for():
    assert identity(token(email="nia@example.org", email_verified=True)).name == "nia@example.org"
    assert identity(token(email="nia@example.org")).name == "s-1"
    assert identity(token(groups="one")).groups == ("one",)
    assert identity(token(groups={"a": 1})).groups == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"nonce": "m"},
        {"nonce": None}, {"exp": 1}, {"exp": None}, {"iat": None}, {"sub": None}, {"sub": ""}, {"sub": 7},
        {"sub": "x" * 256}, {"nbf": int(time.time()) + 3600}, {"azp": "another"}, {"at_hash": "wrong"},
        {"aud": ["winnow", "another"], "azp": "another"},
    ],
)  # fmt: skip
def test_a_token_that_is_not_for_this_login_is_refused(changes: dict[str, Any]):
    with pytest.raises(SignOnError):
        identity(token(**changes))


def test_a_token_somebody_else_signed_is_refused():
    with pytest.raises(SignOnError):
        identity(token(OTHER))
    with pytest.raises(SignOnError):
        identity(token(ECKey.generate_key("P-256"), {"alg": "ES256", "kid": "k1"}))


def test_no_signature_and_a_shared_secret_are_no_signature():
    """The classic forgeries: ``none``, and the public key taken for an HMAC secret."""
    body = token().split(".")
    for head in ("eyJhbGciOiJub25lIn0", "eyJhbGciOiJOT05FIn0"):  # {"alg":"none"}, {"alg":"NONE"}
        with pytest.raises(SignOnError):
            identity(f"{head}.{body[1]}.")
    signed = f"eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0.{body[1]}"  # {"alg":"HS256","kid":"k1"}
    mac = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    with pytest.raises(SignOnError):
        identity(forged)
    with pytest.raises(SignOnError):
        identity(forged, KeySet([OctKey.import_key("x" * 32)]).as_dict())


@pytest.mark.parametrize("text", ["", "a.b.c", "....", "null", "\ud800", token() + "x", "e30.e30.e30"])
def test_what_is_no_token_is_refused(text: str):
    with pytest.raises(SignOnError):
        identity(text)


@pytest.mark.parametrize("keys", [None, {}, {"keys": []}, {"keys": [{}]}, [], "x", {"keys": [{"kty": "RSA"}]}])
def test_keys_that_are_none_verify_nothing(keys: Any):
    with pytest.raises(SignOnError):
        identity(token(), keys)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"}, {"issuer": None}, {"token_endpoint": "http://id.example/token"},
        {"jwks_uri": None}, {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": ["x"]},
    ],
)  # fmt: skip
def test_a_discovery_document_that_leads_elsewhere_is_refused(changes: dict[str, Any]):
    with pytest.raises(SignOnError):
        oidc.provider_of(DOCUMENT | changes, issuer=ISSUER)


@pytest.mark.parametrize("document", [None, [], "x", 7])
def test_a_document_that_is_none_is_refused(document: Any):
    with pytest.raises(SignOnError):
        oidc.provider_of(document, issuer=ISSUER)


def test_without_tls_a_provider_is_asked_on_this_machine_only():
    for issuer, fine in (("http://127.0.0.1:9", True), ("http://localhost", True), ("http://id.example", False)):
        document = {name: value.replace(ISSUER, issuer) for name, value in DOCUMENT.items()}
        if fine:
            assert oidc.provider_of(document, issuer=issuer).issuer == issuer
        else:
            with pytest.raises(SignOnError, match="https"):
                oidc.provider_of(document, issuer=issuer)


def test_an_answer_is_for_this_browser_and_from_this_provider():
    started = oidc.start("https://winnow.example/login/sso/return/")
    good = {"state": started.state, "code": "c"}
    assert oidc.code_in(good, started, PROVIDER) == "c"
    assert oidc.code_in(good | {"iss": ISSUER}, started, PROVIDER) == "c"
    strict = oidc.provider_of(DOCUMENT | {"authorization_response_iss_parameter_supported": True}, issuer=ISSUER)
    for answer, provider in (
        ({"code": "c"}, PROVIDER), (good | {"state": "x"}, PROVIDER),
        (good | {"iss": "https://evil.example"}, PROVIDER),
        ({"state": started.state}, PROVIDER), (good | {"error": "access_denied"}, PROVIDER), (good, strict),
    ):  # fmt: skip
        with pytest.raises(SignOnError):
            oidc.code_in(answer, started, provider)


@pytest.mark.parametrize("value", [None, {}, "x", {"state": "a"}, [1], asdict(oidc.start("u")) | {"nonce": 7}])
def test_what_a_session_does_not_remember_is_nothing(value: Any):
    assert oidc.remembered(value) is None


def test_what_a_session_remembers_comes_back():
    started = oidc.start("u")
    assert oidc.remembered(asdict(started)) == started
    assert len({started.state, started.nonce, started.verifier}) == 3
