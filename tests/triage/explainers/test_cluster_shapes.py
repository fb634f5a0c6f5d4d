"""What of an evidence line is common to its kind, and what is an alert's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.contracts import EvidenceLine, ExplanationRequest, Reason
from triage.explainers import cluster_shapes, lines

pytestmark = pytest.mark.once
NAMES = (("user", "alice"), ("user", "bob"), ("host", "db-17"), ("address", "10.1.2.3"))


def asked(fields, *, names=NAMES, reasons=(), texts=()):
    evidence = [lines.field_line(number, name, value) for number, (name, value) in enumerate(fields.items(), 1)]
    told = [(lines.SCORE, reason.text) for reason in reasons] + [(lines.CONTEXT, text) for text in texts]
    evidence += [EvidenceLine(len(evidence) + n, origin, text) for n, (origin, text) in enumerate(told, 1)]
    return ExplanationRequest("t", "low", "", tuple(evidence), tuple(reasons), (), tuple(names))


def skeleton(name, value, **more):
    """Return the skeleton of a field's value, marks written as <...>."""
    (shape,) = [shape for shape in cluster_shapes.shapes(asked({name: value}, **more)) if shape.place == name]
    return shape.skeleton.partition(": ")[2].replace("\x01", "<").replace("\x02", ">")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("user.name", "alice", "<=user.name>"),
        ("user.name", "root", "root"),
        ("user.name", "Failed", "Failed"),
        ("user.name", "this.was.approved.by.security", "this.was.approved.by.security"),
        ("user.id", "S-1-5-18", "S-1-5-18"),
        ("user.id", "0", "0"),
        ("user.id", "1004", "<id>"),
        ("source.ip", "10.1.2.3", "<=inside:source.ip>"),
        ("source.ip", "8.8.4.4", "<outside>"),
        ("source.ip", "127.0.0.1", "127.0.0.1"),
        ("destination.ip", "169.254.169.254", "169.254.169.254"),
        ("source.port", "50122", "<id>"),
        ("destination.port", "4444", "4444"),
        ("destination.port", "50122", "<number5>"),
        ("rule.id", "5712", "5712"),
        ("http.response.status_code", "404", "404"),
        ("network.bytes", "4711", "<number4>"),
        ("network.bytes", "0", "0"),
        ("event.duration", "0.25", "<decimal>"),
        ("winlog.event_data.GrantedAccess", "0x1410", "0x1410"),
        ("winlog.event_data.SubjectLogonId", "0x3e7", "<id>"),
        ("process.hash.sha256", "9f86d081884c7d659a2feaa0c55ad015", "<hex>"),
        ("process.command_line", "whoami", "whoami"),
        ("process.command_line", "rm -rf /", "rm -rf /"),
        ("process.command_line", "kill -9 812", "kill -9 812"),
        ("process.command_line", "scp alice@10.1.2.3:/tmp/99123", "scp <=user 0>@<=inside:address 0>:/tmp/<number5>"),
        ("url.path", "/api/items/98231", "/api/items/<number5>"),
        ("dns.question.name", "evil.example", "evil.example"),
        ("message", "exit status 127 after 127 ms", "exit status 127 after <number3> ms"),
        ("message", '"GET / HTTP/1.1" 404 5120', '"GET / HTTP/<decimal>" 404 <number4>'),
        ("message", "job 3f2504e0-4f89-11d3-9a0c-0305e82c3301 of bob", "job <guid> of <=user 1>"),
        ("process.tty", "pts/4", "<tty>"),
        ("message", "NewProcessId: 0x9bf3 EventID: 4625", "NewProcessId: <id> EventID: <number4>"),
        ("message", "00:1b:63:84:45:e6 joined at 14:02:11", "<mac> joined at <time>"),
    ],
)  # fmt: skip
def test_what_carries_meaning_stays(name, value, expected):
    assert skeleton(name, value) == expected


def test_a_blob_that_can_be_read_is_a_payload_and_stays():
    payload = "cG93ZXJzaGVsbCAtbm9wIC13IGhpZGRlbiAx"
    assert skeleton("process.command_line", f"powershell -enc {payload}") == f"powershell -enc {payload}"
    assert skeleton("url.query", "session=9f8K2mQx7Lr4Tz1Vb6Yc3Wd5") == "session=<blob>"


def test_who_does_it_to_whom_is_part_of_the_skeleton():
    message = "password of alice changed by {}"
    own = asked({"user.name": "alice", "message": message.format("alice")})
    by_bob = asked({"user.name": "alice", "message": message.format("bob")})
    assert cluster_shapes.shapes(own)[1].skeleton != cluster_shapes.shapes(by_bob)[1].skeleton


def test_names_of_one_list_are_told_apart():
    shape = cluster_shapes.shapes(asked({"related.user": "alice, bob"}))[0]
    assert [label for label, _ in shape.tokens] == ["=related.user[0]", "=related.user[1]"]


def test_a_number_in_a_message_that_repeats_a_process_is_the_process():
    found = cluster_shapes.shapes(asked({"process.pid": "812", "message": "sshd[812]: 812 tries"}))
    assert [label for label, _ in found[1].tokens] == ["=process.pid", "=process.pid"]


def test_a_port_is_not_hidden_by_a_process_of_the_same_number():
    found = cluster_shapes.shapes(asked({"process.pid": "4444", "destination.port": "4444"}))
    assert found[1].skeleton == "destination.port: 4444"


@pytest.mark.parametrize(
    ("text", "baseline", "same"),
    [
        ("host db-17 is rare (3 of 1,204 values)", "host db-17 is rare (88 of 9,000,000 values)", True),
        ("host db-17 is rare (0 of 1,204 values)", "host db-17 is rare (88 of 9,000,000 values)", False),
        ("alice failed 12 times; usually at most 2", "alice failed 99 times; usually at most 40", True),
        ("alice failed 12 times; usually at most 2", "alice failed 120 times; usually at most 2", False),
    ],
)
def test_of_a_baseline_only_never_counts_and_of_what_was_seen_the_magnitude(text, baseline, same):
    one, two = (
        cluster_shapes.shapes(asked({}, reasons=(Reason("x", said, 0.5, ("host.name",)),))) for said in (text, baseline)
    )
    assert (one[0].skeleton == two[0].skeleton) is same
    assert (one[0].place == two[0].place) is same


def test_somebody_elses_name_in_a_baseline_is_a_token():
    said = "user alice is new (0 of 9 values; user alice came most often with wks-4 (40 times))"
    shape = cluster_shapes.shapes(asked({}, reasons=(Reason("pair", said, 0.5, ("user.name", "host.name")),)))[0]
    assert ("usual", "wks-4") in shape.tokens
    other = cluster_shapes.shapes(asked({}, reasons=(Reason("pair", said, 0.5, ("event.action",)),)))[0]
    assert ("usual", "wks-4") not in other.tokens


def test_what_is_unusual_about_an_identifier_is_incidental():
    record, host = (Reason("value", f"{name} x9f is new", 0.5, (name,)) for name in ("zeek.uid", "host.name"))
    both = Reason("pair", "x9f never came with db-17", 0.5, ("zeek.uid", "host.name"))
    found = cluster_shapes.shapes(asked({"host.name": "db-17"}, reasons=(record, host, both)))
    assert [shape.incidental for shape in found] == [False, True, False, False]


def test_what_a_reason_repeats_of_a_long_value_is_that_value():
    command = "powershell -nop -w hidden -c " + "alice " * 10
    text = f"command line {command[:50]}… is new (0 of 9 values)"
    reason = Reason("value", text, 0.5, ("process.command_line",))
    shape = cluster_shapes.shapes(asked({"process.command_line": command}, reasons=(reason,)))[1]
    assert shape.skeleton == "command line \x01observed\x02 is new (0 of \x01number\x02 values)"


def test_where_a_long_message_was_cut_does_not_matter():
    text = "{} did something in words that go on for long " + "and on and on " * 40
    short, long = (
        cluster_shapes.shapes(asked({"user.name": name, "message": text.format(name)}, names=(("user", name),)))[1]
        for name in ("bob", "m.keller-brandtner.x")
    )
    assert short.skeleton == long.skeleton
    assert (short.cut, long.cut) == (True, True)


def test_another_value_that_was_cut_says_so():
    (shape,) = cluster_shapes.shapes(asked({"process.command_line": "x " * 400}))
    assert shape.cut


@given(
    st.lists(
        st.tuples(st.sampled_from(["message", "user.name", "process.pid", "url.path", "a"]), st.text()), max_size=4
    )
)
def test_any_text_has_a_shape_whose_tokens_stand_in_the_line(pairs):
    fields = dict(pairs)
    request = asked(fields, names=[("user", value) for value in fields.values()])
    found = cluster_shapes.shapes(request)
    assert [shape.number for shape in found] == [line.number for line in request.evidence]
    for shape, line in zip(found, request.evidence, strict=True):
        assert all(value in line.text for _, value in shape.tokens)
        assert shape.skeleton.count("\x01") == len(shape.tokens)
