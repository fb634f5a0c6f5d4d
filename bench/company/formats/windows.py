"""Windows events in the shape Winlogbeat ships: Security, System, Sysmon and PowerShell channels.

Handed: time, computer and the event data. Hands on: messages whose content is a JSON object. Event ids and
data names: Microsoft's security auditing reference and the Sysmon schema.
"""

from random import Random
from typing import Any

from bench.company.formats.clock import iso
from bench.company.message import Message

DOMAIN = "HARBOUR"
DNS_SUFFIX = "corp.harbour.example"
SECURITY = ("Security", "Microsoft-Windows-Security-Auditing")
SYSMON = ("Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon")
POWERSHELL = ("Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell")
SYSTEM = ("System", "Service Control Manager")
EVENTLOG = ("Security", "Microsoft-Windows-Eventlog")

#: Event id of the Security channel -> (action, first line of the message).
SECURITY_EVENTS: dict[int, tuple[str, str]] = {
    4624: ("logged-in", "An account was successfully logged on."),
    4625: ("logon-failed", "An account failed to log on."),
    4634: ("logged-out", "An account was logged off."),
    4672: ("logged-in-special", "Special privileges assigned to new logon."),
    4688: ("created-process", "A new process has been created."),
    4698: ("scheduled-task-created", "A scheduled task was created."),
    4720: ("added-user-account", "A user account was created."),
    4724: ("reset-password", "An attempt was made to reset an account's password."),
    4732: ("added-member-to-group", "A member was added to a security-enabled local group."),
    5140: ("network-share-object-accessed", "A network share object was accessed."),
}


def record(
    at: float,
    computer: str,
    rng: Random,
    *,
    channel: tuple[str, str],
    kind: tuple[int, str, str],
    data: dict[str, Any],
    outcome: str = "success",
) -> Message:
    """Return one Winlogbeat document; the message lists the data below its first line, as Windows renders it.

    ``kind`` is the event id, what Winlogbeat calls it, and the first line of the message.
    """
    code, action, first_line = kind
    rendered = first_line + "\n\n" + "\n".join(f"{name}:\t{value}" for name, value in data.items())
    name, provider = channel
    document = {
        "@timestamp": iso(at),
        "event": {"kind": "event", "code": str(code), "provider": provider, "action": action, "outcome": outcome},
        "host": {"name": f"{computer}.{DNS_SUFFIX}"},
        "log": {"level": "information"},
        "message": rendered,
        "winlog": {
            "api": "wineventlog",
            "channel": name,
            "computer_name": f"{computer}.{DNS_SUFFIX}",
            "event_id": str(code),
            "provider_name": provider,
            "record_id": str(rng.randrange(100_000, 9_999_999)),
            "event_data": data,
        },
        "agent": {"type": "winlogbeat", "version": "8.17.1"},
        "ecs": {"version": "8.0.0"},
    }
    return Message(at, computer, "sample-windows", "winlogbeat", document)


def security(at: float, computer: str, rng: Random, code: int, data: dict[str, Any]) -> Message:
    action, first_line = SECURITY_EVENTS[code]
    outcome = "failure" if code == 4625 else "success"
    return record(at, computer, rng, channel=SECURITY, kind=(code, action, first_line), data=data, outcome=outcome)


def logon(at: float, computer: str, rng: Random, user: str, address: str, *, kind: int, station: str) -> Message:
    """Return a 4624; ``kind`` is the logon type (2 console, 3 network, 7 unlock, 10 remote desktop)."""
    data = {
        "SubjectUserName": f"{computer.upper()}$",
        "SubjectDomainName": DOMAIN,
        "TargetUserName": user,
        "TargetDomainName": DOMAIN,
        "TargetLogonId": hex(rng.randrange(0x10000, 0xFFFFFF)),
        "LogonType": str(kind),
        "LogonProcessName": "User32" if kind in (2, 7, 10) else "NtLmSsp",
        "AuthenticationPackageName": "Negotiate" if kind in (2, 7, 10) else "NTLM",
        "WorkstationName": station.upper(),
        "IpAddress": address,
        "IpPort": str(rng.randrange(49152, 65535)),
    }
    return security(at, computer, rng, 4624, data)


def logon_failure(
    at: float, computer: str, rng: Random, user: str, address: str, *, kind: int, station: str
) -> Message:
    """Return a 4625 for a wrong password."""
    data = {
        "TargetUserName": user,
        "TargetDomainName": DOMAIN,
        "Status": "0xc000006d",
        "SubStatus": "0xc000006a",
        "FailureReason": "%%2313",
        "LogonType": str(kind),
        "WorkstationName": station.upper(),
        "IpAddress": address,
        "IpPort": str(rng.randrange(49152, 65535)),
    }
    return security(at, computer, rng, 4625, data)


def privileges(at: float, computer: str, rng: Random, user: str) -> Message:
    data = {
        "SubjectUserName": user,
        "SubjectDomainName": DOMAIN,
        "SubjectLogonId": hex(rng.randrange(0x10000, 0xFFFFFF)),
        "PrivilegeList": "SeSecurityPrivilege\n\t\t\tSeBackupPrivilege\n\t\t\tSeDebugPrivilege",
    }
    return security(at, computer, rng, 4672, data)


def process(at: float, computer: str, rng: Random, user: str, image: str, command: str, parent: str) -> Message:
    """Return a 4688 with its command line."""
    data = {
        "SubjectUserName": user,
        "SubjectDomainName": DOMAIN,
        "NewProcessId": hex(rng.randrange(0x400, 0xFFFF)),
        "NewProcessName": image,
        "CommandLine": command,
        "ParentProcessName": parent,
        "TokenElevationType": "%%1938",
    }
    return security(at, computer, rng, 4688, data)


def sysmon(
    at: float, computer: str, rng: Random, code: int, action: str, first_line: str, data: dict[str, Any]
) -> Message:
    stamped = {"UtcTime": iso(at).replace("T", " ").rstrip("Z"), **data}
    return record(at, computer, rng, channel=SYSMON, kind=(code, action, first_line), data=stamped)


def sysmon_process(at: float, computer: str, rng: Random, user: str, image: str, command: str, parent: str) -> Message:
    data = {
        "ProcessId": str(rng.randrange(1000, 20000)),
        "Image": image,
        "CommandLine": command,
        "User": f"{DOMAIN}\\{user}",
        "IntegrityLevel": "Medium",
        "ParentProcessId": str(rng.randrange(1000, 20000)),
        "ParentImage": parent,
    }
    return sysmon(at, computer, rng, 1, "Process Create (rule: ProcessCreate)", "Process Create:", data)


def sysmon_connect(
    at: float, computer: str, rng: Random, user: str, image: str, origin: str, target: str, port: int
) -> Message:
    data = {
        "ProcessId": str(rng.randrange(1000, 20000)),
        "Image": image,
        "User": f"{DOMAIN}\\{user}",
        "Protocol": "tcp",
        "Initiated": "true",
        "SourceIp": origin,
        "SourcePort": str(rng.randrange(49152, 65535)),
        "DestinationIp": target,
        "DestinationPort": str(port),
    }
    action = "Network connection detected (rule: NetworkConnect)"
    return sysmon(at, computer, rng, 3, action, "Network connection detected:", data)


def sysmon_dns(at: float, computer: str, rng: Random, user: str, image: str, name: str, answer: str) -> Message:
    data = {
        "ProcessId": str(rng.randrange(1000, 20000)),
        "QueryName": name,
        "QueryStatus": "0",
        "QueryResults": f"::ffff:{answer};",
        "Image": image,
        "User": f"{DOMAIN}\\{user}",
    }
    return sysmon(at, computer, rng, 22, "Dns query (rule: DnsQuery)", "Dns query:", data)


def script_block(at: float, computer: str, rng: Random, user: str, text: str) -> Message:
    """Return a 4104, the text of a PowerShell script block."""
    data = {"MessageNumber": "1", "MessageTotal": "1", "ScriptBlockText": text, "Path": "", "UserName": user}
    return record(
        at,
        computer,
        rng,
        channel=POWERSHELL,
        kind=(4104, "Execute a Remote Command", "Creating Scriptblock text (1 of 1):"),
        data=data,
    )


def service_installed(at: float, computer: str, rng: Random, name: str, path: str) -> Message:
    """Return a 7045 of the System channel."""
    data = {
        "ServiceName": name,
        "ImagePath": path,
        "ServiceType": "user mode service",
        "StartType": "demand start",
        "AccountName": "LocalSystem",
    }
    return record(
        at,
        computer,
        rng,
        channel=SYSTEM,
        kind=(7045, "service-installed", "A service was installed in the system."),
        data=data,
    )


def log_cleared(at: float, computer: str, rng: Random, user: str) -> Message:
    """Return a 1102."""
    data = {"SubjectUserName": user, "SubjectDomainName": DOMAIN, "SubjectLogonId": hex(rng.randrange(2**20, 2**24))}
    return record(
        at,
        computer,
        rng,
        channel=EVENTLOG,
        kind=(1102, "audit-log-cleared", "The audit log was cleared."),
        data=data,
    )
