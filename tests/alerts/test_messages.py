"""What leaves: signed so that any receiver can check it, safe to show in a chat, and silent where it should be."""

import base64
import json

import pytest

from alerts import messages
from tests.alerts.channels import SECRET, message, notice
from tests.alerts.rows import HOSTILE

pytestmark = pytest.mark.once
#: What a chat would make something of.
ACTIVE = ("<", ">", "`", "*http", "](", "@here", "<!channel>", "https://evil", "http://evil")
EVIL = f"{HOSTILE} &lt;!here&gt; @here <!channel> <https://evil.example|ours> [x](https://evil.example) *b* `c` http://evil.example/x"


def test_a_signature_is_the_one_of_standard_webhooks():
    told = messages.signature(
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        uuid="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "change", [{"uuid": "other"}, {"timestamp": 2}, {"body": b"{ }"}, {"secret": SECRET[:-4] + "AAA="}]
)
def test_everything_that_is_signed_changes_the_signature(change):
    given = {"secret": SECRET, "uuid": "one", "timestamp": 1, "body": b"{}"}
    assert messages.signature(**given) != messages.signature(**(given | change))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_***", base64.b64encode(b"k" * 32).decode()])
def test_what_is_no_key_is_refused(secret: str):
    with pytest.raises(ValueError, match="secret"):
        messages.key_of(secret)


def test_a_webhook_gets_exact_values_and_the_link():
    facts = {"alert_id": 12, "host": "db-1", "title": "x <b>"}
    body = messages.webhook_body(message(notice(path="/alerts/12/", facts=facts), base_url="https://w.example/"))
    told = json.loads(body)
    assert (told["type"], told["timestamp"], told["delivery"]) == (
        "winnow.notifications", "2026-03-02T12:00:00.000Z", "7d2f",
    )  # fmt: skip
    assert told["data"] == {
        "test": False,
        "count": 1,
        "by_severity": {"critical": 0, "high": 1, "medium": 0, "low": 0, "info": 0},
        "notifications": [
            {
                "id": 1, "topic": "alert", "severity": "high", "title": "A login", "at": "2026-03-02T12:00:00.000Z",
                "repeats": 0, "url": "https://w.example/alerts/12/", "text": "user:eve on db-1", "facts": facts,
            }
        ],
    }  # fmt: skip


def test_the_same_message_is_the_same_bytes_every_time():
    assert messages.webhook_body(message()) == messages.webhook_body(message())
    assert messages.chat_body(message()) == messages.chat_body(message())
    assert messages.mail(message()) == messages.mail(message())


def test_a_chat_message_of_an_attacker_does_nothing():
    told = json.loads(messages.chat_body(message(notice(title=EVIL, text=EVIL))))
    assert told["unfurl_links"] is False
    text = told["text"].replace("*Winnow: 1 notification (high)*", "")
    assert [mark for mark in (*ACTIVE, "*") if mark in text] == []
    assert "&" not in text.replace("&amp;", "")
    assert len(text.splitlines()) == 3  # the head's, the title, the text: no line of the attacker's own


def test_a_mail_of_an_attacker_has_the_headers_of_ours():
    subject, text = messages.mail(message(notice(title=f"a\r\nBcc: eve@evil.example\r\n\r\n{EVIL}")))
    assert subject.startswith("[Winnow] high: a⟨U+000D⟩ Bcc: eve[@]evil[.]example⟨U+000D⟩")
    assert "\n" not in subject
    assert "eve@evil.example" not in subject + text
    assert len(subject) <= messages.MAX_SUBJECT


def test_many_are_counted_and_the_worst_are_told():
    rows = [notice(id=n, title=f"login {n}", severity="high" if n else "critical") for n in range(messages.MAX_TOLD)]
    whole = message(*rows, count=1234, by_severity={"critical": 1, "high": 1233}, base_url="")
    text = json.loads(messages.chat_body(whole))["text"]
    assert text.splitlines()[0] == "*Winnow: 1,234 notifications (1 critical, 1,233 high)*"
    assert text.splitlines()[-1] == "and 1,214 more in Winnow"
    assert messages.mail(whole)[0] == "[Winnow] critical: 1,234 notifications (1 critical, 1,233 high)"
    assert json.loads(messages.webhook_body(whole))["data"]["count"] == 1234


def test_without_details_nothing_of_the_log_leaves():
    row = notice(title="secret-user logged in", text="from secret-host", path="/alerts/12/",
                 facts={"alert_id": 12, "user": "secret-user"})  # fmt: skip
    quiet = message(row, tell_details=False, base_url="https://w.example")
    everything = (
        messages.webhook_body(quiet).decode() + messages.chat_body(quiet).decode() + "".join(messages.mail(quiet))
    )
    assert "secret-" not in everything
    assert "https://w.example/alerts/12/" in everything
    assert json.loads(messages.webhook_body(quiet))["data"]["notifications"][0]["title"] == "alert 12"


def test_a_long_digest_fits_into_a_chat():
    rows = [notice(id=n, title="t." * 150, text="x." * 250) for n in range(messages.MAX_TOLD)]
    assert len(json.loads(messages.chat_body(message(*rows)))["text"]) <= messages.MAX_CHAT


def test_repetitions_are_counted():
    text = json.loads(messages.chat_body(message(notice(repeats=3))))["text"]
    assert "HIGH A login (noticed 4 times)" in text
