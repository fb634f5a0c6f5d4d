"""Synthetic events of about 400 bytes for load: web, SSH, Windows and Zeek, from a seed."""

import datetime as dt
import json
import random
from typing import Any

USERS = [f"user{number:03d}" for number in range(120)]
HOSTS = [f"srv-{number:02d}.corp.example" for number in range(40)]
PATHS = ["/", "/cart", "/login", "/static/app.js", "/api/items", "/api/items/7", "/search", "/help"]
IMAGES = ["explorer.exe", "chrome.exe", "outlook.exe", "teams.exe", "svchost.exe", "powershell.exe"]
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"


def _web(rng: random.Random, time: float) -> dict[str, Any]:
    when = dt.datetime.fromtimestamp(time, dt.UTC)
    path, size = rng.choice(PATHS), rng.randrange(200, 20_000)
    line = (
        f"198.51.100.{rng.randrange(1, 250)} - - [{when:%d/%b/%Y:%H:%M:%S} +0000]"
        f' "GET {path}?session={rng.getrandbits(64):016x}&page={rng.randrange(40)} HTTP/1.1" 200 {size}'
        f' "https://shop.example/catalogue/section/{rng.randrange(90)}" "{AGENT}" rt=0.0{rng.randrange(9)}'
    )
    return {"time": time, "host": rng.choice(HOSTS[:4]), "sourcetype": "access_combined", "event": line}


def _ssh(rng: random.Random, time: float) -> dict[str, Any]:
    host, user = rng.choice(HOSTS), rng.choice(USERS)
    line = (
        f"<38>{dt.datetime.fromtimestamp(time, dt.UTC):%b %d %H:%M:%S} {host} sshd[{rng.randrange(900, 32_000)}]: "
        f"Accepted publickey for {user} from 10.20.{rng.randrange(4)}.{rng.randrange(1, 250)} "
        f"port {rng.randrange(20_000, 60_000)} ssh2: RSA SHA256:{rng.getrandbits(250):063x}"
    )
    return {"time": time, "host": host, "sourcetype": "linux_secure", "event": line}


def _windows(rng: random.Random, time: float) -> dict[str, Any]:
    image, parent = rng.choice(IMAGES), rng.choice(IMAGES[:3])
    host = f"ws-{rng.randrange(60):02d}.corp.example"
    return {
        "time": time,
        "host": host,
        "sourcetype": "winlogbeat",
        "event": {
            "winlog": {
                "channel": "Microsoft-Windows-Sysmon/Operational",
                "event_id": "1",
                "computer_name": host,
                "event_data": {
                    "Image": f"C:\\Program Files\\Common\\{image}",
                    "ParentImage": f"C:\\Windows\\{parent}",
                    "CommandLine": f'"{image}" --profile {rng.randrange(30)} --type=renderer',
                    "User": f"CORP\\{rng.choice(USERS)}",
                    "ProcessId": str(rng.randrange(400, 30_000)),
                },
            },
        },
    }


def _zeek(rng: random.Random, time: float) -> dict[str, Any]:
    return {
        "time": time,
        "host": "sensor-1.corp.example",
        "sourcetype": "zeek:conn",
        "event": {
            "_path": "conn", "ts": time, "uid": f"C{rng.getrandbits(80):020x}",
            "id.orig_h": f"10.20.{rng.randrange(4)}.{rng.randrange(1, 250)}",
            "id.orig_p": rng.randrange(20_000, 60_000),
            "id.resp_h": f"10.30.0.{rng.randrange(1, 40)}", "id.resp_p": rng.choice([53, 80, 443, 445, 3389]),
            "proto": "tcp", "service": "ssl", "duration": round(rng.expovariate(2), 6),
            "orig_bytes": rng.randrange(100, 9_000), "resp_bytes": rng.randrange(100, 90_000),
            "conn_state": rng.choice(["SF", "SF", "SF", "S0", "REJ"]), "history": "ShADadFf",
            "orig_pkts": rng.randrange(4, 60), "resp_pkts": rng.randrange(4, 90), "local_orig": True,
        },
    }  # fmt: skip


def hec_events(count: int, *, seed: int = 0, start: float = 1_795_300_000.0) -> list[dict[str, Any]]:
    """Return Splunk HEC objects, a fixed mix of four kinds, 50 ms apart."""
    rng = random.Random(seed)
    kinds = (_web, _ssh, _windows, _zeek)
    return [kinds[number % 4](rng, start + number * 0.05) for number in range(count)]


def bodies(events: list[dict[str, Any]], size: int) -> list[bytes]:
    """Return HEC request bodies of a number of events each."""
    lines = [json.dumps(event).encode() for event in events]
    return [b"\n".join(lines[start : start + size]) for start in range(0, len(lines), size)]
