"""The command line: fill the past, play the afternoon, report, go on quietly.

Handed: arguments. Hands on: an exit status, and progress lines on stdout that say they speak of sample data.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType

from bench.company.answer_key import Report, look_up, report_lines, write_key
from bench.company.client import ClientError, Connection, Feeder, Reader
from bench.company.message import Message
from bench.company.stream import Afternoon, Stream

TOKENS = (
    ("--token", "WINNOW_INTAKE_TOKEN", "intake token of the sample source"),
    ("--api-token", "WINNOW_API_TOKEN", "API token, scope read, for the report"),
)
LIVE_RATE = 12.0
TRICKLE_RATE = 3.0
TICK_SECONDS = 0.25
HISTORY_CHUNK = 1000
LEARN_TIMEOUT = 240.0
SETTLE_TIMEOUT = 60.0


def say(text: str) -> None:
    """Print one progress line."""
    print(f"sample feed: {text}", flush=True)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.company", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True, help="address of a running Winnow")
    # Command lines can be read by every account of a machine, so both tokens may come by environment instead.
    for name, variable, meaning in TOKENS:
        known = os.environ.get(variable)
        parser.add_argument(name, default=known, required=not known, help=f"{meaning} (or {variable})")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--key", type=Path, help="where to write the answer key (JSON; never sent)")
    parser.add_argument("--history", type=int, default=8000, help="ordinary records of the days before")
    parser.add_argument(
        "--rate", type=float, default=LIVE_RATE, help="ordinary records per second of the live phase; 0 = do not wait"
    )
    parser.add_argument("--duration", type=float, default=65.0, help="seconds of the live phase")
    parser.add_argument("--once", action="store_true", help="end after the report")
    found = parser.parse_args(argv)
    if found.history < 0 or found.rate < 0 or found.duration <= 0:
        parser.error("--history and --rate must not be negative, --duration must be positive")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run all phases; 0 when done or asked to stop, 1 when Winnow cannot be reached or refuses."""
    options = arguments(argv)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with closing(Connection(options.url)) as intake, closing(Connection(options.url)) as api:
            _run(options, Feeder(intake, options.token), Reader(api, options.api_token))
    except ClientError as error:
        say(f"stopped: {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped")
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    # Raised out of whatever waits, so that the end does not wait for a reply or a tick.
    sys.exit(0)


def _run(options: argparse.Namespace, feeder: Feeder, reader: Reader) -> None:
    stream = Stream(options.seed)
    send_history(stream, feeder, now=time.time(), count=options.history)
    wait_until_learned(reader, timeout=LEARN_TIMEOUT)
    start = time.time() if options.rate else time.time() - options.duration
    afternoon = stream.afternoon(start=start, seconds=options.duration, per_second=options.rate or LIVE_RATE)
    if options.key:
        write_key(options.key, seed=options.seed, stories=afternoon.stories)
        say(f"answer key kept in {options.key}, apart from the product")
    play(afternoon, feeder, paced=bool(options.rate))
    wait_until_settled(reader, timeout=SETTLE_TIMEOUT)
    for line in report_lines(wait_for_alerts(reader, afternoon, since=start)):
        say(line)
    if not options.once:
        say(f"a quiet trickle of {TRICKLE_RATE:.0f} ordinary records a second goes on until stopped")
        _send_paced(stream.evening(start=time.time(), per_second=TRICKLE_RATE), feeder)


def send_history(stream: Stream, feeder: Feeder, *, now: float, count: int) -> None:
    """Send the days before as fast as the intake takes them."""
    past = stream.history(now=now, count=count)
    began = time.monotonic()
    say(f"sending {count:,} ordinary records of the last days (invented people, machines and addresses)")
    for first in range(0, len(past), HISTORY_CHUNK):
        feeder.send(past[first : first + HISTORY_CHUNK])
    say(f"{feeder.sent:,} records accepted in {time.monotonic() - began:.1f} s")


def wait_until_learned(reader: Reader, *, timeout: float) -> None:
    """Wait for the first champion model; without one in time, go on and say so."""
    deadline = time.monotonic() + timeout
    if reader.learning():
        say("waiting until Winnow has learned what is ordinary here")
    while reader.learning():
        if time.monotonic() > deadline:
            say(f"no champion model after {timeout:.0f} s; going on without (events are scored afterwards)")
            return
        time.sleep(1)
    say("Winnow has a champion model")


def play(afternoon: Afternoon, feeder: Feeder, *, paced: bool) -> None:
    """Send the live phase, each record at its time, or all at once."""
    hidden = sum(len(story.messages) for story in afternoon.stories)
    say(
        f"live: {len(afternoon.messages):,} records, {hidden} of them from {len(afternoon.stories)} hidden intrusions,"
        + (" as a quick afternoon" if paced else " without waiting")
    )
    before = feeder.sent
    if paced:
        _send_paced(afternoon.messages, feeder)
    else:
        feeder.send(afternoon.messages)
    say(f"live: {feeder.sent - before:,} records accepted")


def _send_paced(messages: Iterable[Message], feeder: Feeder) -> None:
    """Send every record once its time has come, those of one tick together."""
    due: list[Message] = []
    deadline = time.time() + TICK_SECONDS
    for message in messages:
        while message.time > deadline:
            _sleep_until(deadline)
            feeder.send(due)
            due = []
            deadline = max(deadline, time.time()) + TICK_SECONDS
        due.append(message)
    _sleep_until(deadline)
    feeder.send(due)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


def wait_until_settled(reader: Reader, *, timeout: float) -> None:
    """Wait until everything accepted is stored and grouped, or the time is up."""
    deadline = time.monotonic() + timeout
    while reader.pending() and time.monotonic() < deadline:
        time.sleep(0.5)


def wait_for_alerts(reader: Reader, afternoon: Afternoon, *, since: float, tries: int = 3) -> Report:
    """Look up the stories; look again a little later while flagged events have no alert yet."""
    report = look_up(reader, afternoon.stories, since=since)
    for _ in range(tries - 1):
        if not any(found.events and not found.alerts for found in report.findings):
            break
        time.sleep(2)
        report = look_up(reader, afternoon.stories, since=since)
    return report
