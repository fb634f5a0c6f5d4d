"""One message to one channel, over the network.

Handed: a channel and a message. Hands on: the receiver's :class:`Reply`, or :class:`NotSentError` that says why not and
whether trying again may help. No address of a webhook and no key is in an error or a log line: they are secrets.
"""

import logging
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from urllib.parse import urlsplit

from django.conf import settings

from alerts import messages
from alerts.messages import Message
from alerts.models import Channel, ChannelKind
from alerts.services import channels, outgoing

logger = logging.getLogger(__name__)

#: Seconds for one step of a conversation, and for all of it.
STEP_SECONDS, TOTAL_SECONDS = 10.0, 20.0
#: A receiver that says so may say otherwise later; other refusals stay.
PASSING = frozenset({408, 409, 423, 425, 429})


class NotSentError(RuntimeError):
    """The message was not sent, as far as is known. ``final``: another try would end the same way.

    ``answered`` is the receiver's status, None when there was no answer; ``retry_after`` the seconds it asked to wait.
    """

    def __init__(
        self, text: str, *, final: bool = False, answered: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.final, self.answered, self.retry_after = final, answered, retry_after


@dataclass(frozen=True, slots=True)
class Reply:
    """The receiver took the message; ``note`` is what it said about a part of it."""

    answered: int
    note: str = ""


def send(channel: Channel, message: Message) -> Reply:
    """Send a message. Raises :class:`NotSentError` and, where the stored address cannot be read, ``ChannelError``."""
    if channel.kind == ChannelKind.EMAIL:
        return _mail(channel, message)
    found = channels.secrets_of(channel)
    if channel.kind == ChannelKind.WEBHOOK:
        body = messages.webhook_body(message)
        return _post(found["url"], body, _signed(found["secret"], message, body))
    return _post(found["url"], messages.chat_body(message), {})


def _signed(secret: str, message: Message, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks: the id stays the same for every try, the time is this one's."""
    timestamp = int(time.time())
    return {
        "webhook-id": message.uuid,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": messages.signature(secret=secret, uuid=message.uuid, timestamp=timestamp, body=body),
    }


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    told = {"Content-Type": "application/json", "User-Agent": "Winnow", **headers}
    try:
        status, wait = outgoing.post(url, body=body, headers=told, seconds=TOTAL_SECONDS)
    except outgoing.RefusedError as error:
        raise NotSentError(str(error), final=True) from error
    except outgoing.UnreachableError as error:
        raise NotSentError(str(error)) from error
    if 200 <= status < 300:
        return Reply(status)
    final = status < 500 and status not in PASSING
    raise NotSentError(f"the receiver answered {status}", final=final, answered=status, retry_after=wait)


def _mail(channel: Channel, message: Message) -> Reply:
    if not settings.SMTP_HOST:
        raise NotSentError("no mail server is configured: SMTP_HOST is not set", final=True)
    letter = _letter(channel, message)
    recipients = [one.strip() for one in channel.address.split(",")]
    try:
        refused = _talk(lambda server: server.send_message(letter, settings.SMTP_FROM, recipients))
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotSentError(
            "the mail server refused every recipient", final=min(codes) >= 500, answered=codes[0]
        ) from error
    except smtplib.SMTPResponseException as error:
        text = f"the mail server answered {error.smtp_code}"
        raise NotSentError(text, final=error.smtp_code >= 500, answered=error.smtp_code) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotSentError(f"the mail server could not be used: {type(error).__name__}") from error
    return Reply(250, f"refused for {', '.join(sorted(refused))}" if refused else "")


def _letter(channel: Channel, message: Message) -> EmailMessage:
    """Return the mail; its Message-ID is the message's, so that a doubled one is recognised."""
    subject, text = messages.mail(message)
    letter = EmailMessage(policy=MAIL_POLICY)
    letter["Subject"] = subject
    letter["From"] = settings.SMTP_FROM
    letter["To"] = channel.address
    letter["Date"] = message.at
    host = urlsplit(settings.PUBLIC_URL).hostname or settings.SMTP_FROM.rsplit("@", 1)[-1].strip("> ")
    letter["Message-ID"] = f"<{message.uuid}@{host}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    return letter


def _talk(
    speak: Callable[[smtplib.SMTP], dict[str, tuple[int, bytes]]],
) -> dict[str, tuple[int, bytes]]:
    """Open a conversation with the mail server, log in, and return what ``speak`` returns, within a time limit."""
    host, port, context = settings.SMTP_HOST, settings.SMTP_PORT, ssl.create_default_context()
    if settings.SMTP_SECURITY == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=STEP_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=STEP_SECONDS)
    guard = threading.Timer(TOTAL_SECONDS, _shut, [server])
    guard.daemon = True
    guard.start()
    try:
        if settings.SMTP_SECURITY == "starttls":
            server.starttls(context=context)
        if settings.SMTP_USER:
            server.login(settings.SMTP_USER, settings.SMTP_PASSWORD)
        refused = speak(server)
        _part(server)
        return refused
    finally:
        guard.cancel()
        server.close()


def _part(server: smtplib.SMTP) -> None:
    """Say goodbye; the mail is taken, so that it no longer matters what the server says to that."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError) as error:
        logger.info("the mail server hung up: %s", type(error).__name__)


def _shut(server: smtplib.SMTP) -> None:
    """End a conversation that takes too long: what waits in it comes to an end."""
    if isinstance(server.sock, socket.socket):
        try:
            server.sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended by itself
            return
