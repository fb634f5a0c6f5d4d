"""The pictures of docs/tour.md, made from a running demonstration.

Starts ``manage.py up --demo`` on a database of its own, waits until a model serves and alerts have come, lets two
people work for a while, and takes every page at 1440 x 900, light and dark, into ``docs/img/tour``. Each picture is
made small (:mod:`bench.small_png`). Needs the development requirements (Chromium).

    python bench/screenshots.py [--out DIR] [--alerts N] [--only NAME,...]
"""

import argparse
import base64
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import small_png  # noqa: E402 - the bench runs from a checkout, without installation
from bench.deployment import winnow  # noqa: E402
from bench.page_paint import CHROMIUM, FLAGS  # noqa: E402

WIDTH, HEIGHT = 1440, 900
MAX_BYTES = 150_000
THEMES = ("light", "dark")
WAIT_SECONDS = 400
LOADING = ".htmx-request, [aria-busy=true]"
#: The picture's name -> the address, ``{name}`` stands for what :func:`sample` found; and keys to press there.
PAGES = {
    "queue": ("/", "j"),
    "queue-panel": ("/?alert={alert}", ""),
    "palette": ("/", "Control+k"),
    "keys": ("/", "?"),
    "alert": ("/alerts/{alert}/", ""),
    "raw": ("/events/{event}/raw/", ""),
    "entities": ("/entities/", ""),
    "entity": ("/entities/{kind}/?name={name}", ""),
    "events": ("/events/", ""),
    "overview": ("/overview/", ""),
    "models": ("/models/", ""),
    "sources": ("/sources/", ""),
    "source": ("/sources/{source}/", ""),
    "mutes": ("/mutes/", ""),
    "mute": ("/mutes/new/?alert={alert}", ""),
    "views": ("/views/", ""),
    "settings": ("/settings/", ""),
    "people": ("/settings/users/", ""),
    "channels": ("/settings/notifications/", ""),
    "channel": ("/settings/notifications/{channel}/", ""),
    "factor": ("/settings/factor/", ""),
    "trail": ("/settings/audit/", ""),
    "help": ("/help/", ""),
    "login": ("/login/", ""),
}
PIXELS = """async (picture) => {
  const bytes = Uint8Array.from(atob(picture), (one) => one.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const { data } = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  const parts = [];
  for (let at = 0; at < data.length; at += 32768) parts.push(String.fromCharCode(...data.subarray(at, at + 32768)));
  return btoa(parts.join(""));
}"""


def wait_for_alerts(wanted: int) -> None:
    """Wait until so many alerts are open and none of them waits for its explanation."""
    from alerts.models import Alert

    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if Alert.objects.count() >= wanted and not Alert.objects.filter(explanation_state="pending").exists():
            return
        time.sleep(2)
    raise SystemExit(f"{Alert.objects.count()} of {wanted} alerts came in {WAIT_SECONDS} s")


def work() -> None:
    """Let people decide some alerts, take others, save views and mute one kind: pages show what a shift leaves."""
    from alerts.models import Alert, Channel, ChannelKind
    from alerts.services import muting, review, saved_views
    from triage.models import Role, User

    people = [User.objects.get_or_create(username=name, defaults={"role": Role.LEAD})[0] for name in ("alice", "bob")]
    values = ("benign_tp", "fp_logic", "benign_tp", "tp_no_impact", "fp_data", "benign_tp")
    alerts = list(Alert.objects.filter(status="open").order_by("severity_rank", "pk"))
    for number, alert in enumerate(alerts[: len(alerts) // 3]):
        review.record_verdict(
            alert_id=alert.pk, value=values[number % len(values)], user=people[number % 2], expected_revision=None,
            note="known change, ticket 4711" if number % 4 == 0 else "",
        )  # fmt: skip
    rest = alerts[len(alerts) // 3 :]
    review.assign(alert_id=rest[-1].pk, user=people[0], assignee=people[0], expected_revision=None)
    for name, query in (("High and above", "severity=high&severity=critical"), ("Mine", "assignee=me")):
        saved_views.save_view(user=people[0], page="queue", name=name, query=query, shared=True)
    for kind, name in ((ChannelKind.EMAIL, "Night shift"), (ChannelKind.WEBHOOK, "Ticket desk")):
        address = "night@example.org" if kind == ChannelKind.EMAIL else "tickets.example"
        Channel.objects.create(
            kind=kind, name=name, address=address, topics=["escalation", "source"], created_by="demo"
        )
    quiet = rest[0]
    scope = muting.Scope.of(quiet, template=True, entity=True, source=False, max_severity="low")
    muting.mute(alert_id=quiet.pk, user=people[1], scope=scope, reason="The nightly backup, ticket 4711", days=14)


def sample() -> dict[str, Any]:
    """Return what stands in the addresses: the most severe alert that has an explanation, and what it is about."""
    from urllib.parse import quote

    from alerts.models import Alert, Channel

    alert = Alert.objects.filter(status="open", explanation_state="done").order_by("-severity_rank", "-event_count")[0]
    kind, _, name = alert.entity.partition(":")
    event = alert.alert_events.order_by("-score").values_list("event_id", flat=True)[0]
    found = {"alert": alert.pk, "event": event, "source": alert.source_id, "channel": Channel.objects.earliest("pk").pk}
    return found | {"kind": kind, "name": quote(name)}


def take(url: str, given: dict[str, Any], only: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each picture's name and bytes."""
    from django.test import Client
    from playwright.sync_api import expect, sync_playwright

    from triage.models import User

    client, person = Client(), User.objects.get(username="demo")
    person.preferences = {"tour": True}  # it has been seen
    person.save(update_fields=["preferences"])
    client.force_login(person)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        room = {"viewport": {"width": WIDTH, "height": HEIGHT}, "reduced_motion": "reduce"}
        desk = browser.new_page()
        for name, (path, keys) in PAGES.items():
            if only and name not in only:
                continue
            for theme in THEMES:
                context = browser.new_context(color_scheme=theme, **room)
                if name != "login":
                    context.add_cookies([cookie])
                page = context.new_page()
                page.goto(url + path.format_map(given))
                expect(page.locator(LOADING)).to_have_count(0, timeout=20_000)
                if keys:
                    page.keyboard.press(keys)
                    page.wait_for_timeout(300)
                yield f"{name}-{theme}", small(desk, page.screenshot())
                context.close()
        browser.close()


def small(desk: Any, picture: bytes) -> bytes:
    """Return a picture with a palette; the browser decodes it, as nothing here can."""
    decoded = base64.b64decode(desk.evaluate(PIXELS, base64.b64encode(picture).decode()))
    return small_png.encoded(np.frombuffer(decoded, np.uint8).reshape(HEIGHT, WIDTH, 4)[:, :, :3])


def main() -> int:
    """Make the pictures; 1 when one is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "img" / "tour")
    parser.add_argument("--alerts", type=int, default=60, help="how many alerts to wait for")
    parser.add_argument("--only", default="", help="names of pictures, with commas")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    large = []
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "models").mkdir()
        paths = {"WINNOW_DATA_DIR": scratch, "WINNOW_MODELS_DIR": f"{scratch}/models"}
        os.environ.update(paths, DJANGO_SETTINGS_MODULE="triage.settings")
        with winnow("--demo") as (port, _):
            import django

            django.setup()
            wait_for_alerts(arguments.alerts)
            work()
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in this thread
            for name, picture in take(
                f"http://127.0.0.1:{port}", sample(), set(filter(None, arguments.only.split(",")))
            ):
                (arguments.out / f"{name}.png").write_bytes(picture)
                large += [name] if len(picture) > MAX_BYTES else []
                print(f"{len(picture) / 1000:6.0f} kB  {name}")
    if large:
        print(f"too large: {', '.join(large)}")
    return int(bool(large))


if __name__ == "__main__":
    sys.exit(main())
