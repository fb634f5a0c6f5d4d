"""Habits of people: logging on, working, browsing, administering, and now and then mistyping.

Handed: company, random source, start. Hands on: one session's messages.
"""

from random import Random

from bench.company.formats import linux, network, windows
from bench.company.message import Message
from bench.company.world import LINUX_SERVERS, RESOLVER, WINDOWS_SERVERS, Company, Person

EXPLORER = r"C:\Windows\explorer.exe"
SERVICES = r"C:\Windows\System32\services.exe"
OFFICE = r"C:\Program Files\Microsoft Office\root\Office16"
CHROME = r"C:\Program Files\Google\Chrome\Application\chrome.exe"
POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"

#: Role -> (image, command line) of the programs such people start.
PROGRAMS: dict[str, tuple[tuple[str, str], ...]] = {
    "sales": ((rf"{OFFICE}\OUTLOOK.EXE", "OUTLOOK.EXE"), (rf"{OFFICE}\EXCEL.EXE", "EXCEL.EXE /dde")),
    "finance": ((rf"{OFFICE}\EXCEL.EXE", "EXCEL.EXE /dde"), (r"C:\ERP\erpclient.exe", "erpclient.exe /server:erp-1")),
    "warehouse": (
        (r"C:\ERP\erpclient.exe", "erpclient.exe /server:erp-1"),
        (r"C:\Label\labelprint.exe", "labelprint.exe -q pallets"),
    ),
    "support": ((rf"{OFFICE}\OUTLOOK.EXE", "OUTLOOK.EXE"), (r"C:\Phone\softphone.exe", "softphone.exe --tray")),
    "developer": (
        (r"C:\Program Files\Microsoft VS Code\Code.exe", "Code.exe C:\\src\\shop"),
        (r"C:\Program Files\Git\cmd\git.exe", "git.exe fetch --prune origin"),
        (POWERSHELL, "powershell.exe -NoLogo"),
    ),
    "admin": (
        (r"C:\Windows\System32\mmc.exe", "mmc.exe dsa.msc"),
        (POWERSHELL, "powershell.exe -NoLogo"),
        (r"C:\Windows\System32\mstsc.exe", "mstsc.exe /v:rds-1"),
    ),
}  # fmt: skip
BACKGROUND = (
    (r"C:\Windows\System32\svchost.exe", r"C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule"),
    (r"C:\Windows\System32\taskhostw.exe", "taskhostw.exe"),
    (r"C:\Windows\System32\backgroundTaskHost.exe", "backgroundTaskHost.exe -ServerName:App.AppX"),
    (CHROME, "chrome.exe --type=renderer --lang=en-GB"),
)
ADMIN_COMMANDS = (
    "/usr/bin/systemctl restart nginx", "/usr/bin/systemctl status postgresql", "/usr/bin/apt-get update",
    "/usr/bin/journalctl -u nginx --since today", "/usr/bin/tail -n 200 /var/log/nginx/error.log",
)  # fmt: skip
ODD_COMMANDS = (
    "/usr/bin/strace -f -p 1 -c", "/usr/bin/tcpdump -ni any port 5432 -c 50", "/usr/bin/find / -xdev -size +500M",
    "/usr/bin/lsof -i -P -n", "/usr/bin/ss -tlnp", "/usr/bin/chmod -R g+w /srv/shop/media", "/usr/bin/kill -9 4711",
    "/usr/bin/vim /etc/nginx/sites-available/shop", "/usr/bin/perf top -a",
)  # fmt: skip


def log_on(company: Company, rng: Random, at: float) -> list[Message]:
    """Someone unlocks her machine and starts her programs; the domain controller sees a network logon."""
    person = rng.choice(company.people)
    station, user = person.station, person.login
    sent = []
    if rng.random() < 0.08:
        sent.append(windows.logon_failure(at, station, rng, user, "127.0.0.1", kind=2, station=station))
    at += rng.uniform(1, 4)
    sent.append(windows.logon(at, station, rng, user, "127.0.0.1", kind=rng.choice((2, 7)), station=station))
    sent.append(windows.logon(at + 0.2, "dc-1", rng, user, person.address, kind=3, station=station))
    if person.role == "admin":
        sent.append(windows.privileges(at + 0.3, station, rng, user))
    return sent + _start_programs(person, rng, at + 1)


def _start_programs(person: Person, rng: Random, at: float) -> list[Message]:
    sent = []
    for _ in range(rng.randint(2, 4)):
        at += rng.uniform(0.5, 8)
        own = rng.random() < 0.5
        image, command = rng.choice(PROGRAMS[person.role] if own else BACKGROUND)
        parent = EXPLORER if own else SERVICES
        user = person.login if own or "chrome" in image else "SYSTEM"
        write = windows.process if rng.random() < 0.5 else windows.sysmon_process
        sent.append(write(at, person.station, rng, user, image, command, parent))
    return sent


def work(company: Company, rng: Random, at: float) -> list[Message]:
    """Someone works: programs start, a share is read, names are looked up."""
    person = rng.choice(company.people)
    sent = _start_programs(person, rng, at)
    if rng.random() < 0.6:
        share = rng.choice(("sales", "finance", "scans", "public"))
        details = {
            "SubjectUserName": person.login, "IpAddress": person.address, "ShareName": rf"\\*\{share}",
            "AccessMask": "0x1", "AccessList": "%%4416",
        }  # fmt: skip
        sent.append(windows.logon(at + 2, "files-1", rng, person.login, person.address, kind=3, station=person.station))
        sent.append(windows.security(at + 2.2, "files-1", rng, 5140, details))
    name = _name(company, rng)
    answer = company.address_of(name)
    sent.append(windows.sysmon_dns(at + 3, person.station, rng, person.login, CHROME, name, answer))
    sent.append(
        windows.sysmon_connect(at + 3.1, person.station, rng, person.login, CHROME, person.address, answer, 443)
    )
    return sent


def _name(company: Company, rng: Random) -> str:
    return rng.choices(company.names, weights=company.name_weights)[0]


def browse(company: Company, rng: Random, at: float) -> list[Message]:
    """Someone opens pages; the sensor sees names, handshakes and connections."""
    person = rng.choice(company.people)
    sent: list[Message] = []
    for _ in range(rng.randint(1, 4)):
        at += rng.expovariate(0.3)
        name = _name(company, rng)
        answer = company.address_of(name)
        kind = "AAAA" if rng.random() < 0.15 else "A"
        answers = [answer] if kind == "A" else [f"2001:db8::{rng.getrandbits(16):x}"]
        sent.append(network.dns(at, rng, person.address, RESOLVER, name, kind, answers))
        if kind == "AAAA":
            continue
        received = int(rng.lognormvariate(9.5, 1.6))
        sent.append(network.ssl(at + 0.05, rng, person.address, answer, name))
        sent.append(
            network.conn(
                at + 0.06, rng, person.address, answer, 443, service="ssl",
                volume=(int(rng.lognormvariate(7.3, 1.0)), received), seconds=rng.lognormvariate(0.5, 1.4),
            )
        )  # fmt: skip
    if rng.random() < 0.06:  # a mistyped name
        typo = "".join(rng.sample(name, len(name)))[:12].strip(".").replace("..", ".") + ".example"
        sent.append(network.dns(at + 1, rng, person.address, RESOLVER, typo, "A", []))
    return sent


def ssh_work(company: Company, rng: Random, at: float) -> list[Message]:
    """A developer or admin works on a server; once in a while with an odd but harmless command."""
    person = rng.choice(company.staff("developer", "admin"))
    host = rng.choice(list(LINUX_SERVERS))
    origin = person.home if host == "bastion-1" and rng.random() < 0.3 else person.address
    pid, port = rng.randrange(1000, 32000), rng.randrange(40000, 60000)
    sent = []
    if rng.random() < 0.12:
        failed = f"Failed password for {person.unix} from {origin} port {port} ssh2"
        sent.append(linux.sshd(at, host, pid, failed))
    at += rng.uniform(2, 6)
    sent += open_session(at, host, pid, person.unix, origin, port, rng)
    for _ in range(rng.randint(0, 3) if person.role == "admin" else rng.randint(0, 1)):
        at += rng.uniform(2, 15)
        command = rng.choice(ODD_COMMANDS if rng.random() < 0.08 else ADMIN_COMMANDS)
        sent.append(linux.sudo(at, host, person.unix, command, cwd=f"/home/{person.unix}", tty=f"pts/{pid % 4}"))
        opened = f"pam_unix(sudo:session): session opened for user root(uid=0) by {person.unix}(uid=1{pid % 900:03d})"
        sent.append(linux.syslog(at, host, "sudo", opened, facility=10))
    closed = f"pam_unix(sshd:session): session closed for user {person.unix}"
    sent.append(linux.syslog(at + 3, host, f"sshd[{pid}]", closed, facility=10))
    return sent


def open_session(at: float, host: str, pid: int, user: str, origin: str, port: int, rng: Random) -> list[Message]:
    """Return the three lines of an accepted key and its session."""
    fingerprint = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=43))
    accepted = f"Accepted publickey for {user} from {origin} port {port} ssh2: ED25519 SHA256:{fingerprint}"
    opened = f"pam_unix(sshd:session): session opened for user {user}(uid=1{len(user):03d}) by (uid=0)"
    number = rng.randrange(10, 9000)
    return [
        linux.sshd(at, host, pid, accepted),
        linux.syslog(at + 0.1, host, f"sshd[{pid}]", opened, facility=10),
        linux.syslog(at + 0.3, host, "systemd-logind[612]", f"New session {number} of user {user}.", facility=4),
    ]


def remote_desktop(company: Company, rng: Random, at: float) -> list[Message]:
    """An admin works on a Windows server, with PowerShell more often than not."""
    person = rng.choice(company.staff("admin"))
    host = rng.choice(list(WINDOWS_SERVERS))
    scripts = (
        "Get-Service | Where-Object Status -eq 'Stopped'", "Get-ADUser -Filter * -Properties LastLogonDate | measure",
        "Get-EventLog -LogName System -Newest 50", "Restart-Service Spooler",
        "Get-ChildItem D:\\Shares -Recurse | measure",
        "Test-NetConnection erp-1 -Port 1433", "Get-HotFix | Sort-Object InstalledOn",
    )  # fmt: skip
    sent = [
        windows.logon(at, host, rng, person.login, person.address, kind=10, station=person.station),
        windows.privileges(at + 0.1, host, rng, person.login),
    ]
    for _ in range(rng.randint(1, 3)):
        at += rng.uniform(2, 14)
        sent.append(windows.script_block(at, host, rng, person.login, rng.choice(scripts)))
    return sent


def new_laptop(company: Company, rng: Random, at: float) -> list[Message]:
    """A laptop nobody has seen before is set up: a new name, a new address, its owner as ever."""
    person = rng.choice(company.people)
    station, address = f"lt-{rng.randrange(200, 240)}", f"10.20.10.{rng.randrange(120, 160)}"
    setup = r"C:\Windows\System32\msiexec.exe"
    sent = [
        windows.logon(at, station, rng, person.login, "127.0.0.1", kind=2, station=station),
        windows.logon(at + 1, "dc-1", rng, person.login, address, kind=3, station=station),
    ]
    for package in rng.sample(("erpclient.msi", "office.msi", "vpnclient.msi", "softphone.msi"), 2):
        at += 5
        command = rf"msiexec.exe /i \\files-1\deploy\{package} /qn"
        sent.append(windows.process(at, station, rng, "SYSTEM", setup, command, SERVICES))
    return sent


def onboarding(company: Company, rng: Random, at: float) -> list[Message]:
    """An admin creates an account for a new colleague, as happens a few times a year."""
    person = rng.choice(company.staff("admin"))
    name = rng.choice(("zoe", "abel", "bea", "cem", "dora")) + "." + rng.choice(("vogel", "moreau", "jensen", "ito"))
    data = {"TargetUserName": name, "SubjectUserName": person.login, "SamAccountName": name}
    return [
        windows.logon(at, "dc-1", rng, person.login, person.address, kind=10, station=person.station),
        windows.security(at + 20, "dc-1", rng, 4720, data),
        windows.security(at + 25, "dc-1", rng, 4724, {"TargetUserName": name, "SubjectUserName": person.login}),
    ]
