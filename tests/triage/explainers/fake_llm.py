"""A loopback server that speaks the chat-completions protocol, well or badly, as a test tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD: dict[str, Any] = {
    "what_happened": [{"text": "A login.", "evidence": [1, 2]}],
    "why_it_matters": [{"text": "It is new.", "evidence": [2]}],
    "why_it_may_be_benign": [],
    "next_checks": ["Ask the owner."],
    "suggested_verdict": "benign_tp",
    "confidence": "medium",
    "techniques": ["T1078"],
}


@dataclass
class Reply:
    """What the server sends: a body (a dict is sent as JSON), a status, a content type, a delay in seconds."""

    body: Any = ""
    status: int = 200
    content_type: str = "application/json"
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    #: Seconds between single bytes of the body.
    trickle: float = 0.0


def completion(content: Any, *, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """Return a chat completion whose message has this content (a dict is written as JSON)."""
    text = json.dumps(content) if isinstance(content, dict) else content
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "tiny-1",
        "choices": [
            {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text} | message}
        ],
        "usage": {"prompt_tokens": 321, "completion_tokens": 45, "total_tokens": 366},
    }


def good(**changes: Any) -> Reply:
    """Return a reply with a valid answer, changed in places."""
    return Reply(completion(GOOD | changes))


def error(status: int, message: str = "no", code: str | None = None) -> Reply:
    """Return a reply as endpoints write their errors."""
    return Reply({"error": {"message": message, "code": code, "type": "x"}}, status=status)


class FakeLLM:
    """The running server: its base URL and what it received."""

    def __init__(self, behave: Callable[[dict[str, Any]], Reply], host: str = "127.0.0.1") -> None:
        self.requests: list[dict[str, Any]] = []
        self.received: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._behave = behave
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append(self.path.encode() + str(self.headers).encode() + body)
                outer.requests.append(json.loads(body))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                outer._send(self, outer._behave(outer.requests[-1]))

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.base_url = f"http://{host}:{self.server.server_address[1]}/v1"

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        time.sleep(reply.delay)
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        try:
            handler.send_response(reply.status)
            handler.send_header("Content-Type", reply.content_type)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body.encode())))
            handler.end_headers()
            if reply.trickle:
                for byte in body.encode():
                    handler.wfile.write(bytes([byte]))
                    time.sleep(reply.trickle)
            else:
                handler.wfile.write(body.encode())
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True  # the client gave up, which is what the test wanted


@contextmanager
def fake_llm(behave: Callable[[dict[str, Any]], Reply] | Reply, host: str = "127.0.0.1") -> Iterator[FakeLLM]:
    """Run a server that answers every call as told."""
    fake = FakeLLM(behave if callable(behave) else lambda _: behave, host)
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.server.shutdown()
        fake.server.server_close()
        thread.join()
