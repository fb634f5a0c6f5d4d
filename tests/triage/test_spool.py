"""Messages as files: what a reader finds is whole."""

import threading
from queue import Empty

import pytest
from kombu import Connection

from triage.spool import SCHEME


@pytest.fixture
def options(tmp_path):
    for name in ("messages", "control"):
        (tmp_path / name).mkdir()
    folder = str(tmp_path / "messages")
    return {"data_folder_in": folder, "data_folder_out": folder, "control_folder": str(tmp_path / "control")}


def test_a_reader_that_never_rests_takes_every_message_whole_and_once(options):
    count, found, written = 2_000, [], threading.Event()

    def write():
        with Connection(f"{SCHEME}://localhost", transport_options=options) as connection:
            for n in range(count):
                connection.default_channel._put("bell", {"n": n})
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    with Connection(f"{SCHEME}://localhost", transport_options=options) as connection:
        while len(found) < count:
            was_written = written.is_set()
            try:
                found.append(connection.default_channel._get("bell")["n"])
            except Empty:
                assert not was_written, f"{len(found)} of {count}"
    writer.join()
    assert sorted(found) == list(range(count))


def test_a_message_that_is_half_written_is_not_seen(options, tmp_path):
    (tmp_path / "messages" / ".1_x.bell.msg.part").write_bytes(b"")
    with Connection(f"{SCHEME}://localhost", transport_options=options) as connection, pytest.raises(Empty):
        connection.default_channel._get("bell")
