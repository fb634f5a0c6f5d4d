"""What a claim says happened or did not happen.

Handed: a claim's draft and the evidence it is held against. Hands on: a :class:`Trouble` for an outcome that the
evidence turns round, for an absence that no query looked for, and for something usual that the evidence calls new.

That something did not happen is only borne by a receipt (a line that says what was searched and that it found
nothing), by a reason's own count ("0 of 1,204 events") when the claim is that something is new, or by a line that
itself says no, when the claim is about just that.
"""

import itertools
import re
from collections.abc import Iterator

from triage.explainers import lines
from triage.explainers.grounding_index import Index
from triage.explainers.grounding_names import Basis, Trouble
from triage.explainers.grounding_text import Draft
from triage.explainers.grounding_topics import common, covers, topics

#: A clause with more negations than this is not looked at, and does not stand.
MAX_NEGATIONS = 8
_GOOD = (
    r"succe(?:ed(?:s|ed|ing)?|ss(?:es)?|ssful(?:ly)?)|accept(?:ed|s)|grant(?:ed|s)|allow(?:ed|s)|"
    r"permit(?:ted|s)|let (?:in|through)|"
    r"authenticated|(?<!was )(?<!were )(?<!been )(?<!are )(?<!is )logged (?:in|on)|signed in|got in|"
    r"(?:went|gone) through(?! (?:an?|the|its|all|list)\b)|got through|passed|admitted|made it|success|"
    r"right password|established|"
    r"(?<!control )(?<!block )(?<!rule )(?<!filter )(?<!protection )(?<!firewall )(?<!defence )"
    r"(?<!defense )worked(?! with| on| as| for)|"
    r"(?:let|lets|letting) \W*(?:the )?\w+ (?:in|pass|through)|manag(?:ed|es) to|turned out well|"
    r"correct password|approved"
)
_BAD = (
    r"fail(?:ed|s|ing|ure|ures)?|unsuccessful(?:ly)?|reject(?:ed|s|ion|ing)?|den(?:ied|ies|y)|"
    r"denials?|refus(?:ed|es|al)|"
    r"block(?:ed|s|ing)?|prevented|declined|disallowed|forbidden|unauthori[sz]ed|dropped|"
    r"wrong password|incorrect password|bad password|turned (?:away|down|the \w+ down)|in vain"
)
_OUTCOME = re.compile(rf"\b(?:(?P<good>{_GOOD})|(?P<bad>{_BAD}))\b", re.IGNORECASE)
_EITHER = re.compile(rf"\b(?:{_GOOD}|{_BAD})\b.{{0,30}}\bor\b.{{0,30}}\b(?:{_GOOD}|{_BAD})\b", re.IGNORECASE)
_EVIDENCE_GOOD = re.compile(
    rf"\b(?:{_GOOD}|allow|accept|permit|success_?\w*|pass|opened|4624|granted|http_?status: 2\d\d|"
    rf"status_code: 2\d\d)\b",
    re.IGNORECASE,
)
_EVIDENCE_BAD = re.compile(
    rf"\b(?:{_BAD}|drop|deny|invalid|failure_?\w*|failed_?\w*|reject|refuse|error|4625|4771|"
    rf"status_code: [45]\d\d|quarantined)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"(?:\bnot|n't|\bnever|\bcannot)(?:\s+(?!but\b)\w+){0,2}\s*$", re.IGNORECASE)
_NONE_OF = re.compile(
    r"\b(?:no|none|without|zero|neither|nor|nobody|nothing)\b(?:\s+(?!and\b|but\b|doubt\b|"
    r"so\b)[\w\u25a0\u25a1-]+){0,7}\s*$",
    re.IGNORECASE,
)
_NO_SIGN = re.compile(r"\bno (?:\w+ )?(?:indication|sign|evidence|proof|trace)s?\b", re.IGNORECASE)
#: "never failed before" says that it is new.
_NEVER = re.compile(r"\bnever(?:\s+\w+){0,2}\s*$", re.IGNORECASE)
_FLIPPING = re.compile(
    r"\bfail(?:ed|s|ing)? to (?:block|stop|prevent|deny|reject|refuse)\w*|\bunblocked\b", re.IGNORECASE
)
_OPEN = re.compile(
    r"\b(?:if|whether|could|would|might|may|can|should|unless|possibl[ey]|perhaps|typically|often|"
    r"usually|sometimes|aim\w*|in case|once an?|check\w*|verify|confirm|ask|look)\b",
    re.IGNORECASE,
)
#: What a rule is for is no outcome, unless it is told what it did.
_RULE = re.compile(r"\b(?:rules?|ruled|policy|policies|alerts?|detections?)\b", re.IGNORECASE)
_TOLD = re.compile(r"\b(?:was|were|did|has|have|had)\b", re.IGNORECASE)
_SUPPOSED = re.compile(
    r"\b(?:if|whether|could|would|might|may|should|unless|possibl[ey]|perhaps|check|verify|confirm|ask)\b",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"[.;!?](?:\s|$)|,\s+(?:but|and|so|while|which|although|though|yet)\b|\s-\s|\b(?:but|although|"
    r"whereas|because|while)\b"
)
_NEGATION = re.compile(
    r"\b(?:no(?=[\s-])|not|never|none|nothing|nobody|no one|nowhere|without|neither|nor|zero|cannot|"
    r"absent|absence|lack(?:s|ed|ing)?|"
    r"un(?:seen|precedented|observed|heard)|missing)\b|n't\b|\b0 (?=[a-z■])|"
    r"(?<!-)\b(?:the )?(?:only|sole|solely|exclusively|just)\b(?! \u25a1| one of\b| once\b| twice\b)(?= (?:from|by|"
    r"on|to|this|that|"
    r"one|a single|"
    r"the|login|user|host|account|event|\u25a0))|"
    r"\bthe (?:only|sole) \w+|\bfirst (?:time|ever|seen|login|appearance|occurrence|use|contact|"
    r"connection)\b|\bfor the first\b|"
    r"\b(?:brand[- ])?new (?:to|for|on|in|here)\b|\bhitherto\b|\b(?:else|other than) (?:was|is|has)\b|"
    r"\bapart from this\b",
    re.IGNORECASE,
)
_EXEMPT = re.compile(
    r"\b(?:not only|no doubt|no later than|no (?:more|less|fewer) than|not least|whether or not|or "
    r"not|why not|if not|not yet clear|"
    r"should not|must not|need not|needn't|shouldn't|mustn't|would not|wouldn't|not just|not merely|"
    r"not simply|not to mention|"
    r"might not|may not|could not be (?:told|ruled)|cannot be (?:told|ruled|excluded|decided|said|"
    r"known|certain|sure|judged)|"
    r"can ?not (?:tell|decide|say|show|prove|rule|exclude|know|be)|can't (?:tell|decide|say|show|"
    r"prove|rule|exclude|know|be))\b|"
    r"(?:\b(?:not|never|no(?! (?:other|others|further|additional|more|signs?|evidence|traces?|indications?)\b)|"
    r"nothing(?! else)|nobody(?! else)|no one(?! else)|cannot|neither|nor|none|without)\b|"
    r"n't\b).{0,60}?\b(?:necessarily|by itself|on its own|alone|"
    r"prove[sn]?|proof|conclusive|decides?|decisive|enough|sufficient|intent|intention|the same (?:as|"
    r"thing)|always|in itself|"
    r"certain(?:ty)?|whether|rule out|exclude[sd]?|guarantees?|impl(?:y|ies)|harmful|malice|mean|context|tell|say|"
    r"says|explain|how|why|itself|settle[sd]?)\b|"
    r"\b(?:not|isn't)(?: yet| entirely| quite)? clear(?= (?:whether|how|why|if|who|what|yet|from|that)\b|[,;.]|$)|"
    r"\bno \w+ (?:would|could|can|should)\b|\b(?:alone|by itself|on its own) (?:is|does|do|are) not\b|"
    r"\bnot (?:that|inherently|necessarily|unusual|uncommon|surprising|strictly|normally|usually|typically|generally|"
    r"commonly)\b|\bdo(?:es)? not (?:show|reveal|contain|mention|include|state|record|name)(?!.*(?:\u25a0|"
    r"\b(?:any|other|others|further)\b))|"
    r"\bnot (?:an? )?(?:standard|default|well-known|typical)\b|\bin the strict sense\b|"
    r"\b(?:can|could|would|will) no longer\b|\b(?:and|,) not (?:through|via|over|interactively|manually|by hand)\b|"
    r"\b(?:only|merely|just) (?:shows?|means?|says?|tells?|proves?|indicates?|suggests?)\b",
    re.IGNORECASE,
)
_NOVEL = re.compile(
    r"\b(?:never|before|previous(?:ly)?|earlier|history|historical(?:ly)?|past|first|new|prior|unseen|"
    r"unprecedented|unheard|unobserved|hitherto|"
    r"baseline|learned|usual(?:ly)?|normal(?:ly)?|typical(?:ly)?|often|common(?:ly)?|known|until now|"
    r"so far|seldom|rare(?:ly)?|"
    r"not once|0 of|none (?:equals?|match(?:es)?|is|are|of)|values?)\b",
    re.IGNORECASE,
)
_NOVEL_LINE = re.compile(
    r"\b(?:never|0 of|new|first|not|unknown|rare|unseen|at most 1|seldom|unusual|"
    r"lacks|too few)\b"
)
_SAYS_NO = re.compile(
    r"\b(?:no|not|none|invalid|unknown|false|without|0|missing|nonexistent|never|disabled|off|empty|"
    r"absent|cannot)\b|n't\b|\bno_|_no\b|_not_"
)
_OTHERS = re.compile(
    r"\b(?:other|others|else|further|additional|another|any|anyone|anything|anywhere|elsewhere|more|"
    r"only|sole|solely|exclusively|just|"
    r"nothing|nobody|no one|nowhere|none|evidence|sign|signs|trace|traces|indication|indications|"
    r"absence|since|afterwards|follow-up)\b",
    re.IGNORECASE,
)
_NORMALLY = re.compile(r"\b(?:normally|usually|typically|generally|commonly|in general|as a rule)\b", re.IGNORECASE)
#: What makes a clause speak of something that happened here, not of how things are.
_PARTICULAR = re.compile(
    r"[\u25a0\u25a1]|\b(?:the|this|that|these|those|its|his|her|their|was|were|did|has|had|have|been|there|it|they|"
    r"he|she|we)\b",
    re.IGNORECASE,
)
#: "The first attempt was at" tells of the beginning, not that there was none before.
_FIRST_OF = re.compile(r"first \w+ (?:was|is|came|dates|started|began|took place|occurred|happened)\b", re.IGNORECASE)
_SEARCHED = re.compile(r"\b(?:search|look|quer|empty|quiet|silent|\u25a1)", re.IGNORECASE)
_ZERO = re.compile(r"(?<![\w.,])0(?![\w.,]*\d)|\b(?:no|none|nothing|zero)\b")
_FAMILIAR = re.compile(
    r"\b(?:(?:had|has|have|was|were|been)\b.{0,60}?\b(?:before|previously|already|in the past|many "
    r"times|often|regularly|routinely|frequently)\b"
    r"(?!\s+(?:[\u25a0\u25a1]|\d|the|that|this|it|we))|(?:is|was|are|were) (?:a |an )?(?:usual|common|routine|"
    r"normal|habitual|familiar|expected|"
    r"well[- ]known|everyday|regular|frequent)\b|usually|regularly|routinely|as usual|as always|every "
    r"day|habitually|frequently seen|often seen|"
    r"an old friend)|\b(?:is|are|was|were) (?:frequently|often|commonly) \w+ (?:by|on|from|in|at|to)? ?(?:\u25a0|"
    r"this|here)|"
    r"\u25a0(?:'s \w+)? (?:often|frequently|commonly|normally|always) |"
    r"\b(?:the|this) (?:user|account|host|address|client|sender|device|machine|person|admin\w*|employee) (?:often|"
    r"frequently|"
    r"commonly|normally|always|usually) ",
    re.IGNORECASE,
)
_CALLED_NEW = re.compile(r"\bnever\b|\b0 of\b|\bnew\b|\bfirst\b|\brare(?:ly)?\b|\busual\w*[^;]*\bat most\b")
_UNFAMILIAR = re.compile(
    r"\b(?:never|not|no|nobody|no one|none|nothing|neither|nor|at most|maximum|or fewer|or less|new|first|rare|"
    r"unusual|unusually|"
    r"seldom|n't|more than|"
    r"higher than|than)\b|n't\b",
    re.IGNORECASE,
)


#: In front of a conclusion, in the same clause or right in front of it.
_INFERRING = re.compile(
    r"\b(?:suggest|impl|presum|probab|apparent|likely|seem|evident)\w*|\b(?:i\.e\.|meaning|means that|hence|thus|"
    r"therefore)|"
    r"^(?:as|since|because) [^,]{3,80},",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r".*\b(?:that|which|who)\b")
_PRESENT = re.compile(r"\b(?:(?P<do>do|does|ca)|is|are)\s*$", re.IGNORECASE)
_DOES = re.compile(r"\s+(?!suggests|indicates|points|hints|shows|was|has|is known)(?:is|[a-z]{3,}s)\b")
_QUALITY = re.compile(r"\s+(?:\w+ly )?(?:\w{2,}(?:ed|en|wn|able|ible|al|ive|ous|ful)|clear|safe|enough)\b")
_OTHERS_YET = re.compile(
    r"\b(?:other|others|else|further|additional|any|anywhere|elsewhere|evidence|signs?|traces?)\b", re.IGNORECASE
)
_THEREFORE = re.compile(
    r"(?:,? so|i\.e\.,?|, (?:meaning|which means)(?: that)?|[,;] (?:hence|thus|therefore),?)\s*$", re.IGNORECASE
)


def troubles(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with outcomes and absences; runs after names and times are blotted out."""
    for clause in clauses(draft.rest):
        yield from _outcome(clause, basis)
        yield from _familiar(clause, basis)
        yield from _found(clause, basis)
        yield from _absence(clause, draft.rest, basis)


def clauses(text: str) -> list[str]:
    """Return the parts of a text that can be true or false by themselves."""
    return [clause.strip() for clause in _CLAUSES.split(text) if clause and clause.strip()]


def polarity(index: Index) -> tuple[bool, bool]:
    """Return whether lines speak of success, and of failure. A field ``event.outcome`` decides for its event."""
    text = "\n".join(f"{name}: {value}" for origin, name, value in index.rows if not _is_empty(origin, value)).lower()
    good, bad = bool(_EVIDENCE_GOOD.search(text)), bool(_EVIDENCE_BAD.search(text))
    outcomes = {value.lower() for _, name, value in index.rows if name == "event.outcome"}
    if outcomes in ({"success"}, {"failure"}):
        told = " ".join(
            value.lower() for origin, name, value in index.rows if not name and not _is_empty(origin, value)
        )
        others = " ".join(
            value for _, name, value in index.rows if name in {"event.action", "event.type", "rule.name", "message"}
        )
        both = f"{told} {others}"
        good = outcomes == {"success"} or bool(_EVIDENCE_GOOD.search(both))
        bad = outcomes == {"failure"} or bool(_EVIDENCE_BAD.search(both))
    return good, bad


def _outcome(clause: str, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble when a clause asserts an outcome that only the opposite of is in the evidence."""
    if _OPEN.search(clause) or _EITHER.search(clause) or (_RULE.search(clause) and not _TOLD.search(clause)):
        return
    whole, cited = polarity(basis.whole), polarity(basis.cited)
    if whole[0] == whole[1] and cited[0] == cited[1]:
        return
    flat = _FLIPPING.sub(" allowed ", clause)
    for match in _OUTCOME.finditer(flat):
        before = flat[: match.start()]
        if _NONE_OF.search(before) or _NO_SIGN.search(before) or _NEVER.search(before):
            continue
        says_good = bool(match["good"]) != bool(_NEGATED.search(before))
        yield from _contradicted(match.group(), says_good, whole, cited)


def _contradicted(said: str, says_good: bool, whole: tuple[bool, bool], cited: tuple[bool, bool]) -> Iterator[Trouble]:
    """Yield a trouble when all lines, or those that are cited, speak of the opposite outcome only."""
    only = "failure" if says_good else "success"
    opposite = (not says_good, says_good)
    if whole == opposite:
        yield Trouble(f'"{said}": the evidence speaks of {only} only')
    elif cited == opposite:
        yield Trouble(f'"{said}": the cited lines speak of {only} only', misplaced=True)


def _is_empty(origin: str, text: str) -> bool:
    """Tell whether a line is the receipt of a query that found nothing: what it names did not happen."""
    return origin == lines.RECEIPT and bool(re.search(r"found 0\b", text))


def _found(clause: str, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble when a clause tells of others that the cited queries looked for and did not find."""
    if _NEGATION.search(clause) or _SUPPOSED.search(clause) or _SEARCHED.search(clause):
        return
    only = all(origin == lines.RECEIPT for origin, _, _ in basis.cited.rows)
    if not only and not re.search(r"\b(?:other|others|further|elsewhere|again)\b", clause, re.IGNORECASE):
        return
    receipts = [(origin, value.lower()) for origin, _, value in basis.cited.rows if origin == lines.RECEIPT]
    if receipts and all(_is_empty(*one) and common(clause, one[1]) for one in receipts):
        yield Trouble("the cited query found nothing of that kind")


def _familiar(clause: str, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble when a clause says that something is usual of which a cited line says that it is new."""
    if not _FAMILIAR.search(clause) or _UNFAMILIAR.search(clause) or _SUPPOSED.search(clause):
        return
    cited = basis.cited.of_origin(lines.SCORE, lines.RECEIPT)
    if cited and all(_CALLED_NEW.search(text) for text in cited):
        yield Trouble("the cited lines say that this is new, not that it is usual")


def _absence(clause: str, claim: str, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble for a negation that nothing among the cited lines bears."""
    found = list(itertools.islice(_NEGATION.finditer(clause), MAX_NEGATIONS + 1))
    if len(found) > MAX_NEGATIONS:
        yield Trouble("it denies too much in one sentence to be checked")
        return
    for match in found:
        if _EXEMPT.search(clause[max(0, match.start() - 20) :]) or _of_outcome(clause, match):
            continue
        if _SUPPOSED.search(clause[: match.start()][-40:]) or _is_general(clause, match):
            continue
        if _FIRST_OF.match(clause, match.start()) or _is_state(clause, match):
            continue
        if _is_inferred(clause, claim, match) or _is_one(clause, match, basis.cited) or _is_quality(clause, match):
            continue
        if not _borne(clause, claim, basis.cited):
            misplaced = _borne(clause, claim, basis.whole)
            said = match.group().strip()
            what = f'"{said}": no cited line says that this was looked for and not found'
            yield Trouble(what, misplaced=misplaced)
            return


def _is_general(clause: str, match: re.Match[str]) -> bool:
    """Tell whether a clause states something that always holds, and speaks of nothing in particular."""
    word = match.group().strip().lower()
    if word in {"no", "never", "nothing", "none"}:
        return bool(_NORMALLY.search(clause)) and not re.search(r"\b(?:was|were|did|had|been)\b", clause)
    return word in {"without", "not", "n't", "cannot", "lack", "lacks"} and not _PARTICULAR.search(clause)


def _is_quality(clause: str, match: re.Match[str]) -> bool:
    """Tell whether "without" or "lacks" tells what something is like, not what did not happen."""
    if match.group().strip().lower() not in {"without", "lack", "lacks", "lacked", "lacking", "missing"}:
        return False
    behind = " ".join(clause[match.end() :].split()[:4])
    if re.match(r"an? ", behind):
        return True
    return not topics(behind) and not _OTHERS.search(behind)


def _is_inferred(clause: str, claim: str, match: re.Match[str]) -> bool:
    """Tell whether a "not" is what the writer infers of something told, not of what else there was."""
    if match.group().strip().lower() not in {"not", "n't", "cannot"} or _OTHERS.search(clause):
        return False
    if _INFERRING.search(clause[: match.start()]):
        return True
    return bool(_THEREFORE.search(claim[: max(claim.find(clause), 0)]))


def _is_state(clause: str, match: re.Match[str]) -> bool:
    """Tell whether a negation in the present tense says how things are, and of nothing that the evidence names."""
    relative = _RELATIVE.match(clause[: match.start()])
    near = clause[relative.end() :] if relative else clause
    if "\u25a0" in near or (not relative and "\u25a1" in near) or _OTHERS_YET.search(clause):
        return False
    word = match.group().strip().lower()
    if word in {"not", "n't"}:
        said = _PRESENT.search(clause[: match.start()])
        return bool(said and (said["do"] or _QUALITY.match(clause[match.end() :])))
    return word in {"nobody", "no one", "nothing", "none"} and bool(_DOES.match(clause[match.end() :]))


def _is_one(clause: str, match: re.Match[str], index: Index) -> bool:
    """Tell whether "only one" is about the events, and the evidence counts one of them."""
    said = re.match(
        r" (?:this )?(?:one |a single )?(?:event|record|attempt|request|login|entry|occurrence)", clause[match.end() :]
    )
    return said is not None and "1 event is" in index.text


def _of_outcome(clause: str, match: re.Match[str]) -> bool:
    """Tell whether a "not" turns an outcome round: "was not blocked" is about the outcome, not an absence."""
    if match.group().lower() not in {"not", "n't", "cannot"}:
        return False
    found = _OUTCOME.search(clause, match.end())
    return found is not None and clause[match.end() : found.start()].count(" ") <= 3


def _borne(clause: str, claim: str, index: Index) -> bool:
    """Tell whether a line bears the absence in a clause; a clause about nothing in particular is about its claim."""
    about = topics(clause) or topics(claim)
    return any(_bears(clause, about, origin, f"{name}: {value}".lower()) for origin, name, value in index.rows)


def _bears(clause: str, about: frozenset[str], origin: str, text: str) -> bool:
    others = bool(_OTHERS.search(clause))
    if origin == lines.RECEIPT:
        about = about | common(text, clause)
        return bool(about) and bool(_ZERO.search(text)) and covers(about, text)
    if origin == lines.SCORE:
        if _NOVEL.search(clause) and not re.search(r"\bothers?\b", clause, re.IGNORECASE):
            return bool(_NOVEL_LINE.search(text))
        return not others and bool(re.search(r"\bnot\b|\black|\bno\b", text)) and covers(about, text)
    about = about | common(text, clause) if re.search(r"(?<![\w-])(?:not|no)(?![\w-])", text) else about
    fits = bool(about) and not others and not _NOVEL.search(clause)
    return fits and bool(_SAYS_NO.search(text)) and covers(about, text)
