"""The big run: ``python -m tests.hostile.fuzz --bodies 100000 --engine hypothesis`` (or ``atheris``).

Handed: a number of bodies. Hands on: an exit status, and a report of what was sent, how long it took, and every body
that broke something. It works on a database of its own in a temporary directory, whatever the environment names.
atheris is no requirement (it has wheels for x86-64 Linux only): ``pip install atheris``.
"""

import argparse
import collections
import contextlib
import importlib
import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hostile.endpoints import Endpoint
    from tests.hostile.harness import Sending

LIMIT = 4 * 2**20
TOGETHER = 10
ROOMS = ["triage.receivers", "triage.parsers", "triage.intake"]


class Report:
    """What a run did, printed however it ends."""

    def __init__(self, engine: str, wanted: int) -> None:
        self.engine, self.wanted, self.begun = engine, wanted, time.monotonic()
        self.bodies = self.events = self.calls = 0
        self.statuses: collections.Counter[int] = collections.Counter()
        self.failures: list[str] = []

    def count(self, statuses: list[int]) -> None:
        self.bodies += len(statuses)
        self.statuses.update(statuses)

    def show(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        spent = time.monotonic() - self.begun
        print(
            f"\n{self.engine}: {self.bodies} bodies in {spent:.0f} s, CPU {time.process_time():.0f} s, peak {peak} MiB"
        )
        print(f"events made of them: {self.events}")
        print("replies: " + ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items())))
        for failure in self.failures:
            print(f"FAILED {failure}")
        print("nothing broke" if not self.failures else f"{len(self.failures)} endpoints broke", flush=True)


def own_database() -> None:
    """Set up Django on an empty database that goes away with this process."""
    for name in ("DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "REDIS_URL_FILE"):
        os.environ.pop(name, None)
    importlib.import_module("tests.settings")  # makes the directory and points the variables at it

    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    assert str(settings.DATABASES["default"]["NAME"]).startswith(tempfile.gettempdir())
    call_command("migrate", verbosity=0)
    settings.MAX_BODY_BYTES = settings.MAX_WIRE_BYTES = LIMIT
    logging.disable(logging.WARNING)


def with_hypothesis(report: Report, seed: int, only: str) -> None:
    """Send the same share of bodies to every endpoint; a failure is shrunk and does not stop the others."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    from tests.hostile import strategies
    from tests.hostile.endpoints import READING
    from tests.hostile.harness import Harness

    harness = Harness()
    chosen = [endpoint for endpoint in READING if endpoint.name.startswith(only)]
    rounds = -(-report.wanted // (len(chosen) * TOGETHER))
    for endpoint in chosen:
        request = strategies.request_of(endpoint).map(partial(_sending, endpoint))

        @seeded(seed)
        @settings(
            max_examples=rounds, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink], print_blob=False,
        )  # fmt: skip
        @given(st.lists(request, min_size=TOGETHER, max_size=TOGETHER))
        def attack(sendings):
            try:
                report.count([answer.status for answer in harness.send_all(sendings)])
                report.events += harness.drain(show=20)
            except BaseException:
                harness.forget()
                harness.noticed.errors.clear()
                raise

        begun = report.bodies
        try:
            attack()
        except Exception as error:  # whatever broke is reported at the end, with the body that broke it
            report.failures.append(f"{endpoint.name}: {type(error).__name__}: {str(error)[:6000]}")
        print(f"{endpoint.name}: {report.bodies - begun} bodies, {time.monotonic() - report.begun:.0f} s", flush=True)
    harness.close()


def _sending(endpoint: "Endpoint", request: tuple[bytes, dict[str, str]]) -> "Sending":
    from tests.hostile.harness import Sending

    return Sending(endpoint, *request)


def with_atheris(report: Report, seed: int, drain_every: int) -> None:
    """Let coverage of receivers, parsers and the front guide the bodies."""
    try:
        import atheris
    except ImportError:
        sys.exit(
            "atheris is not installed: pip install atheris (wheels exist for x86-64 Linux), or --engine hypothesis"
        )
    with atheris.instrument_imports(include=ROOMS):
        own_database()
        from tests.hostile.endpoints import READING
        from tests.hostile.harness import Harness, Sending
    harness = Harness()
    headers_of = _headers()

    def attack(data: bytes) -> None:
        report.calls += 1
        if report.calls == report.wanted:  # nothing is told to Python when libFuzzer ends
            report.events += harness.drain(show=20)
            report.show()
        if len(data) < 2:
            return
        endpoint, headers = READING[data[0] % len(READING)], headers_of[data[1] % len(headers_of)]
        sending = Sending(endpoint, data[2:], headers)
        try:
            report.count([harness.send_all([sending])[0].status])
            if report.bodies % drain_every == 0:
                report.events += harness.drain(show=20)
        except BaseException as error:
            report.failures.append(f"{type(error).__name__}: {str(error)[:6000]}")
            report.show()
            raise

    folder = Path(tempfile.mkdtemp(prefix="winnow-corpus-"))
    _write_corpus(folder)
    arguments = [
        sys.argv[0], str(folder), f"-runs={report.wanted}", f"-seed={seed}", "-max_len=4096", "-timeout=60",
        "-rss_limit_mb=2048", f"-dict={folder.parent / (folder.name + '.dict')}", "-print_final_stats=1",
        f"-artifact_prefix={folder.parent}/",
    ]  # fmt: skip
    atheris.Setup(arguments, attack)
    atheris.Fuzz()


def _headers() -> list[dict[str, str]]:
    from tests.hostile.strategies import COMPRESSIONS

    plain: list[dict[str, str]] = [{}] * 10
    return plain + [{"content-encoding": name} for name in COMPRESSIONS] + [{"content-type": "application/json"}]


def _write_corpus(folder: Path) -> None:
    """Write the seeds: every endpoint's good bodies and its small hostile ones, and a dictionary of tokens."""
    from tests.hostile import bodies, strategies
    from tests.hostile.endpoints import READING

    for number, endpoint in enumerate(READING):
        seeds = list(endpoint.bodies)
        seeds += [endpoint.text(text) for text in strategies.SMALL_TEXTS]
        seeds += [endpoint.value(value) for value in strategies.SMALL_VALUES if len(value) < 500]
        seeds += [body for _, body in bodies.ALIENS if len(body) < 500]
        for place, seed in enumerate(seeds):
            (folder / f"{number:02d}-{place:03d}").write_bytes(bytes([number, 0]) + seed)
    with (folder.parent / f"{folder.name}.dict").open("w") as dictionary:
        for token in strategies.TOKENS:
            dictionary.write('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n')


def scaling() -> list[str]:
    """Return parsers' inputs whose CPU time grows much faster than their length, of every text and its pieces."""
    from tests.hostile import bodies
    from triage import parsers
    from triage.contracts import Record

    def seconds(text: str) -> float:
        best = float("inf")
        for _ in range(3):
            begun = time.process_time()
            parsers.parse([Record(text)], 1_767_225_600.0)
            best = min(best, time.process_time() - begun)
        return best

    slow = []
    units = {text[:40].decode("utf-8", "replace") for _, text in bodies.TEXTS if text} | set("=|<>{}[]\"'\\ ,:;\t#-")
    heads = (
        "",
        "<34>",
        "CEF:0|a|b|c|d|e|1|",
        "LEEF:2.0|a|b|c|d|",
        "type=",
        "{",
        '{"',
        "a=",
        "2026-01-01T00:00:00Z h p: ",
    )
    for head in heads:
        for unit in sorted(units):
            once = seconds(head + unit * (20_000 // len(unit)))
            four = seconds(head + unit * (80_000 // len(unit)))
            if four > 0.02 and four > 12 * once:
                slow.append(
                    f"{head!r} + {unit!r} many times: {once * 1000:.1f} ms, four times as long {four * 1000:.1f} ms"
                )
    return slow


@contextlib.contextmanager
def reported(report: Report) -> Iterator[None]:
    try:
        yield
    finally:
        report.show()


def main() -> int:
    """Run an engine; return 0 when nothing broke."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--engine", choices=("hypothesis", "atheris", "scaling"), default="hypothesis")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="hypothesis: endpoints whose name begins so")
    parser.add_argument(
        "--drain-every", type=int, default=10, help="atheris: bodies between two passes of the pipeline"
    )
    options = parser.parse_args()
    report = Report(options.engine, options.bodies)
    if options.engine == "atheris":
        with_atheris(report, options.seed, options.drain_every)
        return 0
    own_database()
    if options.engine == "scaling":
        slow = scaling()
        print(json.dumps(slow, indent=1))
        return len(slow) > 0
    with reported(report):
        with_hypothesis(report, options.seed, options.only)
    return len(report.failures) > 0


if __name__ == "__main__":
    sys.exit(main())
