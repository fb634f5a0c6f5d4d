"""Zeek JSON logs (conn, dns, http, ssl) and a little Suricata EVE, from the sensor at the office's edge.

Handed: time and the facts of a connection. Hands on: messages whose content is a JSON object; they travel as
NDJSON, because that is how these sensors' files are shipped.
"""

from random import Random
from typing import Any

from bench.company.formats.clock import eve, iso
from bench.company.message import NDJSON, Message

SENSOR = "sensor-1"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _zeek(path: str, at: float, rng: Random, flow: tuple[str, int, str, int], fields: dict[str, Any]) -> Message:
    origin, origin_port, target, target_port = flow
    document = {
        "_path": path,
        "ts": iso(at),
        "uid": "C" + "".join(rng.choices(LETTERS, k=17)),
        "id.orig_h": origin,
        "id.orig_p": origin_port,
        "id.resp_h": target,
        "id.resp_p": target_port,
        **fields,
    }
    return Message(at, SENSOR, "sample-network", f"zeek:{path}", document, NDJSON)


def _flow(rng: Random, origin: str, target: str, port: int) -> tuple[str, int, str, int]:
    return origin, rng.randrange(32768, 60999), target, port


def conn(
    at: float,
    rng: Random,
    origin: str,
    target: str,
    port: int,
    *,
    service: str,
    volume: tuple[int, int],
    seconds: float,
) -> Message:
    """Return a finished connection; ``volume`` is payload bytes (sent, received) as the originator sees it."""
    sent, received = volume
    fields = {
        "proto": "udp" if service == "dns" else "tcp",
        "service": service,
        "duration": round(seconds, 6),
        "orig_bytes": sent,
        "resp_bytes": received,
        "conn_state": "SF",
        "local_orig": True,
        "local_resp": target.startswith("10."),
        "missed_bytes": 0,
        "history": "Dd" if service == "dns" else "ShADadFf",
        "orig_pkts": sent // 1300 + 4,
        "orig_ip_bytes": sent + 52 * (sent // 1300 + 4),
        "resp_pkts": received // 1300 + 4,
        "resp_ip_bytes": received + 52 * (received // 1300 + 4),
    }
    return _zeek("conn", at, rng, _flow(rng, origin, target, port), fields)


def dns(at: float, rng: Random, origin: str, resolver: str, name: str, kind: str, answers: list[str]) -> Message:
    """Return a DNS query and its answer; no answers means NXDOMAIN."""
    numbers = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
    fields: dict[str, Any] = {
        "proto": "udp",
        "trans_id": rng.randrange(65536),
        "rtt": round(rng.uniform(0.001, 0.06), 6),
        "query": name,
        "qclass": 1,
        "qclass_name": "C_INTERNET",
        "qtype": numbers[kind],
        "qtype_name": kind,
        "rcode": 0 if answers else 3,
        "rcode_name": "NOERROR" if answers else "NXDOMAIN",
        "AA": False,
        "TC": False,
        "RD": True,
        "RA": True,
        "Z": 0,
        "rejected": False,
    }
    if answers:
        fields |= {"answers": answers, "TTLs": [float(rng.choice((30, 60, 300, 3600)))] * len(answers)}
    return _zeek("dns", at, rng, _flow(rng, origin, resolver, 53), fields)


def ssl(at: float, rng: Random, origin: str, target: str, name: str) -> Message:
    fields = {
        "version": "TLSv13",
        "cipher": rng.choice(("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384")),
        "curve": "x25519",
        "server_name": name,
        "resumed": rng.random() < 0.4,
        "established": True,
        "ssl_history": "CsiI",
    }
    return _zeek("ssl", at, rng, _flow(rng, origin, target, 443), fields)


def http(at: float, rng: Random, origin: str, target: str, name: str, request: str, agent: str, size: int) -> Message:
    """Return a plain HTTP exchange; ``request`` is ``METHOD path``."""
    method, _, uri = request.partition(" ")
    fields = {
        "trans_depth": 1,
        "method": method,
        "host": name,
        "uri": uri,
        "version": "1.1",
        "user_agent": agent,
        "request_body_len": 0,
        "response_body_len": size,
        "status_code": 200,
        "status_msg": "OK",
        "tags": [],
    }
    return _zeek("http", at, rng, _flow(rng, origin, target, 80), fields)


def suricata(
    at: float, rng: Random, flow: tuple[str, str, int], signature: tuple[int, str, str], level: int
) -> Message:
    """Return an EVE alert; ``flow`` is (origin, target, port), ``signature`` (id, text, category)."""
    origin, target, port = flow
    number, text, category = signature
    document = {
        "timestamp": eve(at),
        "flow_id": rng.randrange(10**14, 10**15),
        "in_iface": "eth1",
        "event_type": "alert",
        "src_ip": origin,
        "src_port": rng.randrange(32768, 60999),
        "dest_ip": target,
        "dest_port": port,
        "proto": "TCP",
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": number,
            "rev": 3,
            "signature": text,
            "category": category,
            "severity": level,
        },
    }
    return Message(at, SENSOR, "sample-network", "suricata:eve", document, NDJSON)
