"""Which path of an Azure or Entra record is which ECS field, in lower case, best first.

Handed: nothing. Hands on: the rows and times of the Azure layout, and the claims that name a caller.
"""

from triage.parsers.layouts import Rows

_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_MS_CLAIM = "http://schemas.microsoft.com/identity/claims/"

#: Matched with their own case, as times are taken before names are folded.
TIMES = (
    "properties.Timestamp",
    "time",
    "timeStamp",
    "eventTimestamp",
    "createdDateTime",
    "activityDateTime",
    "TimeGenerated",
    "timeGenerated",
    "properties.createdDateTime",
    "properties.TimeGenerated",
    "properties.activityDateTime",
)


def _both(*names: str) -> tuple[str, ...]:
    """A column is below ``properties`` in a diagnostic record and at the top elsewhere."""
    return tuple(path for name in names for path in ("properties." + name, name))


ROWS: Rows = (
    (
        "event.action",
        (
            "properties.actiontype",
            "properties.action",
            "activitydisplayname",
            "properties.activitydisplayname",
            "operationnamevalue",
            "operationname.value",
            "operationname",
        ),
    ),
    ("event.id", ("properties.id", "eventdataid", "id", "_itemid")),
    ("event.reason", ("properties.resultreason", "resultreason")),
    (
        "event.result",
        (
            "status.value",
            "activitystatusvalue",
            "properties.result",
            "result",
            "resulttype",
            "statustext",
            "activitystatus",
        ),
    ),
    (
        "user.name",
        (
            *_both("userprincipalname"),
            *_both("initiatedby.user.userprincipalname"),
            "caller",
            "identity.claims." + _CLAIM + "upn",
            "identity.claims." + _CLAIM + "name",
            "claims." + _CLAIM + "upn",
            "claims." + _CLAIM + "name",
            "identity.claim." + _CLAIM + "upn",
            "identity.claim.upn",
            "identity.requester.upn",
            "identity.claims.name",
            *_both(
                "accountname", "initiatedby.app.displayname", "initiatedby.user.displayname", "serviceprincipalname"
            ),
            "properties.initiatingprocessaccountname",
        ),
    ),
    (
        "user.full_name",
        (*_both("userdisplayname", "initiatedby.user.displayname"), "identity.claims.name", "claims.name"),
    ),
    (
        "user.id",
        (
            *_both("userid", "initiatedby.user.id", "accountobjectid", "accountsid"),
            "identity.claims." + _MS_CLAIM + "objectidentifier",
            "claims." + _MS_CLAIM + "objectidentifier",
            "identity.claim.oid",
            "identity.requester.objectid",
            *_both("initiatedby.app.serviceprincipalid", "serviceprincipalid"),
        ),
    ),
    ("user.domain", ("properties.accountdomain",)),
    (
        "source.ip",
        (
            *_both("ipaddress"),
            "calleripaddress",
            *_both("initiatedby.user.ipaddress"),
            "httprequest.clientipaddress",
            "identity.claims.ipaddr",
            "claims.ipaddr",
            "properties.localip",
            "properties.sourceip",
            "properties.clientip",
            "clientip_s",
        ),
    ),
    ("source.port", ("properties.localport", "properties.sourceport", "properties.clientport")),
    ("destination.ip", ("properties.remoteip", "properties.destinationip")),
    ("destination.port", ("properties.remoteport", "properties.destinationport")),
    ("destination.domain", ("properties.remoteurl", "properties.fqdn")),
    ("network.transport", ("properties.protocol",)),
    ("dns.question.name", ("properties.queryname",)),
    ("url.domain", ("properties.host",)),
    ("rule.name", ("properties.rule", "properties.rulename", "properties.riskeventtype")),
    ("user_agent.original", (*_both("useragent"), "useragentheader", "properties.clientinfo")),
    ("host.name", ("properties.devicename", "devicename", *_both("devicedetail.displayname"))),
    ("host.id", ("properties.deviceid", *_both("devicedetail.deviceid"))),
    ("host.os.name", _both("devicedetail.operatingsystem")),
    ("process.name", ("properties.initiatingprocessfilename",)),
    ("process.pid", ("properties.initiatingprocessid",)),
    ("process.command_line", ("properties.initiatingprocesscommandline",)),
    ("process.parent.name", ("properties.initiatingprocessparentfilename",)),
    ("process.parent.pid", ("properties.initiatingprocessparentid",)),
    ("file.hash.sha256", ("properties.sha256",)),
    (
        "error.code",
        (*_both("status.errorcode"), *_both("errorcode")),
    ),
    ("error.message", (*_both("status.failurereason"), "resultdescription", *_both("failurereason"))),
    (
        "http.response.status_code",
        (
            "properties.httpstatuscode",
            "properties.statuscode",
            "httpstatuscode_d",
            "statuscode",
            "resultsignature",
            "properties.responsestatuscode",
            "properties.httpstatus",
        ),
    ),
    ("http.request.method", ("httprequest.method", "properties.httpmethod", "properties.requestmethod")),
    ("url.original", ("properties.requesturi", "properties.targeturl", "httprequest.uri", "requesturi", "uri")),
    ("azure.resource.id", ("resourceid", "_resourceid", "resourceuri")),
    ("azure.app.name", _both("appdisplayname")),
    ("azure.tenant_id", ("tenantid", "aadtenantid", *_both("resourcetenantid"))),
    ("cloud.account.id", ("subscriptionid",)),
    ("cloud.region", ("resourcelocation", "location")),
    ("source.geo.country_iso_code", (*_both("location.countryorregion", "locationdetails.countryorregion"),)),
    ("source.geo.city_name", _both("location.city", "locationdetails.city")),
    ("log.level", ("level", "properties.level", "severity")),
    ("trace.id", ("correlationid",)),
    (
        "event.provider",
        ("resourceprovidername.value", "resourceprovidervalue", *_both("loggedbyservice"), "resourceprovider"),
    ),
)
