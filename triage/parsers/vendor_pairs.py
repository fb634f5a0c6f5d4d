"""Text values of devices, brought to ECS by a table: which key of theirs is which field of ours.

Handed: the pairs of one line and the format's :class:`Table`. Hands on: ECS fields, of the type that the schema gives
them; every other pair stays under its own key below the table's prefix. A value that cannot be what the field means
(an address that is none, a port of 70,000) stays there, too: nothing is invented and nothing is lost.
"""

import re
from collections.abc import Callable, Mapping

from triage.contracts import Fields
from triage.parsers import addresses, people
from triage.parsers.aliases import meaning
from triage.parsers.layouts import as_number, as_port, outcome_of
from triage.parsers.packet_filters import hardware, transport

_NOTHING = frozenset({"", "-", "--", "n/a", "none", "null", "(null)", "unknown", "undefined"})
#: What says nothing under a key that is kept as it is.
_EMPTY = frozenset({"", "-", "--", "N/A", "n/a", "null", "(null)"})
_TRANSPORTS = frozenset({"tcp", "udp", "icmp", "ipv6-icmp", "sctp", "gre", "esp", "ah", "igmp", "dccp", "udp-lite"})
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\Z")
_NAME = re.compile(r"[A-Za-z][\w.-]{0,254}\Z")
_JOINED = re.compile(r"((?:\d{1,3}\.){3}\d{1,3}):(\d{0,5})(?::([\w.-]{0,32}))?(?::[\w.-]{0,255})?\Z")
_HASH = re.compile(r"[0-9A-Fa-f]{32,128}\Z")
_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
#: What everybody's names may fill beside a format's own; a level is the format's own to say.
_NOT_ALIASED = frozenset({"log.level", "host.name", "event.action", "error.code", "error.type", "service.name"})


class Table:
    """How one format's keys map to ECS: ``rows`` are ECS field -> keys in small letters, best first."""

    __slots__ = ("index", "prefix")

    def __init__(self, prefix: str, rows: Mapping[str, str]) -> None:
        self.prefix = prefix
        self.index: dict[str, list[tuple[int, str]]] = {}
        for name, keys in rows.items():
            for rank, key in enumerate(keys.split()):
                self.index.setdefault(key, []).append((rank, name))


def put(fields: Fields, name: str, value: str) -> bool:
    """Set a field from a text when it can be one of its kind; return whether it was set."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if value.lower() in _NOTHING or value == "NA":
        return False
    kind = _KINDS.get(name)
    if kind is not None:
        return kind(fields, name, value)
    fields[name] = value
    return True


def move(pairs: dict[str, str], table: Table, fields: Fields) -> None:
    """Move what the table knows to its ECS names, what everybody calls so to theirs, and the rest below the prefix.

    A pair's field replaces what the header of the message said, the host's name excepted; of several keys of one
    field the best that can be one counts, and the others stay.
    """
    index = table.index
    known = sorted((*entry, key) for key in pairs for entry in index.get(key.lower(), ()))
    taken: set[str] = set()
    left = dict(pairs)
    for _, name, key in known:
        if name in taken or key not in left or (name == "host.name" and name in fields):
            continue
        if put(fields, name, pairs[key]):
            taken.add(name)
            del left[key]
    for key, value in left.items():
        found = meaning(key) if key.lower() not in index else None
        alias = found[0] if found is not None else ""
        if alias and alias not in fields and alias not in _NOT_ALIASED and put(fields, alias, value):
            continue
        _keep(table.prefix, key, value, fields)


def _keep(prefix: str, key: str, value: str, fields: Fields) -> None:
    """Set a field of the sender's own name; without a prefix that may be a name of the schema itself."""
    if prefix:
        if value not in _EMPTY:
            fields[prefix + key] = value
    elif key in fields:
        return
    elif key in _KINDS:
        put(fields, key, value)
    elif value not in _EMPTY:
        fields[key] = value


def process(pairs: dict[str, str], keys: tuple[tuple[str, str], ...], fields: Fields) -> None:
    """Take the first process that is named, with its own number; ``keys`` are (name, number), best first."""
    for name_key, number_key in keys:
        if put(fields, "process.name", pairs.get(name_key, "")):
            del pairs[name_key]
            fields.pop("process.pid", None)  # that of the program in the message's header
            if put(fields, "process.pid", pairs.get(number_key, "")):
                del pairs[number_key]
            executable(fields)
            return


def account(fields: Fields, *names: str) -> None:
    r"""The account that acts is the event's; ``DOMAIN\name`` and ``name@REALM`` are two facts."""
    for name in names:
        value = fields.get(name)
        if value and "user.name" not in fields:
            fields["user.name"] = value
    user = fields.get("user.name")
    if type(user) is str and "\\" in user:
        domain, _, alone = user.rpartition("\\")
        if domain.strip("\\") and alone:
            fields["user.name"] = alone
            fields.setdefault("user.domain", domain.strip("\\"))
    elif type(user) is str:
        if "@" in user and " " not in user and "." in user.partition("@")[2]:
            fields.setdefault("user.email", user)
        fields["user.name"], realm = people.split_realm(user)
        if realm:
            fields.setdefault("user.domain", realm)


def executable(fields: Fields) -> None:
    """A process that is named by its path has its name at the path's end."""
    name = fields.get("process.name")
    if type(name) is str and ("\\" in name or name.startswith("/")):
        fields.setdefault("process.executable", name)
        fields["process.name"] = name.replace("\\", "/").rstrip("/").rpartition("/")[2] or name


def _address(fields: Fields, name: str, value: str) -> bool:
    """Some write ``address:port:interface``; an end may also be known by its name."""
    side = name.removesuffix(".ip")
    address = addresses.canonical(value.strip("[]"))
    if address:
        fields[name] = address
        return True
    joined = _JOINED.match(value)
    if joined is not None and addresses.canonical(joined[1]):
        fields[name] = joined[1]
        if joined[2] and int(joined[2]) < 65_536:
            fields.setdefault(f"{side}.port", int(joined[2]))
        if joined[3] and side in _INTERFACES:
            fields.setdefault(f"observer.{_INTERFACES[side]}.interface.name", joined[3])
        return True
    named = side in _INTERFACES and f"{side}.domain" not in fields and _NAME.match(value) is not None
    if named:
        fields[f"{side}.domain"] = value
    return named


def _domain(fields: Fields, name: str, value: str) -> bool:
    """Where a host's name belongs, its address may stand."""
    address = addresses.canonical(value)
    name = name.removesuffix("domain") + "ip" if address else name
    if name in fields:
        return False
    fields[name] = address or value
    return True


def _port(fields: Fields, name: str, value: str) -> bool:
    port = as_port(value)
    if port is not None:
        fields[name] = port
    return port is not None


def _number(fields: Fields, name: str, value: str) -> bool:
    number = as_number(value)
    if number is not None:
        fields[name] = number
    return number is not None


def _transport(fields: Fields, name: str, value: str) -> bool:
    word, _, service = transport(value).partition("/")
    if service and not service.isdigit():
        fields.setdefault("network.protocol", service)
    if word in _TRANSPORTS:
        fields[name] = word
    return word in _TRANSPORTS


def _hardware(fields: Fields, name: str, value: str) -> bool:
    sound = _MAC.match(value) is not None
    if sound:
        fields[name] = hardware(value)
    return sound


def _hash(fields: Fields, name: str, value: str) -> bool:
    """Which hash it is, its length says."""
    value = value.rpartition(":")[2]
    kind = _HASHES.get(len(value)) if _HASH.match(value) is not None else None
    if kind:
        fields[f"{name}.{kind}"] = value.lower()
    return bool(kind)


def _outcome(fields: Fields, name: str, value: str) -> bool:
    said = outcome_of(value)
    if said:
        fields[name] = said
    return bool(said)


def _small(fields: Fields, name: str, value: str) -> bool:
    fields[name] = value.lower()
    return True


#: The interface through which an end is reached.
_INTERFACES = {"source": "ingress", "destination": "egress"}
_ENDS = ("source", "destination", "source.nat", "destination.nat", "client", "server")
_KINDS: dict[str, Callable[[Fields, str, str], bool]] = {
    **{f"{end}.ip": _address for end in (*_ENDS, "observer", "host")},
    "source.domain": _domain,
    "destination.domain": _domain,
    **{f"{end}.port": _port for end in _ENDS},
    **{f"{end}.mac": _hardware for end in ("source", "destination", "observer", "host")},
    **{f"{end}.{what}": _number for end in ("source", "destination", "network") for what in ("bytes", "packets")},
    "process.pid": _number,
    "file.size": _number,
    "file.hash": _hash,
    "http.response.status_code": _number,
    "http.response.body.bytes": _number,
    "network.transport": _transport,
    "network.protocol": _small,
    "event.outcome": _outcome,
}
