"""What do more worker hosts bring? Hosts are network namespaces over one PostgreSQL and one Redis on this machine.

Each worker host has one pipeline and one explain worker, and a share of a core of its own (a control group), so that
few cores can stand for several small hosts. With 1, 2 and 3 of them: events a second through the pipeline, from a
backlog, and explanations a second, from an endpoint that takes a while for each. Then one host is cut off under load
and comes back. Needs root and the development requirements; takes about five minutes.

    python bench/hosts.py [--json] [--hosts 3] [--cores 0.25] [--records 20000]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults.hosts import Cluster, cluster, why_not  # noqa: E402 - the bench runs from a checkout
from tests.triage.explainers.fake_llm import Reply, good  # noqa: E402

WAITING = "SELECT count(*) FROM triage_rawbatch WHERE status IN ('received', 'processing')"
PENDING = "SELECT count(*) FROM alerts_alert WHERE explanation_state IN ('pending', 'running')"
EXPLAINED = "SELECT count(*) FROM alerts_explanation"
ANSWER_SECONDS, EXPLAIN_SECONDS, CUT_SECONDS = 1.0, 20.0, 30.0


def pipeline_rate(one: Cluster, records: int) -> float:
    """Return events a second: a backlog is sent, and the time until it is done."""
    load = one.load(odd_every=0)
    start = time.monotonic()
    load.send_now(records // 50)
    one.wait_for(lambda: one.ask(WAITING) == 0, 300)
    return records / (time.monotonic() - start)


def explain_rate(one: Cluster) -> float:
    """Return explanations a second, of alerts of which more wait than are explained meanwhile."""
    one.wait_for(lambda: one.ask(PENDING) == 0, 120)
    one.behaviour = lambda _: Reply(good().body, delay=ANSWER_SECONDS)
    load = one.load(odd_every=2)
    load.send_now(8)
    one.wait_for(lambda: one.ask(PENDING) > 100, 60)
    before, start = one.ask(EXPLAINED), time.monotonic()
    time.sleep(EXPLAIN_SECONDS)
    rate = (one.ask(EXPLAINED) - before) / (time.monotonic() - start)
    one.behaviour = lambda _: good()
    return float(rate)


def cut_off(one: Cluster) -> dict[str, int]:
    """Cut a host off under load and connect it again; return what is not as it has to be, by name."""
    load = one.load()
    load.start()
    time.sleep(3)
    one.network.hosts[0].cut()
    time.sleep(CUT_SECONDS)
    one.network.hosts[0].join()
    time.sleep(3)
    load.end()
    return one.outcome(patience=150).faults()


def main() -> int:
    """Print the table; 1 when the cut left something behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--cores", type=float, default=0.25, help="of a core for each host")
    parser.add_argument("--records", type=int, default=20_000)
    told = parser.parse_args()
    if reason := why_not():
        raise SystemExit(reason)
    rows = []
    with tempfile.TemporaryDirectory(prefix="winnow-hosts-") as text, cluster(Path(text), hosts=0) as one:
        for number in range(1, told.hosts + 1):
            one.add_host(told.cores)
            if number == 1:
                one.learn()
            row = {"hosts": number, "events_per_s": pipeline_rate(one, told.records)}
            row["explanations_per_s"] = explain_rate(one)
            rows.append(row)
            words = "{hosts} hosts: {events_per_s:7,.0f} events/s, {explanations_per_s:.2f} explanations/s"
            print(words.format(**row), flush=True)
        left = cut_off(one)
    print(f"one host cut off for {CUT_SECONDS:.0f} s under load: {left or 'nothing lost, doubled or left undone'}")
    if told.json:
        print(json.dumps({"cores": os.cpu_count(), "cores_per_host": told.cores, "rows": rows, "cut": left}))
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
