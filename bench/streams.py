"""What windows are worth on streams with planted attacks: ``bench/streams.py``

Makes two streams of its own: three days of logins (a brute force that succeeds and a password spray, each twice, from
addresses that are known) and 30 hours of Zeek connections (a host scan, a port scan, a beacon). Prints AUROC, average
precision and recall within the top 1 % without and with windows, and AUROC per attack. Both streams are simple and were
made by whoever made the windows: they show what windows can do, not what they do on real logs.
"""

import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from triage import parsers
from triage.contracts import ParsedEvent, Record
from triage.detectors.baseline_forest import BaselineForest
from triage.features.windows import Windows

START, DAY, BATCH, RECEIVED_AT = 1.75e9, 86_400.0, 2_000, 1_893_456_000.0
#: Time, raw record, name of the attack or nothing.
Raw = tuple[float, str | dict[str, Any], str]
USERS = [f"u{i:03d}" for i in range(60)]
HOSTS = [f"srv{i}" for i in range(6)]
SERVICES = ((443, "ssl", 45), (53, "dns", 25), (80, "http", 12), (445, "smb", 8), (22, "ssh", 3), (123, "ntp", 3))
SERVERS = [f"10.6.0.{i}" for i in range(12)]
CLIENTS = [f"10.5.{i // 30}.{i % 30 + 10}" for i in range(120)]
OUTSIDE = [f"93.{i % 200}.{i * 7 % 250}.{i * 13 % 250}" for i in range(400)]


def stamp(at: float) -> str:
    """Return a time as RFC 3339."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def address_of(user: str) -> str:
    """Return the usual address of a user."""
    number = USERS.index(user)
    return f"10.2.{number // 20}.{number % 20 + 5}"


def logins(chance: random.Random) -> tuple[list[Raw], float]:
    """Return three days of logins, the last with attacks, and when that begins."""
    found: list[Raw] = []

    def say(at: float, host: str, said: str, attack: str = "") -> None:
        found.append((at, f"<38>1 {stamp(at)} {host} sshd {chance.randrange(1_000, 9_000)} - - {said}", attack))

    def session(at: float, user: str, host: str, address: str, failures: int, attack: str = "") -> None:
        port = chance.randrange(30_000, 60_000)
        for _ in range(failures):
            say(at, host, f"Failed password for {user} from {address} port {port} ssh2", attack)
            at += chance.uniform(0.8, 2.2)
        say(at, host, f"Accepted password for {user} from {address} port {port} ssh2", attack)
        say(at + chance.expovariate(1 / 900), host, f"Disconnected from user {user} {address} port {port}")

    at = START
    while at < START + 3 * DAY:
        at += chance.expovariate(0.05 if 8 < at % DAY / 3_600 < 18 else 0.006)
        user = USERS[min(int(chance.expovariate(0.06)), 59)]
        host = HOSTS[USERS.index(user) % 6] if chance.random() < 0.8 else chance.choice(HOSTS)
        session(at, user, host, address_of(user), chance.choice([0] * 12 + [1, 1, 2, 3]))
    for slot in range(int(3 * DAY / 600)):
        for place, host in enumerate(HOSTS):
            session(START + slot * 600 + place / 2, "u000", host, "10.2.0.5", 0)
    later = START + 2 * DAY
    for _ in range(2):
        at, user = later + chance.uniform(0, 8e4), chance.choice(USERS[:30])
        session(at, user, chance.choice(HOSTS), address_of(chance.choice(USERS[:30])), 40, "brute force")
        at, address = later + chance.uniform(0, 8e4), address_of(chance.choice(USERS[:30]))
        for number, user in enumerate(USERS):
            said = f"Failed password for {user} from {address} port {chance.randrange(30_000, 60_000)} ssh2"
            say(at + number * 5, HOSTS[0], said, "spray")
        session(at + 310, chance.choice(USERS[:30]), HOSTS[0], address, 0, "spray")
    return found, later


def connections(chance: random.Random) -> tuple[list[Raw], float]:
    """Return 30 hours of connections, the last ten with attacks, and when those begin."""
    found: list[Raw] = []

    def say(at: float, ends: tuple[str, str, int], state: str, service: str = "", attack: str = "") -> None:
        source, target, port = ends
        said: dict[str, Any] = {
            "_path": "conn", "ts": stamp(at), "uid": f"C{chance.getrandbits(64):016x}", "id.orig_h": source,
            "id.orig_p": chance.randrange(32_768, 61_000), "id.resp_h": target, "id.resp_p": port,
            "proto": "udp" if port in {53, 123} else "tcp", "conn_state": state,
        }  # fmt: skip
        if service:
            said |= {"service": service, "duration": round(chance.lognormvariate(0, 1.5), 6)}
            said |= {"orig_bytes": int(chance.lognormvariate(6, 1)), "resp_bytes": int(chance.lognormvariate(8, 1.5))}
        found.append((at, said, attack))

    for _ in range(36_000):
        port, service, _ = chance.choices(SERVICES, [share for _, _, share in SERVICES])[0]
        outside = OUTSIDE[min(int(chance.expovariate(0.012)), 399)]
        ends = (
            CLIENTS[min(int(chance.expovariate(0.03)), 119)],
            outside if port in {80, 443} else chance.choice(SERVERS),
            port,
        )
        failed = chance.random() < 0.06
        state = chance.choice(["S0", "S0", "REJ", "RSTO"]) if failed else "SF"
        say(START + chance.uniform(0, 108_000), ends, state, "" if failed else service)
    later = START + 72_000
    at, source = later + chance.uniform(0, 3e4), chance.choice(CLIENTS[:40])
    for number, target in enumerate([*SERVERS, *CLIENTS]):
        say(at + number * 0.3, (source, target, chance.choice([445, 22, 3389])), "S0", attack="host scan")
    at, source = later + chance.uniform(0, 3e4), chance.choice(CLIENTS[:40])
    for number, port in enumerate(chance.sample(range(1, 10_000), 120)):
        say(at + number * 0.2, (source, SERVERS[3], port), "REJ", attack="port scan")
    at, source = later + chance.uniform(0, 3e4), chance.choice(CLIENTS[:40])
    for number in range(90):
        say(at + number * 60 + chance.uniform(-1, 1), (source, OUTSIDE[20], 443), "SF", "ssl", "beacon")
    return found, later


def figures(truth: np.ndarray, scores: np.ndarray) -> str:
    """Return AUROC, average precision and recall within the top 1 %."""
    top = np.argsort(-scores, kind="stable")[: max(1, round(0.01 * len(scores)))]
    recall = truth[top].sum() / truth.sum()
    return f"{roc_auc_score(truth, scores):.3f} / {average_precision_score(truth, scores):.3f} / {recall:.3f}"


def measure(name: str, made: Callable[[random.Random], tuple[list[Raw], float]]) -> None:
    """Learn and score one stream, and print what came of it."""
    raw, later = made(random.Random(0))
    raw.sort(key=lambda one: one[0])
    count = sum(at < later for at, _, _ in raw)
    records = [Record(said) for _, said, _ in raw]
    memory: dict[str, str] = {}
    events: list[ParsedEvent] = []
    for i in range(0, len(records), BATCH):
        events += parsers.parse(records[i : i + BATCH], RECEIVED_AT, memory=memory)
    windows = Windows().observe(events)
    detector = BaselineForest().fit(events[:count], alert_budget=0.01, random_state=0, windows=windows[:count])
    attacks = np.array([attack for _, _, attack in raw[count:]])
    without, within = detector.score(events[count:])[0], detector.score(events[count:], windows[count:])[0]
    truth = attacks != ""
    print(f"{name}: {len(truth):,} events scored, {truth.sum()} of attacks; learned {count:,}")
    print(f"  without windows {figures(truth, without)}   with {figures(truth, within)}")
    for attack in sorted(set(attacks[truth])):
        part = ~truth | (attacks == attack)
        alone, both = (roc_auc_score(truth[part], scores[part]) for scores in (without, within))
        print(f"  {attack:12} AUROC {alone:.3f} -> {both:.3f}")


def main() -> None:
    """Measure both streams."""
    measure("logins", logins)
    measure("connections", connections)


if __name__ == "__main__":
    main()
