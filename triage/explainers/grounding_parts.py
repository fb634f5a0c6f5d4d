"""Who did what to whom, and words of a small vocabulary: a claim may not turn them round or put others in their place.

Handed: a claim's draft and the evidence. Hands on: a :class:`Trouble` when the one that acted is told as the one it was
done to, when another protocol, method, record type or browser stands where the evidence has one, and when an ordinary
word stands as the name of an account or a namespace that the evidence does not have.
"""

import re
from collections.abc import Iterator

from triage.explainers.grounding_index import Index
from triage.explainers.grounding_names import Basis, Trouble
from triage.explainers.grounding_text import Draft, is_plain, occurs
from triage.explainers.grounding_words import PROPER

#: Fields of who acts, and of what is acted on, in one kind of event.
_PAIRS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("source.ip", "client.ip", "source.address"),
        ("destination.ip", "server.ip", "url.domain", "destination.address"),
    ),
    (
        ("user.name", "user.email"),
        ("user.target.name", "user.target.email", "user.effective.name", "user.changes.name"),
    ),
    (("process.parent.name", "process.parent.executable"), ("process.name", "process.executable")),
)
_HOSTED = (("source.ip", "client.ip"), ("host.name", "host.hostname", "destination.ip"))
_ACT = (
    r"(?:tried|attempted|managed|wanted|began|went on) to \w+|"
    r"(?:created|started|launched|spawned|ran|executed|opened|contacted|connected|sent|asked|queried|requested|"
    r"scanned|"
    r"attacked|used|logged|signed|called|invoked|added|deleted|removed|granted|resolved|reached|probed|talked|"
    r"downloaded|"
    r"accessed|changed|reset|assumed|impersonated|became|switched|moved|left|initiated|made|looked|was the parent|"
    r"is the parent|gave|assigned|disabled|enabled|posted|uploaded|hit|fetched|(?!named|called|logged|used|based|"
    r"reported|recorded|joined|received)[a-z]{3,}ed)\b"
)
_ACTIVE = re.compile(
    rf"(?:'s \w+)?[\s,]+(?:then |also |first |successfully |has |had |\w+ly )?(?:{_ACT})", re.IGNORECASE
)
_PASSIVE = re.compile(
    r"\s+(?:was|were|is|got|has been|had been|being)\s+(?:\w+ly )?(?!sent|sen)\w+(?:ed|en|un|own|ent|ade|it|ut|"
    r"et)\b.{0,40}?\bby\s+"
    r"(?:the\s)?(?:\w+\s)?$",
    re.IGNORECASE,
)
_ATTACKS = re.compile(r"\b(?:attacked|scanned|contacted|probed|hit|reached)\s(?:the\s)?(?:\w+\s)?$")
_FETCHED = re.compile(r"^\s(?:down)?(?:loaded|fetched|retrieved|pulled)\b[^.;,]*\sfrom\s(?:the\s)?(?:\w+\s)?$")
_NOT_FETCHED = re.compile(r"\b(?:by|was|were|when|because|after)\b")
#: What makes the later one the beginning after all.
_BACK = re.compile(
    r"\b(?:from|by|after|because|when|while|where|which|whose|who|as|repl\w+|respon\w+|answer\w*|return\w*|receiv\w*|"
    r"accept\w*|reject\w*|den\w+|block\w*|allow\w*|log(?:s|ged)? (?:a|the|an)|record\w*|for (?:a|the) request|"
    r"through|"
    r"via|back|could|may|might|would|if|than|like|with)\b|[.;]\s",
    re.IGNORECASE,
)
#: Field -> the words its values come from; another word of the same list is another value.
_VOCABULARIES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (("network.transport", "network.iana_number"), re.compile(r"\b(?:TCP|UDP|ICMP|SCTP)\b", re.IGNORECASE)),
    (
        ("dns.question.type", "dns.answers.type"),
        re.compile(r"\b(?:AAAA|MX|TXT|CNAME|NS|PTR|SRV|SOA|HINFO)\b(?= (?:record|quer|lookup|request|type))"),
    ),
    (("dns.response_code",), re.compile(r"\b(?:NOERROR|NXDOMAIN|SERVFAIL|REFUSED|FORMERR)\b")),
    (
        ("http.request.method",),
        re.compile(r"\b(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS|CONNECT|TRACE)\b(?! (?:data|body|variable))"),
    ),
    (("user_agent.original", "user_agent.name"), re.compile(r"\b(?:Chrome|Firefox|Safari|Opera|Edge)\b")),
)
_ACCOUNTS = (
    r"root|admin|administrator|guest|system|nobody|daemon|backup|oracle|postgres|mysql|ubuntu|debian|www-data|"
    r"jenkins|test|"
    r"operator|support|helpdesk|superuser|sa|sysadmin|info|web|mail|ftp|git|tomcat|apache|nginx|default|user|"
    r"deployer|scanner"
)
_ACCOUNT_NAMED = re.compile(
    rf"\b(?:users?|accounts?|user ?names?|identity|principal|login|logon|log-in)\s(?:named |called |name |is |was )?"
    rf"(?P<name>{_ACCOUNTS})\b(?!-|\s(?:accounts?|names?|agents?|rights|privileges?|access|roles?|logins?|pages?|"
    rf"activity|"
    r"behaviou?r|input|sessions?|error|service|servers?|team|staff|group|portal|console|panel|interface|directory))",
    re.IGNORECASE,
)
_ACTED_AS = re.compile(
    r"\b(?:as|by|became|become|of|for|to)\s(?P<name>root|admin|SYSTEM|guest|www-data|nobody|administrator|"
    r"Administrator|mysql|postgres|oracle|jenkins|nginx|tomcat|ubuntu|daemon)\b"
    r"(?!-|\s(?:cause|access|privileges?|rights|permissions?|level|accounts?|users?|certificate|directory|shell|"
    r"staff|team|"
    r"logs?|files?|processes|services|admin\w*|information|calls?|configuration|policy|owners?|resources|credentials|"
    r"passwords?|tools?|role))"
)
_ACTING = re.compile(
    r"(?:^|[.;,:]\s|\b(?:that|and|because|when|then)\s)(?P<name>[Rr]oot|admin|Admin|SYSTEM|guest|Guest|Administrator|"
    r"administrator|nobody)\s(?:then |also |has |had |successfully )?"
    r"(?:logged|ran|signed|used|tried|failed|executed|created|connected|authenticated|accessed|opened|started|"
    r"deleted|did)\b"
)
_PLACED = re.compile(
    r"\b(?:namespace|service account|parent (?:process )?(?:was|is)|region|pod|"
    r"bucket)\s(?:the\s)?(?P<name>[a-z]{3,30})(?![\w-]|\.\w)"
)
_PREVIOUS = re.compile(r"\b(?:previous|old|former)_")
#: A word with a capital beside the kind of thing that it names: "the folder Archive", "the Application log".
_TITLED = re.compile(
    r"\b(?:folder|channel|group|role|region|city|country|table|database|bucket|project|repository|share|queue|"
    r"topic|department)"
    r"(?:\sis|\swas)?\s(?P<name>[A-Z][a-z]{2,30})\b|(?:\bthe|^The)\s(?P<log>[A-Z][a-z]{2,30})\s(?:log|channel|"
    r"group|role|folder|"
    r"share)\b"
)
_NO_NAME = re.compile(
    r".*(?:ed|ing|ly|tion|able|[^s]s)$|(?:that|which|this|and|for|from|with|was|were|has|had|may|might|could|can|"
    r"should|"
    r"would|will|"
    r"did|does|token|tokens|password|passwords|key|keys|name|names|activity|credentials|account|accounts|usually|"
    r"before|here|"
    r"the|its|not|are|also|then|when|where|itself|to|who|exists|exec|permissions|isolation|owner|owners|an|by|on|"
    r"in|at|of|or|"
    r"belongs|runs|holds|contains|looks|seems|appears|needs|uses|acts|starts|carries|serves|process|program|likely|"
    r"probably|security|network|access|level|all|out|itself|upon|into|because|after|but)"
)
_HEDGED = re.compile(
    r"\b(?:if|whether|could|would|might|may|can|should|unless|possibl[ey]|perhaps|check|verify|confirm|ask|"
    r"typically|often|"
    r"usually|commonly|generally|such as|other than|rather than|instead of|not|like|e\.g)\b",
    re.IGNORECASE,
)


#: Programs whose names are words, or short.
_COMMANDS_WORDS = (
    "perl python ruby bash sh zsh ksh wget curl nc ncat socat ssh scp sftp telnet ftp cron at tar zip gzip dd "
    "nmap ping dig nslookup host whoami id uname cat less vi vim nano chmod chown mount unshare chroot sudo su "
    "make gcc docker podman java node php powershell cmd explorer winword excel outlook word notepad certutil "
    "regsvr msbuild wmic net sc"
)
_COMMANDS = frozenset(_COMMANDS_WORDS.split())
_OWNED = re.compile(
    r"\b(?:belongs to|owned by|operated by|registered (?:to|with)|hosted (?:by|at)|provider|located in|"
    r"based in)\s(?:the\s)?"
    r"(?P<name>[A-Z][\w-]+)"
)
_COMMAND = re.compile(
    r"\b(?:by|with|using|via|command|program|process|utility|binary|shell|executable)\s(?:the\s)?(?:command\s|"
    r"program\s|tool\s)?"
    r"(?P<name>[a-z]{2,12})\b(?![\w-]|\.\w)"
)


def troubles(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with who did it and to whom; looks at the whole text and blots nothing out."""
    yield from _turned(draft.text, basis)
    yield from _changed(draft.text.lower(), basis)
    yield from _vocabularies(draft.text, basis)
    yield from _accounts(draft, basis)


def _turned(text: str, basis: Basis) -> Iterator[Trouble]:
    lowered = text.lower()
    for actors, objects in _PAIRS:
        for actor in _values(basis.whole, actors):
            for thing in _values(basis.whole, objects):
                if actor != thing and _is_turned(lowered, actor, thing):
                    yield Trouble(f"{actor} acted on {thing}, not the other way round")
    for actor in _values(basis.whole, _HOSTED[0]):
        for host in _values(basis.whole, _HOSTED[1]):
            if actor != host and _is_turned(lowered, actor, host, towards=True):
                yield Trouble(f"{actor} acted on {host}, not the other way round")


def _changed(text: str, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble when "from a to b" turns round a field and its previous value."""
    held = {name: value.lower() for _, name, value in basis.whole.rows if name}
    for name, old in held.items():
        new = held.get(_PREVIOUS.sub("", name), "")
        if new and _PREVIOUS.search(name) and new != old and f"from {new} to {old}" in text:
            yield Trouble(f"it went from {old} to {new}")


def _values(index: Index, fields: tuple[str, ...]) -> list[str]:
    found = {value.lower().strip() for _, name, value in index.rows if name in fields and 2 <= len(value) <= 120}
    names = found | {value.rpartition("\\")[2] for value in found if "\\" in value}
    return sorted(name for name in names if len(name) > 1)


def _is_turned(text: str, actor: str, thing: str, *, towards: bool = False) -> bool:
    """Tell whether the thing acts on the actor: "b started a", "a was started by b"."""
    at, on = text.find(actor), text.find(thing)
    if min(at, on) < 0 or text.count(actor) > 1 or text.count(thing) > 1:
        return False
    if on < at:
        between = text[on + len(thing) : at]
        if len(between) <= 80 and _FETCHED.search(between) and not _NOT_FETCHED.search(between):
            return True
        if len(between) > 80 or not _ACTIVE.match(between) or _BACK.search(between):
            return False
        return (
            not towards
            or bool(_ATTACKS.search(between))
            or bool(re.search(r"\b(?:to|towards?|against)\s(?:the\s)?(?:\w+\s)?$", between))
        )
    between = text[at + len(actor) : on]
    return not towards and len(between) <= 80 and bool(_PASSIVE.fullmatch(between))


def _vocabularies(text: str, basis: Basis) -> Iterator[Trouble]:
    if _HEDGED.search(text):
        return
    for fields, pattern in _VOCABULARIES:
        if not any(
            name in fields or pattern.fullmatch(f"{value} request") for _, name, value in basis.whole.rows
        ) and not any(pattern.fullmatch(value) for _, _, value in basis.whole.rows):
            continue
        for match in pattern.finditer(text):
            if not occurs(match.group().lower(), basis.whole.text):
                yield Trouble(f"{match.group()} is in no evidence line")


def _accounts(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    named = (name for name, is_meant in _named(draft) if is_meant and not occurs(name.lower(), basis.whole.text))
    yield from (Trouble(f"{name} is in no evidence line") for name in named)


def _named(draft: Draft) -> Iterator[tuple[str, bool]]:
    """Yield words that stand as a name, and whether they are told as a fact and can be one."""
    text = draft.text
    for pattern in (_ACCOUNT_NAMED, _ACTED_AS, _ACTING):
        for match in pattern.finditer(text):
            yield match["name"], not _HEDGED.search(text[: match.start("name")][-60:])
    for match in _COMMAND.finditer(text):
        yield match["name"], match["name"] in _COMMANDS and not _HEDGED.search(text[: match.start()][-60:])
    for match in _OWNED.finditer(text):
        yield match["name"], not _HEDGED.search(text)
    for match in _TITLED.finditer(text):
        name = match["name"] or match["log"]
        yield name, name.lower() not in PROPER
    for match in _PLACED.finditer(draft.rest):
        yield match["name"], is_plain(match["name"]) and not _NO_NAME.fullmatch(match["name"])
