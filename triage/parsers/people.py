"""User names in free text, by the word that says what they are.

Handed: a sentence of any program. Hands on: the name of the account it is about, or nothing. A name is what its
owner wrote: quoted ones end at their quote, bare ones at the first blank, and everyday words are no names.
"""

import re

from triage.parsers.addresses import lowered

MAX_READ = 2_000
_BARE = r"[^\s\"'`<>()\[\]{},;:=|/\\]"
_NAME = rf"{_BARE}{{1,64}}(?:\\{{1,2}}{_BARE}{{1,64}})?"
_QUOTES = r"\\?[\"'`\u2018\u201c]"
_QUOTED = rf"{_QUOTES}(?P<quoted>[^\"'`\u2019\u201d\\]{{1,128}}(?:\\{{1,2}}[^\"'`\u2019\u201d\\]{{1,64}})?){_QUOTES}"
#: Keys whose value is a user name wherever they stand.
_DOMAIN = r"(?:\[[^\[\]]{0,64}\]\\{1,2})?"
_KEYED = re.compile(
    r"(?<![\w.-])(?:user[ _-]?names?|user|(?:target|remote|login|auth|src|sasl|request|db|os|current|client)[ "
    r"_-]?user(?:[ _-]?name)?"
    r"|login(?:[ _-]?name)?|logon[ _-]?name|acct|account(?:[ _-]?(?:name|id))?|set_id|uname|usr|usrname"
    r"|principal(?:[ _-]?name)?"
    r"|identifier|identity|e-?mail(?:[ _-]?address)?|subject_user)[\"']?\s{0,2}(?:=|:(?!:)|=>)\s{0,2}"
    rf"(?:\\?\[?(?:{_QUOTED}|<(?P<angled>[^<>]{{1,128}})>|(?P<bare>{_NAME})))",
)
_SURE_ROLE = r"(?:user ?name|user|account|acct|administrator|mailbox|benutzer|utilisateur|gebruiker|usuario|utente)"
_ROLE = r"(?:user ?name|username input|user|login|account|acct|administrator|customer|member|mailbox)"
_KINDS = r"(?:invalid |unknown |illegal |bad |nonexistent |non-existent |disabled |locked |existing |the |an? )?"
#: ``user 'x'``, ``account "x"``, ``user <x>``, ``user [x]``, ``user (x)``.
_MARKED = re.compile(
    rf"(?<![\w-])(?:{_ROLE}|logging in as|logged in as|log in as|login using|authenticated as|password for|login "
    rf"for|for|as|by|identity)"
    rf":? (?:{_QUOTED}|<(?P<angled>[^<>\s]{{1,128}})>|{_DOMAIN}\[(?P<square>[^\[\]\s]{{1,128}})\]"
    rf"|\((?P<round>[^()\s]{{1,128}})\))",
)
#: ``for user x``, ``password for x``, ``login attempt for x from``: a bare name where only a name can stand.
_FOR = re.compile(
    rf"(?<![\w-])(?:(?:for|by|of|as|from|to|on) {_KINDS}{_ROLE}|(?:password|passwd|login|logon|authentication"
    rf"|attempt|attempts|failure"
    rf"|failed|success|successful|auth|credentials?|session|access|sign-?in|publickey) (?:\w{{1,16}} )?(?:for|by"
    rf"|as)(?: {_ROLE})?"
    rf"|{_KINDS.rstrip('?')}{_ROLE}|authenticating {_ROLE}|as {_ROLE}|(?:log(?:ged|ging)?[ -]?in|authenticated) "
    rf"as(?: {_ROLE})?"
    rf"|{_SURE_ROLE}) (?P<bare>{_NAME})",
)
#: ``x failed to log in``, ``x was not found in``, ``x logged in``.
_SUBJECT = re.compile(
    rf"(?:^|[\s:\]])(?P<bare>{_BARE}{{1,64}})(?: [\da-f.:]{{3,45}})? (?:failed to (?:log|auth|sign)|was not found "
    rf"in|logged (?:in|out|on)"
    r"|has logged|signed in|successfully logged|authenticated successfully|login failed|failed login)",
)
#: ``Login failed: x (Remote IP``, ``login failed for db:d login:x``.
_AFTER = re.compile(
    rf"(?:login|logon|sign-?in|authentication|password check|auth) (?:has )?fail\w{{1,3}}(?: for)?[: ] ?"
    rf"(?:{_QUOTED}|(?P<bare>{_NAME}))(?= \(| from| at |$|,)",
)
#: Words of a sentence that stand where a name could.
_WORDS = frozenset(
    [
        "a",
        "about",
        "account",
        "accounts",
        "added",
        "address",
        "admin_console",
        "after",
        "agent",
        "all",
        "already",
        "an",
        "and",
        "any",
        "as",
        "at",
        "attempt",
        "attempts",
        "auth",
        "authenticated",
        "authentication",
        "authenticator",
        "authority",
        "authorization",
        "authorized",
        "bad",
        "because",
        "been",
        "before",
        "both",
        "but",
        "by",
        "can",
        "cannot",
        "changed",
        "check",
        "client",
        "connection",
        "connection_details",
        "could",
        "credential",
        "credentials",
        "data",
        "defined",
        "denied",
        "did",
        "disabled",
        "does",
        "due",
        "email",
        "error",
        "errors",
        "exceeded",
        "exist",
        "exists",
        "expired",
        "fail",
        "failed",
        "failure",
        "for",
        "from",
        "group",
        "groups",
        "had",
        "has",
        "have",
        "here",
        "host",
        "id",
        "in",
        "incorrect",
        "info",
        "information",
        "input",
        "interaction",
        "interface",
        "invalid",
        "ip",
        "is",
        "it",
        "its",
        "key",
        "list",
        "locked",
        "logged",
        "login",
        "mapping",
        "mode",
        "module",
        "name",
        "names",
        "new",
        "no",
        "non",
        "not",
        "null",
        "of",
        "off",
        "on",
        "or",
        "out",
        "over",
        "page",
        "password",
        "peer",
        "port",
        "process",
        "quota",
        "rate",
        "reason",
        "received",
        "rejected",
        "request",
        "requests",
        "server",
        "service",
        "session",
        "slice",
        "source",
        "space",
        "successful",
        "successfully",
        "system",
        "that",
        "the",
        "their",
        "there",
        "this",
        "time",
        "to",
        "token",
        "try",
        "trying",
        "type",
        "unknown",
        "user",
        "username",
        "users",
        "using",
        "via",
        "was",
        "were",
        "when",
        "which",
        "while",
        "who",
        "will",
        "with",
        "without",
    ]
)
_EMPTY = frozenset(
    (
        "-",
        "--",
        "?",
        "null",
        "none",
        "(null)",
        "<none>",
        "unknown",
        "n/a",
        "nil",
        "undefined",
        "anonymous:",
        "[filtered]",
        "filtered",
        "redacted",
        "hidden",
    )
)


def _value(match: re.Match[str], text: str) -> tuple[str, bool]:
    """Return the name that a match took and whether it was marked off by quotes or brackets."""
    for group, found in match.groupdict().items():
        if found is not None:
            value = text[match.start(group) : match.end(group)]
            return value.strip() if group != "bare" else value.rstrip(".!?"), group != "bare"
    return "", False


def _is_name(name: str, *, marked: bool) -> bool:
    if not name or name.lower() in _EMPTY or "=" in name:
        return False
    if marked:
        return True
    if name.count(".") and _DOMAIN_NAME.match(name):
        return False  # a host's name, where a bare user's name is looked for
    return (
        name.lower() not in _WORDS
        and not name.isdigit()
        and any(map(str.isalnum, name))
        and _ADDRESS.match(name) is None
    )


_KEY_WORDS = ("user", "login", "logon", "acct", "account", "uname", "usr", "principal", "identi", "mail", "set_id")
MAX_KEYS = 16
_ACTOR = re.compile(rf"(?:^|(?<=\bby ))user:? (?:{_QUOTED}|(?P<bare>{_NAME}))(?= [a-z]{{2,}}|,|\.|$)")
#: ``Could not retrieve user alice details``.
_LOOKED_UP = re.compile(
    rf"(?:retriev\w{{1,3}}|load(?:ing)?|fetch(?:ing)?|find(?:ing)?) user (?P<bare>{_NAME})"
    r"(?= (?:details|record|data|in)\b|[\].,]|$)"
)
#: ``192.0.2.1 (alice@example.com) -> POST:https://..``: who asked, beside the address asked from.
_BESIDE = re.compile(r"[\da-f:.]{3,45} \((?P<round>[^()\s@]{1,64}@[^()\s@]{1,190})\) -> [a-z]{3,7}:")
#: ``Login OK: [alice/..]`` and ``Login incorrect (..): [alice]`` as FreeRADIUS writes them.
_RADIUS = re.compile(r"login (?:ok|incorrect)[^\[]{0,128}\[(?P<square>[^\[\]/]{1,128})[\]/]")
_REALM = re.compile(r"[A-Za-z][\w-]{1,31}\Z")
_DOMAIN_NAME = re.compile(
    r"(?:[a-z0-9-]{1,63}\.){1,8}(?:com|org|net|local|lan|internal|example|edu|gov|io|de|fr|uk|localdomain)\Z",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}\Z|[0-9a-f]{0,4}:[0-9a-f:.]*\Z", re.IGNORECASE)


def split_realm(name: str) -> tuple[str, str]:
    """Return name and realm of ``root@pam`` and ``alice@CORP``; a mail address stays whole.

    >>> split_realm("root@pam"), split_realm("alice@example.com")
    (('root', 'pam'), ('alice@example.com', ''))
    """
    user, mark, realm = name.rpartition("@")
    return (user, realm) if mark and user and _REALM.match(realm) is not None else (name, "")


def may_name(low: str) -> bool:
    """Return whether a text in small letters may hold a key whose value is a name; cheap."""
    return ("=" in low or ":" in low) and any(word in low for word in _KEY_WORDS)


def keyed(text: str) -> str:
    """Return the value of ``user=``, ``username:`` and the like."""
    low = lowered(text)
    position = 0
    for _ in range(MAX_KEYS):
        match = _KEYED.search(low, position, MAX_READ)
        if match is None:
            break
        name, marked = _value(match, text)
        if name and name.lower() not in _EMPTY and (marked or name.lower() not in _WORDS):
            return name
        position = match.start() + 3  # what was no name may be the next key: "Login: user=<alice>"
    return ""


def actor(text: str) -> str:
    """Return the account that a sentence begins with, was done by or looked up, or that stands beside its address."""
    low = lowered(text)
    for pattern in (_ACTOR, _LOOKED_UP, _BESIDE):
        match = pattern.search(low, 0, MAX_READ)
        name, marked = _value(match, text) if match is not None else ("", False)
        if _is_name(name, marked=marked):
            return name
    return ""


def named(text: str) -> str:
    """Return the account a sentence about a login names."""
    found = keyed(text)
    if found:
        return found
    low = lowered(text)
    best, name = MAX_READ, ""
    for pattern in (_RADIUS, _BESIDE, _MARKED, _AFTER, _SUBJECT, _FOR):
        for match in pattern.finditer(low, 0, best):
            found, marked = _value(match, text)
            if _is_name(found, marked=marked):
                best, name = min(best, match.start()), found
                break
    return name
