"""Intrusions seen by the network sensor.

Handed: company, random source, start. Hands on: one story each.
"""

import base64
from random import Random

from bench.company.formats import network
from bench.company.message import Message
from bench.company.stories.base import Story
from bench.company.world import RESOLVER, Company


def dns_tunnel(company: Company, rng: Random, at: float) -> Story:
    """Something talks to the outside in the names it looks up."""
    person = rng.choice(company.people)
    domain = f"ns{rng.randrange(1, 9)}.{rng.choice(('tidewater', 'keelhaul', 'foghorn'))}-sync.example"
    sent = []
    for _ in range(rng.randint(28, 36)):
        at += rng.uniform(0.15, 0.5)
        chunk = base64.b32encode(rng.randbytes(60)).decode().lower().rstrip("=")
        name = f"{chunk[:52]}.{chunk[52:]}.{domain}"
        answer = base64.b64encode(rng.randbytes(90)).decode()
        sent.append(network.dns(at, rng, person.address, RESOLVER, name, "TXT", [f"TXT 120 {answer}"]))
    return Story("dns_tunnel", "Data in DNS names", "T1071.004", (domain,), tuple(sent))


def exfiltration(company: Company, rng: Random, at: float) -> Story:
    """The file server sends gigabytes to an address nobody ever talked to."""
    address, origin = company.intruders[5], "10.20.2.20"
    domain = f"up.{rng.choice(('megadrop', 'cratebox', 'hullshare'))}.example"
    signature = (
        2024792,
        "ET POLICY Large outbound transfer to file sharing service",
        "Potential Corporate Privacy Violation",
    )
    sent: list[Message] = [network.dns(at, rng, origin, RESOLVER, domain, "A", [address])]
    for _ in range(8):
        at += rng.uniform(0.8, 2)
        size = rng.randrange(1_200_000_000, 4_000_000_000)
        sent.append(network.ssl(at, rng, origin, address, domain))
        sent.append(
            network.conn(
                at + 0.2, rng, origin, address, 443, service="ssl", volume=(size, size // 4000),
                seconds=rng.uniform(200, 800),
            )
        )  # fmt: skip
    sent.append(network.suricata(at + 1, rng, (origin, address, 443), signature, 1))
    return Story("exfiltration", "Gigabytes leave the file server", "T1048", (address, domain), tuple(sent))
