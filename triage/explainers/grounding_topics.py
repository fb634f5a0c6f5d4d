"""What a clause or an evidence line is about: different words for one thing made one.

Handed: texts. Hands on: their topics, and whether a line speaks of what a clause speaks of.
"""

import re

#: Different words for one thing, in front of which absence is looked for.
_SAME = {
    "logon": "login",
    "logons": "login",
    "logins": "login",
    "log": "login",
    "logged": "login",
    "sign": "login",
    "signed": "login",
    "sign-in": "login",
    "sign-ins": "login",
    "authentication": "login",
    "authentications": "login",
    "log-in": "login",
    "log-ins": "login",
    "authenticated": "login",
    "machine": "host",
    "machines": "host",
    "hosts": "host",
    "server": "host",
    "servers": "host",
    "system": "host",
    "systems": "host",
    "accounts": "user",
    "account": "user",
    "users": "user",
    "connected": "connection",
    "connections": "connection",
    "connect": "connection",
    "program": "process",
    "programs": "process",
    "processes": "process",
    "binary": "process",
    "executable": "process",
    "addresses": "address",
    "ip": "address",
    "ips": "address",
    "attempts": "attempt",
    "failures": "failure",
    "failed": "failure",
    "failing": "failure",
    "queries": "query",
    "lookups": "query",
    "files": "file",
    "requests": "request",
    "events": "event",
    "alerts": "alert",
    "changes": "change",
    "changed": "change",
    "deployments": "deployment",
    "activity": "event",
    "activities": "event",
    "payload": "byte",
    "data": "byte",
}
#: What a search or a line can be about.
_TOPIC_WORDS = (
    "lookup download upload transfer traffic packet data session command network port password movement "
    "domain email mail device key "
    "role group policy service task job script payload malware damage harm reboot update byte"
)
#: Words that any two lines may share.
_NO_TOPIC_WORDS = (
    "the and for was not had has are but any all who its one two our did how out via per her his she him you can "
    "may own searched search found other others this that with from before after days hour hours minutes seconds week "
    "weeks time same were been have there they which their these those into over more than such further"
)
_NO_TOPIC = frozenset(_NO_TOPIC_WORDS.split())
_TOPICS = frozenset(_SAME.values()) | frozenset(_TOPIC_WORDS.split())


def _words(text: str) -> set[str]:
    """Return the words of a text, different words for one thing made one."""
    found = re.findall(r"[a-z][a-z-]+", text.lower().replace("_", " "))
    return {_SAME.get(word, word) for word in found} | {word.removesuffix("s") for word in found}


def topics(text: str) -> frozenset[str]:
    """Return what a text is about, of the things that a search can be about."""
    return _TOPICS & _words(text)


def common(one: str, other: str) -> frozenset[str]:
    """Return the words of some weight that two texts share."""
    return frozenset(word for word in _words(one) & _words(other) if len(word) > 2) - _NO_TOPIC


def covers(about: frozenset[str], text: str) -> bool:
    """Tell whether a line speaks of at least half of what a clause speaks of."""
    return len(about & _words(text)) * 2 >= len(about)
