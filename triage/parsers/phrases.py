"""What a sentence of any program says about security: a login and how it ended, a refusal, by whom, from where.

Handed: a message's text. Hands on: user, both ends, action, outcome and category, as far as the words say so. No
guesses: an address counts when a word before it says what it is, or when a failed login names no other.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, people

MAX_READ = 2_000
_AUTH = r"auth(?:ent\w{1,10}|ori[sz]\w{1,8})?(?![a-z])"
_LOGIN = rf"(?:log[ -]?(?:in|on)|sign[ _-]?(?:in|on)|{_AUTH}|2fa|totp|mfa|otp)"
_KNOWLEDGE = (
    r"(?:user ?names?|user|log-?in|passw\w{1,4}|credentials?|identity|token|secret|api[ -]?key|totp|otp|2fa"
    r"|auth\w{0,14}|passcode)"
)
_FAILED = re.compile(
    r"log-?in incorrect|anmeldung fehlgeschlagen|fehlerhafter? (?:log-?in|anmeld)|echec de (?:la )?(?:tentative de "
    r")?connexion"
    r"|échec de (?:la )?(?:tentative de )?connexion|mislukte (?:log-?in|aanmeld)|inicio de sesión fallido|"
    rf"{_LOGIN}(?:\(\))?[ _-](?:attempt |request |handshake )?(?:was |has been |has |is )?(?:fail\w{{0,4}}|error\b"
    rf"|rejected"
    rf"|denied|unsuccessful|refused|not permitted|invalid|is not allowed)"
    rf"|{_LOGIN} (?:attempt|request)\w? (?:\S{{1,64}} ){{0,8}}?(?:fail\w{{1,4}}|denied|rejected|rate-limited"
    rf"|invalid|incorrect|unsuccessful)"
    rf"|{_LOGIN} (?:for|of|by) .{{1,160}}? (?:fail\w{{1,4}}|denied|rejected)\b"
    rf"|fail\w{{0,4}}[ _-](?:to )?(?:\S{{1,24}}[ _-]){{0,3}}?(?:{_LOGIN}|password)"
    rf"|(?:{_LOGIN}|password|account|challenge|response|user)\w{{0,12}}(?:_|-)?(?:fail(?:ed|ure)|_error|-error"
    rf"|denied|_invalid)"
    rf"|(?:password|passcode) (?:attempt |was |is |check |verification )?(?:fail\w{{0,4}}|incorrect|mismatch"
    rf"|invalid|wrong|does not match|did not match|not match)"
    rf"|(?:invalid|incorrect|wrong|bad|illegal|unknown|nonexistent|non-existent|inexistent|no such"
    rf"|unauthori[sz]ed)[ _]?(?:pam |jellyfin |plex |overseerr |local |ldap |admin |or unknown )?{_KNOWLEDGE}(?!-)\b"
    r"|invalid(?:accountid|password|account|credential)|user(?:name)? (?:\S{1,128} )?(?:is |was |has been |could "
    r")?(?:not (?:be )?found|unknown|does not exist|doesn't exist|not known|not exist)"
    rf"|un(?:successful|authori[sz]ed|able to) \w{{0,16}} ?{_LOGIN}|could not (?:authenticate|log in|login|sign in)"
    rf"|cannot (?:authenticate|log in)"
    r"|not found in \w{1,16} directory|access denied for user|password doesn't match|(?:credentials|password"
    r"|username|token|passcode) (?:are |is |were |was )?(?:invalid|incorrect|wrong)|attempted to (?:log ?in|sign in"
    r"|authenticate) .{1,160}? failed"
    r"|not (?:allowed|permitted|authori[sz]ed) to (?:log|sign|auth|connect)|exit before auth"
    r"|nt_status_(?:wrong_password|no_such_user|logon_failure|account_\w{1,24}|password_\w{1,24}|invalid_\w{1,24})"
    r"|no identification string|401 unauthori[sz]ed"
    r"|too many \w{0,16} ?(?:failures|attempts)|maximum \w{1,24} attempts|brute[ -]?force|account (?:is |was "
    r")?(?:locked|disabled)|authentication_fail"
)
#: Counts of nothing, and mail for people who are not there.
_NOT_FAILED = re.compile(
    r"<[^<>\s]{1,128}@[^<>\s]{1,128}>(?:\.\.\.|:) {0,2}(?:no such user|user unknown)|rejected rcpt|rcpt from|"
    r"(?:\bno|\b0|without|zero) (?:\w{1,16} ){0,2}(?:auth\w{0,14}|log-?in) (?:fail|error)|fail\w{0,4}[ _-]?(?:count"
    r"|attempts|logins)?[=:] ?0\b"
)
_SUCCEEDED = re.compile(
    r"\blog-?in: user=|\blog-?in ok\b|session (?:opened|started|established) for \S|"
    rf"{_LOGIN}[ _-](?:attempt |request )?(?:was |has been |has |is )?(?:success\w{{0,4}}|succeeded|accepted"
    rf"|granted|ok\b|passed|complete)"
    rf"|(?<!un)success\w{{0,6}}[ _-](?:\S{{1,24}} ){{0,3}}?{_LOGIN}|(?<!not )(?<!never )logged[ -]in\b|signed in\b"
    r"|(?:accepted|verified) (?:password|publickey|certificate|keyboard-interactive)|(?<!not )authenticated "
    r"(?:successfully|as|with|for|user)|with password .{1,130} accepted\b"
    r"|(?:session|connection) (?:opened|started|authenticated) for user|login_success"
)
_LOGGED_OUT = re.compile(r"logged[ -](?:out|off)\b|log[ -]?out\b|session (?:closed|ended|terminated)|signed out\b")
_TRYING = re.compile(
    rf"(?:trying|attempt\w{{0,4}}|request\w{{0,4}}) (?:to )?(?:log ?in|{_LOGIN})|{_LOGIN} (?:attempt|request)"
)
_REFUSED = re.compile(
    r"\b(?:denied|rejected|refused|blocked|forbidden|unauthori[sz]ed|banned|prohibited|not allowed|not permitted"
    r"|dropped|deny)\b"
)
_BROKEN = re.compile(
    r"handshake (?:fail|error)|(?:ssl|tls|verify|certificate) (?:\w{1,16} )?(?:error|fail)|(?:verify|verification"
    r"|unwrapping|lookup|transfer) fail"
    r"|\b(?:failed|failure)\b|malformed|protocol error|bad \w{1,16} request"
)
#: Plain words looked for before the patterns above: a substring costs a hundredth of a pattern.
_ABOUT_LOGIN = (
    *(
        "auth",
        "login",
        "log-in",
        "logon",
        "log-on",
        "logged",
        "logout",
        "passw",
        "credential",
        "user",
        "account",
        "2fa",
        "totp",
        "otp",
        "token",
        "sign",
        "denied",
        "brute",
        "nt_status",
    ),
    "log in",
    "log on",
    "log out",
    "exit before",
    "not found in",
    "no identification",
    "access denied",
    "session ",
    "anmeldung",
    "connexion",
    "aanmeld",
    "sesión",
)
_BAD_WORDS = (
    *(
        "fail",
        "error",
        "reject",
        "denied",
        "invalid",
        "incorrect",
        "wrong",
        "bad",
        "unknown",
        "unauth",
        "mismatch",
        "unsuccess",
        "refused",
        "illegal",
        "exceeded",
        "brute",
        "lock",
        "disabled",
        "nt_status",
        "nonexist",
        "non-exist",
        "inexist",
        "unable",
        "limited",
        "maximum",
        "could",
        "cannot",
        "doesn",
    ),
    "not ",
    "fehl",
    "echec",
    "échec",
    "mislukt",
    "fallid",
    "no such",
    "too many",
    "exit before",
    "no identification",
)
_GOOD_WORDS = (
    "success",
    "succeed",
    "accepted",
    "logged",
    "signed in",
    "granted",
    "authenticated",
    " for user",
    "login: user",
    "login ok",
    "opened for",
    "started for",
    "established for",
    "verified",
    " ok",
    "passed",
    "complete",
)


def _any_of(words: tuple[str, ...], text: str) -> bool:
    for word in words:  # noqa: SIM110 - a generator costs three times as much here, and every event comes by
        if word in text:
            return True
    return False


_RHOST = re.compile(r"rhost=([A-Za-z][\w.-]{0,254})")
_BAN = re.compile(r"\b(Ban|Unban|Found|Restore Ban) (?=[\d:a-fA-F.]{3})")
_PACKET = re.compile(r" (SRC|DST|SPT|DPT|PROTO|IN|OUT)=([^\s=]{1,64})")
_PACKET_NAMES = {
    "SRC": "source.ip",
    "DST": "destination.ip",
    "SPT": "source.port",
    "DPT": "destination.port",
    "PROTO": "network.transport",
    "IN": "observer.ingress.interface.name",
    "OUT": "observer.egress.interface.name",
}


def read(text: str, fields: Fields) -> bool:
    """Fill what the text says outright and the fields do not hold yet; return whether it said anything."""
    text = text[:MAX_READ]
    low = text.lower()
    outcome = _login(low, fields) if _any_of(_ABOUT_LOGIN, low) else ""
    has_address = addresses.has_any(text)
    if has_address and "source.ip" not in fields and not _reads_beginning(text, fields):
        addresses.read(text, fields)
    if outcome:
        if not has_address and "rhost=" in low:
            _add_named_host(text, fields)
        if has_address and "source.ip" not in fields:
            address = addresses.only_one(text)
            if address and address != fields.get("destination.ip"):
                addresses.put(fields, "source", address, None)
        _add_user(people.named(text), fields)
        return True
    ban = _BAN.search(text) if "source.ip" in fields else None
    if ban is not None:
        fields.setdefault("event.action", ban[1].lower().replace(" ", "_"))
    name = people.keyed(text) if people.may_name(low) else ""
    if not name and ("user" in low or "@" in low):
        name = people.actor(text)
    _add_user(name, fields)
    if "source.ip" in fields and "event.outcome" not in fields:
        _read_refusal(low, fields)
    return bool(name) or "source.ip" in fields or "destination.ip" in fields


def _add_named_host(text: str, fields: Fields) -> None:
    """The peer may be known by name only."""
    host = _RHOST.search(text)
    if host is not None:
        fields.setdefault("source.domain", host[1])


def _reads_beginning(text: str, fields: Fields) -> bool:
    return addresses.read_access(text, fields) or addresses.read_first(text, fields)


def _add_user(name: str, fields: Fields) -> None:
    if name and "user.name" not in fields:
        fields["user.name"], realm = people.split_realm(name)
        if realm:
            fields.setdefault("user.domain", realm)


def _login(low: str, fields: Fields) -> str:
    """Read what became of a login; return its outcome, ``unknown`` for an attempt, nothing when there was none."""
    if _any_of(_BAD_WORDS, low) and _FAILED.search(low) is not None and _NOT_FAILED.search(low) is None:
        action, outcome = "login", "failure"
    elif _any_of(_GOOD_WORDS, low) and _SUCCEEDED.search(low) is not None:
        action, outcome = "login", "success"
    elif _LOGGED_OUT.search(low) is not None:
        action, outcome = "logout", "unknown"
    elif _TRYING.search(low) is not None:
        action, outcome = "login", "unknown"
    else:
        return ""
    if fields.get("event.category", "web") == "web":
        fields["event.category"] = "authentication"
    fields.setdefault("event.action", action)
    if outcome != "unknown":
        fields.setdefault("event.outcome", outcome)
    return outcome


def _read_refusal(low: str, fields: Fields) -> None:
    """A peer whose request was refused, or failed on the way."""
    if _REFUSED.search(low) is not None:
        fields.setdefault("event.action", "denied")
        fields["event.outcome"] = "failure"
    elif _BROKEN.search(low) is not None:
        fields["event.outcome"] = "failure"


def read_failed_login(text: str, fields: Fields) -> bool:
    """Read a sentence as :func:`read` does; return whether it was about a login that failed."""
    read(text, fields)
    return fields.get("event.category") == "authentication" and fields.get("event.outcome") == "failure"


def read_packet(text: str, fields: Fields) -> bool:
    """Read ``SRC=.. DST=.. PROTO=..`` as the Linux packet filter logs it."""
    if " SRC=" not in text or " DST=" not in text:
        return False
    fields["event.category"] = "network"
    for key, value in _PACKET.findall(text[:MAX_READ]):
        name = _PACKET_NAMES[key]
        if key in ("SPT", "DPT"):
            if value.isascii() and value.isdigit() and len(value) < 6:
                fields[name] = int(value)
        else:
            fields[name] = value.lower() if key == "PROTO" else value
    return True
