"""Web server access logs (common and combined, with or without a virtual host) and error logs.

Handed: a line of Apache, nginx or a server that writes the same. Hands on: client, request, status, size,
referrer and user agent in ECS terms. Format: Apache HTTP Server ``mod_log_config``, nginx ``combined``.
"""

import re
from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import addresses, phrases, times, web_lines
from triage.parsers.finish import finish
from triage.parsers.linux_auth import put_address

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_ACCESS = re.compile(
    r"(?:(?P<vhost>[\w.-]{1,255}(?::\d{1,5})?|-) )?(?P<client>[^\s\"\[]{1,255}) (?P<ident>[^\s\"\[]{1,255}) "
    r"(?P<user>[^\s\"\[]{1,255}|\"[^\"]{0,255}\") "
    rf"\[(?P<time>[^\]]{{8,64}})\] {_QUOTED} (?P<status>\d{{3}}|-) (?P<size>\d{{1,18}}|-)"
    rf"(?: {_QUOTED} {_QUOTED})?",
    re.DOTALL,
)
_REQUEST = re.compile(r"([A-Z_a-z-]{1,32}) (\S.*?)(?: HTTP/(\d(?:\.\d)?))?\Z", re.DOTALL)
_LOOKS = re.compile(
    r"[^\s\"\[]{1,255} (?:[^\s\"\[]{1,255} ){1,2}[^\[]{1,257} ?\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d"
)
_APACHE_ERROR = re.compile(
    r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \d{4})\] "
    r"\[(?:(?P<module>[\w-]{0,64}):)?(?P<level>[a-z]+\d?)\] (?:\[pid (?P<pid>\d{1,9})(?::tid (?P<tid>\d{1,20}))?\] )?"
    r"(?:\[client (?P<client>[^\]\s]{1,64})\] )?(?P<text>.*)",
    re.DOTALL,
)
_NGINX_ERROR = re.compile(
    r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>[a-z]{3,8})\] (?P<pid>\d{1,9})#(?P<tid>\d{1,9}): "
    r"(?P<text>.*)",
    re.DOTALL,
)
_CLIENT = re.compile(r", client: ([^\s,]{1,64})|\[client ([^\]\s]{1,64})\]| client (\S{1,64}) connected")
_SERVER = re.compile(r", server: ((?:\d{1,3}\.){3}\d{1,3}):(\d{1,5})|connected to ((?:\d{1,3}\.){3}\d{1,3}):(\d{1,5})")
_NGINX_LOGIN = re.compile(r', login: "([^"]{1,256})"')
_NGINX_REQUEST = re.compile(rf", request: {_QUOTED}")
_NAMED_USER = re.compile(r"(?:AH\d{5}: )?user \"?([^\s:\"]{1,256})\"?(?::| in | not found)")


read_target = web_lines.add_target


def add_status(status: int, fields: Fields) -> None:
    """Answers below 400 are successes, as in ECS's own web integrations."""
    fields["http.response.status_code"] = status
    fields["event.outcome"] = "success" if status < 400 else "failure"


def _read_request(request: str, fields: Fields) -> None:
    match = _REQUEST.match(request)
    if match is None:
        if request and request != "-":
            fields["url.original"] = request
        return
    method, target, version = match.groups()
    fields["http.request.method"] = method.upper()
    read_target(target, fields)
    if version:
        fields["http.version"] = version


def read(line: str, fields: Fields) -> str | None:
    """Fill the fields of one access line; return its time text, or ``None`` when it is not one."""
    match = _ACCESS.match(line)
    if match is None:
        return None
    vhost, client, _ident, user, stamp, request, status, size, referrer, agent = match.groups()
    fields["event.category"] = "web"
    put_address(fields, client)
    if vhost and vhost != "-":
        fields["url.domain"] = vhost.partition(":")[0]
    if user not in ("-", '"-"', '""'):
        fields["user.name"] = user.strip('"')
    _read_request(request, fields)
    if status != "-":
        add_status(int(status), fields)
    if size != "-":
        fields["http.response.body.bytes"] = int(size)
    if referrer and referrer != "-":
        fields["http.request.referrer"] = referrer
    if agent and agent != "-":
        fields["user_agent.original"] = agent
    return str(stamp)


def _read_error(match: re.Match[str], fields: Fields) -> None:
    groups: dict[str, Any] = match.groupdict()
    fields["event.category"] = "web"
    fields["log.level"] = groups["level"]
    if groups["pid"]:
        fields["process.pid"] = int(groups["pid"])
    if groups.get("module"):
        fields["apache.error.module"] = groups["module"]
    text = groups["text"]
    client = groups.get("client")
    if client is None:
        found = _CLIENT.search(text)
        client = found[found.lastindex or 0] if found else None
        _read_nginx_ends(text, fields)
    if client:
        _add_client(client, fields)
    # A missing file's name is the client's choice, and "user root not found" is a name like any other.
    if "File does not exist" not in text[:64] and phrases.read_failed_login(text, fields):
        user = _NAMED_USER.search(text, 0, 600)
        if user is not None:
            fields["user.name"] = user[1]


def _read_nginx_ends(text: str, fields: Fields) -> None:
    """The request, the address served, and the account of a mail proxy's login."""
    request = _NGINX_REQUEST.search(text)
    if request is not None:
        _read_request(request[1], fields)
    server = _SERVER.search(text)
    if server is not None:
        put_address(fields, server[1] or server[3], "destination")
        fields["destination.port"] = int(server[2] or server[4])
    login = _NGINX_LOGIN.search(text)
    if login is not None:
        fields["user.name"] = login[1]


def _add_client(client: str, fields: Fields) -> None:
    """``192.0.2.1:50229``, ``[2001:db8::1]:50229`` (already unbracketed) or an address alone."""
    address, colon, port = client.rpartition(":")
    if (
        colon
        and port.isascii()
        and port.isdigit()
        and len(port) < 6
        and ("." in address or not addresses.canonical(client))
    ):
        fields["source.port"] = int(port)
        client = address
    put_address(fields, client)


class WebAccess:
    """Access and error lines of web servers."""

    name = "web_access"
    takes = str

    def claim(self, record: Record) -> int:
        content = record.content
        if not isinstance(content, str):
            return 0
        if _LOOKS.match(content):
            return 90
        return 85 if _APACHE_ERROR.match(content) or _NGINX_ERROR.match(content) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, str):
            return None
        fields: Fields = {}
        stamp = read(content, fields)
        if stamp is not None:
            fields["event.dataset"] = "web.access"
            when = times.from_access(stamp) if stamp[2:3] == "/" else times.from_text(stamp)
            return finish(self.name, record, received_at, fields, message=content, when=when, stamp=stamp)
        match = _APACHE_ERROR.match(content) or _NGINX_ERROR.match(content)
        if match is None:
            return None
        fields["event.dataset"] = "web.error"
        _read_error(match, fields)
        when = times.from_text(match["time"])
        return finish(self.name, record, received_at, fields, message=content, when=when, stamp=match["time"])
