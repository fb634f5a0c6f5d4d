"""Channels, and receivers on loopback that take what is sent to them, for the tests of notifications."""

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from django.conf import settings

from alerts.messages import Message, Notice
from alerts.models import Channel
from alerts.services import channels
from alerts.services.sending import NotSentError, Reply
from triage import secretbox

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
SECRET = "whsec_" + "c2VjcmV0LWtleS1vZi10aGUtdGVzdHMtMzJieXRlcyE="
URL = "https://hooks.example.org/services/T000/B000/very-secret-path"


def make_channel(name: str = "soc", **fields: Any) -> Channel:
    """Return a webhook channel for high alerts, past the form."""
    sealed = secretbox.seal(
        f'{{"url": "{fields.pop("url", URL)}", "secret": "{SECRET}"}}',
        key=settings.SECRET_KEY,
        purpose=channels.PURPOSE,
    )
    defaults = {
        "kind": "webhook",
        "address": "https://hooks.example.org",
        "sealed": sealed,
        "min_severity": "high",
        "created_by": "dana",
    }
    return Channel.objects.create(name=name, **(defaults | fields))


def notice(**fields: Any) -> Notice:
    """Return something to say."""
    told = {"id": 1, "topic": "alert", "severity": "high", "title": "A login", "text": "user:eve on db-1", "at": NOON}
    return Notice(**(told | fields))


def message(*notices: Notice, **fields: Any) -> Message:
    """Return a message of these, or of one."""
    rows = notices or (notice(),)
    counts = {level: sum(row.severity == level for row in rows) for level in {row.severity for row in rows}}
    told = {"uuid": "7d2f", "at": NOON, "count": len(rows), "by_severity": counts, "notices": rows}
    return Message(**(told | fields))


@dataclass
class Sender:
    """Stands in for the network: remembers what was sent, or fails as it is told to."""

    error: NotSentError | None = None
    sent: list[tuple[str, Message]] = field(default_factory=list)

    def __call__(self, channel: Channel, told: Message) -> Reply:
        """Take a message."""
        self.sent.append((channel.name, told))
        if self.error is not None:
            raise self.error
        return Reply(200)


@dataclass
class Receiver:
    """An HTTP server that answers as it is told, in order and then always with the last answer."""

    port: int
    answers: list[tuple[int, dict[str, str]]]
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, with a part that nobody may see."""
        return f"http://127.0.0.1:{self.port}/services/very-secret-path?token=very-secret"


@contextmanager
def receiving(*answers: tuple[int, dict[str, str]], context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver on loopback, with TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.taken.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers = receiver.answers[min(len(receiver.taken), len(receiver.answers)) - 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        receiver = Receiver(server.server_port, list(answers) or [(200, {})])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """A mail server's port and what it took: sender, recipients and text of each mail."""

    port: int
    refuse: dict[str, str]
    taken: list[tuple[str, list[str], str]] = field(default_factory=list)


class MailHandler(StreamRequestHandler):
    """As much of SMTP as a client needs to hand over a mail."""

    mailbox: Mailbox

    def handle(self) -> None:
        self.sender, self.recipients = "", list[str]()
        self.say("220 mail.example ESMTP")
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            reply = self.answer(verb.upper(), rest.partition("<")[2].partition(">")[0])
            if not reply:
                return
            self.say(reply)

    def answer(self, verb: str, address: str) -> str:
        asked = address if verb == "RCPT" else verb
        if asked in self.mailbox.refuse:
            return self.mailbox.refuse[asked]
        if verb == "MAIL":
            self.sender = address
        if verb == "RCPT":
            self.recipients.append(address)
        if verb == "DATA":
            self.say("354 go on")
            self.mailbox.taken.append((self.sender, self.recipients, self.read_text()))
        return "221 bye" if verb == "QUIT" else "250 well"

    def read_text(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
            lines.append(line)
        return "".join(lines)

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def mail_server(refuse: dict[str, str] | None = None) -> Iterator[Mailbox]:
    """Run an SMTP server on loopback; ``refuse`` gives replies to recipients or verbs; an empty one hangs up."""
    mailbox = Mailbox(0, refuse or {})
    handler = type("Handler", (MailHandler,), {"mailbox": mailbox})
    with MailServer(("127.0.0.1", 0), handler) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
