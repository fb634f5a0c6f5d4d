"""Access logs as JSON: Caddy, Traefik, nginx and Envoy with a JSON format, application servers.

Handed: an object with a method, a status and a client. Hands on: the same ECS fields a combined log line gives;
what has no ECS home stays under its own dotted name.
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import addresses, times
from triage.parsers.ecs_json import rename
from triage.parsers.finish import finish, flatten
from triage.parsers.web_lines import METHODS, add_status, add_target

#: Names of one thing, best first.
_METHOD = (
    "request.method",
    "RequestMethod",
    "method",
    "request_method",
    "http_method",
    "verb",
    "req.method",
    "httpRequest.requestMethod",
    "cs-method",
)
_STATUS = (
    "status",
    "DownstreamStatus",
    "OriginStatus",
    "status_code",
    "statusCode",
    "response_code",
    "http_status",
    "response.status",
    "res.statusCode",
    "code",
    "httpRequest.status",
    "sc-status",
)
_CLIENT = (
    "request.client_ip",
    "request.remote_ip",
    "ClientHost",
    "client_ip",
    "clientip",
    "clientIp",
    "remote_ip",
    "remote_addr",
    "remoteAddr",
    "remote_address",
    "RemoteAddr",
    "downstream_remote_address",
    "req.remoteAddress",
    "remote",
    "visitor_ip",
    "ip",
    "request.remote_addr",
    "ClientAddr",
    "client",
    "http_x_forwarded_for",
    "httpRequest.remoteIp",
    "c-ip",
)
_TARGET = (
    "request.uri",
    "RequestPath",
    "uri",
    "request_uri",
    "url",
    "path",
    "http_path",
    "x-envoy-origin-path",
    "req.url",
    "req.path",
    "request.url",
    "requestURI",
    "httpRequest.requestUrl",
)
_USER = ("user_id", "ClientUsername", "remote_user", "username", "user", "userid", "auth_user")
_PLAIN = {
    "request.host": "url.domain",
    "RequestHost": "url.domain",
    "http_host": "url.domain",
    ":authority": "url.domain",
    "server_name": "url.domain",
    "http_user_agent": "user_agent.original",
    "user_agent": "user_agent.original",
    "userAgent": "user_agent.original",
    "agent": "user_agent.original",
    "request_User-Agent": "user_agent.original",
    "request.headers.User-Agent": "user_agent.original",
    "req.userAgent": "user_agent.original",
    "http_referer": "http.request.referrer",
    "referer": "http.request.referrer",
    "referrer": "http.request.referrer",
    "request.headers.Referer": "http.request.referrer",
    "bytes_sent": "http.response.body.bytes",
    "body_bytes_sent": "http.response.body.bytes",
    "size": "http.response.body.bytes",
    "DownstreamContentSize": "http.response.body.bytes",
    "msg": "message",
}
_TIMES = (
    "@timestamp",
    "ts",
    "StartUTC",
    "start_time",
    "time_iso8601",
    "time_local",
    "time",
    "timestamp",
    "msec",
    "date",
    "t",
)
_METHODS = frozenset(METHODS.split("|"))
_NOBODY = ("-", "", "--", "null")
_NESTED = ("request", "req", "httpRequest", "response", "res")


def _first(content: dict[str, Any], names: tuple[str, ...]) -> str:
    nested = [name for name in _NESTED if name in content and isinstance(content[name], dict)]
    for name in names:
        if name in content:
            return name
        if nested:
            head, dot, tail = name.partition(".")
            if dot and head in nested and tail in content[head]:
                return name
    return ""


def _value(content: dict[str, Any], name: str) -> Any:
    if name in content or "." not in name:
        return content.get(name)
    head, _, tail = name.partition(".")
    inner = content.get(head)
    return inner.get(tail) if isinstance(inner, dict) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) else None


def _put_client(text: str, fields: Fields) -> bool:
    """``192.0.2.1``, ``192.0.2.1:5000``, ``[2001:db8::1]:5000`` or a forwarded list of which the first is meant."""
    first = text.partition(",")[0].strip().removeprefix("ip/")
    if addresses.canonical(first.strip("[]")):
        return addresses.put(fields, "source", first.strip("[]"), None)
    address, _, port = first.rpartition(":")
    return addresses.put(
        fields, "source", address.strip("[]"), port if port.isascii() and port.isdigit() and len(port) < 6 else None
    )


class WebJson:
    """JSON access logs."""

    name = "web_json"
    takes = dict

    def claim(self, record: Record) -> int:
        content = record.content
        if not isinstance(content, dict) or "ecs" in content or "ecs.version" in content or "_path" in content:
            return 0
        if "apiVersion" in content or "eventVersion" in content or "event_type" in content:
            return 0
        method = _value(content, _first(content, _METHOD))
        if type(method) is not str or method.upper() not in _METHODS:
            return 0
        status = _integer(_value(content, _first(content, _STATUS)))
        return (
            65
            if status is not None and 100 <= status < 600 and _first(content, _CLIENT) and _first(content, _TARGET)
            else 0
        )

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, dict) or not self.claim(record):
            return None
        fields: Fields = {"event.dataset": "web.access"}
        method, status = _first(content, _METHOD), _first(content, _STATUS)
        fields["http.request.method"] = str(_value(content, method)).upper()
        add_status(_integer(_value(content, status)) or 0, fields)
        used = {method, status, *self._read_parts(content, fields)}
        stamp = self._time(content, used)
        flat: Fields = {}
        flatten({key: value for key, value in content.items() if key not in used}, flat)
        for name, value in flat.items():
            if name not in used and name not in _TIMES and value not in _NOBODY:
                fields.setdefault(
                    _PLAIN.get(name, name), value[0] if name in _PLAIN and isinstance(value, list) else value
                )
        fields.pop("message", None)
        rename(fields)
        size = fields.get("http.response.body.bytes")
        if type(size) is str and size.isascii() and size.isdigit() and len(size) < 16:
            fields["http.response.body.bytes"] = int(size)
        message = (
            f"{fields['http.request.method']} {fields.get('url.domain', '')}{fields.get('url.original', '')} "
            f"{fields['http.response.status_code']}"
        )
        message += f" from {fields.get('source.ip', '-')} {fields.get('user_agent.original', '')}".rstrip()
        return finish(self.name, record, received_at, fields, message=message, when=times.from_any(stamp), stamp=stamp)

    def _read_parts(self, content: dict[str, Any], fields: Fields) -> list[str]:
        """Read client, target and user; return the names that were used."""
        used = []
        for name in _CLIENT:
            value = _value(content, name)
            if type(value) is str and "source.ip" not in fields and _put_client(value, fields):
                used.append(name)
        target = _value(content, _first(content, _TARGET))
        if type(target) is str and target:
            add_target(target, fields)
            used.append(_first(content, _TARGET))
        user = _value(content, _first(content, _USER))
        if type(user) is str and user not in _NOBODY:
            fields["user.name"] = user
            used.append(_first(content, _USER))
        return used

    def _time(self, content: dict[str, Any], used: set[str]) -> Any:
        for name in _TIMES:
            value = content.get(name)
            if value is not None and times.from_any(value) is not None:
                used.add(name)
                return value
        return None
