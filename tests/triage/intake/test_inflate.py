import gzip
import zlib

import pytest
import zstandard

from triage.intake.errors import Refusal
from triage.intake.inflate import inflate, known

TEXT = b'{"event":"x"}\n' * 1000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
COMPRESSED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:]),
    "deflate": zlib.compress(TEXT),
    "zstd": zstandard.compress(TEXT[:5000]) + zstandard.compress(TEXT[5000:]),
    "identity": TEXT,
    "": TEXT,
}


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
    with pytest.raises(Refusal) as caught:
        inflate(COMPRESSED[encoding], encoding, len(TEXT) - 1)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "zstd"])
@pytest.mark.parametrize("cut", [1, 4, 10, 20])
def test_a_cut_stream_is_damaged(encoding, cut):
    with pytest.raises(Refusal) as caught:
        inflate(COMPRESSED[encoding][:-cut], encoding, 10**9)
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("body", [TEXT, b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\0" * 50])
def test_what_is_not_compressed_is_damaged(encoding, body):
    with pytest.raises(Refusal) as caught:
        inflate(body, encoding, 10**9)
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_garbage_behind_the_stream_is_damaged(encoding):
    with pytest.raises(Refusal) as caught:
        inflate(COMPRESSED[encoding] + b"garbage behind it", encoding, 10**9)
    assert caught.value.reason == "damaged"


def test_zero_padding_behind_a_gzip_member_is_legal():
    assert inflate(COMPRESSED["gzip"] + b"\0" * 700, "gzip", len(TEXT)) == TEXT


@pytest.mark.parametrize(("encoding", "empty"), [("gzip", gzip.compress(b"")), ("zstd", zstandard.compress(b""))])
def test_a_body_of_countless_empty_members_is_refused(encoding, empty):
    with pytest.raises(Refusal) as caught:
        inflate(empty * 100_000, encoding, 10**9)
    assert caught.value.reason == "too_large"


def test_many_small_members_are_read():
    assert inflate(gzip.compress(b"abc") * 2000, "gzip", 6000) == b"abc" * 2000


def test_members_share_one_budget():
    bomb = gzip.compress(b"\0" * 10**6) * 50
    with pytest.raises(Refusal) as caught:
        inflate(bomb, "gzip", 20 * 10**6)
    assert caught.value.reason == "too_large"


def test_a_zstd_window_beyond_8_mib_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    machine = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = machine.compress(b"x" * 1000) + machine.flush()
    with pytest.raises(Refusal) as caught:
        inflate(body, "zstd", 10**9)
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "superzipper"])
def test_an_unknown_encoding_is_refused(encoding):
    assert not known(encoding)
    with pytest.raises(Refusal) as caught:
        inflate(b"", encoding, 10)
    assert caught.value.reason == "encoding"
