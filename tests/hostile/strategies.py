"""Hypothesis strategies: valid bodies of each protocol with something in them changed, and plain noise.

Handed: an endpoint. Hands on: a strategy of (body, headers). Changes know the structure (another value, another text,
a member doubled or gone, a length that lies) or do not (bytes flipped, cut out, repeated).
"""

import gzip
import zlib

import cramjam
import orjson
import zstandard
from hypothesis import strategies as st

from tests.hostile import bodies
from tests.hostile.endpoints import Endpoint

COMPRESSIONS = {
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "snappy": lambda body: bytes(cramjam.snappy.compress_raw(body)),
    "x-snappy-framed": lambda body: bytes(cramjam.snappy.compress(body)),
}
SMALL_TEXTS = [text for _, text in bodies.TEXTS if len(text) < 2_000]
SMALL_VALUES = [value for _, value in bodies.VALUES if len(value) < 3_000]
TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b"\r\n", b"\0", b"\\u0000", b"\\ud800", b"\xff", b"\xef\xbb\xbf",
    b"}{",
    b"null", b"1e999", b"-", b"\\", b" ", b"\x0a", b"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"\x1f\x8b\x08",
    b'"event"',
    b'"_id"', b'"records"', b'"data"', b"<34>", b"5:hello\n", b"#fields", b"=", b"|",
)  # fmt: skip
MEDIA_TYPES = ("application/json", "application/x-protobuf", "application/x-ndjson", "text/plain", "x", "")
JSON_TEXT = st.text(max_size=12).map(bodies.escaped)
JSON = st.recursive(
    st.sampled_from(SMALL_VALUES)
    | JSON_TEXT
    | st.integers(-(2**66), 2**66).map(lambda number: b"%d" % number)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number).encode()),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: b"[" + b",".join(items) + b"]")
        | st.lists(st.tuples(JSON_TEXT, inner), max_size=3).map(
            lambda pairs: b"{" + b",".join(name + b":" + value for name, value in pairs) + b"}"
        )
    ),
    max_leaves=6,
)
TEXT = st.sampled_from(SMALL_TEXTS) | st.binary(max_size=60) | st.text(max_size=40).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)  # fmt: skip


@st.composite
def cut_and_pasted(draw: st.DrawFn, body: bytes) -> bytes:
    """A body with up to four pieces replaced, doubled, dropped or overwritten."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 20)))
        middle = draw(
            st.sampled_from(TOKENS) | st.binary(max_size=6) | st.just(b"") | st.just(body[start:end] * 2) | JSON
        )
        body = body[:start] + middle + body[end:]
    return body


def _leaves(value: object, here: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [here] if here else []
    if isinstance(value, dict):
        found += [path for name, inner in value.items() for path in _leaves(inner, (*here, name))]
    elif isinstance(value, list):
        found += [path for number, inner in enumerate(value) for path in _leaves(inner, (*here, number))]
    return found


PLACE = "\u0001here\u0001"


@st.composite
def restructured(draw: st.DrawFn, body: bytes) -> bytes:
    """A JSON body (or the lines of one) with one member replaced by any JSON, doubled or dropped."""
    lines = body.split(b"\n")
    number = draw(st.integers(0, len(lines) - 1))
    try:
        value = orjson.loads(lines[number])
    except orjson.JSONDecodeError:
        return draw(cut_and_pasted(body))
    places = _leaves(value)
    if not places:
        return draw(JSON)
    *way, last = draw(st.sampled_from(places))
    holder = value
    for step in way:
        holder = holder[step]
    what = draw(st.sampled_from(("replace", "replace", "drop", "double")))
    new = draw(JSON)
    if what == "drop":
        del holder[last]
    elif what == "double" and isinstance(holder, dict):
        holder[PLACE] = 0
        new = bodies.escaped(str(last))
        lines[number] = orjson.dumps(value).replace(orjson.dumps(PLACE), new)
        return b"\n".join(lines)
    else:
        holder[last] = PLACE
    lines[number] = orjson.dumps(value).replace(orjson.dumps(PLACE), new)
    return b"\n".join(lines)


def body_of(endpoint: Endpoint) -> st.SearchStrategy[bytes]:
    """Return bodies for an endpoint, most of them nearly right."""
    good = st.sampled_from(endpoint.bodies)
    return (
        good.flatmap(restructured)
        | good.flatmap(cut_and_pasted)
        | TEXT.map(endpoint.text)
        | JSON.map(endpoint.value)
        | TEXT.map(endpoint.text).flatmap(cut_and_pasted)
        | st.lists(TEXT.map(endpoint.text), max_size=5).map(b"\n".join)
        | JSON
        | st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join)
        | st.binary(max_size=200)
    )


@st.composite
def request_of(draw: st.DrawFn, endpoint: Endpoint) -> tuple[bytes, dict[str, str]]:
    """A body, now and then compressed (and then damaged), with headers that may not fit it."""
    body, headers = draw(body_of(endpoint)), {}
    dice = draw(st.integers(0, 19))
    if dice < 4:
        encoding = draw(st.sampled_from(sorted(COMPRESSIONS)))
        body, headers["content-encoding"] = COMPRESSIONS[encoding](body), encoding
        if dice == 0:
            body = draw(cut_and_pasted(body))
    elif dice == 4:
        headers["content-encoding"] = draw(st.sampled_from((*COMPRESSIONS, "br", "gzip, gzip", "identity")))
    if dice == 5:
        headers["content-type"] = draw(st.sampled_from(MEDIA_TYPES))
    if dice == 6:
        headers["idempotency-key"] = draw(st.text(max_size=8)) or "k"
    return body, headers
