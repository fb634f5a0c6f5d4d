"""What everybody calls what ECS calls by one name: the keys of application and access logs in JSON.

Handed: the name of a field, in any spelling (``client_ip``, ``clientIp``, ``Client-IP``, ``request.client_ip``).
Hands on: its ECS name and how good a source of it the key is. Spellings are compared without case and punctuation,
and without the object a logger puts everything into. Only names that mean the same everywhere are here; the few that
do so beside a request only (``path``, ``size``) are kept apart.
"""

from functools import lru_cache

_MAX_NAME = 128

#: ECS name -> keys, best first, as :func:`plain` writes them.
_KEYS: dict[str, str] = {
    "host.name": (
        "hostname hosthostname host computername computer machinename machine devicename devicehostname "
        "nodename agenthostname beathostname kuberneteshost kubernetesnodename sysloghostname"
    ),
    "source.ip": (
        "srcip sourceip sourceipaddress clientip clientipaddress clientaddress clientaddr clienthost "
        "callerip calleripaddress visitorip requestip userip useripaddress remoteip remoteipaddress "
        "remoteaddr remoteaddress remotehost remoteclient peerip peeraddr peeraddress srcaddr sourceaddress "
        "saddr src srchost downstreamremoteaddress realip xrealip ipaddress ipaddr ipv4 remote peer client "
        "ip originip loginip fromip actorip xforwardedfor httpxforwardedfor forwardedfor "
        "headersxforwardedfor"
    ),
    "source.port": "srcport sourceport clientport remoteport peerport spt",
    "destination.ip": (
        "dstip destip destinationip destinationipaddress dstaddr destinationaddress destaddr daddr serverip "
        "serveraddr targetip dst"
    ),
    "destination.port": "dstport destport destinationport serverport dpt targetport",
    "source.bytes": "srcbytes bytesfromclient",
    "destination.bytes": "dstbytes",
    "source.mac": "srcmac clientmac",
    "user.name": (
        "username user userusername userlogin login loginname accountname account uname principalname "
        "principal remoteuser clientusername authuser authenticateduser srcuser dstuser targetuser "
        "sourceuser sourceusername destinationusername samaccountname actor performedby"
    ),
    "user.id": "userid uid",
    "user.email": "useremail email emailaddress",
    "user.domain": "userdomain",
    "log.level": "level loglevel severity levelname lvl severitytext priority",
    "process.name": "processname syslogidentifier appname program programname procname",
    "process.pid": "pid processid procid",
    "process.command_line": "commandline cmdline processcommandline command",
    "process.executable": "exe executable",
    "process.thread.name": "threadname thread",
    "log.logger": "logger loggername sourcecontext",
    "service.name": "servicename",
    "user_agent.original": "useragent httpuseragent headersuseragent clientrequestuseragent agentstring ua",
    "url.original": (
        "url uri requesturi requesturl originalurl fullurl httptarget httpurl requestpath httppath clientrequesturi"
    ),
    "url.domain": "requesthost headershost authority httphost vhost clientrequesthost",
    "http.request.method": "method httpmethod requestmethod clientrequestmethod verb httpverb",
    "http.request.referrer": "referer referrer httpreferer httpreferrer headersreferer",
    "http.request.id": "requestid reqid xrequestid",
    "http.response.status_code": (
        "statuscode httpstatus httpstatuscode responsestatus responsecode downstreamstatus httpresponsecode "
        "responsestatuscode edgeresponsestatus originstatus"
    ),
    "http.response.body.bytes": ("bodybytessent bytessent responsesize downstreamcontentsize responselength"),
    "event.action": "action securityaction deviceaction eventaction actiontype eventname eventtype operation activity",
    "event.code": "eventid",
    "error.code": "errorcode errcode",
    "error.message": "error errormessage err errormsg errmsg exceptionmessage errorreason",
    "error.stack_trace": "stack stacktrace errstack errorstack exception thrownextendedstacktrace",
    "error.type": "errtype errorname exceptiontype exceptionclass",
    "trace.id": "traceid",
    "span.id": "spanid",
    "container.id": "containerid dockercontainerid",
    "container.name": "containername dockercontainername",
    "rule.name": "rulename ruledescription signature",
    "rule.id": "ruleid signatureid",
    "file.path": "filepath",
    "network.transport": "proto transport protocol l4proto",
    "cloud.account.id": "awsaccountid",
    "aws.cloudwatch.log_group": "loggroup",
    "aws.cloudwatch.log_stream": "logstream",
}
#: Beside a request's method these mean the request's, too.
_WEB_KEYS = {
    "url.original": "path target",
    "http.response.status_code": "status code",
    "http.response.body.bytes": "size bytes length contentlength bodybytes",
    "url.domain": "domain",
}
#: Objects that loggers and web servers put a record's facts into.
_HOLDERS = frozenset(
    {
        "request",
        "req",
        "http",
        "httprequest",
        "context",
        "ctx",
        "contextmap",
        "mdc",
        "fields",
        "data",
        "attributes",
        "attr",
        "properties",
        "extra",
        "extradata",
        "meta",
        "metadata",
        "details",
        "payload",
        "eventdata",
        "params",
        "value",
        "json",
        "res",
        "response",
        "client",
        "connection",
        "user",
        "session",
        "log",
        "record",
    }
)
#: Keys that mean something else inside these objects than at the top.
_NOT_INSIDE = {
    "request": frozenset({"host", "hostname", "id", "user", "ip", "source", "level"}),
    "req": frozenset({"host", "hostname", "id", "level"}),
    "log": frozenset({"sourceaddress", "level", "logger", "path", "source"}),
    "session": frozenset({"user", "ip"}),
    "client": frozenset({"host", "user", "hostname"}),
    "connection": frozenset({"host"}),
    "user": frozenset({"host", "action", "agent"}),
}


def plain(name: str) -> str:
    """Return a name without case and punctuation.

    >>> plain("X-Forwarded_For.0")
    'xforwardedfor0'
    """
    return "".join(char for char in name.lower() if char.isalnum())


def _ranked(keys: dict[str, str]) -> dict[str, tuple[str, int]]:
    return {key: (ecs, rank) for ecs, words in keys.items() for rank, key in enumerate(words.split())}


_RANKED = _ranked(_KEYS)
_WEB_RANKED = _ranked(_WEB_KEYS)
#: A key inside an object is a worse source than any at the top.
_INSIDE = 100
_OWN = """
event.id event.type event.kind event.category event.outcome event.original event.provider event.reason event.dataset
event.module event.severity error.code error.id host.id host.ip host.mac host.os.name source.address source.domain
destination.address destination.domain destination.bytes client.ip client.address client.port server.ip
server.address server.port user.roles user.full_name url.path url.query http.version service.type service.id
process.parent.pid process.args log.file.path cloud.instance.id network.protocol network.direction
"""
#: Names that are ECS already are left alone, also where another's key would be spelt alike.
_ECS = frozenset(_KEYS) | frozenset(_OWN.split())


@lru_cache(maxsize=16_384)
def meaning(name: str, web: bool = False) -> tuple[str, int] | None:
    """Return the ECS name and the rank (0 is best) of a field's name, or ``None`` when it means nothing by itself.

    >>> meaning("request.remote_ip"), meaning("ClientHost"), meaning("colour")
    (('source.ip', 114), ('source.ip', 7), None)
    """
    if name in _ECS or len(name) > _MAX_NAME:
        return None
    known = _RANKED if not web else _WEB_RANKED
    found = known.get(plain(name))
    if found is not None:
        return found
    head, dot, rest = name.partition(".")
    for _ in range(3):
        holder = plain(head)
        if not dot or holder not in _HOLDERS or plain(rest) in _NOT_INSIDE.get(holder, ()):
            return None
        found = known.get(plain(rest))
        if found is not None:
            return found[0], found[1] + _INSIDE
        head, dot, rest = rest.partition(".")
    return None


_TIME_KEYS = """
timestamp time ts t datetime eventtime eventtimestamp logtime loggedat occurredat tdate asctime starttime startutc
startlocal edgestarttimestamp timeiso8601 timelocal timestampms timemillis eventcreated date created createdat
realtimetimestamp timegenerated published generatedat requesttimestamp receivedat
"""
_TIMES = {key: rank for rank, key in enumerate(_TIME_KEYS.split())}


@lru_cache(maxsize=16_384)
def time_rank(name: str) -> int | None:
    """Return how good a source of the event's time a field's name is (0 is best), or ``None``.

    >>> time_rank("@timestamp"), time_rank("StartUTC"), time_rank("colour")
    (0, 13, None)
    """
    return _TIMES.get(plain(name)) if len(name) < _MAX_NAME else None
