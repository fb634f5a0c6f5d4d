"""Tunnels: OpenVPN, strongSwan's charon, WireGuard in the kernel.

Handed: a message without its syslog header, or a bare OpenVPN line. Hands on: the peer, the account, and what became
of its login or handshake. The peer is the source and this end the destination in every message of an exchange, the
answers included: charon's ``sending packet: from LOCAL to REMOTE`` is about the same peer as the packet it answers.
``event.action`` is ``login``, ``vpn_handshake``, ``vpn_connected``, ``vpn_disconnected`` or ``vpn_packet``. Formats:
the programs' own messages.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, times

MAX_READ = 1_500
_OPENVPN_APPS = frozenset({"openvpn", "ovpn-server", "ovpn-client"})
_CHARON_APPS = frozenset({"charon", "charon-systemd", "ipsec", "charon-cmd"})
_WEEKDAYS = frozenset({"Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "})
_PREFIX = re.compile(
    r"(?:us=\d{1,6} )?(?:(?P<user>[^\s/\[\]:]{1,128})/)?(?:\[AF_INET6?\])?(?P<peer>[0-9A-Fa-f:.]{3,45}:\d{1,5}) "
)
_MARKED = re.compile(r"\[AF_INET6?\](?P<peer>[0-9A-Fa-f:.]{2,45}:\d{1,5})(?!\d)")
_BARE = re.compile(
    r"(?:TLS (?:Auth )?Error: |VERIFY (?:OK|ERROR): |TLS: Username/Password |Peer Connection Initiated with |OpenSSL: "
    r"error:|MULTI: (?:Learn|primary|bad source)|AUTH_FAILED|SIGTERM\[soft,|SIGUSR1\[soft,)"
)
_NAMED = re.compile(
    r"succeeded for username '(?P<user>[^'\s]{1,256})'|\[(?P<name>[^\[\]\s]{1,128})\] Peer Connection Initiated"
)
#: What a message says, the action it is about and its outcome; the first that is in the text counts.
_OPENVPN_ROWS = (
    ("Peer Connection Initiated with", "vpn_connected", "success"),
    ("Username/Password authentication succeeded", "login", "success"),
    ("Username/Password verification failed", "login", "failure"),
    ("AUTH_FAILED", "login", "failure"),
    ("TLS Auth Error:", "login", "failure"),
    ("TLS Error:", "vpn_handshake", "failure"),
    ("VERIFY ERROR:", "vpn_handshake", "failure"),
    ("OpenSSL: error:", "vpn_handshake", "failure"),
    ("TCP connection established with", "vpn_handshake", ""),
    ("client-instance exiting", "vpn_disconnected", ""),
    ("client-instance restarting", "vpn_disconnected", ""),
)


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    if app == "kernel":
        return "wireguard: " in text[:64]
    if app == "":
        return (text[:1].isdigit() or text[:4] in _WEEKDAYS) and _BARE.search(text, 0, 300) is not None
    return app in _CHARON_APPS or app in _OPENVPN_APPS or app.startswith(("ovpn-", "openvpn"))


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    text = text[:MAX_READ]
    wireguard = _WIREGUARD.match(text) if "wireguard: " in text[:64] else None
    if wireguard is not None:
        return _read_wireguard(wireguard, fields)
    ike = _IKE_HEAD.match(text)
    if ike is not None:
        return _read_ike(text[ike.end() :], ike["name"], fields)
    return _read_openvpn(text, fields)


def _put(fields: Fields, side: str, text: str) -> None:
    """OpenVPN writes no brackets around an IPv6 address before its port."""
    address, _, port = text.rpartition(":")
    addresses.put(fields, side, address, port)


def _end(action: str, outcome: str, fields: Fields) -> None:
    fields["event.category"] = "authentication" if action == "login" else "network"
    fields["event.action"] = action
    if outcome:
        fields["event.outcome"] = outcome


def _read_openvpn(text: str, fields: Fields) -> str | None:
    stamp, start = "", 0
    if text[:1].isdigit() or text[:4] in _WEEKDAYS:
        _, stamp, start = times.head(text, 0.0)
    prefix = _PREFIX.match(text, start)
    said = text[prefix.end() :] if prefix is not None else text[start:]
    row = next((row for row in _OPENVPN_ROWS if row[0] in said), None)
    marked = _MARKED.search(said)
    if row is None and (prefix is None or (prefix["user"] is None and marked is None)):
        return None
    fields["event.category"] = "network"
    if prefix is not None:
        _put(fields, "source", prefix["peer"])
    elif marked is not None and " link local" not in said:
        _put(fields, "source", marked["peer"])
    named = _NAMED.search(said)
    user = (named["user"] or named["name"]) if named is not None else (prefix["user"] if prefix is not None else None)
    if user:
        fields["user.name"] = user
    if row is not None:
        _end(row[1], row[2], fields)
    return stamp


_IKE_HEAD = re.compile(
    r"\d{1,3}\[(?:NET|IKE|ENC|CFG|MGR|CHD|KNL|DMN|JOB|TNC|LIB|ASN)\] (?:<(?P<name>[^<>\s]{1,128})> )?"
)
_IP = r"(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]{2,45})"
_PACKET = re.compile(
    rf"(?P<way>sending|received) packet: from (?P<from>{_IP})\[(?P<fromport>\d{{1,5}})\] to (?P<to>{_IP})"
    r"\[(?P<toport>\d{1,5})\]"
)
#: ``LOCAL[id]...REMOTE[id]``, after a word that says what it is about.
_BETWEEN = re.compile(rf"(?:between|for|matching) (?P<local>{_IP})(?:\[[^\[\]]{{0,256}}\])?\.\.\.(?P<remote>{_IP})")
_INITIATING = re.compile(rf"(?P<remote>{_IP}) is initiating ")
_IKE_USER = re.compile(
    r"authentication of '(?P<user>[^']{1,256})' (?:with .{1,64} )?(?:successful|failed)"
    r"|method \w{2,32} (?:failed|succeeded),? (?:for peer|(?:no )?MSK established for) "
    r"'?(?P<peer>[^'\s]{1,256})"
    r"|username: '(?P<name>[^']{1,256})'"
)


def _read_ike(said: str, connection: str | None, fields: Fields) -> str | None:
    """Read what charon says about a peer; nothing when it names none and no outcome."""
    if "(myself)" in said:  # our own proof to the peer is no login of somebody's
        return None
    found = _read_ike_ends(said, fields)
    user = _IKE_USER.search(said)
    if user is not None:
        fields["user.name"] = user["user"] or user["peer"] or user["name"]
    if "authentication of '" in said or " method EAP" in said or "MAC mismatched" in said:
        good = "successful" in said or " succeeded" in said
        _end("login", "success" if good else "failure", fields)
    elif "AUTH_FAILED" in said or "AUTHENTICATION_FAILED" in said or "no matching peer config found" in said:
        _end("login", "failure", fields)
    elif "IKE_SA " in said and " established between " in said:
        _end("vpn_connected", "success", fields)
    elif "deleting IKE_SA " in said:
        _end("vpn_disconnected", "", fields)
    elif "NO_PROPOSAL_CHOSEN" in said or "no IKE config found" in said:
        _end("vpn_handshake", "failure", fields)
    elif not found and user is None:
        return None
    if connection:
        fields["strongswan.connection"] = connection
    return ""


def _read_ike_ends(said: str, fields: Fields) -> bool:
    """Add the peer as source and this end as destination; return whether the message names them."""
    packet = _PACKET.match(said)
    if packet is not None:
        peer, own = ("to", "from") if packet["way"] == "sending" else ("from", "to")
        addresses.put(fields, "source", packet[peer], packet[peer + "port"])
        addresses.put(fields, "destination", packet[own], packet[own + "port"])
        _end("vpn_packet", "", fields)
        return True
    between = _BETWEEN.search(said)
    if between is not None:
        addresses.put(fields, "source", between["remote"], None)
        addresses.put(fields, "destination", between["local"], None)
        fields["event.category"] = "network"
        return True
    initiating = _INITIATING.match(said)
    if initiating is not None:
        addresses.put(fields, "source", initiating["remote"], None)
        _end("vpn_handshake", "", fields)
    return initiating is not None


_WIREGUARD = re.compile(
    r"(?:\[ {0,8}\d{1,9}\.\d{1,9}\] ?)?wireguard: (?P<interface>[\w.-]{1,32}): (?P<said>.{1,400}?)"
    r"(?: from| to| for)? (?:peer \d{1,9} \()?(?P<peer>\[?[0-9A-Fa-f:.]{2,45}\]?):(?P<port>\d{1,5})\)?"
)


def _read_wireguard(line: re.Match[str], fields: Fields) -> str:
    """The kernel names the peer's outer address last, behind its number."""
    addresses.put(fields, "source", line["peer"].strip("[]"), line["port"])
    fields["observer.ingress.interface.name"] = line["interface"]
    said = line["said"] + line.string[line.end() : line.end() + 64]
    failed = said.startswith(("Invalid", "Packet has unallowed", "Packet is neither")) or "did not complete" in said
    _end("vpn_handshake" if "andshake" in said else "vpn_packet", "failure" if failed else "", fields)
    return ""
