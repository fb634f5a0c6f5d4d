"""What Cisco's firewalls say behind their message number: ASA, FTD, PIX and FWSM.

Handed: the message number and the text behind it. Hands on: both ends with their interfaces and translated addresses,
user, rule, what was done and, where somebody asked for it, how that ended. The numbers decide what is meant, the shape
of the sentence where its parts stand, since dozens of numbers share one shape.
Format: Cisco Secure Firewall ASA Series Syslog Messages; Secure Firewall Threat Defense Syslog Messages.

The end that opened a connection is its source: "Built outbound ... for A to B" was opened by B. Following the
schema's own example, a connection that a rule let pass or stopped is an ``event.outcome`` of success: the firewall did
what it was told; ``event.action`` says which of the two.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses
from triage.parsers.vendor_pairs import Table, account, move, put

MAX_READ = 2_000
_V4, _V6 = r"(?:\d{1,3}\.){3}\d{1,3}", r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,40}(?:\.\d{1,3}){0,3}"
_ADDRESS = rf"(?:{_V4}|{_V6})(?![\w.])"
#: Where the device knows names for addresses it writes those.
_NAMED = rf"(?:{_ADDRESS}|[A-Za-z][\w.-]{{0,254}}+(?!:))"


def _end(side: str, *, port: str = "/") -> str:
    """One end: ``interface:address/port (translated/port)(user)``, most of it optional; its groups begin with side."""
    between = "/" if port == "(" else ":(?!:)"
    number = rf"\((?P<{side}_port>\d{{1,5}})\)" if port == "(" else rf"/(?P<{side}_port>[\w-]{{1,32}})"
    return (
        rf"(?:(?P<{side}_interface>NP Identity Ifc|[\w.-]{{1,64}}){between})?\(?(?P<{side}>{_NAMED})\)?(?:{number})?"
        rf"(?: ?\((?P<{side}_nat>{_NAMED})(?:/(?P<{side}_nat_port>\d{{1,5}}))?\))?"
        rf"(?:\((?P<{side}_user>(?:LOCAL\\)?[^()\s][^()]{{0,127}})\)(?! ?\())?"
    )


_A, _B = _end("a"), _end("b")
#: Shapes of a sentence; group ``a`` is the one that began it, ``b`` the other. The first that is found counts.
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("->", re.compile(rf"(?<![\w:.]){_end('a', port='(')}(?:\([\w\\.@ -]{{1,128}}\))? -> {_end('b', port='(')}")),
    (
        "faddr",
        re.compile(
            rf"faddr (?P<b>{_NAMED})(?:/(?P<b_port>\d{{1,5}}))?(?:\((?P<b_user>[^()]{{1,128}})\))? "
            rf"gaddr (?P<a_nat>{_NAMED})(?:/(?P<a_nat_port>\d{{1,5}}))? laddr (?P<a>{_NAMED})"
            r"(?:/(?P<a_port>\d{1,5}))?"
        ),
    ),
    (" SRC ", re.compile(rf" SRC (?P<a>{_ADDRESS}) DEST (?P<b>{_ADDRESS})")),
    (
        " Accessed ",
        re.compile(
            rf"(?P<a>{_ADDRESS})(?:\((?P<a_user>[^()]{{1,128}})\))? Accessed .{{0,60}}?"
            rf"(?P<b>{_NAMED}|{_V4}):(?:[a-z]{{2,8}}:/)?/"
        ),
    ),
    (
        "laddr",
        re.compile(rf"laddr (?P<a>{_ADDRESS}) on interface (?P<a_interface>[\w.-]{{1,64}}) to (?P<b>{_ADDRESS})"),
    ),
    ("Remote:", re.compile(rf"Local:(?P<a>{_V4}):(?P<a_port>\d{{1,5}}) Remote:(?P<b>{_V4}):(?P<b_port>\d{{1,5}})")),
    (" between ", re.compile(rf" between (?P<a>{_ADDRESS}) and (?P<b>{_ADDRESS})")),
    (" to ", re.compile(rf"(?:from|for) {_A}(?: \(type \d{{1,3}}, code \d{{1,3}}\)| \w[\w.@\\-]{{0,63}})? to {_B}")),
    (" dst ", re.compile(rf"src {_A} dst {_B}")),
    (
        "server",
        re.compile(
            rf"server ?= {{0,2}}(?P<b>{_ADDRESS})(?: ?[,:] ?[Uu]ser ?= ?[^:,]{{1,128}}: user IP = (?P<a>{_ADDRESS}))?"
        ),
    ),
    (" User ", re.compile(rf" IP [<(]?(?P<a>{_ADDRESS})[>)]?")),
    ("IP = ", re.compile(rf"(?<![\w.])IP = (?P<a>{_ADDRESS})")),
    ("Addr ", re.compile(rf", Addr (?P<a>{_ADDRESS})")),
    ("local-host", re.compile(rf"local-host {_A}")),
    ("address", re.compile(rf"IP address:? (?P<a>{_ADDRESS})")),
    ("from", re.compile(rf"[Ff]rom (?:IP )?{_A}")),
    ("for ", re.compile(rf"for (?:user \S{{1,64}} at )?{_A}")),
)  # fmt: skip
_USERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![\w])Username(?: = | ?: ?)['\"]?(?P<name>[^\s,'\"]{1,128})",
        r"(?<![\w])User <(?P<name>[^<>]{1,128})>",
        r"(?<![\w])[Uu]ser ?= ?['\"]?(?P<name>[^\s,:'\")]{1,128})",
        r"(?<![\w])Uname: (?P<name>[^\s,]{1,128})",
        r"(?<![\w])User ['\"](?P<name>[^'\"]{1,128})['\"]",
        r"(?<![\w])for user ['\"]?(?P<name>[^\s'\"]{1,128})",
        r"DAP: User (?P<name>[^\s,]{1,128})",
        r"Group \S{1,128} User (?P<name>\S{1,128}) IP ",
        r"(?:, user|failed\. User|, username) (?P<name>[^\s,]{1,128})",
    )
)
_RULES = re.compile(r"(?:access-group \"?|access-list |by ACL )(?P<name>[^\s\",]{1,128})")
_GROUP = re.compile(r"(?<!\w)[Gg]roup(?: = | )<?(?P<name>[^\s<>,]{1,128})")
_INTERFACE = re.compile(r"on interface \"?(?P<name>[\w.-]{1,64})")
_TRANSPORT = re.compile(r"(?<![\w-])(tcp|udp|icmpv?6?|ipv6-icmp|sctp|gre|esp|igmp)(?![\w-])", re.IGNORECASE)
_AMOUNT = re.compile(r"duration (?P<h>\d{1,6}):(?P<m>\d\d):(?P<s>\d\d)(?: (?:forwarded )?bytes (?P<bytes>\d{1,15}))?")
_SESSION = re.compile(
    r"Duration: (?:(?P<d>\d{1,5})d )?(?P<h>\d{1,6})h:(?P<m>\d\d)m:(?P<s>\d\d)s, Bytes xmt: (?P<sent>\d{1,15}), "
    r"Bytes rcv: (?P<received>\d{1,15})"
)
_COMMAND = re.compile(r"(?:executed cmd: |executed |Command=)['\"]?(?P<command>[^'\"]{1,512})")
_URL = re.compile(r"(?:URL (?:[\w.:]{2,45}:(?=\w{2,6}:))?)(?P<url>[a-z]{2,8}://\S{1,1024})")
_PERMITTED = re.compile(r"(?<!\w)(?:permitted|est-allowed|allowed)(?!\w)")

Meaning = tuple[str, str, str]
#: Message numbers -> category, action, outcome. An action of "" is told by the sentence's own first word.
_MEANINGS: dict[str, Meaning] = {}


def _mean(numbers: str, category: str, action: str, outcome: str = "") -> None:
    for number in numbers.split():
        _MEANINGS[number] = (category, action, outcome)


_mean("106001 106006 106007 106010 106011 106012 106013 106014 106015 106016 106017 106018 106020 106021 106022 106023"
      " 106027 304002 313001 313004 313008 313009 322001 410001 500003 500004 710003 710005 710006",
      "network", "denied", "success")  # fmt: skip
_mean("106100 106102 106103 338001 338002 338003 338004 338005 338006 338007 338008 338101 338102 338103 338104 338201"
      " 338202 338203 338204", "network", "decided", "success")  # fmt: skip
_mean("302013 302015 302017 302020 302022 302024 302026 302303 302305", "network", "connection-started")
_mean("302014 302016 302018 302021 302023 302025 302027 302304 302306", "network", "connection-finished")
_mean("305009 305011 609001", "network", "created")
_mean("305010 305012 609002", "network", "removed")
_mean("304001", "web", "accessed", "success")
_mean("110002 110003", "network", "routing", "failure")
_mean("602303 ", "network", "created", "success")
_mean("602304", "network", "deleted", "success")
_mean("434002", "network", "drop")
_mean("434004", "network", "bypass")
_mean("109005 113004 113012 605005 611101 716038 734001", "authentication", "login", "success")
_mean("109006 113005 113015 113017 113021 308001 605004 611102 716039", "authentication", "login", "failure")
_mean("315011 611103 716002 113019 722023 722037", "session", "logout")
_mean("113039 716001 722022 722033 722034 722051", "session", "session-started")
_mean("111004", "configuration", "configured", "success")
_mean("111008 111009 111010", "configuration", "command")
_mean("109007", "authentication", "authorization", "success")
_mean("109008", "authentication", "authorization", "failure")
_mean("502101", "iam", "user-created", "success")
_mean("502102", "iam", "user-deleted", "success")
_mean("603104 603106 725001", "network", "tunnel-started")
_mean("603105 603107 725007", "network", "tunnel-finished")
_mean("710001 710002", "network", "allowed", "success")
_mean("710004", "network", "denied", "success")
_mean("507003", "network", "connection-finished")
_mean("733100 733101", "network", "threat-detected")
_mean("502103", "iam", "privilege-changed")
_mean("713120 713049", "network", "negotiated", "success")
_mean("713901 713902 713904 713905 713903 750003", "network", "error")
_mean("750002", "network", "connection-started")
_FAILED = re.compile(r"(?i)unacceptable|fail(?:ed|ure)|rejected|error")
_DENIED_WORDS = re.compile(r"(?<!\w)(?:denied|dropped)(?!\w)")


def read(number: str, text: str, fields: Fields) -> None:
    """Fill in what a message says."""
    if number in _SECURITY_EVENTS:
        _read_security_event(number, text, fields)
        return
    _read_meaning(number, text, fields)
    opened_by_b = " outbound " in text[:80] and text.startswith("Built") and "faddr" not in text
    _read_ends(text, fields, swapped=opened_by_b or number == "607001")
    _read_user(number, text, fields)
    _read_rest(text, fields)


def _read_meaning(number: str, text: str, fields: Fields) -> None:
    category, action, outcome = _MEANINGS.get(number, ("", "", ""))
    if action == "decided":
        denied = _DENIED_WORDS.search(text) is not None
        action = "denied" if denied else "allowed" if _PERMITTED.search(text) is not None else "alert"
    if action == "error" and _FAILED.search(text) is not None:
        outcome = "failure"
    for name, value in (("event.category", category), ("event.action", action), ("event.outcome", outcome)):
        if value:
            fields[name] = value


def _read_ends(text: str, fields: Fields, *, swapped: bool) -> None:
    for mark, pattern in _SHAPES:
        found = pattern.search(text, 0, MAX_READ) if mark in text else None
        if found is None:
            continue
        groups = found.groupdict()
        sides = ("destination", "source") if swapped else ("source", "destination")
        for letter, side in zip("ab", sides, strict=True):
            if groups.get(letter):
                _put_end(letter, side, groups, fields)
        if "source.ip" in fields and "destination.ip" in fields:
            fields.setdefault("event.category", "network")
        return


def _put_end(letter: str, side: str, groups: dict[str, str | None], fields: Fields) -> None:
    named = groups[letter] or ""
    if not addresses.put(fields, side, named, groups.get(f"{letter}_port")):
        fields[f"{side}.domain"] = named.lower()
        put(fields, f"{side}.port", groups.get(f"{letter}_port") or "")
    translated, interface = groups.get(f"{letter}_nat"), groups.get(f"{letter}_interface")
    if translated and translated != groups[letter]:
        put(fields, f"{side}.nat.ip", translated)
        put(fields, f"{side}.nat.port", groups.get(f"{letter}_nat_port") or "")
    if interface:
        fields["observer.ingress.interface.name" if side == "source" else "observer.egress.interface.name"] = interface
    user = groups.get(f"{letter}_user")
    if user and not user.startswith(("type ", "any")):
        fields[f"{side}.user.name"] = user.rpartition("\\")[2].partition(",")[0]


def _read_user(number: str, text: str, fields: Fields) -> None:
    for pattern in _USERS:
        found = pattern.search(text, 0, MAX_READ)
        if found is not None and put(fields, "user.name", found["name"].rstrip(".;")):
            break
    for name in ("source.user.name", "destination.user.name"):
        if "user.name" not in fields and name in fields:
            fields["user.name"] = fields[name]
    account(fields)
    group = _GROUP.search(text, 0, MAX_READ) if number[:3] in ("113", "713", "716", "722") else None
    if group is not None:
        fields["user.group.name"] = group["name"]


def _read_rest(text: str, fields: Fields) -> None:
    rule, command, url = _RULES.search(text), _COMMAND.search(text, 0, MAX_READ), _URL.search(text, 0, MAX_READ)
    if rule is not None:
        fields["rule.name"] = rule["name"]
    transport = _TRANSPORT.search(text, 0, 120)
    if transport is not None and fields.get("event.category") == "network":
        put(fields, "network.transport", transport[1].lower())
    amount = _AMOUNT.search(text, 0, MAX_READ)
    if amount is not None:
        seconds = int(amount["h"]) * 3600 + int(amount["m"]) * 60 + int(amount["s"])
        fields["event.duration"] = seconds * 1_000_000_000
        put(fields, "network.bytes", amount["bytes"] or "")
    session = _SESSION.search(text, 0, MAX_READ)
    if session is not None:
        seconds = (
            int(session["d"] or 0) * 86_400 + int(session["h"]) * 3600 + int(session["m"]) * 60 + int(session["s"])
        )
        fields["event.duration"] = seconds * 1_000_000_000
        fields["source.bytes"], fields["destination.bytes"] = int(session["received"]), int(session["sent"])
    on = _INTERFACE.search(text, 0, MAX_READ)
    if on is not None:
        fields.setdefault("observer.ingress.interface.name", on["name"])
    if command is not None:
        fields["process.command_line"] = command["command"].strip()
    if url is not None:
        fields["url.original"] = url["url"]


#: Number of a Threat Defense event -> category and what it is.
_SECURITY_EVENTS: dict[str, tuple[str, str]] = {
    "430001": ("intrusion_detection", "alert"),
    "430002": ("network", "connection-started"),
    "430003": ("network", "connection-finished"),
    "430004": ("file", "file-detected"),
    "430005": ("malware", "malware-detected"),
}
_TABLE = Table(
    "cisco.ftd.",
    {
        "source.ip": "srcip initiatorip", "destination.ip": "dstip responderip", "source.port": "srcport",
        "destination.port": "dstport", "source.bytes": "initiatorbytes", "destination.bytes": "responderbytes",
        "source.packets": "initiatorpackets", "destination.packets": "responderpackets",
        "network.transport": "protocol", "network.protocol": "applicationprotocol", "user.name": "user",
        "observer.ingress.interface.name": "ingressinterface", "observer.egress.interface.name": "egressinterface",
        "observer.ingress.zone": "ingresszone", "observer.egress.zone": "egresszone", "rule.id": "sid",
        "rule.name": "message accesscontrolrulename", "rule.category": "classification",
        "source.nat.ip": "nat_initiatorip", "destination.nat.ip": "nat_responderip",
        "source.nat.port": "nat_initiatorport", "destination.nat.port": "nat_responderport",
        "url.original": "url uri", "dns.question.name": "dnsquery", "file.name": "filename",
        "file.hash": "filesha256", "file.size": "filesize", "threat.software.name": "threatname",
        "http.request.method": "httpmethod", "user_agent.original": "useragent", "http.request.referrer": "httpreferer",
        "http.response.status_code": "httpresponse", "network.application": "webapplication",
    },
)  # fmt: skip
_ACTION_KEYS = ("AccessControlRuleAction", "FileAction", "InlineResult")
_STOPPED: tuple[str, ...] = ("block", "drop", "reset", "deny", "denied")
_LET_PASS: tuple[str, ...] = ("allow", "trust", "permit")


def _read_security_event(number: str, text: str, fields: Fields) -> None:
    """``SrcIP: 192.0.2.7, DstIP: ..., Protocol: tcp, ...``; a value may hold ``, `` where no key follows."""
    pairs: dict[str, str] = {}
    last = ""
    for part in text[:16_384].split(", ")[:160]:
        key, colon, value = part.partition(": ")
        if colon and _is_key(key):
            last = key
            pairs[last] = value.strip()
        elif last:
            pairs[last] += ", " + part
    category, action = _SECURITY_EVENTS[number]
    said = next((pairs[key].lower() for key in _ACTION_KEYS if pairs.get(key)), "")
    if said.startswith(_STOPPED):
        action = "denied"
    elif said.startswith(_LET_PASS) and category == "network":
        action = "allowed"
    move(pairs, _TABLE, fields)
    account(fields)
    fields["event.category"], fields["event.action"] = category, action


def _is_key(text: str) -> bool:
    return len(text) <= 48 and text[:1].isalpha() and text.replace("_", "").isalnum()
