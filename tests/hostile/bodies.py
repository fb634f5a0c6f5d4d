"""Hostile bodies of every kind, made on the spot.

Handed: a limit for what may come out of a decompressor. Hands on: named bodies with the headers that go with them.
"""

import base64
import gzip
import json
import zlib

import cramjam
import orjson
import zstandard

from tests.hostile.endpoints import Endpoint, delivered

#: (name, text) that stands where an event's text is expected.
TEXTS: tuple[tuple[str, bytes], ...] = (
    ("empty", b""),
    ("blank", b" \t \r"),
    ("nul", b"a\0b\0"),
    ("only nul", b"\0" * 100),
    ("invalid utf-8", b"caf\xe9 \xff\xfe \xc0\x80 \xf8\x88\x80\x80\x80"),
    ("surrogate bytes", b"\xed\xa0\x80 and \xed\xb0\x80"),
    ("controls", bytes(range(1, 32)) + b"\x7f\xc2\x80\xc2\x9b"),
    ("terminal", b"\x1b[2J\x1b]0;owned\x07\x1b[31mred"),
    ("bidi", "user \u202eresu\u202c \u2066x\u2069 \u200f\u061c".encode()),
    ("zero width", "a\u200bd\u200dm\ufeffin\u00ad\u2060".encode()),
    ("line separators", "a\u2028b\u2029c\u0085d\x0be\x0cf".encode()),
    ("marks in the middle", b"a\xef\xbb\xbfb\xef\xbb\xbf\xef\xbb\xbf"),
    ("mark first", b"\xef\xbb\xbf\xef\xbb\xbfa"),
    ("utf-16", "hello".encode("utf-16")),
    ("noncharacters", "\ufffe\uffff\U0010ffff".encode()),
    ("combining", ("a" + "\u0301" * 5_000).encode()),
    ("markup", b"<script>alert(1)</script>'\"--; DROP TABLE x; {{7*7}} ${jndi:ldap://x/a}"),
    ("format", b"%s%n%d%(name)s{0}{x.__class__}"),
    ("spreadsheet", b"=cmd|' /C calc'!A0"),
    ("a mebibyte", b"x" * 2**20),
    ("quotes", b'"' * 20_000),
    ("backslashes", b"\\" * 20_001),
    ("equals", b"a=" * 20_000),
    ("brackets", b"[" * 20_000 + b"{" * 20_000),
    ("cef", b"CEF:0|" + b"|" * 5_000 + b"\\=" * 5_000),
    ("priorities", b"<" * 5_000 + b">" * 5_000),
    ("syslog far away", b"<999>99 9999-99-99T99:99:99Z - - - - [x@1 " + b'a="b" ' * 3_000),
    ("many times", b"2026-01-01T00:00:00Z " * 3_000),
    ("digits", b"9" * 100_000),
    ("addresses", b"::1 " * 2_000 + b"1.2.3.4.5.6 " * 2_000),
    ("header of zeek", b"#separator \\x09\\x00" + b"\\x" * 3_000),
    ("container", b'{"Records":[' + b"{}," * 500 + b"{}]}"),
    ("container cut", b'{"Records":[{"a":1},'),
    ("push inside", b'{"message":{"data":"!!!"},"subscription":"s"}'),
)
#: (name, JSON) that stands where a value is expected.
VALUES: tuple[tuple[str, bytes], ...] = (
    *((f"nested {depth}", b"[" * depth + b"]" * depth) for depth in (20, 100, 253, 254, 255, 390, 400, 401, 900)),
    *((f"nested {depth}", b"[" * depth + b"]" * depth) for depth in (990, 1_000, 1_010, 1_023, 1_024, 5_000, 100_000)),
    *(
        (f"objects {depth}", b'{"a":' * depth + b"1" + b"}" * depth)
        for depth in (60, 254, 255, 399, 600, 1_000, 50_000)
    ),
    ("duplicate keys", b'{"a":1,"a":{"b":2},"a":[3],"":1,"":2}'),
    ("nan", b"NaN"),
    ("infinity", b"[Infinity,-Infinity,NaN]"),
    ("digits", b"9" * 100_000),
    ("negative digits", b"-" + b"9" * 5_000),
    ("integer of 64 bits", b"18446744073709551615"),
    ("integer of 65 bits", b"-18446744073709551616"),
    ("1e999", b"1e999"),
    ("-1e999", b"-1e999"),
    ("1e308", b"1e308"),
    ("1e-400", b"1e-400"),
    ("fraction", b"0." + b"1" * 100_000),
    ("exponent", b"1e" + b"9" * 10_000),
    ("minus zero", b"-0"),
    ("lone surrogate", b'"\\ud800"'),
    ("surrogates reversed", b'["\\udc00\\ud800"]'),
    ("surrogate key", b'{"\\ud800":"\\udfff","\\u0000":"\\u0000"}'),
    ("nul", b'"a\\u0000b"'),
    ("wide", b"{" + b",".join(b'"k%d":%d' % (number, number) for number in range(20_000)) + b"}"),
    ("long key", b'{"' + b"k" * 100_000 + b'":1}'),
    ("long list", b"[" + b"0," * 3_000 + b"0]"),
    ("many empty", b"[" + b"{}," * 3_000 + b"{}]"),
    ("dotted", b'{"a":1,"a.b":2,"a.b.c":{"d":1},".":1,"..":2}'),
    ("own names", b'{"@timestamp":{},"message":[],"host":1,"event":null,"source.ip":{"x":1},"tags":{}}'),
    ("prototype", b'{"__proto__":{"a":1},"__class__":"x","constructor":1}'),
    ("true", b"true"),
    ("null", b"null"),
    ("empty text", b'""'),
    ("empty list", b"[]"),
    ("empty object", b"{}"),
    ("broken", b'{"a":}'),
    ("control in string", b'"a\x01b\x1f"'),
    ("far future", b'"99999-12-31T23:59:59Z"'),
    ("year 1", b'"0001-01-01T00:00:00+23:59"'),
    ("year 9999", b'"9999-12-31T23:59:59-23:59"'),
)
#: (name, body) that is no body of any protocol.
ALIENS: tuple[tuple[str, bytes], ...] = (
    ("nothing", b""),
    ("blanks", b" \r\n\t\n"),
    ("nul", b"\0"),
    ("mark", b"\xef\xbb\xbf"),
    ("marks", b"\xef\xbb\xbf" * 3 + b"\n\xef\xbb\xbf"),
    ("brace", b"{"),
    ("bracket", b"["),
    ("quote", b'"'),
    ("number", b"7"),
    ("null", b"null"),
    ("object", b"{}"),
    ("list", b"[]"),
    ("list of lists", b"[[[]]]"),
    ("list of all", b'[null,true,1,"a",[],{}]'),
    ("form", b"a=1&b=2&a=3"),
    ("multipart", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'),
    ("html", b"<!doctype html><html><body>hello</body></html>"),
    ("xml bomb", b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 100 + b'">]><a>' + b"&b;" * 1000 + b"</a>"),
    ("request inside", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
    ("utf-16", '{"event":"a"}'.encode("utf-16")),
    ("utf-32", '{"event":"a"}'.encode("utf-32")),
    ("gzip without its header", gzip.compress(b'{"event":"a"}', mtime=0)),
    ("every byte", bytes(range(256)) * 4),
    ("open varint", b"\xff" * 64),
    ("protobuf groups", b"\x0b" * 500 + b"\x0c" * 500),
    ("protobuf nesting", b"\x0a\x7f" * 400),
    ("braces", b"{" * 100_000),
    ("closed", b"}" * 100_000),
    ("objects in a row", b"{}" * 3_000),
    ("commas", b"[" + b"," * 50_000 + b"]"),
    ("empty lines", b"\n" * 100_000),
    ("carriage returns", b"\r" * 100_000),
)


def bombs(limit: int) -> list[tuple[str, bytes, str]]:
    """Return (name, body, Content-Encoding) of bodies that inflate to more than the limit."""
    zeros = bytes(limit // 4 + 1)
    whole = bytes(4 * limit)
    block = zstandard.ZstdCompressor(level=1, write_content_size=False)
    raw = zlib.compressobj(9, wbits=-15)
    return [
        ("gzip", gzip.compress(whole, 9, mtime=0), "gzip"),
        ("gzip members", gzip.compress(zeros, 9, mtime=0) * 5, "gzip"),
        ("gzip small members", gzip.compress(bytes(1_000), 9, mtime=0) * (limit // 900), "gzip"),
        ("gzip empty members", gzip.compress(b"", mtime=0) * 20_000, "gzip"),
        ("deflate", zlib.compress(whole, 9), "deflate"),
        ("raw deflate", raw.compress(whole) + raw.flush(), "deflate"),
        ("zstd", zstandard.compress(whole, 19), "zstd"),
        ("zstd without size", block.compress(whole), "zstd"),
        ("zstd frames", zstandard.compress(zeros, 3) * 5, "zstd"),
        ("zstd skippable frames", (b"\x50\x2a\x4d\x18" + bytes(4)) * 20_000, "zstd"),
        ("snappy block", bytes(cramjam.snappy.compress_raw(whole)), "snappy"),
        ("snappy frames", bytes(cramjam.snappy.compress(whole)), "snappy"),
    ]


def damaged() -> list[tuple[str, bytes, str]]:
    """Return (name, body, Content-Encoding) of bodies that are not what their encoding says."""
    text = b'{"event":"hello"}' * 20
    good = {
        "gzip": gzip.compress(text, mtime=0),
        "deflate": zlib.compress(text),
        "zstd": zstandard.compress(text),
        "snappy": bytes(cramjam.snappy.compress_raw(text)),
        "x-snappy-framed": bytes(cramjam.snappy.compress(text)),
    }
    found = [(f"{name} cut", body[:-5], name) for name, body in good.items()]
    found += [(f"{name} with a tail", body + b"tail", name) for name, body in good.items() if name != "snappy"]
    found += [(f"{name} of plain text", text, name) for name in good]
    found += [(f"{name} of nothing", b"", name) for name in good]
    found += [(f"{name} twice", good["gzip"], f"{name}, gzip") for name in good]
    found += [("snappy claims 4 GiB", b"\xff\xff\xff\xff\x0f" + b"\0" * 50, "snappy")]
    found += [("zstd window of 2 GiB", b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\x00\x00", "zstd")]
    found += [
        ("unknown", text, "br"),
        ("chunked", text, "chunked"),
        ("odd", text, "\xff;q=1"),
        ("lists", text, "gzip," * 500),
    ]
    return found


def nested_bombs(limit: int) -> list[tuple[str, str, bytes]]:
    """Return (endpoint, name, body): compression inside the protocol's own format."""
    quarter = gzip.compress(bytes(limit // 4 + 1), 9, mtime=0)
    whole = gzip.compress(bytes(4 * limit), 9, mtime=0)
    message = {"message": {"data": base64.b64encode(whole).decode(), "messageId": "b"}, "subscription": "s"}
    return [
        ("firehose", "one record", delivered(whole)),
        ("firehose", "records that add up", delivered(*[quarter] * 5)),
        ("firehose", "gzip of gzip", delivered(gzip.compress(whole, mtime=0), *[quarter] * 4)),
        ("pubsub", "message", orjson.dumps(message)),
        ("pubsub bare", "message", whole),
        ("loki protobuf", "block", bytes(cramjam.snappy.compress_raw(bytes(4 * limit)))),
    ]


def cases(endpoint: Endpoint) -> list[tuple[str, bytes]]:
    """Return every uncompressed hostile body for an endpoint, by name."""
    found = [(f"text {name}", endpoint.text(text)) for name, text in TEXTS]
    found += [(f"value {name}", endpoint.value(value)) for name, value in VALUES]
    found += [(f"alien {name}", body) for name, body in ALIENS]
    found += [(f"bare value {name}", value) for name, value in VALUES]
    for number, body in enumerate(endpoint.bodies):
        found += [(f"body {number} with a tail", body + b"\x00\xff{"), (f"body {number} twice", body + body)]
    return found


def cuts(endpoint: Endpoint) -> list[tuple[str, bytes]]:
    """Return the good bodies of an endpoint, cut at every byte."""
    return [
        (f"body {number} cut at {end}", body[:end])
        for number, body in enumerate(endpoint.bodies)
        for end in range(len(body))
    ]


def escaped(text: str) -> bytes:
    """Return a JSON string of any text in ASCII, lone surrogates included."""
    return json.dumps(text).encode()
