"""The simulated company: the same seed gives the same stream, and the key never leaks into it."""

import hashlib
import json
import re
from itertools import islice

import pytest

from bench.company.message import HEC, Message
from bench.company.stories.base import Story, carries
from bench.company.stream import Afternoon, Stream

NOW = 1_790_000_000.0
REQUIRED_KINDS = {
    "brute_force",
    "password_spray",
    "web_shell",
    "encoded_powershell",
    "privilege_escalation",
    "lateral_movement",
    "persistence",
    "exfiltration",
    "cloud_key_abuse",
    "dns_tunnel",
    "log_clearing",
}
TELLTALE = re.compile(r"\b(attack\w*|stor(y|ies)|malicious|evil|simulat\w*|answer.key|marker\w*|intru\w*)\b", re.I)


def afternoon(seed: int = 7) -> Afternoon:
    return Stream(seed).afternoon(start=NOW, seconds=65, per_second=12)


def history(seed: int = 7, count: int = 3000) -> list[Message]:
    return Stream(seed).history(now=NOW, count=count)


def digest(messages: list[Message]) -> str:
    return hashlib.sha256(b"\n".join(message.encode() for message in messages)).hexdigest()


def whole(seed: int) -> list[Message]:
    stream = Stream(seed)
    evening = list(islice(stream.evening(start=NOW + 65, per_second=3), 300))
    return stream.history(now=NOW, count=1000) + list(afternoon(seed).messages) + evening


def test_the_same_seed_gives_the_same_stream() -> None:
    assert digest(whole(7)) == digest(whole(7))


def test_another_seed_gives_another_stream() -> None:
    assert digest(whole(7)) != digest(whole(8))


def test_history_has_exactly_the_asked_count_in_order_and_ends_before_now() -> None:
    messages = history(count=2345)
    times = [message.time for message in messages]
    assert len(messages) == 2345
    assert times == sorted(times)
    assert times[0] >= NOW - 3 * 86400
    assert times[-1] < NOW


def test_live_records_lie_within_the_live_phase_in_order() -> None:
    times = [message.time for message in afternoon().messages]
    assert times == sorted(times)
    assert times[0] >= NOW
    assert times[-1] < NOW + 65


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_every_kind_of_intrusion_is_there_once(seed: int) -> None:
    kinds = [story.kind for story in afternoon(seed).stories]
    assert len(kinds) == len(set(kinds)) >= 11
    assert set(kinds) >= REQUIRED_KINDS


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_every_story_is_of_a_sensible_length_and_can_surface(seed: int) -> None:
    for story in afternoon(seed).stories:
        assert 5 <= len(story.messages) <= 40, story.kind
        assert story.decisive(), story.kind
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", story.technique)


def test_all_messages_of_all_stories_are_in_the_live_phase() -> None:
    found = afternoon()
    sent = {id(message) for message in found.messages}
    assert all(id(message) in sent for story in found.stories for message in story.messages)


def others(story: Story, found: Afternoon) -> list[Message]:
    own = {id(message) for message in story.messages}
    return [message for message in found.messages if id(message) not in own]


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_a_marker_is_in_its_own_story_and_nowhere_else(seed: int) -> None:
    found = afternoon(seed)
    before = history(seed)
    for story in found.stories:
        for marker in story.markers:
            assert any(carries(message.text(), (marker,)) for message in story.messages), (story.kind, marker)
            for message in before + others(story, found):
                assert not carries(message.text(), (marker,)), (story.kind, marker, message.text())


def test_nothing_sent_says_what_it_is() -> None:
    keyed = {story.kind for story in afternoon().stories} | {story.title for story in afternoon().stories}
    for message in whole(7):
        body = message.encode().decode()
        assert not TELLTALE.search(body), body
        assert not any(text in body for text in keyed), body


def test_every_hec_record_is_an_envelope_around_one_event() -> None:
    messages = [message for message in whole(7) if message.route == HEC]
    assert messages
    for message in messages:
        document = json.loads(message.encode())
        assert set(document) == {"time", "host", "source", "sourcetype", "event"}
        assert document["event"] == message.content
        assert document["source"].startswith("sample-")
        assert abs(document["time"] - message.time) < 0.001


def test_every_other_record_is_one_line_of_json() -> None:
    messages = [message for message in whole(7) if message.route != HEC]
    assert {message.sourcetype for message in messages} >= {"zeek:conn", "zeek:dns", "zeek:ssl", "suricata:eve"}
    for message in messages:
        assert b"\n" not in message.encode()
        assert json.loads(message.encode()) == message.content


def test_text_logs_are_raw_lines() -> None:
    lines = [message.content for message in history() if message.sourcetype == "syslog"]
    assert lines
    shape = re.compile(r"<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w-]+ [\w./-]+(\[\d+\])?: .+")
    assert all(isinstance(line, str) and shape.fullmatch(line) for line in lines)


def test_the_evening_goes_on_at_its_rate_without_intrusions() -> None:
    found = list(islice(Stream(7).evening(start=NOW, per_second=3), 1000))
    assert found[-1].time - NOW == pytest.approx(1000 / 3, rel=0.2)
    markers = tuple(marker for story in afternoon().stories for marker in story.markers)
    assert not [message for message in found if carries(message.text(), markers)]


@pytest.mark.parametrize(
    ("text", "marker", "held"),
    [
        ("from 192.0.2.7 port", "192.0.2.7", True),
        ("from 192.0.2.77 port", "192.0.2.7", False),
        ("from 1192.0.2.7 port", "192.0.2.7", False),
        ("from 192.0.2.77 and 192.0.2.7", "192.0.2.7", True),
        ("aaaa.tide.example", "tide.example", True),
        ("", "x", False),
    ],
)
def test_a_marker_counts_only_as_a_whole(text: str, marker: str, held: bool) -> None:
    assert carries(text, (marker,)) is held
