import gzip
import zlib

import cramjam
import pytest
import zstandard

from triage.receivers import inflating
from triage.receivers.base import BodyError
from triage.receivers.inflating import Budget, known, snappy_block

TEXT = b'{"event":"x"}\n' * 1000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
COMPRESSED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:]),
    "deflate": zlib.compress(TEXT),
    "zstd": zstandard.compress(TEXT[:5000]) + zstandard.compress(TEXT[5000:]),
    "zlib": zlib.compress(TEXT),
    "snappy": bytes(cramjam.snappy.compress_raw(TEXT)),
    "x-snappy-framed": bytes(cramjam.snappy.compress(TEXT)),
    "identity": TEXT,
    "": TEXT,
}
PACKED = [name for name in COMPRESSED if name not in ("", "identity")]


def inflate(body, encoding, limit):
    return inflating.inflate(body, encoding, Budget(limit))


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_what_was_compressed_comes_back(encoding):
    assert known(encoding)
    assert inflate(COMPRESSED[encoding], encoding, len(TEXT)) == TEXT


def test_raw_deflate_is_read_too():
    assert inflate(RAW_DEFLATE.compress(TEXT) + RAW_DEFLATE.flush(), "deflate", len(TEXT)) == TEXT


def test_a_streamed_zstd_frame_of_unknown_size_is_read():
    machine = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    assert inflate(machine.compress(TEXT) + machine.flush(), "zstd", len(TEXT)) == TEXT


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_one_byte_over_the_budget_is_too_large(encoding):
    with pytest.raises(BodyError) as caught:
        inflate(COMPRESSED[encoding], encoding, len(TEXT) - 1)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("cut", [1, 4, 10, 20])
def test_a_cut_stream_is_damaged(encoding, cut):
    with pytest.raises(BodyError) as caught:
        inflate(COMPRESSED[encoding][:-cut], encoding, 10**9)
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zlib", "zstd", "snappy", "x-snappy-framed"])
@pytest.mark.parametrize("body", [TEXT, b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\0" * 50])
def test_what_is_not_compressed_is_damaged(encoding, body):
    with pytest.raises(BodyError) as caught:
        inflate(body, encoding, 10**9)
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("encoding", PACKED)
def test_garbage_behind_the_stream_is_damaged(encoding):
    with pytest.raises(BodyError) as caught:
        inflate(COMPRESSED[encoding] + b"garbage behind it", encoding, 10**9)
    assert caught.value.code == "damaged"


def test_zero_padding_behind_a_gzip_member_is_legal():
    assert inflate(COMPRESSED["gzip"] + b"\0" * 700, "gzip", len(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("encoding", "empty"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstandard.compress(b""))]
)
def test_a_body_of_countless_empty_members_is_refused(encoding, empty):
    with pytest.raises(BodyError) as caught:
        inflate(empty * 100_000, encoding, 10**9)
    assert caught.value.code == "too_large"


def test_many_small_members_are_read():
    assert inflate(gzip.compress(b"abc") * 2000, "gzip", 6000) == b"abc" * 2000


def test_members_share_one_budget():
    bomb = gzip.compress(b"\0" * 10**6) * 50
    with pytest.raises(BodyError) as caught:
        inflate(bomb, "gzip", 20 * 10**6)
    assert caught.value.code == "too_large"


def test_a_zstd_window_beyond_8_mib_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    machine = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = machine.compress(b"x" * 1000) + machine.flush()
    with pytest.raises(BodyError) as caught:
        inflate(body, "zstd", 10**9)
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip,identity", "superzipper"])
def test_an_unknown_encoding_is_refused(encoding):
    assert not known(encoding)
    with pytest.raises(BodyError) as caught:
        inflate(b"", encoding, 10)
    assert caught.value.code == "encoding"


@pytest.mark.parametrize("claim", [b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x04", b"\x80" * 5, b""])
def test_a_snappy_block_is_not_believed(claim):
    for encoding in ("snappy", "x-snappy-framed"):
        with pytest.raises(BodyError) as caught:
            inflate(claim + b"\x00a", encoding, 10**12)
        assert caught.value.code == "damaged"


def test_a_snappy_block_that_claims_more_than_the_budget_is_never_handed_to_the_decompressor(monkeypatch):
    block = bytes(cramjam.snappy.compress_raw(b"\0" * 10**6))
    handed = []
    monkeypatch.setattr(cramjam.snappy, "decompress_raw", handed.append)
    with pytest.raises(BodyError) as caught:
        snappy_block(block, Budget(10**6 - 1))
    assert (caught.value.code, handed) == ("too_large", [])


def test_a_snappy_block_that_claims_more_than_it_can_hold_is_never_handed_to_the_decompressor(monkeypatch):
    handed = []
    monkeypatch.setattr(cramjam.snappy, "decompress_raw", handed.append)
    with pytest.raises(BodyError) as caught:
        snappy_block(b"\x80\x80\x80\x04" + b"\x00a" * 9, Budget(10**9))
    assert (caught.value.code, handed) == ("damaged", [])


def test_a_snappy_stream_under_the_name_of_the_block_format_is_read():
    assert inflate(COMPRESSED["x-snappy-framed"], "snappy", len(TEXT)) == TEXT


def test_the_densest_snappy_block_is_read():
    text = b"\0" * 2**20
    assert inflate(bytes(cramjam.snappy.compress_raw(text)), "snappy", len(text)) == text


def test_a_snappy_stream_of_countless_empty_chunks_is_refused():
    empty = b"\xff\x06\x00\x00sNaPpY"
    with pytest.raises(BodyError) as caught:
        inflate(empty + b"\xfe\0\0\0" * 600_000, "x-snappy-framed", 10**9)
    assert caught.value.code == "too_large"


def test_a_snappy_chunk_beyond_its_format_is_damaged():
    block = bytes(cramjam.snappy.compress_raw(b"\0" * 70_000))
    chunk = b"\0" + (len(block) + 4).to_bytes(3, "little") + b"\0\0\0\0" + block
    with pytest.raises(BodyError) as caught:
        inflate(b"\xff\x06\x00\x00sNaPpY" + chunk, "x-snappy-framed", 10**9)
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("encoding", PACKED)
def test_nested_inflations_take_from_one_budget(encoding):
    budget = Budget(2 * len(TEXT) + 1)
    assert inflating.inflate(COMPRESSED[encoding], encoding, budget) == TEXT
    assert inflating.inflate(COMPRESSED[encoding], encoding, budget) == TEXT
    assert budget.left == 1
    with pytest.raises(BodyError) as caught:
        inflating.inflate(COMPRESSED[encoding], encoding, budget)
    assert caught.value.code == "too_large"


def test_a_deflate_body_that_turns_out_to_be_raw_is_counted_once():
    budget = Budget(len(TEXT))
    machine = zlib.compressobj(wbits=-15)
    assert inflating.inflate(machine.compress(TEXT) + machine.flush(), "deflate", budget) == TEXT
    assert budget.left == 0
