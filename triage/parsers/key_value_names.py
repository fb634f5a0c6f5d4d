"""What devices and programs that write ``key=value`` call what ECS calls by one name.

Handed: nothing. Hands on: the table of keys, in small letters, beside the names that everybody uses
(:mod:`triage.parsers.aliases`). Senders read for it: SonicWall, Sophos, WatchGuard, Check Point, programs that log in
logfmt.
"""

from triage.parsers import heads
from triage.parsers.vendor_pairs import Table

TABLE = Table(
    "",
    {
        "source.ip": (
            "srcip src_ip src source_ip sourceip client_ip clientip c_ip cip remote_ip remoteip remote_addr remoteaddr "
            "remote_address client_addr clientaddr peer_ip rhost rip remip source client remote from_ip"
        ),
        "source.port": "srcport src_port sport s_port spt source_port sourceport client_port clientport",
        "source.domain": "srchost src_host srcname src_name source_host",
        "source.mac": "srcmac src_mac src_mac_address",
        "source.nat.ip": "natsrc nat_src modsrc xlatesrc tran_src_ip srcnat natsrcip",
        "source.nat.port": "modsrcport xlatesport tran_src_port natsport natsrcport",
        "source.bytes": "sent sent_bytes sentbyte bytes_sent bytes_out client_outbound_bytes",
        "source.packets": "sent_pkts spkt sentpkt packets_sent",
        "destination.ip": "dstip dst_ip dst dest_ip destip destination_ip destinationip destination dest server_ip",
        "destination.port": "dstport dst_port dport d_port dpt dest_port destport destination_port service",
        "destination.domain": "dsthost dst_host dstname dst_name dest_host",
        "destination.mac": "dstmac dst_mac dst_mac_address",
        "destination.nat.ip": "natdst nat_dst xlatedst tran_dst_ip natdstip",
        "destination.nat.port": "xlatedport tran_dst_port natdport natdstport",
        "destination.bytes": "rcvd recv_bytes rcvdbyte bytes_received bytes_in client_inbound_bytes",
        "destination.packets": "recv_pkts rpkt rcvdpkt packets_received",
        "network.transport": "proto protocol ipproto ip_protocol l4proto",
        "network.protocol": "app_proto appproto application_protocol",
        "observer.ip": "fw origin device_ip devip dvc",
        "observer.serial_number": "sn serial serial_number serialnumber devid",
        "observer.ingress.interface.name": "srcintf src_intf in_interface ininterface initf",
        "observer.egress.interface.name": "dstintf dst_intf out_interface outinterface outitf",
        "user.name": "user usr username user_name usrname account acct login suser srcuser src_user src_user_name",
        "user.email": "email mail",
        "host.name": "hostname host_name devname device_name computer computername fw",
        "process.name": "process proc prog program process_name processname comm",
        "process.executable": "exe executable process_path",
        "process.command_line": "cmd cmdline command_line commandline command",
        "event.action": "action act disposition verdict fw_action device_action deviceaction event_action",
        "event.code": "msg_id log_id logid event_id eventid",
        "event.outcome": "outcome result success status",
        "event.reason": "reason",
        "rule.name": "rule_name rulename rule policy_name policyname fw_rule_name",
        "rule.id": "rule_id ruleid policyid policy_id fw_rule_id fwrule rule_uid",
        "file.path": "file_path filepath",
        "file.name": "file_name filename",
        "url.original": "url uri request_uri",
        "http.request.method": "method http_method",
        "user_agent.original": "user_agent useragent ua",
        "error.message": "err error",
    },
)
#: Words of a level; log15 cuts its own to four letters.
LEVELS = heads.LEVELS | {"eror": "error"}
#: Keys of a level, best first; the last is a number of syslog's.
LEVEL_KEYS = ("level", "lvl", "loglevel", "log_level", "severity", "priority", "pri")
USER_KEYS = frozenset({"user", "usr", "username", "user_name", "usrname", "uname", "account", "acct", "login"})
#: Keys of the text itself, which the message holds anyhow.
TEXT_KEYS = ("msg", "message")
#: ``host`` is the machine that wrote the line unless one of these says that it was asked for.
ASKED_KEYS = frozenset({"method", "http_method", "path", "url", "uri", "request_uri", "status_code"})
#: Keys that may hold what became of a connection where no key of an action is.
VERDICT_KEYS = ("status", "log_subtype", "subtype")
ACTION_KEYS = frozenset({"action", "act", "disposition", "verdict", "fw_action", "device_action", "event_action"})
