"""The queue's facets: every choice of every filter with how many alerts it would show.

Handed: a :class:`QueueFilter`. Hands on: counts over the whole result of the other filters, in four queries however
many alerts there are. Columns with few values are counted together, so that each choice can be counted with its own
filter left out; entities and techniques have many values, which are counted when their menu is opened and can be
searched.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from django.db.models import BooleanField, Case, Count, Q, Value, When

from alerts.models import Alert, AlertOrigin, AlertStatus, AlertTechnique, ExplanationState, Severity
from alerts.selectors.queue_filter import (
    BY_NOTHING,
    BY_TEMPLATE,
    MARKS,
    ME,
    NOBODY,
    STATUSES,
    QueueFilter,
    marked,
    matching,
    names_condition,
    whose,
)
from triage import attack
from triage.models import ModelVersion, Source, User

#: Choices shown of a facet with many values.
MOST = 12
COUNTED = ("status", "severity", "source_id", "assignee_id", "model_version_id", "explanation_state")


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a facet: its value, its label, how many alerts it would show, whether it is chosen."""

    value: str
    label: str
    count: int
    chosen: bool
    query: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet and its choices; ``name`` is the parameter of the address."""

    name: str
    label: str
    choices: list[Choice]
    chosen_label: str
    #: Whether its choices are asked for when the menu is opened (:func:`values_of`).
    searched: bool = False

    @property
    def shown(self) -> bool:
        """Whether there is anything to choose."""
        return self.searched or bool(self.chosen_label) or len(self.choices) > 1


@dataclass(frozen=True, slots=True)
class Facets:
    """Statuses and severities stand in the open, the others in menus; ``total`` is how many alerts match."""

    statuses: list[Choice]
    severities: list[Choice]
    menus: list[Facet]
    total: int
    #: The same filter laid out the other way: grouped or flat.
    layout_query: str


class _Cell(NamedTuple):
    """Alerts that are equal in all counted columns."""

    status: str
    severity: str
    source: int
    assignee: int | None
    version: int | None
    explanation: str
    escalated: bool
    suspected: bool
    sample: bool
    audit: bool
    n: int


Tests = dict[str, Callable[[_Cell], bool]]


def facets(wanted: QueueFilter) -> Facets:
    """Return every facet: four queries."""
    passed, failed = _sorted(_cells(wanted), _tests(wanted))

    def rest(name: str) -> list[_Cell]:
        return passed + failed[name]

    return Facets(
        statuses=_statuses(wanted, rest("status")),
        severities=_severities(wanted, rest("severity")),
        menus=[
            _sources(wanted, rest("source")),
            _searched(wanted, "entity", "Entity", wanted.entity),
            _searched(wanted, "technique", "Technique", wanted.technique and _named(wanted.technique)),
            _assignees(wanted, rest("assignee")),
            _marks(wanted, rest("mark")),
            _explanations(wanted, rest("explanation")),
            _versions(wanted, rest("version")),
        ],
        total=sum(cell.n for cell in passed),
        layout_query=wanted.query(group=BY_NOTHING if wanted.grouped else BY_TEMPLATE),
    )


def _when(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def _cells(wanted: QueueFilter) -> list[_Cell]:
    rows = Alert.objects.filter(names_condition(wanted)).order_by().annotate(
        is_escalated=_when(marked("escalated")), is_sample=_when(marked("sample")), is_audit=_when(marked("blind"))
    )  # fmt: skip
    counted = rows.values_list(*COUNTED, "is_escalated", "injection_suspected", "is_sample", "is_audit")
    return [_Cell(*row) for row in counted.annotate(n=Count("id"))]


def _tests(wanted: QueueFilter) -> Tests:
    """Return, by facet, what an alert has to pass; only for what is asked for."""
    tests: Tests = {}
    if wanted.status != "all":
        tests["status"] = lambda cell: cell.status == wanted.status
    if wanted.severity:
        tests["severity"] = lambda cell: cell.severity == wanted.severity and not _hidden(cell)
    if wanted.source:
        tests["source"] = lambda cell: cell.source == wanted.source
    if wanted.version:
        tests["version"] = lambda cell: cell.version == wanted.version and not _hidden(cell)
    if wanted.explanation:
        tests["explanation"] = lambda cell: cell.explanation == wanted.explanation and not _hidden(cell)
    if wanted.technique:
        tests["technique"] = lambda cell: not _hidden(cell)
    if wanted.assignee:
        person = whose(wanted)
        tests["assignee"] = lambda cell: cell.assignee == person
    if wanted.mark:
        tests["mark"] = MARKED[wanted.mark]
    return tests


def _hidden(cell: _Cell) -> bool:
    """Whether it is an open blind audit, of which only the event is told."""
    return cell.audit and cell.status == AlertStatus.OPEN


#: Mark -> whether a cell has it.
MARKED: dict[str, Callable[[_Cell], bool]] = {
    "escalated": attrgetter("escalated"),
    "suspected": attrgetter("suspected"),
    "sample": attrgetter("sample"),
    "blind": attrgetter("audit"),
}


def _sorted(cells: Iterable[_Cell], tests: Tests) -> tuple[list[_Cell], dict[str, list[_Cell]]]:
    """Return the cells that pass every test, and by facet those that fail at its own alone: it counts them too."""
    passed: list[_Cell] = []
    failed: dict[str, list[_Cell]] = defaultdict(list)
    for cell in cells:
        missed = [name for name, test in tests.items() if not test(cell)]
        if not missed:
            passed.append(cell)
        elif len(missed) == 1:
            failed[missed[0]].append(cell)
    return passed, failed


def _tally(cells: Iterable[_Cell], key: Callable[[_Cell], object]) -> Counter[object]:
    counts: Counter[object] = Counter()
    for cell in cells:
        counts[key(cell)] += cell.n
    return counts


def _choice(wanted: QueueFilter, field: str, value: str, label: str, count: int) -> Choice:
    """Return a choice whose link takes it, or takes it back."""
    chosen = str(getattr(wanted, field) or "") == value
    usual = type(getattr(wanted, field))()
    return Choice(value, label, count, chosen, wanted.query(**{field: usual if chosen else type(usual)(value)}))


def _statuses(wanted: QueueFilter, cells: list[_Cell]) -> list[Choice]:
    counts = _tally(cells, lambda cell: cell.status)
    total = sum(counts.values())
    return [
        Choice(value, value.capitalize(), total if value == "all" else counts[value], wanted.status == value,
               wanted.query(status=value))
        for value in STATUSES
    ]  # fmt: skip


def _severities(wanted: QueueFilter, cells: list[_Cell]) -> list[Choice]:
    counts = _tally((cell for cell in cells if not _hidden(cell)), lambda cell: cell.severity)
    return [_choice(wanted, "severity", value, label, counts[value]) for value, label in reversed(Severity.choices)]


def _facet(name: str, label: str, choices: list[Choice]) -> Facet:
    chosen = next((choice.label for choice in choices if choice.chosen), "")
    return Facet(name, label, choices, chosen)


def _sources(wanted: QueueFilter, cells: list[_Cell]) -> Facet:
    counts = _tally(cells, lambda cell: cell.source)
    names = Source.objects.values_list("pk", "name")
    return _facet("source", "Source", [_choice(wanted, "source", str(pk), name, counts[pk]) for pk, name in names])


def _assignees(wanted: QueueFilter, cells: list[_Cell]) -> Facet:
    counts = _tally(cells, lambda cell: cell.assignee)
    choices = [
        _choice(wanted, "assignee", ME, "Me", counts[wanted.viewer]),
        _choice(wanted, "assignee", NOBODY, "Nobody", counts[None]),
    ]
    others = [pk for pk in counts if isinstance(pk, int) and pk != wanted.viewer]
    names = User.objects.filter(pk__in=others).order_by("username").values_list("pk", "username")
    choices += [_choice(wanted, "assignee", str(pk), name, counts[pk]) for pk, name in names]
    return _facet("assignee", "Assignee", choices)


def _versions(wanted: QueueFilter, cells: list[_Cell]) -> Facet:
    counts = _tally((cell for cell in cells if not _hidden(cell)), lambda cell: cell.version)
    ids = [pk for pk in counts if isinstance(pk, int)] + ([wanted.version] if wanted.version else [])
    names = ModelVersion.objects.filter(pk__in=ids).order_by("-trained_at").values_list("pk", "version")
    return _facet("version", "Model", [_choice(wanted, "version", str(pk), name, counts[pk]) for pk, name in names])


def _explanations(wanted: QueueFilter, cells: list[_Cell]) -> Facet:
    counts = _tally((cell for cell in cells if not _hidden(cell)), lambda cell: cell.explanation)
    choices = [_choice(wanted, "explanation", value, label, counts[value]) for value, label in ExplanationState.choices]
    return _facet("explanation", "Explanation", [one for one in choices if one.count or one.chosen])


def _marks(wanted: QueueFilter, cells: list[_Cell]) -> Facet:
    choices = [
        _choice(wanted, "mark", mark, label, sum(cell.n for cell in cells if MARKED[mark](cell)))
        for mark, label in MARKS.items()
    ]
    return _facet("mark", "Mark", [one for one in choices if one.count or one.chosen])


def _searched(wanted: QueueFilter, name: str, label: str, chosen: str) -> Facet:
    """Return a facet with many values; only the chosen one is known before it is opened."""
    choices = [Choice(getattr(wanted, name), chosen, 0, True, wanted.query(**{name: ""}))] if chosen else []
    return Facet(name, label, choices, chosen, searched=True)


def values_of(wanted: QueueFilter, name: str, find: str = "") -> list[Choice]:
    """Return the most frequent entities or techniques, of those that hold a text: at most two queries.

    ``name`` is ``entity`` or ``technique``. Counts leave the facet's own filter out.
    """
    find = find.replace("\0", "").strip()
    found = _entities(wanted, find) if name == "entity" else _techniques(wanted, find)
    chosen = getattr(wanted, name)
    if chosen and not find and chosen not in {value for value, _, _ in found}:
        label = chosen if name == "entity" else _named(chosen)
        found.append((chosen, label, matching(wanted).count()))
    return [_choice(wanted, name, value, label, n) for value, label, n in found]


def _entities(wanted: QueueFilter, find: str) -> list[tuple[str, str, int]]:
    rows = matching(wanted.changed(entity="")).exclude(entity="")
    if find:
        rows = rows.filter(entity__icontains=find)
    counted = rows.order_by().values_list("entity").annotate(n=Count("id")).order_by("-n", "entity")
    return [(name, name, n) for name, n in counted[:MOST]]


def _techniques(wanted: QueueFilter, find: str) -> list[tuple[str, str, int]]:
    """Return techniques; an open blind audit has none that may be told. Names are not in the database."""
    alerts = matching(wanted.changed(technique="")).exclude(origin=AlertOrigin.BLIND_AUDIT, status=AlertStatus.OPEN)
    rows = AlertTechnique.objects.filter(alert__in=alerts.order_by().values("pk")).values_list("technique_id")
    counted = [(one, _named(one), n) for one, n in rows.annotate(n=Count("id")).order_by("-n", "technique_id")]
    return [row for row in counted if find.casefold() in row[1].casefold()][:MOST]


def _named(technique_id: str) -> str:
    return f"{technique_id} {attack.name(technique_id)}".strip()
