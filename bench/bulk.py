"""How long does one decision for many take, over HTTP, and to undo it: 10,000 alerts, and every open one of 50,000?

Fills an empty database with open alerts, then asks as an analyst's browser does (in this process, middleware, forms and
answers included): the count that the page shows, the decision, its undo. On SQLite and on PostgreSQL with the settings
of a small machine and full durability.

    python bench/bulk.py [--json] [--quick]

``--quick``: a tenth of the alerts. Needs the development requirements (servers).
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

BAR_S = 5.0
ALERTS, MANY = 50_000, 10_000
Rows = list[dict[str, Any]]


def fill(count: int) -> None:
    """Make open alerts of a hundred kinds about five hundred entities."""
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from alerts.models import Alert
    from triage.models import Source, User

    call_command("migrate", interactive=False, verbosity=0)
    source = Source.objects.create(name="bench", token_hash="0" * 64)
    User.objects.create_user("ana", password="x", role="analyst")
    now = timezone.now()
    rows = (
        Alert(
            fingerprint=hashlib.sha256(str(number).encode()).hexdigest(), template=str(number % 100), source=source,
            title=f"Accepted password for person {number}", entity=f"user:person{number % 500}", severity="low",
            severity_rank=1, score=7.5, p_value=0.001, event_count=1, first_seen_at=now, last_seen_at=now,
        )
        for number in range(count)
    )  # fmt: skip
    Alert.objects.bulk_create(rows, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def inside(count: int, many: int) -> Rows:
    """Fill the database of the environment and take the time of each request."""
    import django

    django.setup()
    from django.test import Client

    from alerts.models import Alert
    from triage.models import User

    fill(count)
    client = Client(headers={"Accept": "application/json"}, SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="ana"))
    numbers = " ".join(f"{pk}:1" for pk in Alert.objects.order_by("pk").values_list("pk", flat=True)[:many])
    last = Alert.objects.order_by("-pk").values_list("pk", flat=True)[0]
    told = {"query": "", "count": count, "up_to": last}
    rows: Rows = []

    def ask(name: str, path: str, data: dict[str, Any], done: int | None) -> None:
        start = time.perf_counter()
        response = client.post(path, data) if data else client.get(path)
        seconds = time.perf_counter() - start
        answer = response.json() if done is not None else {}
        if response.status_code != 200 or answer.get("done", answer.get("undone")) not in (done, None):
            raise SystemExit(f"{name}: {response.status_code} {response.content[:300]!r}")
        rows.append({"what": name, "alerts": done or count, "seconds": round(seconds, 2)})

    undo = ("/alerts/undo/", {"action": ""}, many)
    ask("count before it", "/alerts/bulk/confirm/", {}, None)
    ask("verdict by number", "/alerts/bulk/", {"do": "verdict", "value": "fp_logic", "alerts": numbers}, many)
    ask("undo", *undo)
    # Their revisions have moved on: the page would have been loaded again.
    numbers = numbers.replace(":1", ":3")
    ask("take", "/alerts/bulk/", {"do": "assign", "value": "me", "alerts": numbers}, many)
    ask("undo", *undo)
    ask("escalate", "/alerts/bulk/", {"do": "escalate", "alerts": numbers.replace(":3", ":5")}, many)
    ask("undo", *undo)
    ask("verdict by filter", "/alerts/bulk/", {"do": "verdict", "value": "fp_logic", "note": "n"} | told, count)
    ask("undo", "/alerts/undo/", {"action": ""}, count)
    return rows


def child(variables: dict[str, str], count: int, many: int) -> Rows:
    """Run :func:`inside` in a process of its own, with a data directory of its own."""
    with tempfile.TemporaryDirectory(prefix="winnow-bulk-") as directory:
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "triage.settings", "WINNOW_DATA_DIR": directory}
        environment |= {"SECRET_KEY": "b" * 50, "ALLOWED_HOSTS": "localhost"} | variables
        command = [sys.executable, __file__, "--inside", str(count), str(many)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    rows: Rows = json.loads(done.stdout.splitlines()[-1])
    return rows


def main() -> int:
    """Measure both databases; return 1 when 10,000 alerts took too long on one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--inside", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(inside(*arguments.inside)))
        return 0
    from bench import kept

    count, many = (ALERTS // 10, MANY // 10) if arguments.quick else (ALERTS, MANY)
    found = {"sqlite": child({}, count, many)}
    with tempfile.TemporaryDirectory(prefix="tmp-winnow-bulk-") as directory, kept.variables(Path(directory)) as names:
        found["postgresql"] = child(names, count, many)
    slow = [
        f"{database}: {row['what']} {row['seconds']} s"
        for database, rows in found.items()
        for row in rows
        if row["alerts"] <= many and row["seconds"] >= BAR_S
    ]
    for database, rows in found.items():
        print(f"\n{database}")
        for row in rows:
            print(f"  {row['what']:20} {row['alerts']:7,} alerts {row['seconds']:7.2f} s")
    print(f"\nbar: {many:,} alerts in one action under {BAR_S:.0f} s: {'held' if not slow else '; '.join(slow)}")
    if arguments.json:
        print(json.dumps(found | {"held": not slow}))
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
