"""``manage.py evaluate_llm DATASET``: are a language model's suggestions worth more than trivial judges'?"""

import argparse
import datetime as dt
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from alerts.services import evaluating
from alerts.services.evaluating import Case, Contestant, DatasetError, Terms
from triage.explainers import endpoints, prices, prompting
from triage.explainers.base import CallOptions

LABEL_WIDTH = 34
HEADINGS = "recall               false positives      balanced accuracy    abstains   kappa failed"


class Command(BaseCommand):
    """Judge language models on labelled lines."""

    help = __doc__ or ""
    requires_system_checks: tuple[str, ...] = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("dataset", type=Path, help="a directory of *_attack_lines.jsonl, or labelled NDJSON")
        parser.add_argument(
            "--endpoint",
            action="append",
            metavar="NAME=URL,MODEL",
            help="who is asked; the configured model if left out",
        )
        parser.add_argument("--prompt", action="append", choices=sorted(prompting.registry()), help="may be repeated")
        parser.add_argument("--repeats", type=int, default=1, help="how often each case is asked")
        parser.add_argument("--limit", type=int, help="so many cases, evenly from each family and label")
        parser.add_argument("--baselines-only", action="store_true", help="ask no model")
        parser.add_argument("--out", type=Path, help="keeps cases, answers and report; a broken run goes on from there")
        parser.add_argument("--max-usd", type=float, help="stop asking when so much is spent")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--record", action="store_true", help="note the evaluation beside the prompts")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            lines = evaluating.read(options["dataset"])
            lines = evaluating.sample(lines, options["limit"]) if options["limit"] else lines
            cases = evaluating.prepare(lines)
        except (DatasetError, ValueError) as error:
            raise CommandError(str(error)) from error
        contestants = [] if options["baselines_only"] else _contestants(options)
        with tempfile.TemporaryDirectory() as scratch:
            out = options["out"] or Path(scratch)
            out.mkdir(parents=True, exist_ok=True)
            _freeze(cases, out / "cases.ndjson")
            self._say_cost(cases, contestants, options["repeats"])
            terms = Terms(
                api_key=settings.LLM_API_KEY,
                timeout=settings.LLM_TIMEOUT_SECONDS,
                policy=settings.LLM_DATA_POLICY,
                repeats=options["repeats"],
                max_usd=options["max_usd"],
            )
            answers = evaluating.ask(cases, contestants, terms, out=out / "answers.ndjson", say=self.stderr.write)
            report = evaluating.report(cases, contestants, answers)
            (out / "report.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
        for line in [json.dumps(report)] if options["json"] else _told(report):
            self.stdout.write(line)
        if options["record"]:
            for each in contestants:
                self.stderr.write(_record(each, report, options["dataset"]))

    def _say_cost(self, cases: list[Case], contestants: list[Contestant], repeats: int) -> None:
        """Print beforehand what it may cost at most."""
        for each in contestants:
            estimates = [
                prices.estimate(
                    base_url=each.base_url,
                    model=each.model,
                    inside=endpoints.is_internal(each.base_url),
                    characters=prompting.characters(one.request),
                    output_tokens=CallOptions().max_answer_tokens,
                ).usd
                for one in cases
            ]
            known = [usd for usd in estimates if usd is not None]
            told = f"at most {repeats * sum(known):.2f} USD" if len(known) == len(estimates) else "an unknown price"
            self.stderr.write(f"{each.name} {each.prompt}: {repeats * len(cases):,} questions, {told}")


def _contestants(options: dict[str, Any]) -> list[Contestant]:
    named = options["endpoint"] or []
    if not named:
        if not settings.LLM_BASE_URL:
            raise CommandError("name an --endpoint, set LLM_BASE_URL and LLM_MODEL, or ask for --baselines-only")
        named = [f"configured={settings.LLM_BASE_URL},{settings.LLM_MODEL}"]
    found = []
    for text in named:
        name, _, rest = text.partition("=")
        base_url, _, model = rest.rpartition(",")
        if not name or not model or not endpoints.host(base_url):
            raise CommandError(f"--endpoint {text!r} is not NAME=URL,MODEL")
        found += [Contestant(name, base_url, model, version) for version in options["prompt"] or [prompting.VERSION]]
    return found


def _freeze(cases: list[Case], path: Path) -> None:
    """Write the cases; refuse to go on with answers to other ones."""
    sha256 = evaluating.cases_sha256(cases)
    rows = [{"sha256": sha256, "cases": len(cases)}]
    rows += [
        {
            "case": one.labelled.key,
            "family": one.labelled.family,
            "label": one.labelled.label,
            "line": one.labelled.line,
        }
        for one in cases
    ]
    if path.exists():
        held = orjson.loads(path.read_bytes().partition(b"\n")[0])
        if held["sha256"] != sha256:
            raise CommandError(f"{path} holds other cases; choose another --out")
        return
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def _told(report: dict[str, Any]) -> Iterator[str]:
    """Yield the report for people."""
    yield f"{report['cases']:,} cases, sha256 {report['cases_sha256'][:16]}"
    families = sorted({family for parts in report["judges"].values() for family in parts} - {"all"})
    for family in ["all", *(families if len(families) > 1 else [])]:
        yield ""
        yield f"{family:{LABEL_WIDTH}} {HEADINGS}"
        for name, parts in report["judges"].items():
            found = parts.get(family)
            if found is not None:
                yield (
                    f"{name:{LABEL_WIDTH}} {_rate(found['recall'])} {_rate(found['false_positive_rate'])} "
                    f"{_rate(found['balanced_accuracy'])} {_share(found['abstention'])} {_number(found['kappa'])} "
                    f"{found['failed']:6,}"
                )
    for name, found in report["models"].items():
        yield ""
        yield f"{name}: {found['answers']:,} answers, failures: {found['failures'] or 'none'}"
        for key in ("grounded", "demoted", "invalid_techniques", "invalid_lines", "flips"):
            rate = found[key]
            yield f"  {key.replace('_', ' '):20} {_rate(rate)} n={rate['n']:,}" if rate else f"  {key:20} not measured"
        yield f"  latency p50 / p90    {found['latency_ms_p50']} / {found['latency_ms_p90']} ms, cost {_cost(found)}"
        for confidence, rate in report["judges"][name]["all"]["by_confidence"].items():
            yield f"  right when {confidence:9} {_rate(rate)} n={rate['n']:,}"
    for pair, found in report["comparisons"].items():
        yield (
            f"{pair}: right only by the first {found['only_first']}, only by the second {found['only_second']} of "
            f"{found['n']:,}, exact McNemar p = {found['p_value']:.3g}"
        )


def _rate(rate: dict[str, Any] | None) -> str:
    return f"{rate['value']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]" if rate else f"{'not measured':20}"


def _share(rate: dict[str, Any] | None) -> str:
    return f"{rate['value']:8.1%}" if rate else f"{'-':>8}"


def _number(value: float | None) -> str:
    return f"{value:7.3f}" if value is not None else f"{'-':>7}"


def _cost(found: dict[str, Any]) -> str:
    return "unknown" if found["cost_usd"] is None else f"{found['cost_usd']:.4f} USD"


def _record(each: Contestant, report: dict[str, Any], dataset: Path) -> str:
    """Note the evaluation beside the prompts, so that a changed prompt is told from an evaluated one."""
    path = prompting.PROMPTS / "evaluated.json"
    held = json.loads(path.read_text(encoding="utf-8"))
    found = report["judges"][f"{each.name} {each.prompt}"]["all"]
    today = dt.datetime.now(dt.UTC).date().isoformat()
    for row in held["prompts"]:
        if row["version"] == each.prompt:
            row.pop("not_evaluated_yet", None)
            row["evaluation"] = {
                "id": f"{today} {each.model} {report['cases_sha256'][:12]}",
                "prompt_sha256": prompting.prompt_hash(each.prompt),
                "model": each.model,
                "data_set": dataset.name,
                "cases": report["cases"],
                "judged": found["judged"],
                "failed": found["failed"],
                "recall": found["recall"],
                "false_positive_rate": found["false_positive_rate"],
            }
    path.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    return f"noted the evaluation of prompt {each.prompt} with {each.model}"
