"""Zeek logs as tab-separated text: the columns are said by header lines, or known by their number and shape.

Handed: one line, and what the batch's header lines said so far. Hands on: the object Zeek would have written as
JSON, for :mod:`triage.parsers.zeek`. Header lines: Zeek's ASCII writer; columns without one: Zeek 4 to 6.
"""

import re
from typing import Any

from triage.parsers import addresses

_START = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p "
_LAYOUTS = {
    "conn": "proto service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history "
    "orig_pkts orig_ip_bytes "
    "resp_pkts resp_ip_bytes tunnel_parents ip_proto",
    "dns": "proto trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name AA TC RD RA Z answers "
    "TTLs rejected",
    "http": "trans_depth method host uri referrer version user_agent origin request_body_len response_body_len "
    "status_code status_msg "
    "info_code info_msg tags username password proxied orig_fuids orig_filenames orig_mime_types resp_fuids "
    "resp_filenames resp_mime_types",
    "ssl": "version cipher curve server_name resumed last_alert next_protocol established ssl_history "
    "cert_chain_fps client_cert_chain_fps "
    "sni_matches_cert",
    "ssh": "version auth_success auth_attempts direction client server cipher_alg mac_alg compression_alg kex_alg "
    "host_key_alg host_key",
}
_STATES = frozenset({"S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"})
_INTEGERS = frozenset(
    [
        "id.orig_p",
        "id.resp_p",
        "orig_bytes",
        "resp_bytes",
        "missed_bytes",
        "orig_pkts",
        "resp_pkts",
        "orig_ip_bytes",
        "resp_ip_bytes",
        "trans_id",
        "qclass",
        "qtype",
        "rcode",
        "Z",
        "trans_depth",
        "request_body_len",
        "response_body_len",
        "status_code",
        "auth_attempts",
        "ip_proto",
    ]
)
_FLOATS = frozenset({"ts", "duration", "rtt"})
_BOOLEANS = frozenset(
    [
        "local_orig",
        "local_resp",
        "AA",
        "TC",
        "RD",
        "RA",
        "rejected",
        "resumed",
        "established",
        "auth_success",
        "sni_matches_cert",
    ]
)
_LISTS = frozenset(
    [
        "answers",
        "TTLs",
        "tunnel_parents",
        "tags",
        "proxied",
        "resp_mime_types",
        "orig_mime_types",
        "resp_fuids",
        "orig_fuids",
    ]
)
_BARE = re.compile(r"\d{9,10}\.\d{6}\t[CF][0-9A-Za-z]{12,24}\t\S{2,45}\t\d{1,5}\t\S{2,45}\t\d{1,5}\t")
_DIRECTIVE = re.compile(r"#(separator|set_separator|empty_field|unset_field|path|open|close|fields|types)(?:[ \t]|\Z)")
MAX_COLUMNS = 256


class Header:
    """What the header lines of a batch said."""

    __slots__ = ("columns", "empty", "path", "separator", "types", "unset", "within")

    def __init__(self) -> None:
        self.separator, self.within = "\t", ","
        self.empty, self.unset = "(empty)", "-"
        self.path = ""
        self.columns: list[str] = []
        self.types: list[str] = []

    def read(self, line: str) -> bool:
        """Take in a header line; return False when it is none."""
        match = _DIRECTIVE.match(line)
        if match is None:
            return False
        name = match[1]
        rest = line[match.end() :]
        if name == "separator":
            self.separator, self.columns, self.types, self.path = _unescape(rest) or "\t", [], [], ""  # a new log
        elif name == "fields":
            self.columns = rest.split(self.separator)[:MAX_COLUMNS]
        elif name == "types":
            self.types = rest.split(self.separator)[:MAX_COLUMNS]
        elif name == "path":
            self.path = rest[:64]
        elif name == "set_separator":
            self.within = _unescape(rest) or ","
        elif name == "empty_field":
            self.empty = rest
        elif name == "unset_field":
            self.unset = rest
        return True


def _unescape(text: str) -> str:
    match = re.fullmatch(r"\\x([0-9A-Fa-f]{2})", text.strip(" "))
    return chr(int(match[1], 16)) if match is not None else text[:1]


def is_line(text: str) -> bool:
    """Return whether a text is a header line or a line whose columns can be told without one."""
    return _BARE.match(text) is not None or (text.startswith("#") and _DIRECTIVE.match(text) is not None)


def decode(line: str, header: Header) -> dict[str, Any] | None:
    """Return the row as an object, ``None`` when its columns are not known."""
    values = line.rstrip("\r\n").split(header.separator)
    if header.columns and len(values) == len(header.columns):
        content: dict[str, Any] = {"_path": header.path} if header.path else {}
        types = header.types if len(header.types) == len(values) else [""] * len(values)
        for column, value, kind in zip(header.columns, values, types, strict=True):
            if value not in (header.unset, header.empty, ""):
                content[column] = _typed(column, value, kind, header.within)
        return content
    return _by_shape(line.rstrip("\r\n").split("\t")) if _BARE.match(line) else None


def _by_shape(values: list[str]) -> dict[str, Any] | None:
    if not (addresses.canonical(values[2]) and addresses.canonical(values[4])):
        return None
    path = _path_of(values)
    columns = (_START + _LAYOUTS.get(path, "")).split()
    content: dict[str, Any] = {"_path": path or "log"}
    for number, value in enumerate(values[:MAX_COLUMNS]):
        if value in ("-", "(empty)", ""):
            continue
        column = columns[number] if number < len(columns) else f"column_{number + 1}"
        content[column] = _typed(column, value, "", ",")
    return content


def _path_of(values: list[str]) -> str:
    """A log's name by its number of columns and by what stands where only that log has it."""
    count = len(values)
    if 20 <= count <= 22 and values[11] in _STATES:
        return "conn"
    if 22 <= count <= 24 and values[6] in ("udp", "tcp") and values[7].isdigit():
        return "dns"
    if 26 <= count <= 30 and values[6].isdigit() and (values[7].isupper() or values[7] == "-"):
        return "http"
    if values[6].startswith(("TLSv", "SSLv", "DTLS")):
        return "ssl"
    return "ssh" if count in (17, 18) and values[6] in ("1", "2") and values[7] in ("T", "F", "-") else ""


def _typed(column: str, value: str, kind: str, within: str) -> Any:
    """Return a value with the type its column says, or is known to have."""
    if kind.startswith(("set", "vector")) or (not kind and column in _LISTS):
        inner = kind[kind.find("[") + 1 : -1] if "[" in kind else ""
        return [_typed("", item, inner, "\x00") for item in value.split(within)[:64]]
    try:
        if kind in ("count", "int", "port") or (not kind and column in _INTEGERS):
            return int(value) if len(value) < 20 else value
        if kind in ("time", "interval", "double") or (not kind and column in _FLOATS):
            return float(value)
    except ValueError:
        return value
    if (kind == "bool" or (not kind and column in _BOOLEANS)) and value in ("T", "F"):
        return value == "T"
    return value
