"""Messages over the network, to real servers on loopback: signed, safe from redirects, and silent about secrets."""

import base64
import datetime as dt
import email
import hashlib
import hmac
import json
import logging
import re
import socket
import ssl
import threading
from email.policy import default as modern
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.utils import timezone

from alerts import messages
from alerts.models import Channel
from alerts.services import channels, outbox, outgoing, sending
from alerts.services.sending import NotSentError
from tests.alerts.channels import SECRET, mail_server, make_channel, message, notice, receiving
from tests.alerts.services.test_outbox import note
from triage import outbound
from triage.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.fixture
def smtp(settings):
    """Run a mail server that takes everything."""
    with mail_server() as box:
        settings.SMTP_HOST, settings.SMTP_PORT, settings.SMTP_SECURITY = "127.0.0.1", box.port, "off"
        settings.SMTP_FROM = "winnow@example.org"
        yield box


def mail_channel(to: str = "soc@example.org") -> Channel:
    return make_channel(kind="email", address=to, sealed="")


def test_a_webhook_is_signed_so_that_its_receiver_can_tell():
    with receiving() as receiver:
        reply = sending.send(make_channel(url=receiver.url), message())
    path, headers, body = receiver.taken[0]
    assert (reply.answered, path) == (200, "/services/very-secret-path?token=very-secret")
    assert body == messages.webhook_body(message())
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert (headers["webhook-id"], headers["webhook-signature"]) == ("7d2f", wanted)
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_chat_gets_its_text_and_no_signature():
    with receiving() as receiver:
        sending.send(make_channel(kind="chat", url=receiver.url), message())
    _, headers, body = receiver.taken[0]
    assert json.loads(body)["text"].startswith("*Winnow: 1 notification (high)*\nHIGH A login")
    assert "webhook-signature" not in headers


def test_a_redirect_is_not_followed():
    answered = pytest.raises(NotSentError, match="the receiver answered 307")
    with receiving() as inner, receiving((307, {"Location": inner.url})) as receiver, answered as failure:
        sending.send(make_channel(url=receiver.url), message())
    assert (inner.taken, failure.value.final) == ([], True)


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (401, True), (404, True), (410, True), (408, False), (429, False), (500, False)]
)
def test_what_another_try_may_change(status: int, final: bool):
    with receiving((status, {"Retry-After": "90"})) as receiver, pytest.raises(NotSentError) as failure:
        sending.send(make_channel(url=receiver.url), message())
    assert (failure.value.answered, failure.value.final, failure.value.retry_after) == (status, final, 90)


@pytest.mark.parametrize("wait", ["", "soon", "-3", "1e3", "٣", "99999999", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wait_that_is_no_number_is_not_believed(wait: str):
    assert outgoing._seconds(wait) is None


def test_inside_is_not_reached_even_when_it_was_saved_before(settings):
    settings.OUTBOUND_ALLOW = []
    with receiving() as receiver, pytest.raises(NotSentError, match="name it in OUTBOUND_ALLOW") as failure:
        sending.send(make_channel(url=receiver.url), message())
    assert (receiver.taken, failure.value.final) == ([], True)


def test_a_receiver_that_hangs_up_or_talks_nonsense_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for words in (b"", b"\x00\xff nonsense\r\n\r\n"):
                connection, _ = server.accept()
                connection.recv(65536)
                connection.sendall(words)
                connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        channel = make_channel(url=f"http://127.0.0.1:{server.getsockname()[1]}/x")
        for _ in range(2):
            with pytest.raises(NotSentError, match="no answer: ") as failure:
                sending.send(channel, message())
            assert not failure.value.final
        thread.join()


def certified(directory: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Return the certificate of a server of a name, and what the server shows it with."""
    key, now = ec.generate_private_key(ec.SECP256R1()), timezone.now()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = Encoding.PEM
    (directory / "key.pem").write_bytes(key.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption()))
    (directory / "cert.pem").write_bytes(made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return directory / "cert.pem", context


@pytest.mark.parametrize(("name", "taken"), [("localhost", 1), ("other.example", 0)])
def test_a_pinned_address_still_has_to_show_the_certificate_of_its_name(
    settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, taken: int
):
    settings.OUTBOUND_ALLOW = ["localhost"]
    trusted, context = certified(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with receiving(context=context) as receiver:
        channel = make_channel(url=f"https://localhost:{receiver.port}/x")
        if taken:
            assert sending.send(channel, message()).answered == 200
        else:
            with pytest.raises(NotSentError, match="no answer: ConnectError"):
                sending.send(channel, message())
    assert [headers["host"] for _, headers, _ in receiver.taken] == [f"localhost:{receiver.port}"] * taken


def test_an_address_that_takes_no_connection_is_followed_by_the_next():
    with receiving() as receiver:
        places = (f"http://[::1]:{receiver.port}/x", f"http://127.0.0.1:{receiver.port}/x")
        target = outbound.Target("hooks.example", "hooks.example", places)
        with httpx2.Client() as client:
            assert outgoing._first(client, target, b"{}", {}).status_code == 200
    assert len(receiver.taken) == 1


def test_a_receiver_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sending, "TOTAL_SECONDS", 0.3)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: 1\r\n"[:1])
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        with pytest.raises(NotSentError, match="no answer"):
            sending.send(make_channel(url=f"http://127.0.0.1:{server.getsockname()[1]}/x"), message())
        stop.set()
        thread.join()


def test_no_log_line_no_error_and_no_page_holds_what_is_secret(caplog: pytest.LogCaptureFixture, dana: User, client):
    caplog.set_level(logging.DEBUG)
    with receiving((500, {}), (200, {})) as receiver:
        channel = make_channel(url=receiver.url)
        note(channel)
        outbox.run()
        outbox.send_test(by=dana, channel_id=channel.pk)
    make = make_channel("gone", url=f"http://127.0.0.1:{receiver.port}/very-secret-path")
    note(make)
    outbox.run()
    client.force_login(dana)
    pages = client.get("/settings/notifications/").text + client.get(f"/settings/notifications/{channel.pk}/").text
    rows = str(list(channel.deliveries.values())) + str(list(make.deliveries.values()))
    assert "the receiver answered 500" in rows
    assert "no answer: ConnectError" in rows
    for text in (caplog.text, pages, rows):
        assert "very-secret" not in text
        assert SECRET not in text


def test_the_stored_channel_says_nothing_without_the_key():
    row = make_channel(url="https://hooks.example.org/very-secret-path")
    assert "very-secret" not in str(Channel.objects.filter(pk=row.pk).values())
    assert channels.secrets_of(row) == {"url": "https://hooks.example.org/very-secret-path", "secret": SECRET}


# Mail.


def test_a_mail_arrives_as_it_was_meant(smtp):
    reply = sending.send(mail_channel("a@example.org, b@example.org"), message(notice(path="/alerts/7/")))
    sender, recipients, text = smtp.taken[0]
    letter = email.message_from_string(text, policy=modern)
    assert (reply.answered, reply.note) == (250, "")
    assert (sender, recipients) == ("winnow@example.org", ["a@example.org", "b@example.org"])
    assert (letter["Subject"], letter["To"]) == ("[Winnow] high: A login", "a@example.org, b@example.org")
    assert letter["Message-ID"] == "<7d2f@example.org>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "HIGH A login" in letter.get_content()
    assert letter.get_content_type() == "text/plain"


def test_a_mail_keeps_letters_of_every_alphabet_and_long_lines(smtp):
    sending.send(mail_channel(), message(notice(title="تسجيل دخول " * 20, text="x" * 400)))
    letter = email.message_from_string(smtp.taken[0][2], policy=modern)
    assert "تسجيل دخول" in letter.get_content()
    assert max(map(len, smtp.taken[0][2].split("\r\n"))) < 1000


def test_some_recipients_that_are_refused_do_not_make_the_others_get_it_twice(settings):
    with mail_server({"b@example.org": "550 no such box"}) as box:
        settings.SMTP_HOST, settings.SMTP_PORT, settings.SMTP_SECURITY = "127.0.0.1", box.port, "off"
        settings.SMTP_FROM = "winnow@example.org"
        reply = sending.send(mail_channel("a@example.org, b@example.org"), message())
    assert (reply.note, box.taken[0][1]) == ("refused for b@example.org", ["a@example.org"])


@pytest.mark.parametrize(
    ("refuse", "words", "final"),
    [
        ({"soc@example.org": "550 no such box"}, "refused every recipient", True),
        ({"soc@example.org": "451 later"}, "refused every recipient", False),
        ({"DATA": "554 no"}, "the mail server answered 554", True),
        ({"MAIL": "421 busy"}, "the mail server answered 421", False),
    ],
)
def test_what_a_mail_server_refuses(settings, refuse: dict[str, str], words: str, final: bool):
    with mail_server(refuse) as box:
        settings.SMTP_HOST, settings.SMTP_PORT, settings.SMTP_SECURITY = "127.0.0.1", box.port, "off"
        settings.SMTP_FROM = "winnow@example.org"
        with pytest.raises(NotSentError, match=words) as failure:
            sending.send(mail_channel(), message())
    assert (failure.value.final, box.taken) == (final, [])


@pytest.mark.parametrize("goodbye", ["500 what", ""])
def test_a_mail_is_sent_once_though_the_server_is_rude_at_the_end(settings, goodbye: str):
    with mail_server({"QUIT": goodbye}) as box:
        settings.SMTP_HOST, settings.SMTP_PORT, settings.SMTP_SECURITY = "127.0.0.1", box.port, "off"
        settings.SMTP_FROM = "winnow@example.org"
        assert sending.send(mail_channel(), message()).answered == 250
    assert len(box.taken) == 1


def test_a_password_is_not_sent_in_the_clear_nor_told(settings, smtp, caplog: pytest.LogCaptureFixture):
    """The server offers neither encryption nor a login, so the conversation ends before anything is said."""
    settings.SMTP_SECURITY, settings.SMTP_USER, settings.SMTP_PASSWORD = "starttls", "winnow", "very-secret"
    with pytest.raises(NotSentError, match="the mail server could not be used: SMTPNotSupportedError") as failure:
        sending.send(mail_channel(), message())
    assert smtp.taken == []
    assert "very-secret" not in caplog.text + str(failure.value)


def test_no_mail_server_is_said_and_not_tried_again(settings):
    settings.SMTP_HOST, channel = "", mail_channel()
    with pytest.raises(NotSentError, match="SMTP_HOST is not set") as failure:
        sending.send(channel, message())
    assert failure.value.final
    settings.SMTP_HOST, settings.SMTP_PORT, settings.SMTP_SECURITY = "127.0.0.1", 9, "off"
    with pytest.raises(NotSentError, match="could not be used: ConnectionRefusedError") as failure:
        sending.send(channel, message())
    assert not failure.value.final


def test_what_is_sent_is_what_a_person_reads_in_the_end(smtp):
    """From the outbox to the mailbox: one notification, one mail."""
    channel = mail_channel()
    note(channel)
    assert outbox.run() == 1
    (_, _, text), *others = smtp.taken
    assert others == []
    assert re.search(r"^Subject: \[Winnow\] high: login 0\r?$", text, re.M)
    assert str(channel.deliveries.get().uuid) in text
