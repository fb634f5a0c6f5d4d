"""What records mean: the room that turns every record into exactly one event in ECS terms.

Handed: records of one batch, in order. Hands on: as many :class:`~triage.contracts.ParsedEvent`, in the same
order, whatever the records hold. A parser is remembered per shape of record, so that choosing among all of
them happens once per shape, not once per event.
"""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Any, cast

from triage import plugins
from triage.contracts import ParsedEvent, Record
from triage.parsers import ecs_json, fallback, phrases
from triage.parsers.base import BatchParser, Parser
from triage.parsers.finish import MAX_FIELDS, clean_fields, flatten, is_sound
from triage.parsers.json_text import decode_object
from triage.parsers.layouts import DocumentParser
from triage.parsers.times import DAY, EARLIEST

logger = logging.getLogger(__name__)

GROUP = "winnow.parsers"
#: Plug-in name -> dotted path. Ties between claims go to the earlier row.
TABLE: dict[str, str] = {
    "windows": "triage.parsers.windows:Windows",
    "cloudtrail": "triage.parsers.cloudtrail:CloudTrail",
    "zeek": "triage.parsers.zeek:Zeek",
    "suricata": "triage.parsers.suricata:Suricata",
    "ocsf": "triage.parsers.ocsf:Ocsf",
    "gcp": "triage.parsers.gcp:GoogleCloud",
    "azure": "triage.parsers.azure:Azure",
    "okta": "triage.parsers.okta:Okta",
    "kubernetes_audit": "triage.parsers.kubernetes_audit:KubernetesAudit",
    "microsoft365": "triage.parsers.microsoft365:Microsoft365",
    "guardduty": "triage.parsers.aws_findings:GuardDuty",
    "security_hub": "triage.parsers.aws_findings:SecurityHub",
    "route53_resolver": "triage.parsers.aws_queries:Route53Resolver",
    "aws_waf": "triage.parsers.aws_queries:AwsWaf",
    "aws_lines": "triage.parsers.aws_lines:AwsLines",
    "auth0": "triage.parsers.auth0:Auth0",
    "github_audit": "triage.parsers.github_audit:GitHubAudit",
    "gitlab_audit": "triage.parsers.github_audit:GitLabAudit",
    "google_workspace": "triage.parsers.google_workspace:GoogleWorkspace",
    "falco": "triage.parsers.falco:Falco",
    "wazuh": "triage.parsers.wazuh:Wazuh",
    "teleport": "triage.parsers.teleport:Teleport",
    "vault": "triage.parsers.vault:Vault",
    "sentinel_one": "triage.parsers.endpoint_alerts:SentinelOne",
    "crowdstrike": "triage.parsers.endpoint_alerts:CrowdStrike",
    "auditd": "triage.parsers.auditd:Auditd",
    "journald": "triage.parsers.journald:Journald",
    "web_json": "triage.parsers.web_json:WebJson",
    "w3c": "triage.parsers.w3c:W3c",
    "databases": "triage.parsers.databases:Databases",
    "devices": "triage.parsers.devices:Devices",
    "web_access": "triage.parsers.web_access:WebAccess",
    "syslog": "triage.parsers.syslog:Syslog",
    "linux_auth": "triage.parsers.linux_auth:LinuxAuth",
    "ecs_json": "triage.parsers.ecs_json:EcsJson",
    "web_lines": "triage.parsers.web_lines:WebLines",
    "key_values": "triage.parsers.key_values:KeyValues",
    "application": "triage.parsers.application:Application",
    "fallback": "triage.parsers.fallback:Fallback",
}
MAX_REMEMBERED = 1024
#: A claim below this is a guess ("it is JSON") and not remembered: the next record of that shape may be recognised,
#: and what a record means must not depend on what came before it.
SURE = 50
_ANY_JSON = "ecs_json"
#: Fields of a document that may say in words how something ended; what applications write for nobody.
_SAYING = ("error", "error.message", "reason", "event.action", "event", "type")
_NOBODY = frozenset({"--", "-", ""})
#: JSON inside text inside JSON: as deep as shippers really nest.
MAX_WRAPPED = 3
#: A text record is remembered by what its beginning looks like.
SHAPE_LENGTH = 20
_SHAPE = dict.fromkeys(range(48, 58), "0") | dict.fromkeys((*range(65, 91), *range(97, 123)), "a")
#: Keys a shipper adds around a line of text; a document with any other key is a document of its own.
_WRAPPING = frozenset(
    {
        "@timestamp",
        "@version",
        "timestamp",
        "time",
        "date",
        "_time",
        "host",
        "hostname",
        "service",
        "log_source",
        "log_type",
        "source",
        "sourcetype",
        "source_type",
        "agent",
        "ecs",
        "input",
        "tags",
        "fields",
        "log",
        "offset",
        "file",
        "path",
        "stream",
        "container",
        "kubernetes",
        "docker",
        "index",
        "event",
        "type",
        "facility",
        "logstream",
        "cloud",
        "labels",
        "env",
        "app",
        "data_stream",
        "elastic_agent",
        "id",
        "filename",
        "unit",
    }
)
#: What container runtimes (CRI) write before a container's own line.
_CONTAINER = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\S{8,28}) (?P<stream>stdout|stderr) [FP] (?P<text>.*)", re.DOTALL)
_TEXT_KEYS = ("message", "log", "msg", "_raw", "line", "MESSAGE")
#: Keys whose object may be a record of a format of its own, inside a wrapping.
_INNER_KEYS = ("json", "detail", "data", "body", "payload", "record", "result", "_source")
#: Keys whose text may be such a record as JSON, whatever is beside it; a shorter one has not enough to be known by.
_INNER_TEXTS = ("message", "Message", "event.original", "log", "_raw", "raw")
MIN_INNER = 40
#: What EventBridge puts around an event, and CloudWatch Logs around a line.
_BUS = frozenset({"version", "detail-type", "account", "region", "resources", "replay-name"})
_STREAM = frozenset({"logGroup", "logStream", "owner", "extractedFields"})
#: Parsers that take any object: what they make of an inner one is no reason to unwrap it.
_GENERAL = frozenset({"ecs_json", "fallback"})


@lru_cache(maxsize=1)
def load() -> dict[str, Parser]:
    """Return every parser by name, built-in ones first."""
    found = plugins.load_table(TABLE, GROUP)
    return {name: plugin() if isinstance(plugin, type) else plugin for name, plugin in found.items()}


def names() -> list[str]:
    """Return the names a source can be pinned to."""
    return list(load())


def parse(
    records: Sequence[Record], received_at: float, *, pinned: str = "", memory: dict[str, str] | None = None
) -> list[ParsedEvent]:
    """Return one event per record, in order; never raises.

    ``pinned`` names the parser to use for every record it understands. ``memory`` maps a record's shape to
    the parser that understood that shape last; the caller keeps one per source and hands it in again.
    """
    room = _Room(load(), received_at, pinned, {} if memory is None else memory)
    events: list[ParsedEvent | None] = [None] * len(records)
    for position in _reading_order(records):
        events[position] = room.read(records[position])
    room.settle()
    return cast(list[ParsedEvent], events)


def _reading_order(records: Sequence[Record]) -> Iterable[int]:
    """Return the positions of the records, like beside like: the interpreter is a third faster on a run of one kind.

    Where a line may be the header of those below it, the order is theirs.
    """
    contents = [record.content for record in records]
    if any(type(content) is str and (content[:1] == "#" or content[:8] == "version ") for content in contents):
        return range(len(records))
    shapes = [_shape(content) for content in contents]
    return sorted(range(len(records)), key=shapes.__getitem__)


def _claim_of(parser: Parser) -> tuple[str, Callable[[Any], int], bool]:
    """Return a parser's name, its claim, and whether that is made on the content alone: one call less a record."""
    if isinstance(parser, DocumentParser):
        return parser.name, parser.recognises, True
    return parser.name, parser.claim, False


class _Room:
    """The parsers and what is the same for all records of one call."""

    __slots__ = ("bare", "batch_parsers", "claims", "keep", "memory", "parsers", "pinned", "received_at")

    def __init__(self, parsers: dict[str, Parser], received_at: float, pinned: str, memory: dict[str, str]) -> None:
        self.batch_parsers: list[BatchParser] = [
            parser.for_batch() for parser in parsers.values() if isinstance(parser, BatchParser)
        ]
        self.parsers = parsers | {parser.name: parser for parser in self.batch_parsers}
        self.claims = {
            name: [_claim_of(parser) for parser in self.parsers.values() if _takes(parser, kind)]
            for name, kind in (("text", str), ("object", dict))
        }
        self.received_at = received_at
        self.pinned = pinned if pinned in parsers else ""
        self.memory = memory
        self.keep, self.bare = fallback.Fallback().keep, fallback.Fallback().bare

    def settle(self) -> None:
        """Let the formats whose records explain each other complete their events."""
        for parser in self.batch_parsers:
            try:
                parser.settle()
            except Exception:  # the events stand as they are; one format's trouble is not the batch's
                logger.exception("parser %s could not settle a batch", parser.name)

    def read(self, record: Record, wrapped: int = 0) -> ParsedEvent:
        """Return the event of one record."""
        content = record.content
        if type(content) is str and content[:1] in ("{", " ", "\t", "\n", "\ufeff"):
            decoded = decode_object(content.lstrip("\ufeff \t\r\n"))
            if decoded is not None:
                record = Record(decoded, record.envelope)
                content = decoded
        elif type(content) is str and wrapped < MAX_WRAPPED and " std" in content[:48]:
            container = _CONTAINER.match(content)
            if container is not None:
                return self._read_container_line(record, container, wrapped)
        if type(content) is dict and wrapped < MAX_WRAPPED and not self.pinned:
            text_key = _text_key(content)
            if text_key:
                event = self._read_wrapped(record, content, text_key, wrapped)
                if event is not None:
                    return event
            inner_key = _inner_key(content)
            if inner_key:
                outer = _from_bus(content) if inner_key == "detail" else content
                event = self._read_wrapped(record, outer, inner_key, wrapped)
                if event is not None and event.parser not in _GENERAL and not event.fallback_reason:
                    return event
        return self._choose(record, _shape(content))

    def _read_container_line(self, record: Record, line: re.Match[str], wrapped: int) -> ParsedEvent:
        """Read the line a container wrote, which its runtime puts a time and the stream's name before."""
        event = self.read(Record(line["text"], record.envelope), wrapped + 1)
        return _add_extras(event, {"@timestamp": line["time"], "log.iostream": line["stream"]}, self.received_at)

    def _choose(self, record: Record, shape: str) -> ParsedEvent:
        """Try the pinned, then the remembered parser, then all of them by claim."""
        remembered = self.pinned or self.memory.get(shape, "")
        if remembered:
            event = self._try(remembered, record)
            if event is not None:
                return event
        for claim, name in self._claims(record):
            if name == remembered:
                continue
            event = self._try(name, record)
            if event is not None:
                if claim >= SURE and not event.fallback_reason and len(self.memory) < MAX_REMEMBERED:
                    self.memory[shape] = name
                return event
        return self.keep(record, self.received_at, fallback.UNKNOWN)

    def _claims(self, record: Record) -> list[tuple[int, str]]:
        """Return (claim, name) of those that claim at all, surest first; on a tie the table's order decides."""
        claims = []
        content = record.content
        for name, claim, of_content in self.claims["object" if isinstance(content, dict) else "text"]:
            try:
                sure = claim(content if of_content else record)
            except Exception:  # an outsider's parser must not stop the others; its claim counts as "no"
                sure = 0
            if sure:
                claims.append((sure, name))
        if len(claims) > 1:
            claims.sort(key=itemgetter(0), reverse=True)
        return claims

    def _try(self, name: str, record: Record) -> ParsedEvent | None:
        parser = self.parsers.get(name)
        if parser is None:
            return None
        try:
            event = parser.parse(record, self.received_at)
            if event is not None and name == _ANY_JSON:
                _read_sentence(event)
            return event
        except Exception:  # whatever a record does to a parser becomes a counted reason, never a lost record
            return self._broken(name, record)

    def _broken(self, name: str, record: Record) -> ParsedEvent:
        reason = f"parser_error:{name}"
        try:
            return self.keep(record, self.received_at, reason)
        except Exception:  # the envelope itself is hostile, or the text: keep the record without reading either
            return self.bare(record, self.received_at, reason)

    def _read_wrapped(self, record: Record, content: dict[str, Any], key: str, wrapped: int) -> ParsedEvent | None:
        """Read a line of text that a shipper put into a JSON object, and keep what it put beside it."""
        event = self.read(Record(content[key], record.envelope), wrapped + 1)
        if event.fallback_reason.startswith("parser_error"):
            return event
        extras: dict[str, Any] = {}
        try:
            flatten({name: value for name, value in content.items() if name != key}, extras)
        except (TypeError, RecursionError):
            return None
        return _add_extras(event, ecs_json.rename(extras), self.received_at)


def _from_bus(content: dict[str, Any]) -> dict[str, Any]:
    """Return an EventBridge event with its own facts under their ECS names."""
    if "detail-type" not in content:
        return content
    known = {"account": "cloud.account.id", "region": "cloud.region"}
    known |= {key: f"aws.eventbridge.{key}" for key in ("version", "id", "detail-type", "source", "resources")}
    return {known.get(key, key): value for key, value in content.items()}


def _takes(parser: Parser, kind: type) -> bool:
    """A parser may say that it reads nothing but text, or nothing but objects, and is not asked about the other."""
    return getattr(parser, "takes", kind) is kind


def _add_extras(event: ParsedEvent, extras: dict[str, Any], received_at: float) -> ParsedEvent:
    """Add the wrapping's fields to the inner event; the line itself knows better where both speak."""
    when, _ = ecs_json.take_time(extras)
    fields = event.fields
    for name, value in extras.items():
        fields.setdefault(name, value)
    if not is_sound("", fields):
        clean_fields(fields)
    if event.timestamp_origin == "event" or when is None or not _is_plausible(when, received_at):
        return event
    return replace(event, timestamp=when, timestamp_origin="event")


def _read_sentence(event: ParsedEvent) -> None:
    """A document of no known format may carry a sentence; what it says fills what the document leaves open."""
    message, fields = event.message, event.fields
    if len(fields) > MAX_FIELDS - 16:
        return
    said = [] if message.startswith("{") else [message[: phrases.MAX_READ]]
    said += [text for name in _SAYING if type(text := fields.get(name)) is str and len(text) < 256]
    name = fields.get("user.name")
    if type(name) is str and name in _NOBODY:
        del fields["user.name"]
    if said:
        phrases.read(" ; ".join(said), fields)


def _is_plausible(when: float, received_at: float) -> bool:
    return EARLIEST <= when <= received_at + DAY


def _text_key(content: dict[str, Any]) -> str:
    """Return the key of the text a wrapping object carries, or an empty string when it is more than a wrapping."""
    for key in _TEXT_KEYS:
        if type(content.get(key)) is str:
            for other in content:
                if other != key and other not in _WRAPPING and other not in _STREAM:
                    return ""
            return key
    return ""


def _inner_key(content: dict[str, Any]) -> str:
    """Return the key of what may be a record of a format of its own: an object in a wrapping, or JSON as text."""
    for key in _INNER_KEYS:
        if type(content.get(key)) is dict:
            for other in content:
                if other != key and other not in _WRAPPING and not (key == "detail" and other in _BUS):
                    return ""
            return key
    for key in _INNER_TEXTS:
        text = content.get(key)
        if type(text) is str and text[:1] == "{" and len(text) > MIN_INNER:
            return key
    return ""


def _shape(content: Any) -> str:
    """Return the memory key of a record: its key names, or what the first characters look like."""
    if type(content) is dict:
        return "{" + ",".join(map(str, content))[:512]
    return str(content[:SHAPE_LENGTH]).translate(_SHAPE) if type(content) is str else ""
