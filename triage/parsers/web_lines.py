"""Access lines of web servers, proxies and frameworks that follow no common format.

Handed: a line or message that holds a request (``"GET /path HTTP/1.1"``, with or without its quotes) and a status.
Hands on: client, request and status. In such a line the address before the request is the client's, unless a word
says which one is (``[Client 192.0.2.1]``); where none stands before it, the first one quoted after it is.
"""

import re

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import addresses, heads, phrases, times
from triage.parsers.addresses import V4, V6
from triage.parsers.finish import finish

MAX_READ = 4_000
METHODS = (
    "GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|PROPFIND|PROPPATCH|REPORT|CONNECT|TRACE|MKCOL|COPY|MOVE|LOCK"
    "|UNLOCK|SEARCH|PURGE|MKCALENDAR"
)
_REQUEST = re.compile(
    rf"(?P<quote>\\?\")?(?<![\w-])(?P<method>{METHODS})\"? +(?:https? (?P<host>[\w.:-]{{1,255}}) )?(?P<inner>\")?"
    r"(?P<target>/[^\s\"|]{0,2000}|https?:/[^\s\"|]{1,2000}|\*)(?:\s+HTTP/(?P<version>\d(?:\.\d)?))?(?:(?P=quote)"
    r"|\")?(?=[\s\"|\\:,;)]|\Z)"
)
#: A method in front of a target, a bracketed time before a quote, or a path with a status: nearly all lines have none.
_MAY_ASK = re.compile(r"[A-Z]{3}\\?\"? {1,9}[\"/h*]|\] [^\"]{0,200}\"|[\w/]: [1-5]\d\d ")
#: What a client sent that was no request at all still stands quoted between its time and its status.
_AFTER = re.compile(
    r"\W{0,4}(?:status|returned|responded|response|took \S{1,16} and returned|code)?[ "
    r":=\"(-]{0,4}(?P<status>[1-5]\d\d)(?=[\s)\"|,;]|\Z)",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"(?:status|returned|responded|code)\w{0,8}[ :=\"(]{1,3}([1-5]\d\d)(?!\d)| ([1-5]\d\d) (?:ok|\d{1,12})\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?:\| |\] |- )(?P<status>[1-5]\d\d) (?:\||(?:-|[1-5]\d\d) - )|\d (?P<elb>[1-5]\d\d) (?:-|[1-5]\d\d) \d{1,12} "
    r"\d{1,12} \"?\Z"
)
_JUNK = re.compile(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d[^\]]{0,16}\] [^\"]{0,200}\"(?P<sent>)")
_TIME = re.compile(r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [+-]\d{4})?)\]")
_JUNK_END = re.compile(r"\" ([1-5]\d\d) (?:\d{1,12}|-)(?= |\Z)")
_ADDRESS = re.compile(rf"(?<![\w.:@/=-])\[?({V4}|{V6})\]?(?::(\d{{1,5}}))?(?=[\s\],;|:\")-]|\Z)")
_TOLD = re.compile(rf"\[[Cc]lient:? ({V4}|{V6})(?::\d{{1,5}})?\]|client: ({V4}|{V6})")
#: ``192.0.2.1 - alice "`` and ``192.0.2.1 - alice [time] "`` right before the request.
_ACCOUNT = re.compile(rf"(?:{V4}|{V6}) - ([^\s\"\[\]-][^\s\"\[]{{0,127}}) (?:\[[^\]]{{1,64}}\] )?\Z")
_QUOTED_ADDRESS = re.compile(rf"\"\[?({V4}|{V6})\]?(?:[:,][^\"]{{0,128}})?\"")
_AGENT = re.compile(
    r"\"((?:Mozilla|curl|Wget|python|Go-http|Opera|okhttp|Java|Apache|PostmanRuntime|Googlebot)[^\"]{0,512})\""
    r"|\[useragent: ([^\]]{1,512})\]"
)
_PATH_FIRST = re.compile(rf"(?P<target>/[\w./-]{{1,200}}): (?P<status>[1-5]\d\d) (?P<address>{V4}|{V6})(?= |\Z)")


def looks(text: str) -> bool:
    """Return whether a request may stand in the text; cheap."""
    if "/" not in text:
        return False
    if _MAY_ASK.search(text, 0, MAX_READ) is None:
        return False
    return (
        _JUNK.search(text, 0, 600) is not None
        or _REQUEST.search(text, 0, MAX_READ) is not None
        or _PATH_FIRST.search(text, 0, 300) is not None
    )


def read(text: str, fields: Fields) -> bool:
    """Fill what an access line says; return False when the text is none."""
    text = text[:MAX_READ]
    request = _REQUEST.search(text)
    if request is None:
        return _read_path_first(text, fields) or _read_junk(text, fields)
    before = text[: request.start()]
    status = _status(text, before, request.end())
    told = _TOLD.search(text)
    peer = _peer(before) or (None if told else _QUOTED_ADDRESS.search(text, request.end()))
    if (status is None and not (request["quote"] and request["version"])) or (told is None and peer is None):
        return False
    if told is not None:
        addresses.put(fields, "source", told[1] or told[2], None)
    elif peer is not None:
        addresses.put(fields, "source", peer[1], peer[2] if peer.re is _ADDRESS else None)
    account = _ACCOUNT.search(before)
    if account is not None:
        fields.setdefault("user.name", account[1])
    _add_request(request, fields)
    fields["event.category"] = "web"
    if status is not None:
        add_status(status, fields)
    agent = _AGENT.search(text)
    if agent is not None:
        fields.setdefault("user_agent.original", agent[1] or agent[2])
    return "source.ip" in fields


def _peer(before: str) -> re.Match[str] | None:
    """The first address of a text; clocks look like the others."""
    return next((match for match in _ADDRESS.finditer(before) if addresses.canonical(match[1])), None)


def _status(text: str, before: str, end: int) -> int | None:
    after = _AFTER.match(text, end)
    if after is not None:
        return int(after["status"])
    ahead = _BEFORE.search(before)
    if ahead is not None:
        return int(ahead["status"] or ahead["elb"])
    later = _LATER.search(text, end, end + 200)
    return int(later[1] or later[2]) if later is not None else None


def _add_request(request: re.Match[str], fields: Fields) -> None:
    fields["http.request.method"] = request["method"]
    add_target(request["target"], fields)
    if request["version"]:
        fields["http.version"] = request["version"]
    if request["host"]:
        fields.setdefault("url.domain", request["host"].partition(":")[0])


def _read_junk(text: str, fields: Fields) -> bool:
    """Something a client sent that is no request, quoted, after a bracketed time and before a status."""
    junk = _JUNK.search(text, 0, 600)
    if junk is None:
        return False
    peer = _peer(text[: junk.start("sent")])
    end = _JUNK_END.search(text, junk.start("sent"))
    if peer is None or end is None or not addresses.put(fields, "source", peer[1], peer[2]):
        return False
    if end.start() > junk.start("sent"):
        fields["url.original"] = text[junk.start("sent") : end.start()]
    add_status(int(end[1]), fields)
    return True


def _read_path_first(text: str, fields: Fields) -> bool:
    """``/api/login: 403 192.0.2.7``."""
    match = _PATH_FIRST.search(text, 0, 300)
    if match is None or not addresses.put(fields, "source", match["address"], None):
        return False
    add_target(match["target"], fields)
    add_status(int(match["status"]), fields)
    return True


def add_target(target: str, fields: Fields) -> None:
    """Set ``url.original`` and split it; only text is cut, so that nothing an attacker writes can raise."""
    fields["url.original"] = target
    rest, mark, query = target.partition("?")
    if mark:
        fields["url.query"] = query
    scheme, mark, after = rest.partition("://")
    if mark and len(scheme) < 8:
        host, slash, path = after.partition("/")
        rest = slash + path
        fields.setdefault("url.domain", host.rpartition("@")[2].partition(":")[0])
    if rest:
        fields["url.path"] = rest


def add_status(status: int, fields: Fields) -> None:
    """Answers below 400 are successes, as in ECS's own web integrations."""
    fields["event.category"] = "web"
    fields["http.response.status_code"] = status
    fields["event.outcome"] = "success" if status < 400 else "failure"


class WebLines:
    """A request and a status in a format of the server's own."""

    name = "web_lines"
    takes = str

    def claim(self, record: Record) -> int:
        """Below every format that says its own name, and never remembered: other lines hold requests too."""
        content = record.content
        return 48 if isinstance(content, str) and looks(content) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, str) or not looks(content):
            return None
        fields: Fields = {}
        head = heads.read(heads.plain(content), received_at, fields)
        if not read(content, fields):
            return None
        if "event.outcome" not in fields:
            phrases.read(content.rpartition('"')[2], fields)
        fields["event.dataset"] = "web.access"
        when, stamp = head.when, head.stamp
        if when is None:
            inside = _TIME.search(content, 0, 400)
            if inside is not None:
                when, stamp = times.from_access(inside[1]), inside[1]
        return finish(self.name, record, received_at, fields, message=content, when=when, stamp=stamp)
