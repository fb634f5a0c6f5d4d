"""Indicators of an alert that was found malicious, as a STIX 2.1 bundle.

Handed: a :class:`~alerts.cases.Case` with such a verdict. Hands on: the bundle as JSON text. The only module that knows
``stix2``, which checks every object and every pattern against the specification. Private addresses and an
installation's own names are no indicators: they mean something else elsewhere. The same indicator has the same id in
every export of one installation.
"""

import datetime as dt
import uuid
from typing import Any

from alerts.cases import Case
from alerts.indicators import DOMAIN, EMAIL, FILENAME, HASHES, IP, MD5, SHA1, SHA256, URL, Indicator

_NAMESPACE = uuid.UUID("4f0f4f52-7a0c-4a3e-9d0b-6a2f6c1b8e57")
_HASH_NAMES = {MD5: "MD5", SHA1: "SHA-1", SHA256: "SHA-256"}
_PATHS = {DOMAIN: ("domain-name", ["value"]), URL: ("url", ["value"]), EMAIL: ("email-addr", ["value"])}


def told(case: Case) -> list[Indicator]:
    """Return the indicators of a case that mean the same everywhere. File names alone do not."""
    return [one for one in case.indicators if one.outside and one.kind != FILENAME]


def bundle(case: Case, *, installation: str) -> str:
    """Return the bundle of a case whose verdict is malicious. ``installation`` is this one's name for its objects' ids.

    Raises ``ValueError`` for any other case.
    """
    if case.decision is None or not case.decision.malicious:
        raise ValueError("only an alert that was found malicious has indicators")
    import stix2

    own = uuid.uuid5(_NAMESPACE, installation)
    at = case.decision.at.astimezone(dt.UTC)
    identity = stix2.Identity(
        id=_id("identity", own, "winnow"), name="Winnow", identity_class="system", created=at, modified=at
    )
    common = {
        "created_by_ref": identity.id, "created": at, "modified": at, "object_marking_refs": [stix2.TLP_AMBER.id],
    }  # fmt: skip
    found = [_indicator(one, case, own, common) for one in told(case)]
    techniques = [_technique(number, name, own, common) for number, name in case.techniques]
    relations = [
        stix2.Relationship(
            id=_id("relationship", own, f"{one.id} indicates {other.id}"),
            relationship_type="indicates",
            source_ref=one.id,
            target_ref=other.id,
            **common,
        )
        for one in found
        for other in techniques
    ]
    objects = [identity, stix2.TLP_AMBER, *found, *techniques, *relations]
    whole = stix2.Bundle(objects, id=_id("bundle", own, f"alert {case.id} {at.isoformat()}"))
    return str(whole.serialize(pretty=True))


def _id(kind: str, own: uuid.UUID, name: str) -> str:
    return f"{kind}--{uuid.uuid5(own, f'{kind} {name}')}"


def _indicator(one: Indicator, case: Case, own: uuid.UUID, common: dict[str, Any]) -> Any:
    import stix2

    links = [{"source_name": "winnow", "external_id": f"alert-{case.id}"} | ({"url": case.url} if case.url else {})]
    return stix2.Indicator(
        id=_id("indicator", own, f"{one.kind} {one.value}"),
        name=f"{one.kind} {one.value}"[:300],
        description=f"In {one.field} of Winnow alert {case.id}, found malicious by a person.",
        indicator_types=["malicious-activity"],
        pattern=_pattern(one),
        pattern_type="stix",
        valid_from=case.first_seen_at.astimezone(dt.UTC),
        external_references=links,
        **common,
    )


def _pattern(one: Indicator) -> str:
    """Return the pattern; the library writes the quotes, whatever is in the value."""
    import stix2

    if one.kind == IP:
        path = stix2.ObjectPath("ipv6-addr" if ":" in one.value else "ipv4-addr", ["value"])
    elif one.kind in HASHES:
        path = stix2.ObjectPath("file", ["hashes", _HASH_NAMES[one.kind]])
    else:
        path = stix2.ObjectPath(*_PATHS[one.kind])
    comparison = stix2.EqualityComparisonExpression(path, stix2.StringConstant(one.value))
    return str(stix2.ObservationExpression(comparison))


def _technique(number: str, name: str, own: uuid.UUID, common: dict[str, Any]) -> Any:
    import stix2

    path = number.replace(".", "/")
    link = {"source_name": "mitre-attack", "external_id": number, "url": f"https://attack.mitre.org/techniques/{path}/"}
    return stix2.AttackPattern(
        id=_id("attack-pattern", own, number), name=name or number, external_references=[link], **common
    )
