"""The columns of PAN-OS logs, by type of log.

Handed: nothing. Hands on: for each type the ECS field (or one below ``panw.``) that each cell of a row is, in the
order that the firewall writes them; ``-`` is a cell that is not kept: reserved, or a number that means something only
to the firewall itself. A newer release writes all of an older one's columns and then its own, so one table serves
8.1 to 12.1; a row ends where its release ended. Logs that a Strata Logging Service hands on have the same order.
Format: Palo Alto Networks, PAN-OS Administrator's Guide, Syslog Field Descriptions.
"""

#: What stands before the columns of every type.
_HEAD = "- panw.received observer.serial_number panw.type panw.subtype - panw.generated"
_GROUPS = "- - - - - observer.name"  # four levels of device groups, the virtual system's name, the device's
_ENDS = (
    "source.ip destination.ip source.nat.ip destination.nat.ip rule.name source.user.name destination.user.name"
    " network.application panw.vsys observer.ingress.zone observer.egress.zone observer.ingress.interface.name"
    " observer.egress.interface.name - - panw.session_id - source.port destination.port source.nat.port"
    " destination.nat.port - network.transport event.action"
)
_LOCATIONS = "panw.source_location panw.destination_location"


def _device(side: str) -> str:
    """Columns of what is known about the machine at one end."""
    return f"panw.{side}_device.category - - - panw.{side}_device.os - {side}.domain {side}.mac"


_DEVICES = f"{_device('source')} {_device('destination')}"
_CONTAINER = "container.id orchestrator.namespace orchestrator.resource.name"
_APPLICATION = "panw.app.subcategory panw.app.category panw.app.technology panw.app.risk - - panw.app.tunneled"

_TRAFFIC = (
    f"{_HEAD} {_ENDS} network.bytes source.bytes destination.bytes network.packets - panw.elapsed panw.category"
    f" - - - {_LOCATIONS} - source.packets destination.packets event.reason {_GROUPS} panw.action_source"
    " - - - - - - panw.tunnel - - - - rule.uuid - - - - - - - - -"
    f" panw.forwarded_ip {_DEVICES} {_CONTAINER} - - panw.host_id - - - - panw.high_resolution - - {_APPLICATION}"
)
_THREAT = (
    f"{_HEAD} {_ENDS} panw.misc panw.threat panw.category panw.severity panw.direction - - {_LOCATIONS} -"
    " panw.content_type - file.hash panw.cloud - user_agent.original panw.file_type panw.forwarded_ip"
    f" http.request.referrer email.from.address email.subject email.to.address - {_GROUPS} - - -"
    " http.request.method - - - - panw.tunnel panw.threat_category panw.content_version - - - - panw.url_categories"
    f" rule.uuid - - panw.forwarded_ip {_DEVICES} {_CONTAINER} - - panw.host_id - - - - - panw.high_resolution"
    f" event.reason panw.justification - {_APPLICATION}"
)
_CONFIG_BEGIN = f"{_HEAD} source.ip panw.vsys event.action user.name panw.client event.outcome panw.configuration_path"
_CONFIG_END = f"- - {_GROUPS} panw.device_group panw.comment - panw.high_resolution"
_SYSTEM = (
    f"{_HEAD} panw.vsys event.code panw.object - - panw.module panw.severity panw.description - - {_GROUPS}"
    " - - panw.high_resolution"
)
_HIP_MATCH = (
    f"{_HEAD} source.user.name panw.vsys source.domain panw.os source.ip panw.hip - panw.hip_type - - - - {_GROUPS}"
    " - panw.source_ipv6 panw.host_id panw.device_serial source.mac panw.high_resolution"
)
_GLOBALPROTECT = (
    f"{_HEAD} panw.vsys event.action panw.stage panw.auth_method panw.tunnel source.user.name panw.source_location"
    " source.domain source.ip panw.source_ipv6 panw.private_ip panw.private_ipv6 panw.host_id panw.device_serial"
    " panw.client_version panw.os panw.os_version - event.reason error.message panw.description event.outcome"
    " panw.location panw.login_duration panw.connect_method error.code panw.portal - - panw.high_resolution"
    f" panw.selection_type panw.response_time panw.priority panw.attempted_gateways panw.gateway {_GROUPS}"
)
_USERID = (
    f"{_HEAD} panw.vsys source.ip user.name panw.data_source_name panw.event_id - - source.port destination.port"
    f" panw.data_source panw.data_source_type - - {_GROUPS} - panw.factor_type - - - panw.user_by_source panw.tag"
    " panw.high_resolution"
)
_AUTHENTICATION = (
    f"{_HEAD} panw.vsys source.ip user.name panw.normalized_user panw.object rule.name - - panw.vendor -"
    f" panw.server_profile panw.description panw.client_type panw.event panw.factor_number - - {_GROUPS} -"
    f" panw.auth_protocol rule.uuid panw.high_resolution {_device('source')} panw.region - user_agent.original"
)
_DECRYPTION = (
    f"{_HEAD} {_ENDS} panw.tunnel - - - - rule.uuid panw.stage_client panw.stage_server panw.tls_version"
    " panw.key_exchange panw.encryption panw.hash panw.policy tls.curve panw.error_index panw.root_status"
    " panw.chain_status panw.proxy_type tls.server.x509.serial_number panw.fingerprint - - - - - - - - -"
    " tls.server.x509.subject.common_name tls.server.x509.issuer.common_name panw.root_common_name"
    f" tls.client.server_name error.message {_CONTAINER} - - - - panw.high_resolution {_DEVICES} - - {_GROUPS}"
)
_CORRELATION = (
    f"{_HEAD} source.ip source.user.name panw.vsys panw.category panw.severity {_GROUPS} - rule.name rule.id"
    " panw.evidence"
)
_TUNNEL = (
    f"{_HEAD} {_ENDS} panw.severity - - {_LOCATIONS} {_GROUPS} panw.tunnel_id panw.monitor_tag - - panw.tunnel"
    " network.bytes source.bytes destination.bytes network.packets source.packets destination.packets - - - - - -"
    " event.reason panw.action_source - panw.elapsed panw.tunnel_rule panw.remote_user_ip panw.remote_user_id rule.uuid"
)
_GTP = f"{_HEAD} {_ENDS}"
_SCTP = (
    f"{_HEAD} source.ip destination.ip - - rule.name - - - panw.vsys observer.ingress.zone observer.egress.zone"
    " observer.ingress.interface.name observer.egress.interface.name - - panw.session_id - source.port"
    f" destination.port - - - - network.transport event.action {_GROUPS} - - panw.sctp.association"
    " panw.sctp.payload_protocol panw.severity panw.sctp.chunk_type - - - panw.sctp.cause_code - - -"
    " panw.sctp.stream event.reason - - - panw.sctp.filter - - - network.packets source.packets destination.packets"
    " rule.uuid panw.high_resolution"
)

#: Type of a log, as the row names it -> its columns.
COLUMNS: dict[str, tuple[str, ...]] = {
    "TRAFFIC": tuple(_TRAFFIC.split()),
    "THREAT": tuple(_THREAT.split()),
    "SYSTEM": tuple(_SYSTEM.split()),
    "CONFIG": tuple(f"{_CONFIG_BEGIN} {_CONFIG_END}".split()),
    "HIP-MATCH": tuple(_HIP_MATCH.split()),
    "GLOBALPROTECT": tuple(_GLOBALPROTECT.split()),
    "USERID": tuple(_USERID.split()),
    "AUTHENTICATION": tuple(_AUTHENTICATION.split()),
    "DECRYPTION": tuple(_DECRYPTION.split()),
    "CORRELATION": tuple(_CORRELATION.split()),
    "TUNNEL": tuple(_TUNNEL.split()),
    "GTP": tuple(_GTP.split()),
    "SCTP": tuple(_SCTP.split()),
}
#: Other spellings of a type.
ALIASES = {"HIPMATCH": "HIP-MATCH", "AUTH": "AUTHENTICATION", "USER-ID": "USERID"}
#: A configuration log that was told to show what was changed has two columns more.
CONFIG_IN_FULL = tuple(f"{_CONFIG_BEGIN} panw.before_change panw.after_change {_CONFIG_END}".split())
