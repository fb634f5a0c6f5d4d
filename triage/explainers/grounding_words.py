"""Words in a claim that may be names: what looks like an identifier, and words that are no English.

Handed: a claim's draft after addresses, paths, times and numbers were taken out, and the evidence. Hands on: a
:class:`Trouble` for each word that is not there. What looks like an identifier (digits, dots, backslashes, underscores,
inner capitals) must be in the evidence; a word of letters only when it is no ordinary English.
"""

import re
from collections.abc import Iterator

from triage import ecs
from triage.explainers.grounding_index import Index
from triage.explainers.grounding_names import Basis, Trouble, is_part
from triage.explainers.grounding_text import BLOT, Draft, is_plain, occurs

_TOKEN = re.compile(r"[^\s\"'<>()\[\]{},;|\u25a0]+")
_EDGES = ".:!?*"
_HEX = re.compile(r"[0-9a-f]{8,64}")
#: Three words and more with hyphens and no small word between them are a name: a rule, a bucket, a job.
_COMPOUND = re.compile(r"[a-z]+(?:-[a-z]+){2,6}", re.IGNORECASE)
_FUNCTION_WORDS = "a an and as at by for in it more no non not of off on one or out than the to two up with you"
_FUNCTION = frozenset(_FUNCTION_WORDS.split())
#: Written with digits or inner capitals, but no name of anything in the evidence.
_TERMS = re.compile(
    r"(?:ipv[46]|sha-?\d{1,3}|md5|utf-?\d{1,2}|base\d\d|x(?:86|64)(?:_64)?|win(?:32|64)|[1-5]xx|2fa|"
    r"c2|l[2-7]|oauth2?|s3|ec2|"
    r"log4j|rc4|aes(?:-?\d{3})?|3?des|md4|wi-fi|http/?[123](?:\.[01])?|tls ?1?\.?\d?|ntlmv[12]|smbv?[123]|e\.g|"
    r"i\.e|etc|vs|u\.s|a\.m|p\.m|"
    r"24/7|24x7|\d+(?:st|nd|rd|th)|"
    r"att&ck|r&d|q&a|and/or|powershell|vmware|javascript|github|gitlab|linkedin|openssh|openssl|mysql|"
    r"postgresql|nosql|"
    r"cloudtrail|guardduty|devops|devsecops|iot|macos|ios|wifi|onedrive|sharepoint|outlook|zscaler|"
    r"ids|ips|vpns?|apis?|urls?|"
    r"ips|pids?|sids?|guids?|uuids?|ids|dnssec|netflow|sysmon|cmdlets?|kerberos|winrm|psexec|saas|"
    r"paas|iaas|mitm|dos|ddos|rdp|smb)",
    re.IGNORECASE,
)
#: Proper names that need no evidence line.
_PROPER_NAMES = (
    "windows linux unix microsoft google amazon azure apple cisco fortinet kerberos python java "
    "javascript perl ruby bash sysmon "
    "ubuntu debian redhat centos apache nginx docker kubernetes oracle android chrome firefox safari "
    "mozilla edge excel word outlook "
    "teams slack okta splunk elastic wazuh suricata zeek active directory entra defender mitre "
    "english internet utc gmt i "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june "
    "july august september october "
    "november december christmas easter europe america asia africa germany france china russia "
    "brazil india tor unicode ethernet wordpress drupal joomla php laravel django tomcat iis exchange citrix vmware "
    "android samsung intel nvidia posix gnu debian fedora suse alpine homebrew npm pypi maven gradle terraform ansible "
    "puppet chef jenkins jira confluence salesforce dropbox zoom webex skype signal telegram whatsapp discord twitter "
    "facebook instagram youtube reddit cloudflare akamai fastly letsencrypt crowdstrike sentinel carbon qualys nessus "
    "tenable rapid sysinternals "
    "german english french spanish italian portuguese dutch russian chinese japanese korean arabic turkish polish "
    "american british european asian african canadian indian"
)
#: Tools that a claim may mention as an example, not as what was seen.
_TOOLS_WORDS = (
    "metasploit mimikatz bloodhound rubeus hydra medusa hashcat nmap masscan sqlmap nikto burp shodan censys "
    "cobalt impacket responder rclone ngrok netcat psexec zmap wpscan gobuster ffuf nuclei empire sliver chisel "
    "anydesk teamviewer megasync winrar procdump adfind seatbelt ncrack patator crackmapexec"
)
_TOOLS = frozenset(_TOOLS_WORDS.split())
_EXAMPLE = re.compile(
    r"\b(?:such as|e\.g\.?|for example|for instance|tools|(?:tools|programs|software|frameworks|utilities) like|"
    r"could|may|"
    r"might|similar to)\b",
    re.IGNORECASE,
)
PROPER = frozenset(_PROPER_NAMES.split())
_ROLE = re.compile(
    r"\b(?:user ?names?|users?|accounts?|account names?|identit(?:y|ies)|principals?|host ?names?|"
    r"hosts?|machines?|servers?|"
    r"workstations?|computers?|endpoints?|nodes?|processes|process|programs?|binar(?:y|ies)|"
    r"executables?|images?|services?|daemons?|"
    r"domains?|roles?|buckets?|databases?|containers?|pods?|tools?|malware|scripts?|operators?|"
    r"administrators?|employees?|"
    r"colleagues?|analysts?|named|called|dubbed|titled|log-?ins? (?:by|of|for|from|as)|"
    r"aliase?s?)\s+(?:(?:named|called|account|name|user)\s+)?"
    r"(?=(?P<name>[^\W\d_][\w'-]*))",
    re.IGNORECASE,
)
_SLOT = re.compile(
    r"\b(?:by|as|for|from|on|onto|to|at|against|of|with|via|into|in|towards?|between|through|behind|"
    r"under|using|inside|near|"
    r"ran|run|runs|running|executed|launched|started|spawned|invoked|opened|dropped|used|contacted|"
    r"resolved|queried)\s+(?:the\s)?"
    r"(?=(?P<name>[^\W\d_][\w'-]*))",
    re.IGNORECASE,
)
_OWNER = re.compile(r"(?<![\w.])(?P<name>[^\W\d_][\w-]*)'s?(?!\w)")
_BESIDE = re.compile(
    rf"{BLOT}\s*(?:,|and|or|&)\s+(?:and\s)?(?P<name>[^\W\d_][\w'-]*)|"
    rf"(?<![\w])(?P<other>[^\W\d_][\w'-]*) (?:and|or) {BLOT}"
)
_SUBJECT = re.compile(
    r"(?:^|[.;:,!?]\s+|\b(?:that|and|because|when|while|so|which|then|after|before|did|was|were|had|"
    r"has|if|whether)\s+)"
    r"(?P<name>[^\W\d_][\w'-]*)\s+(?:(?:then|also|has|had|first|again|successfully|just|later|soon|"
    r"once|never|did|tried|recently|suddenly)\s+)*"
    r"(?:\w{2,}(?:ed|s)|was|is|has|had|ran|did|got|made|sent|began|came|went|took|log|sign|"
    r"authenticate|use|start|run|connect)\b"
)
_CAPITAL = re.compile(r"(?<=[\w,;)\u25a0'\"] )(?P<name>[A-Z][a-z][\w'-]*)")
#: Any longer word that no list of English knows.
_ANY = re.compile(r"(?<![\w'.@\\/-])(?P<name>[^\W\d_]{4,}(?:-[^\W\d_]+)*)(?![\w@\\/]|\.\w)")
_INNER = re.compile(r"[a-z][A-Z]|[A-Z]{2,}[a-z]{2,}")


def tokens(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with the words that look like identifiers; runs after times and numbers are out."""
    for match in list(_TOKEN.finditer(draft.rest)):
        token = match.group().strip(_EDGES) + ("\u2026" if match.group().endswith("...") else "")
        token = token.removesuffix("'s").removesuffix("'")
        bare = token.rstrip("\u2026")
        structured = _structured(token) or _is_kind(token.lower(), basis.whole)
        if len(token) < 2 or (bare.isalnum() and not _structured(bare)):
            continue
        first, _, last = token.rpartition("-")
        if first and is_plain(last) and _TERMS.fullmatch(first):
            continue
        if token.isdigit() or not structured or _TERMS.fullmatch(token) or bare.lower() in PROPER:
            continue
        draft.blot(match.start(), match.end())
        draft.facts.append(token)
        yield from basis.judge(token, _has_token, token)


def _structured(token: str) -> bool:
    if token.isalpha():
        return bool(_INNER.search(token))
    if _COMPOUND.fullmatch(token) and not _FUNCTION.intersection(token.lower().split("-")):
        return True
    if all(part.isalpha() or not part for part in re.split(r"[-/&]", token)):
        parts = token.split("-")
        if 2 <= len(parts) <= 4 and any(_is_odd(part) for part in parts):
            return True
        return any(_INNER.search(part) for part in token.split("/"))
    return any(character.isalnum() for character in token)


def _is_odd(part: str) -> bool:
    """Tell whether a part of a word with a hyphen is no word, no proper name and no abbreviation."""
    return part.isalpha() and not is_plain(part) and part.lower() not in PROPER and not _is_initials(part)


def _has_token(index: Index, token: str) -> bool:
    lowered = token.lower()
    if occurs(lowered, index.text, domain="." in lowered) or _TERMS.fullmatch(token):
        return True
    if "." in token and _is_field(lowered):
        return True
    stem = lowered.rstrip(".\u2026")
    if len(stem) >= 6 and lowered != stem and stem in index.text:
        return True
    if (
        len(stem) >= 8
        and _HEX.fullmatch(stem)
        and re.search(rf"(?<![0-9a-f]){stem}[0-9a-f]|[0-9a-f]{stem}(?![0-9a-f])", index.text)
    ):
        return True
    parts = [part for part in re.split(r"[=/]", lowered) if part]
    if "/" in lowered and _is_kind(lowered, index):
        return False
    return len(parts) > 1 and all(part.isdigit() or is_plain(part) or occurs(part, index.text) for part in parts)


def _is_kind(token: str, index: Index) -> bool:
    """Tell whether the evidence has other names of the form that a token has: roles/owner, for roles/editor."""
    if "-" in token and token.partition("-")[0] in index.families:
        return True
    return "/" in token and occurs(token.partition("/")[0] + "/", index.text.replace("/", "/ "))


def _is_field(name: str) -> bool:
    first, *rest = name.split(".")
    return first in ecs.FIELD_SETS and all(
        is_plain(part.replace("_", "-")) or part in {"ip", "mac", "id"} for part in rest
    )


def names(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield words of letters that are neither English nor in the evidence; short ones where a name stands."""
    seen: set[str] = set()
    for pattern in (_ROLE, _SLOT, _OWNER, _BESIDE, _SUBJECT, _CAPITAL, _ANY):
        for match in pattern.finditer(draft.rest):
            word = next(text for text in match.groupdict().values() if text).removesuffix("'s").strip("'-")
            lowered = word.lower()
            if lowered in seen or len(word) < 2 or lowered in PROPER or is_plain(word) or _is_initials(word):
                continue
            if _TERMS.fullmatch(word) or lowered.removesuffix("s") in PROPER:
                continue
            if lowered in _TOOLS and _EXAMPLE.search(draft.text[max(0, match.start() - 80) : match.end()]):
                continue
            seen.add(lowered)
            draft.facts.append(lowered)
            yield from basis.judge(word, _has_name, lowered)


def _is_initials(word: str) -> bool:
    """Tell whether a word is an abbreviation such as SSH, NTLM or VPNs."""
    return word.removesuffix("s").isupper() and len(word) <= 7


def _has_name(index: Index, lowered: str) -> bool:
    return (
        occurs(lowered, index.text)
        or is_part(lowered, index)
        or (lowered.endswith("s") and occurs(lowered[:-1], index.text))
    )
