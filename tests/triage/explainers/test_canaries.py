"""What must not leave the building does not: names and secrets are planted, the bytes on the wire are searched."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.triage.explainers.fake_llm import fake_llm, good
from triage.contracts import EvidenceLine, ExplanationRequest
from triage.explainers import lines, openai_chat
from triage.explainers.pseudonyms import Pseudonyms
from triage.explainers.redaction import looks_like_password, redact, typed_passwords

FIELDS = ("user.name", "host.name", "url.original", "process.command_line", "user_agent.original", "dns.question.name")
NAME = st.from_regex(r"zq[a-z]{6,14}[0-9]{0,3}", fullmatch=True)
#: Text that cannot be mistaken for a part of a name.
AROUND = st.text(alphabet="ABC 012/=&?,.;:-_<>[]{}\"'\u00e9\u202e\n", max_size=25)


def as_is(name, before, after):
    return f"{before}{name}{after}"


def in_capitals(name, before, after):
    return f"{before}{name.upper()}{after}"


def percent(name, before, after):
    return f"{before}{quote(name)}{''.join(f'%{byte:02X}' for byte in name.encode())}{after}"


def base_64(name, before, after):
    return base64.b64encode(f"{before}{name}{after}".encode()).decode()


def powershell(name, before, after):
    return base64.b64encode(f"{before}{name}{after}".encode("utf-16-le")).decode()


def in_a_list(name, before, after):
    return [before, name, after]


WAYS = (as_is, in_capitals, percent, base_64, powershell, in_a_list)


@pytest.fixture(scope="module")
def bytes_sent():
    """Return a function that explains a request and returns the bytes that reached the endpoint."""
    with fake_llm(good(what_happened=[{"text": "x", "evidence": [1]}], why_it_matters=[], techniques=[])) as fake:

        def explain(request, policy="pseudonymise"):
            openai_chat.OpenAIChatExplainer(
                base_url=fake.base_url, api_key="", model="m", timeout=20.0, policy=policy
            ).explain(request)
            return fake.received.pop()

        yield explain


def hides(body, name):
    """Tell whether nothing of a name is in the bytes: plain, or encoded once."""
    lowered = body.decode("utf-8", "replace").lower()
    forms = [name.lower(), "".join(f"%{byte:02x}" for byte in name.encode())]
    for raw in (name.encode(), name.encode("utf-16-le")):
        for shift in range(3):
            text = base64.b64encode(b"\0" * shift + raw + b"\0\0\0").decode()
            forms.append(text[4 if shift else 0 : (8 * (shift + len(raw))) // 6].lower())
    return not any(form in lowered for form in forms)


@settings(max_examples=60, deadline=None)
@given(
    user=NAME,
    host=NAME,
    before=AROUND,
    after=AROUND,
    way=st.sampled_from(WAYS),
    field=st.sampled_from(FIELDS),
    cut=st.integers(0, 400),
)
def test_planted_names_never_reach_the_transport(bytes_sent, user, host, before, after, way, field, cut):
    filling = "F" * cut  # moves the name across the caps
    evidence = (
        lines.field_line(1, field, way(user, before, after)),
        lines.field_line(2, "message", as_is(host, filling + before, after)),
        lines.field_line(3, "message", way(user, filling if way not in (base_64, powershell) else "", after)),
        EvidenceLine(4, "score", as_is(user, "odd: ", " on " + host)),
    )
    request = ExplanationRequest(
        "t " + user, "low", "user:" + user, evidence, (), identifiers=(("user", user), ("host", host))
    )
    body = bytes_sent(request)
    assert hides(body, user)
    assert hides(body, host)


SECRETS = {
    "password={}": "Hunter2Hunter2",
    '"password": "{}"': "two words here",
    "--password {}": "OptionSecret9",
    "sshpass -p {} ssh bob@db": "SshSecret99",
    "mysql -u bob -p{}": "MySecret99",
    "curl -u bob:{} https://x.example": "CurlSecret99",
    "net user bob {} /add": "NetSecret99",
    "?q=1&api_key={}&x=2": "KeySecret99",
    "password%3D{}": "PercentSecret99",
    "AccountKey={};EndpointSuffix=x": "QmFzZTY0S2V5U2VjcmV0==",
    "Server=db;Uid=bob;Pwd={};": "SqlSecret99",
    "postgres://bob:{}@db/x": "DsnSecret99",
    "Authorization: Bearer {}": "bearersecret99",
    "Authorization: {}": "nakedsecret99",
    "Cookie: a=1; session={}": "cookiesecret99",
    "{} ": "AKIA" + "ABCDEFGHIJKLMNOP",
    "x {}": "ghp_" + "a1" * 18,
    "key {}": "sk-proj-" + "a1B2" * 8,
    "j {}": "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY----- {}": "MIIEowIBAAKCAQEA " * 3,
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.items())
@pytest.mark.parametrize("policy", ["pseudonymise", "raw"])
@pytest.mark.parametrize("field", ["process.command_line", "url.original", "message"])
def test_planted_secrets_never_reach_the_transport(bytes_sent, text, secret, policy, field):
    line = lines.field_line(1, field, text.format(secret))
    body = bytes_sent(ExplanationRequest("t", "low", "", (line,), ()), policy).decode()
    assert secret.strip() not in body
    assert "[secret]" in body


@given(text=st.sampled_from(sorted(SECRETS)), cut=st.integers(150, 320))
@settings(max_examples=40, deadline=None)
def test_a_secret_that_a_cap_cuts_is_redacted_as_far_as_it_is_told(text, cut):
    secret = SECRETS[text]
    written = text.format(secret)
    line = lines.field_line(1, "process.command_line", "F" * cut + " " + written)
    if text in {"{} ", "x {}", "key {}", "j {}"} or "@" in text.partition("{}")[2]:
        return  # these are known by their whole shape only
    told = redact(line.text)
    assert secret[:6] not in told


@pytest.mark.parametrize("policy", ["pseudonymise", "raw"])
def test_a_password_typed_as_a_user_name_is_removed_for_good(bytes_sent, policy):
    typed = "Tr0ub4dor&3x"
    evidence = (
        lines.field_line(1, "event.outcome", "failure"),
        lines.field_line(2, "user.name", typed),
        lines.field_line(3, "message", f"Failed password for invalid user {typed} from 192.0.2.1"),
    )
    request = ExplanationRequest("t", "low", "", evidence, (), identifiers=(("user", typed),))
    assert b"Tr0ub4dor" not in bytes_sent(request, policy)
    assert typed_passwords(request.identifiers, [line.text for line in evidence]) == (typed,)
    assert typed_passwords(request.identifiers, ["event.outcome: success"]) == ()


@pytest.mark.parametrize("name", ["alice", "alice.smith", "svc_backup-01", "CORP\\alice", "a@b.example", "DESKTOP-A1$"])
def test_ordinary_names_do_not_look_like_passwords(name):
    assert not looks_like_password(name)


@pytest.mark.parametrize("text", ["the token was fine", "passed: 3", "Failed password for bob", "net use z:"])
def test_ordinary_text_is_left_alone(text):
    assert redact(text) == text


def test_addresses_keep_their_side_and_their_neighbourhood():
    text = "10.1.2.3 10.1.2.9 10.1.3.1 8.8.8.8 8.8.8.1 fe80::1 2001:db8:0:0::9 2001:db8::7 999.1.1.1"
    assert Pseudonyms([], [text]).hide(text) == (
        "IP_INT_1a IP_INT_1b IP_INT_2a IP_EXT_1a IP_EXT_1b IP_INT_3a IP_EXT_3a IP_EXT_3b IP_EXT_2a"
    )


def test_a_domain_hides_the_hosts_in_it():
    names = Pseudonyms([("host", "web7.corp.example")], [])
    assert names.hide("db3.corp.example and web7") == "db3.DOMAIN_1 and HOST_2"
    assert names.restore("db3.DOMAIN_1") == "db3.corp.example"


def test_a_kind_nobody_knows_is_hidden_all_the_same():
    assert Pseudonyms([("cloud", "acct-777")], []).hide("acct-777") == "NAME_1"


@given(st.lists(st.tuples(st.sampled_from(["user", "host", "address", "mail", "x"]), st.text(max_size=12)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_odd_identifiers_never_raise_and_come_back(identifiers):
    names = Pseudonyms(identifiers, ["x"])
    for name, value in names.mapping.items():
        assert names.restore(name) == value
