"""``manage.py llm``: what language models cost, what a source may spend, who agreed to raw text, how endpoints are."""

import argparse
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from alerts.selectors import endpoints, spending
from alerts.selectors.endpoints import Configured
from alerts.selectors.spending import Cap, dollars
from alerts.services import breakers, consent, explaining
from alerts.services import endpoints as looking
from alerts.services import spending as money
from triage.management.operator import at_the_shell
from triage.models import Source, User


class Command(BaseCommand):
    """Language models: spend, budget, status, consent, withdraw, resume."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        actions.add_parser("spend", help="today's and this month's money, and where it went")
        actions.add_parser("status", help="look at the endpoints now")
        budget = actions.add_parser("budget", help="a source's own daily cap")
        budget.add_argument("source")
        amount = budget.add_mutually_exclusive_group(required=True)
        amount.add_argument("--daily-usd", type=float)
        amount.add_argument("--no-cap", action="store_true", help="only the common caps hold")
        for name, told in (
            ("consent", "let names and addresses go to an endpoint inside as they are"),
            ("withdraw", "end that consent"),
        ):
            action = actions.add_parser(name, help=told)
            action.add_argument("--user", required=True, help="the admin who decides")
            action.add_argument("--tier", choices=("small", "large"), default="small")
        resume = actions.add_parser("resume", help="ask an endpoint again that is left alone, and try what waits")
        resume.add_argument("--tier", choices=("small", "large"), default="small")

    def handle(self, *_: Any, **options: Any) -> None:
        lines: Iterable[str] = getattr(self, f"_{options['action']}")(options)
        for line in lines:
            self.stdout.write(line)

    def _spend(self, _: dict[str, Any]) -> list[str]:
        return spend_lines(spending.spend())

    def _budget(self, options: dict[str, Any]) -> list[str]:
        source = Source.objects.filter(name=options["source"]).first()
        if source is None:
            raise CommandError(f"no source {options['source']}")
        try:
            row = money.cap_source(source=source, daily_usd=options["daily_usd"], by=at_the_shell())
        except ValueError as error:
            raise CommandError(str(error)) from error
        if row is None:
            return [f"{source.name} has no cap of its own; the common caps hold."]
        return [f"{source.name} may spend {dollars(spending.usd(row.daily_microusd))} a day."]

    def _status(self, _: dict[str, Any]) -> list[str]:
        looking.look()
        return [line for found in endpoints.endpoint_status() for line in status_lines(found)] or [
            "No language model is configured: alerts are explained from their evidence."
        ]

    def _consent(self, options: dict[str, Any]) -> list[str]:
        each, user = configured(options["tier"]), person(options["user"])
        try:
            row = consent.consent(each.base_url, user)
        except (PermissionDenied, consent.OutsideError) as error:
            raise CommandError(str(error)) from error
        given = f"{row.user.get_username()} agreed on {row.created_at:%Y-%m-%d}"
        return [f"Under policy raw names and addresses go to {each.name} as they are: {given}."]

    def _withdraw(self, options: dict[str, Any]) -> list[str]:
        each, user = configured(options["tier"]), person(options["user"])
        try:
            ended = consent.withdraw(each.base_url, user)
        except PermissionDenied as error:
            raise CommandError(str(error)) from error
        return [f"The consent for {each.name} is withdrawn." if ended else f"There was no consent for {each.name}."]

    def _resume(self, options: dict[str, Any]) -> list[str]:
        each = configured(options["tier"])
        was = breakers.close(base_url=each.base_url, model=each.model)
        waited = explaining.make_due()
        told = f"{each.name} is asked again." if was else f"{each.name} was not left alone."
        return [told, f"{waited:,} alerts that waited for money or for the endpoint are tried now."]


def configured(tier: str) -> Configured:
    """Return a tier's endpoint."""
    for each in endpoints.configured():
        if each.tier == tier:
            return each
    raise CommandError(f"no {'larger' if tier == 'large' else 'first'} language model is configured")


def person(name: str) -> User:
    """Return the user of this name."""
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"no user {name}")
    return found


def spend_lines(found: spending.Spend) -> list[str]:
    """Return the money as lines of text."""
    lines = [cap_line(cap) for cap in (found.day, found.month, *found.sources)]
    cost = f"{found.total.calls}, cost {found.total.words}" if found.total.calls else "none"
    lines.append(f"Calls this month: {cost}.")
    lines.append(
        f"Cost known by: measured {found.total.measured}, estimated {found.total.estimated}, "
        f"unknown {found.total.unknown}, under way {found.total.under_way}."
    )
    for line in found.lines:
        failed = f", {line.failed} failed" if line.failed else ""
        lines.append(
            f"  {line.tier_label}, {line.purpose_label.lower()}, {line.model} at {line.endpoint}: "
            f"{line.cost.calls} calls{failed}, {line.cost.words}"
        )
    each = found.per_alert
    usual = "not measured" if each.usd is None else ("" if each.complete else "at least ") + dollars(each.usd)
    lines.append(f"Cost per explained alert this month: {usual} (n={each.n}, {each.inherited} by a shared answer).")
    return lines


def cap_line(cap: Cap) -> str:
    """Return one sum and its cap as a line of text."""
    limit = "no cap of its own" if cap.cap_usd is None else f"of {dollars(cap.cap_usd)}"
    reserved = f" and {dollars(cap.reserved_usd)} reserved" if cap.reserved_usd else ""
    unknown = f", {cap.unknown_calls} of unknown cost" if cap.unknown_calls else ""
    return f"{cap.label} ({cap.period}): {dollars(cap.spent_usd)} spent{reserved}, {limit}; {cap.calls} calls{unknown}"


def status_lines(found: endpoints.EndpointStatus) -> list[str]:
    """Return what is known of an endpoint as lines of text."""
    where = {True: "inside", False: "outside", None: "inside or outside is not known"}[found.inside]
    lines = [f"{found.label}: {found.detail} ({found.endpoint}, {where}, policy {found.policy})"]
    if found.waits_s:
        lines.append(f"  left alone for another {found.waits_s:.0f} s: {found.waits_why}; end that with: llm resume")
    if found.consented_at is not None:
        lines.append(f"  raw text: {found.consented_by} agreed on {found.consented_at:%Y-%m-%d}")
    if found.checked_at is not None:
        age = (timezone.now() - found.checked_at).total_seconds()
        lines.append(f"  looked at {age:.0f} s ago")
    return lines
