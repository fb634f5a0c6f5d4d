"""Where a URL leads: inside only when it is allowed, to metadata never, and to the address that was looked at."""

import pytest

from triage import outbound

pytestmark = pytest.mark.once
INSIDE = "name it in OUTBOUND_ALLOW"
NEVER = "never reached"


def answering(*addresses: str):
    """Return a name server that knows one answer."""
    return lambda *_, **__: [(0, 0, 0, "", (address, 0)) for address in addresses]


def test_a_public_address_is_pinned_and_the_name_is_kept():
    target = outbound.checked("https://hooks.example/a?b=c#d", resolve=answering("93.184.215.14"))
    assert target == outbound.Target("hooks.example", "hooks.example", ("https://93.184.215.14/a?b=c",))


def test_every_address_of_a_name_is_a_place_to_try_once():
    found = answering("2606:2800:21f::1", "93.184.215.14", "93.184.215.14")
    target = outbound.checked("http://hooks.example:8080/a", resolve=found)
    assert target.netloc == "hooks.example:8080"
    assert target.places == ("http://[2606:2800:21f::1]:8080/a", "http://93.184.215.14:8080/a")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1", "198.18.0.1"],
)
def test_inside_is_refused_until_it_is_allowed(address: str):
    with pytest.raises(outbound.RefusedError, match=INSIDE):
        outbound.checked("http://n.example/", resolve=answering(address))
    for allow in ([address], ["n.example"], ["N.EXAMPLE"], [f"{address}/8"]):
        target = outbound.checked("http://n.example/", allow=allow, resolve=answering(address))
        assert target.place in {f"http://{address}/", f"http://[{address}]/"}


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "0.0.0.0", "::",
        "240.0.0.1", "255.255.255.255", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_what_is_never_reached_cannot_be_allowed(address: str):
    everything = ["0.0.0.0/0", "::/0", "n.example"]
    with pytest.raises(outbound.RefusedError, match=NEVER):
        outbound.checked("http://n.example/", allow=everything, resolve=answering(address))


@pytest.mark.parametrize("address", ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "64:ff9b::a00:1"])
def test_an_address_hidden_in_another_is_looked_at(address: str):
    with pytest.raises(outbound.RefusedError, match=INSIDE):
        outbound.checked("http://n.example/", resolve=answering(address))


def test_one_bad_address_of_several_is_enough():
    with pytest.raises(outbound.RefusedError, match=NEVER):
        outbound.checked("http://n.example/", resolve=answering("93.184.215.14", "169.254.169.254"))


def test_a_name_that_answers_differently_the_second_time_changes_nothing():
    answers = iter(["93.184.215.14", "169.254.169.254"])
    target = outbound.checked("http://n.example/", resolve=lambda *_, **__: answering(next(answers))())
    assert target.place == "http://93.184.215.14/"


@pytest.mark.parametrize(
    "url", ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://[::1]/", "http://localhost/"]
)
def test_other_ways_to_write_loopback_are_loopback(url: str):
    with pytest.raises(outbound.RefusedError, match=r"OUTBOUND_ALLOW|cannot be resolved"):
        outbound.checked(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example", "ftp://hooks.example/", "file:///etc/passwd", "gopher://x/", "http://", "http:///x",
        "http://a:99999/", "http://[::1/", "http://user:secret@hooks.example/", "http://hooks.example/a b",
        "http://hooks.example/\r\nHost: x", "http://x/" + "a" * 2000, "javascript:alert(1)",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused_without_being_looked_up(url: str):
    def lookup(*_: object, **__: object) -> list[object]:
        raise AssertionError("it was looked up")

    with pytest.raises(outbound.RefusedError) as refusal:
        outbound.checked(url, allow=["0.0.0.0/0"], resolve=lookup)
    assert "secret" not in str(refusal.value)


def test_a_name_that_cannot_be_resolved_is_refused():
    def lookup(*_: object, **__: object) -> list[object]:
        raise OSError("no such name")

    with pytest.raises(outbound.RefusedError, match=r"the name n\.example cannot be resolved"):
        outbound.checked("http://n.example/", resolve=lookup)
    with pytest.raises(outbound.RefusedError, match="has no address"):
        outbound.checked("http://n.example/", resolve=answering())


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254", "0.0.0.0"])
def test_a_connection_that_is_open_is_looked_at_too(address: str):
    with pytest.raises(outbound.RefusedError, match=NEVER):
        outbound.check_peer(address)
    for fine in ("127.0.0.1", "10.1.2.3", "8.8.8.8", "::1"):
        outbound.check_peer(fine)
