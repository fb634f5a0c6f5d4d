"""Names in a claim: addresses, domains, hashes, paths, users, hosts, processes, and what is quoted.

Handed: a claim's draft and the evidence it cites, and all evidence. Hands on: a :class:`Trouble` for each name that
is not there. What looks like an identifier (digits, dots, backslashes, underscores, inner capitals) must be in the
evidence; a word made of letters only when it stands where a name stands and is no ordinary English.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from triage import ecs
from triage.explainers.grounding_index import V4, V6, Index, address
from triage.explainers.grounding_text import BLOT, Draft, is_plain, occurs


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a claim does not rest on what it cites; ``misplaced`` when a line that it does not cite would bear it."""

    text: str
    misplaced: bool = False


@dataclass(frozen=True, slots=True)
class Basis:
    """What a claim is held against: the lines it cites, and all lines of the alert."""

    cited: Index
    whole: Index

    def judge(self, what: str, test: Callable[[Index, str], bool], wanted: str) -> Iterator[Trouble]:
        """Yield nothing when the cited lines have what is wanted, otherwise what is wrong."""
        if test(self.cited, wanted):
            return
        if test(self.whole, wanted):
            yield Trouble(f"{what} is not in the cited lines", misplaced=True)
        else:
            yield Trouble(f"{what} is in no evidence line")


_QUOTED = re.compile(r"\"([^\"]{1,300})\"|(?<![\w])'([^']{1,300})'(?!\w)")
#: In front of a quotation: what follows is a value, or a part of one.
_TELLS = re.compile(
    r"\b(?:contain(?:s|ed|ing)?|named|called|titled|names?|folder|subject|words?|keywords?|values?|reads|label(?:led)?|parameter|"
    r"string|password|action|category)\W*$",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\b(?:suffix|prefix|extension|ending|begins? with|starts? with|ends? with|letters|part)\W*$", re.IGNORECASE
)
_URL = re.compile(r"\b[a-z][a-z0-9+]{1,9}://[^\s\"'<>]+", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}")
_WINDOWS = re.compile(r"(?<!\w)(?:[A-Za-z]:\\|\\\\|HK[A-Z_]{1,22}\\)[^\s\"'<>|*?,;()]+")
_UNIX = re.compile(r"(?<![\w./\u25a0])~?/[\w.@%+=:~-]+(?:/[\w.@%+=:~-]*)*")
_WILD = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){0,2})\.(?:x|\*)(?:\.(?:x|\*)){0,2}(?!\w)")
_TOKEN = re.compile(r"[^\s\"'<>()\[\]{},;|\u25a0]+")
_EDGES = ".:!?*"
_HEX = re.compile(r"[0-9a-f]{8,64}")
#: Three words and more with hyphens and no small word between them are a name: a rule, a bucket, a job.
_COMPOUND = re.compile(r"[a-z]+(?:-[a-z]+){2,6}", re.IGNORECASE)
_FUNCTION = frozenset(
    "a an and as at by for in it more no non not of off on one or out than the to two up with you".split()
)
#: Written with digits or inner capitals, but no name of anything in the evidence.
_TERMS = re.compile(
    r"(?:ipv[46]|sha-?\d{1,3}|md5|utf-?\d{1,2}|base\d\d|x(?:86|64)(?:_64)?|win(?:32|64)|[1-5]xx|2fa|"
    r"c2|l[2-7]|oauth2?|s3|ec2|"
    r"log4j|http/?[123](?:\.[01])?|tls ?1?\.?\d?|ntlmv[12]|smbv?[123]|e\.g|i\.e|etc|vs|u\.s|a\.m|p\.m|"
    r"24/7|24x7|\d+(?:st|nd|rd|th)|"
    r"att&ck|r&d|q&a|and/or|powershell|vmware|javascript|github|gitlab|linkedin|openssh|openssl|mysql|"
    r"postgresql|nosql|"
    r"cloudtrail|guardduty|devops|devsecops|iot|macos|ios|wifi|onedrive|sharepoint|outlook|zscaler|"
    r"ids|ips|vpns?|apis?|urls?|"
    r"ips|pids?|sids?|guids?|uuids?|ids|dnssec|netflow|sysmon|cmdlets?|kerberos|winrm|psexec|saas|"
    r"paas|iaas|mitm|dos|ddos|rdp|smb)",
    re.IGNORECASE,
)
#: Proper names that need no evidence line.
_PROPER_NAMES = (
    "windows linux unix microsoft google amazon azure apple cisco fortinet kerberos python java "
    "javascript perl ruby bash sysmon "
    "ubuntu debian redhat centos apache nginx docker kubernetes oracle android chrome firefox safari "
    "mozilla edge excel word outlook "
    "teams slack okta splunk elastic wazuh suricata zeek active directory entra defender mitre "
    "english internet utc gmt i "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june "
    "july august september october "
    "november december christmas easter europe america asia africa germany france china russia "
    "brazil india tor unicode ethernet wordpress drupal joomla php laravel django tomcat iis exchange citrix vmware "
    "android samsung intel nvidia posix gnu debian fedora suse alpine homebrew npm pypi maven gradle terraform ansible "
    "puppet chef jenkins jira confluence salesforce dropbox zoom webex skype signal telegram whatsapp discord twitter "
    "facebook instagram youtube reddit cloudflare akamai fastly letsencrypt crowdstrike sentinel carbon qualys nessus "
    "tenable rapid"
)
#: Tools that a claim may mention as an example, not as what was seen.
_TOOLS = frozenset(
    (
        "metasploit mimikatz bloodhound rubeus hydra medusa hashcat nmap masscan sqlmap nikto burp shodan censys cobalt "
        "impacket responder rclone ngrok netcat psexec zmap wpscan gobuster ffuf nuclei empire sliver chisel anydesk "
        "teamviewer megasync winrar procdump adfind seatbelt ncrack patator crackmapexec"
    ).split()
)
_EXAMPLE = re.compile(
    r"\b(?:such as|e\.g\.?|for example|for instance|tools|(?:tools|programs|software|frameworks|utilities) like|could|may|"
    r"might|similar to)\b",
    re.IGNORECASE,
)
PROPER = frozenset(_PROPER_NAMES.split())
_ROLE = re.compile(
    r"\b(?:user ?names?|users?|accounts?|account names?|identit(?:y|ies)|principals?|host ?names?|"
    r"hosts?|machines?|servers?|"
    r"workstations?|computers?|endpoints?|nodes?|processes|process|programs?|binar(?:y|ies)|"
    r"executables?|images?|services?|daemons?|"
    r"domains?|roles?|buckets?|databases?|containers?|pods?|tools?|malware|scripts?|operators?|"
    r"administrators?|employees?|"
    r"colleagues?|analysts?|named|called|dubbed|titled|log-?ins? (?:by|of|for|from|as)|"
    r"aliase?s?)\s+(?:(?:named|called|account|name|user)\s+)?"
    r"(?=(?P<name>[^\W\d_][\w'-]*))",
    re.IGNORECASE,
)
_SLOT = re.compile(
    r"\b(?:by|as|for|from|on|onto|to|at|against|of|with|via|into|in|towards?|between|through|behind|"
    r"under|using|inside|near|"
    r"ran|run|runs|running|executed|launched|started|spawned|invoked|opened|dropped|used|contacted|"
    r"resolved|queried)\s+(?:the\s)?"
    r"(?=(?P<name>[^\W\d_][\w'-]*))",
    re.IGNORECASE,
)
_OWNER = re.compile(r"(?<![\w.])(?P<name>[^\W\d_][\w-]*)'s?(?!\w)")
_BESIDE = re.compile(
    rf"{BLOT}\s*(?:,|and|or|&)\s+(?:and\s)?(?P<name>[^\W\d_][\w'-]*)|"
    rf"(?<![\w])(?P<other>[^\W\d_][\w'-]*) (?:and|or) {BLOT}"
)
_SUBJECT = re.compile(
    r"(?:^|[.;:,!?]\s+|\b(?:that|and|because|when|while|so|which|then|after|before|did|was|were|had|"
    r"has|if|whether)\s+)"
    r"(?P<name>[^\W\d_][\w'-]*)\s+(?:(?:then|also|has|had|first|again|successfully|just|later|soon|"
    r"once|never|did|tried|recently|suddenly)\s+)*"
    r"(?:\w{2,}(?:ed|s)|was|is|has|had|ran|did|got|made|sent|began|came|went|took|log|sign|"
    r"authenticate|use|start|run|connect)\b"
)
_CAPITAL = re.compile(r"(?<=[\w,;)\u25a0'\"] )(?P<name>[A-Z][a-z][\w'-]*)")
#: Any longer word that no list of English knows.
_ANY = re.compile(r"(?<![\w'.@\\/-])(?P<name>[^\W\d_]{4,}(?:-[^\W\d_]+)*)(?![\w@\\/]|\.\w)")
_INNER = re.compile(r"[a-z][A-Z]|[A-Z]{2,}[a-z]{2,}")
_DOES = re.compile(
    r"\s+(?:connected|connects|talked|talks|sent|reached out|contacted|contacts|scanned|scans|"
    r"attacked|probed|queried)\b",
    re.IGNORECASE,
)
_SUFFERS = re.compile(
    r"\s+(?:was|is|were|got|has been|had been)\s+(?:contacted|reached|hit|scanned|attacked|probed|"
    r"queried|targeted)\b",
    re.IGNORECASE,
)
_DIRECTED = re.compile(
    r"(?P<word>\bfrom|\bto|\btowards?|\bagainst|\b(?:bound|destined|headed) for|\bleft|(?:contacted|reached|hit|scanned|attacked|probed|"
    r"queried|sent) by)\s+(?:the\s)?(?:address\s|host\s|ip\s|server\s|source\s|client\s)?$",
    re.IGNORECASE,
)
_TOWARDS = re.compile(r"to|against|bound|destined|headed", re.IGNORECASE)
_NAMED_SIDE = re.compile(
    r"[\s,]+(?:(?:is|was|being|as)\s+)?(?:the|an?)\s(?:\w+\s)?(?:(?P<source>caller|client|sender|source|origin|initiator|"
    r"attacker)|callee|target|destination|receiver|recipient|victim|server)\b",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"\b(?:could|may|might|would|pivot|repl|respon|answer|return|receiv|fetch|download|read|got|came "
    r"back|moved|mov)\w*",
    re.IGNORECASE,
)


def troubles(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with the names of a claim, in the order in which they are looked for; blots them out."""
    _repeated(draft, basis)
    yield from _quoted(draft, basis)
    yield from _urls(draft, basis)
    yield from _addresses(draft, basis)
    yield from _values(draft, basis)
    yield from _paths(draft, basis)


def _repeated(draft: Draft, basis: Basis) -> None:
    """Take out what repeats an evidence line word for word."""
    for sentence in basis.whole.sentences:
        start = draft.rest.lower().find(sentence)
        if start >= 0 and _stands_alone(draft.rest, start, start + len(sentence)) and sentence in basis.cited.text:
            draft.blot(start, start + len(sentence))


def _quoted(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Check quotations; a quoted ordinary word or two may be the writer's own."""
    for match in list(_QUOTED.finditer(draft.rest)):
        inner = (match[1] or match[2] or "").strip(" .,;:")
        words = inner.split()
        told = draft.text[: match.start()][-40:]
        if not inner or (len(words) <= 2 and all(is_plain(word) for word in words) and not _TELLS.search(told)):
            continue
        if _PART.search(told) and inner.lower() in basis.cited.text:
            continue
        if BLOT in inner and not any(c.isalnum() for c in inner):
            continue
        if BLOT in inner:  # part of it repeats a line; the rest is looked at below
            continue
        wanted = inner.lower()
        yield from basis.judge(f'"{_short(inner)}"', _has_text, wanted)
        draft.facts.append(wanted)
        draft.blot(match.start(), match.end())


def _urls(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    for match in list(_URL.finditer(draft.rest)):
        url = match.group().rstrip(".,;:!?)]")
        draft.blot(match.start(), match.start() + len(url))
        draft.facts.append(url)
        yield from basis.judge(url, _has_url, url.lower())
    for match in list(_MAIL.finditer(draft.rest)):
        mail = match.group().rstrip(".")
        draft.blot(match.start(), match.start() + len(mail))
        draft.facts.append(mail)
        yield from basis.judge(mail, _has_domain, mail.lower())


def _has_url(index: Index, url: str) -> bool:
    """Tell whether a URL is there as a whole, or its host and its path are."""
    if occurs(url.rstrip("/"), index.text):
        return True
    host, _, path = url.partition("://")[2].partition("/")
    found = occurs(host.partition(":")[0], index.text, domain=True)
    return found and (not path or f"/{path}" in index.text)


def _addresses(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    for match in list(V4.finditer(draft.rest)) + list(V6.finditer(draft.rest)):
        canonical = address(match[1])
        if not canonical and match.re is V6:
            continue
        before = draft.text[: match.start()]
        draft.blot(match.start(), match.end())
        draft.facts.append(canonical)
        if match[2]:
            yield from basis.judge(match[0], _in_network, f"{match[1]}/{match[2]}")
            continue
        yield from basis.judge(match[1], _has_address, canonical)
        yield from _direction(canonical, before, draft.text[match.end() :], basis)
        if match.re is V4 and match[3]:
            yield from basis.judge(f"port {match[3]}", _has_port, match[3])
    for match in draft.take(_WILD):
        yield from basis.judge(match[0], _has_neighbour, f"{match[1]}.")


def _has_text(index: Index, wanted: str) -> bool:
    return occurs(wanted, index.text)


def _has_domain(index: Index, wanted: str) -> bool:
    return occurs(wanted, index.text, domain=True)


def _has_address(index: Index, canonical: str) -> bool:
    return canonical in index.addresses


def _has_neighbour(index: Index, start: str) -> bool:
    return any(held.startswith(start) for held in index.addresses)


def _has_port(index: Index, port: str) -> bool:
    return float(port) in index.numbers.roles.get("port", index.numbers.every)


def _in_network(index: Index, text: str) -> bool:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return text in index.text or (
        network.prefixlen >= 8 and any(ipaddress.ip_address(held) in network for held in index.addresses)
    )


def _direction(value: str, before: str, after: str, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble when a claim says "from" of what is only a destination, or "to" of what is only a source."""
    said = _said_side(before, after)
    sides = basis.whole.roles.get(value)
    if not said or not sides or _REPLY.search(before):
        return
    held = frozenset().union(*basis.whole.roles.values())
    if said == "source" and sides <= {"destination", "server"} and held & {"source", "client"}:
        yield Trouble(f"{value} is where it went to, not where it came from")
    if said == "destination" and sides <= {"source", "client"} and held & {"destination", "server"}:
        yield Trouble(f"{value} is where it came from, not where it went to")


def _said_side(before: str, after: str) -> str:
    """Return which side of the traffic the words around an address give it, empty when they say nothing."""
    found = _DIRECTED.search(before[-40:])
    if found:
        return "destination" if _TOWARDS.match(found["word"]) else "source"
    named = _NAMED_SIDE.match(after)
    if named:
        return "source" if named["source"] else "destination"
    if _DOES.match(after):
        return "source"
    return "destination" if _SUFFERS.match(after) else ""


def _values(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Take out field values of the evidence, longest first."""
    own = set(basis.cited.values)
    for value in basis.whole.values:
        if value.replace(",", "").replace(".", "").isdigit():
            continue
        start = draft.rest.lower().find(value)
        while start >= 0:
            if _stands_alone(draft.rest, start, start + len(value)):
                draft.blot(start, start + len(value))
                draft.facts.append(value)
                if value not in own and not occurs(value, basis.cited.text):
                    yield Trouble(f"{_short(value)} is not in the cited lines", misplaced=True)
            start = draft.rest.lower().find(value, start + len(value))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Tell whether a span is not the part of a longer name or path."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 2]
    if before and (before.isalnum() or before in "_-.\\/@"):
        return False
    if not after or not (after[0].isalnum() or after[0] in "_-\\/@.:$"):
        return True
    return after[0] in ".:-/" and not (len(after) == 2 and (after[1].isalnum() or after[1] in "_\\/"))


def _paths(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    for pattern in (_WINDOWS, _UNIX):
        for match in list(pattern.finditer(draft.rest)):
            path = match.group().rstrip(".,;:!?)")
            draft.blot(match.start(), match.start() + len(path))
            draft.facts.append(path)
            wanted = path.lower().rstrip("/\\")
            yield from basis.judge(path, _has_path, wanted)


def _has_path(index: Index, wanted: str) -> bool:
    return occurs(wanted, index.text) or occurs(wanted.replace("\\", "\\\\"), index.text)


def tokens(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with the words that look like identifiers; runs after times and numbers are out."""
    for match in list(_TOKEN.finditer(draft.rest)):
        token = match.group().strip(_EDGES) + ("\u2026" if match.group().endswith("...") else "")
        token = token.removesuffix("'s").removesuffix("'")
        bare = token.rstrip("\u2026")
        structured = _structured(token) or _is_kind(token.lower(), basis.whole)
        if len(token) < 2 or (bare.isalnum() and not _structured(bare)):
            continue
        if token.isdigit() or not structured or _TERMS.fullmatch(token) or bare.lower() in PROPER:
            continue
        draft.blot(match.start(), match.end())
        draft.facts.append(token)
        yield from basis.judge(token, _has_token, token)


def _structured(token: str) -> bool:
    if token.isalpha():
        return bool(_INNER.search(token))
    if _COMPOUND.fullmatch(token) and not _FUNCTION.intersection(token.lower().split("-")):
        return True
    if all(part.isalpha() or not part for part in re.split(r"[-/&]", token)):
        return any(_INNER.search(part) for part in token.split("/"))
    return any(character.isalnum() for character in token)


def _has_token(index: Index, token: str) -> bool:
    lowered = token.lower()
    if occurs(lowered, index.text, domain="." in lowered) or _TERMS.fullmatch(token):
        return True
    if "." in token and _is_field(lowered):
        return True
    stem = lowered.rstrip(".\u2026")
    if len(stem) >= 6 and lowered != stem and stem in index.text:
        return True
    if (
        len(stem) >= 8
        and _HEX.fullmatch(stem)
        and re.search(rf"(?<![0-9a-f]){stem}[0-9a-f]|[0-9a-f]{stem}(?![0-9a-f])", index.text)
    ):
        return True
    parts = [part for part in re.split(r"[=/]", lowered) if part]
    if "/" in lowered and _is_kind(lowered, index):
        return False
    return len(parts) > 1 and all(part.isdigit() or is_plain(part) or occurs(part, index.text) for part in parts)


def _is_kind(token: str, index: Index) -> bool:
    """Tell whether the evidence has other names of the form that a token has: roles/owner, for roles/editor."""
    return "/" in token and occurs(token.partition("/")[0] + "/", index.text.replace("/", "/ "))


def _is_field(name: str) -> bool:
    first, *rest = name.split(".")
    return first in ecs.FIELD_SETS and all(
        is_plain(part.replace("_", "-")) or part in {"ip", "mac", "id"} for part in rest
    )


def names(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield words of letters that are neither English nor in the evidence; short ones where a name stands."""
    seen: set[str] = set()
    for pattern in (_ROLE, _SLOT, _OWNER, _BESIDE, _SUBJECT, _CAPITAL, _ANY):
        for match in pattern.finditer(draft.rest):
            word = next(text for text in match.groupdict().values() if text).removesuffix("'s").strip("'-")
            lowered = word.lower()
            if lowered in seen or len(word) < 2 or lowered in PROPER or is_plain(word) or _is_initials(word):
                continue
            if _TERMS.fullmatch(word) or lowered.removesuffix("s") in PROPER:
                continue
            if lowered in _TOOLS and _EXAMPLE.search(draft.text[max(0, match.start() - 80) : match.end()]):
                continue
            seen.add(lowered)
            draft.facts.append(lowered)
            yield from basis.judge(word, _has_name, lowered)


def _is_initials(word: str) -> bool:
    """Tell whether a word is an abbreviation such as SSH, NTLM or VPNs."""
    return word.removesuffix("s").isupper() and len(word) <= 7


def _has_name(index: Index, lowered: str) -> bool:
    return occurs(lowered, index.text) or (lowered.endswith("s") and occurs(lowered[:-1], index.text))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}\u2026"
