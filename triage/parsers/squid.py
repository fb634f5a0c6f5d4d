"""Squid's access log: its native form, and its result code behind a combined line.

Handed: a message without its syslog header, or a bare line. Hands on: client, request, status, what the cache did
(``squid.result``, ``squid.hierarchy``) and the server asked. ``event.action`` is ``denied`` for a refusal and absent
otherwise. Format: Squid's ``logformat`` directive, definitions ``squid``, ``common`` and ``combined``.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, web_access

_NATIVE = re.compile(
    r"(?:\(squid-?\d{0,3}\): )?(?P<time>\d{9,10}\.\d{3}) {1,8}(?P<duration>-?\d{1,10}) (?P<client>\S{1,255}) "
    r"(?P<result>[A-Z_]{3,48})/(?P<status>\d{3}|-) (?P<size>\d{1,18}|-) (?P<method>[A-Za-z_-]{1,32}) "
    r"(?P<target>\S{1,8192}) "
    r"(?P<user>\S{1,255}) (?P<hierarchy>[A-Z_]{3,48})/(?P<peer>\S{1,255}) (?P<type>\S{1,128})"
)
_LOOKS = re.compile(r"\d{9,10}\.\d{3} {1,8}-?\d{1,10} \S{1,255} [A-Z_]{3,48}/")
_TAIL = re.compile(r" (?P<result>[A-Z]{2,8}_[A-Z_]{2,40}):(?P<hierarchy>[A-Z_]{3,48})\s{0,4}\Z")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[^\s:/]{1,255}):(\d{1,5})\Z")


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    if app == "":
        return text.startswith("(squid") or (text[:9].isdigit() and _LOOKS.match(text) is not None)
    return app in ("squid", "squid-access")


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    line = _NATIVE.match(text)
    if line is not None:
        _read_native(line, fields)
        return line["time"]
    stamp = web_access.read(text, fields)
    tail = _TAIL.search(text, max(0, len(text) - 120)) if stamp is not None else None
    if tail is not None:
        _add_result(tail["result"], tail["hierarchy"], fields)
    return stamp


def _read_native(line: re.Match[str], fields: Fields) -> None:
    fields["event.category"] = "web"
    if not addresses.put(fields, "source", line["client"], None) and "source.ip" not in fields:
        fields["source.domain"] = line["client"]
    if line["status"] not in ("-", "000"):
        web_access.add_status(int(line["status"]), fields)
    _add_result(line["result"], line["hierarchy"], fields)
    fields["event.duration"] = max(0, int(line["duration"])) * 1_000_000
    if line["size"] != "-":
        fields["http.response.bytes"] = int(line["size"])
    if line["user"] != "-":
        fields["user.name"] = line["user"]
    if line["type"] != "-":
        fields["http.response.mime_type"] = line["type"]
    if line["peer"] != "-":
        addresses.put(fields, "destination", line["peer"], None)
    _add_request(line["method"], line["target"], fields)


def _add_request(method: str, target: str, fields: Fields) -> None:
    if target.startswith("error:"):  # Squid's word for a request it could not read
        fields["url.original"] = target
        return
    fields["http.request.method"] = method.upper()
    authority = _AUTHORITY.match(target) if method == "CONNECT" else None
    if authority is None:
        web_access.read_target(target, fields)
        return
    fields["url.original"] = target
    fields["url.domain"] = authority[1].strip("[]")
    if int(authority[2]) < 65_536:
        fields["url.port"] = int(authority[2])


def _add_result(result: str, hierarchy: str, fields: Fields) -> None:
    fields["squid.result"] = result
    fields["squid.hierarchy"] = hierarchy
    if "DENIED" in result:
        fields["event.action"] = "denied"
