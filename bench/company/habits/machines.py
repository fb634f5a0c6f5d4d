"""Habits of machines and strangers: timers, mail, the public shop, crawlers, scanners, builds, backups.

Handed: company, random source, start. Hands on: one session's messages.
"""

from random import Random

from bench.company.formats import cloud, linux, network
from bench.company.message import Message
from bench.company.world import BROWSERS, LINUX_SERVERS, RESOLVER, Company

CRON_JOBS = (
    ("root", "cd / && run-parts --report /etc/cron.hourly"),
    ("root", "command -v debian-sa1 > /dev/null && debian-sa1 1 1"),
    ("www-data", "/usr/bin/php /srv/shop/bin/console orders:export"),
    ("postgres", "/usr/local/bin/pg-vacuum-report"),
    ("root", "test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily"),
)
UNITS = ("apt-daily.service", "logrotate.service", "fstrim.service", "man-db.service", "systemd-tmpfiles-clean.service")
PACKAGES = ("libssl3", "openssh-server", "tzdata", "nginx-common", "libc6", "curl", "python3.11-minimal")
CI_AGENT = "aws-cli/2.17.44 md/awscrt#0.21.2 ua/2.0 os/linux#6.1.0 lang/python#3.11.9 cfg/retry-mode#standard"
CONSOLE_AGENT = "AWS Internal"
MISSING = (
    "/wp-login.php",
    "/.env",
    "/old-catalogue.pdf",
    "/favicon.png",
    "/apple-touch-icon-precomposed.png",
    "/ads.txt",
)


def shop_visit(company: Company, rng: Random, at: float) -> list[Message]:
    """A customer looks at products and sometimes buys."""
    client, agent = rng.choice(company.customers), rng.choice(BROWSERS)
    host = rng.choice(("shop-1", "shop-2"))
    pages = ["/", f"/category/{rng.choice(('rope', 'paint', 'anchors', 'lamps', 'charts'))}"]
    pages += [f"/product/{rng.randrange(1, 400)}" for _ in range(rng.randint(1, 4))]
    requests = [(f"GET {page}", 200, int(rng.lognormvariate(9.6, 0.4))) for page in pages]
    if rng.random() < 0.5:
        requests.append(("GET /static/app.4f1d.js", rng.choice((200, 304)), 88213))
    if rng.random() < 0.2:
        term = rng.choice(("rope", "anchor+10kg", "red+lamp", "life+jacket", "paint%20white"))
        requests.append((f"GET /search?q={term}", 200, 9120))
    if rng.random() < 0.2:
        requests += [("POST /cart/add", 302, 0), ("GET /cart", 200, 7211), ("POST /checkout", 302, 0)]
    if rng.random() < 0.1:
        requests += [("POST /login", rng.choice((302, 302, 401)), 412)]
    sent, previous = [], "-"
    for request, status, size in requests:
        at += rng.expovariate(0.3)
        sent.append(linux.web(at, host, client, request, status, size, referrer=previous, agent=agent))
        previous = "https://shop.harbour.example" + request.partition(" ")[2]
    return sent


def crawl(company: Company, rng: Random, at: float) -> list[Message]:
    """A search engine reads on; some of the links it follows are dead."""
    client, agent = rng.choice(company.crawlers)
    host = rng.choice(("shop-1", "shop-2"))
    sent = [linux.web(at, host, client, "GET /robots.txt", 200, 214, agent=agent)]
    for _ in range(rng.randint(2, 7)):
        at += rng.uniform(0.5, 5)
        gone = rng.random() < 0.15
        path = f"/product/{rng.randrange(400, 900)}" if gone else f"/product/{rng.randrange(1, 400)}"
        size = 512 if gone else int(rng.lognormvariate(9.6, 0.4))
        sent.append(linux.web(at, host, client, f"GET {path}", 404 if gone else 200, size, agent=agent))
    return sent


def stray_requests(company: Company, rng: Random, at: float) -> list[Message]:
    """The background noise of the public web: one address asks for a few things that are not there."""
    client, host = rng.choice(company.noise), rng.choice(("shop-1", "shop-2"))
    agent = rng.choice(("curl/8.5.0", "python-requests/2.32.3", "Mozilla/5.0 zgrab/0.x", "-"))
    paths = rng.sample(MISSING, rng.randint(1, 3))
    return [linux.web(at + i, host, client, f"GET {path}", 404, 162, agent=agent) for i, path in enumerate(paths)]


def stray_logins(company: Company, rng: Random, at: float) -> list[Message]:
    """The background noise of the public internet at the SSH door: a try or two, then gone."""
    client, pid, port = rng.choice(company.noise), rng.randrange(1000, 32000), rng.randrange(30000, 60000)
    name = rng.choice(("admin", "test", "ubuntu", "oracle", "pi", "user"))
    return [
        linux.sshd(at, "bastion-1", pid, f"Invalid user {name} from {client} port {port}"),
        linux.sshd(at + 2, "bastion-1", pid, f"Failed password for invalid user {name} from {client} port {port} ssh2"),
        linux.sshd(
            at + 3, "bastion-1", pid, f"Connection closed by invalid user {name} {client} port {port} [preauth]"
        ),
    ]


def timers(company: Company, rng: Random, at: float) -> list[Message]:
    """Cron and systemd do what they do every few minutes."""
    host = rng.choice(list(LINUX_SERVERS))
    user, command = rng.choice(CRON_JOBS)
    pid, unit = rng.randrange(1000, 32000), rng.choice(UNITS)
    opened = f"pam_unix(cron:session): session opened for user {user}(uid=0) by (uid=0)"
    closed = f"pam_unix(cron:session): session closed for user {user}"
    return [
        linux.syslog(at, host, f"CRON[{pid}]", opened, facility=10),
        linux.cron(at + 0.1, host, pid + 1, user, command),
        linux.syslog(at + 1, host, f"CRON[{pid}]", closed, facility=10),
        linux.syslog(at + 8, host, "systemd[1]", f"Starting {unit}..."),
        linux.syslog(at + 9, host, "systemd[1]", f"{unit}: Deactivated successfully."),
    ]


def mail(company: Company, rng: Random, at: float) -> list[Message]:
    """One mail comes in and is delivered."""
    person, client = rng.choice(company.people), rng.choice(company.customers)
    queue = f"4{rng.getrandbits(36):09X}"
    size, pid = int(rng.lognormvariate(9, 1.2)), rng.randrange(1000, 32000)
    sender = f"{rng.choice(('orders', 'info', 'noreply', 'news'))}@{rng.choice(('parcel', 'freight', 'bank'))}.example"
    delivered = f"to=<{person.login}@harbour.example>, relay=local, delay={rng.uniform(0.1, 2):.2f}, status=sent"
    lines = (
        ("smtpd", f"connect from unknown[{client}]"),
        ("smtpd", f"{queue}: client=unknown[{client}]"),
        ("qmgr", f"{queue}: from=<{sender}>, size={size}, nrcpt=1 (queue active)"),
        ("local", f"{queue}: {delivered} (delivered to mailbox)"),
        ("qmgr", f"{queue}: removed"),
    )
    return [
        linux.syslog(at + 0.2 * number, "mail-1", f"postfix/{part}[{pid}]", text, facility=linux.MAIL)
        for number, (part, text) in enumerate(lines)
    ]


def build(company: Company, rng: Random, at: float) -> list[Message]:
    """The build server takes its role, stores what it built and looks at the fleet."""
    caller = cloud.Caller("AssumedRole", "ci-deploy", company.ci_key, "10.20.1.41", CI_AGENT, "build-1")
    actions = ["sts:AssumeRole", "ecr:GetAuthorizationToken", "ecr:BatchGetImage"]
    actions += rng.choices(("s3:PutObject", "ecs:DescribeServices", "s3:GetObject", "logs:CreateLogStream"), k=4)
    actions += ["ecs:UpdateService"] if rng.random() < 0.5 else []
    sent = []
    for action in actions:
        at += rng.uniform(0.5, 4)
        parameters = {"bucketName": "harbour-artifacts"} if action.startswith("s3:") else None
        sent.append(cloud.call(at, rng, caller, action, parameters=parameters))
    return sent


def cloud_admin(company: Company, rng: Random, at: float) -> list[Message]:
    """An admin looks around in the console; once in a while the answer is no."""
    person = rng.choice(company.staff("admin"))
    caller = cloud.Caller("IAMUser", person.unix, company.admin_key, person.home, CONSOLE_AGENT)
    actions = rng.choices(
        (
            "ec2:DescribeInstances",
            "cloudwatch:DescribeAlarms",
            "s3:ListBuckets",
            "iam:ListRoles",
            "rds:DescribeDBInstances",
        ),
        k=rng.randint(2, 6),
    )
    sent = []
    for action in actions:
        at += rng.uniform(1, 5)
        error = "AccessDenied" if rng.random() < 0.03 else ""
        sent.append(cloud.call(at, rng, caller, action, error=error))
    return sent


def backup(company: Company, rng: Random, at: float) -> list[Message]:
    """The night's backup: big transfers inside, and a bigger one to the provider that keeps the copies."""
    sent = [linux.cron(at, "backup-1", rng.randrange(1000, 32000), "root", "/usr/local/sbin/backup-all --nightly")]
    for host in ("10.20.1.21", "10.20.2.20", "10.20.1.31"):
        at += rng.uniform(5, 20)
        size = rng.randrange(2_000_000_000, 9_000_000_000)
        sent.append(
            network.conn(at, rng, "10.20.1.51", host, 22, service="ssh", volume=(size // 900, size), seconds=900)
        )
    sent.append(
        network.conn(
            at + 20, rng, "10.20.1.51", company.backup_target, 443, service="ssl",
            volume=(rng.randrange(3_000_000_000, 9_000_000_000), 4_000_000), seconds=2400.0,
        )
    )  # fmt: skip
    return sent


def updates(company: Company, rng: Random, at: float) -> list[Message]:
    """A server installs its updates."""
    host = rng.choice(list(LINUX_SERVERS))
    pid = rng.randrange(1000, 32000)
    address = company.address_of("deb.debian.org")
    request, agent = "GET /debian/dists/bookworm/InRelease", "Debian APT-HTTP/1.3 (2.6.1)"
    sent = [
        network.dns(at, rng, LINUX_SERVERS[host], RESOLVER, "deb.debian.org", "A", [address]),
        network.http(at + 0.2, rng, LINUX_SERVERS[host], address, "deb.debian.org", request, agent, 151_082),
    ]
    for package in rng.sample(PACKAGES, rng.randint(1, 3)):
        at += rng.uniform(1, 6)
        sent.append(linux.syslog(at, host, f"unattended-upgrade[{pid}]", f"Package {package} upgraded"))
        sent.append(linux.syslog(at + 1, host, "systemd[1]", "Reloading."))
    return sent


def sensor_noise(company: Company, rng: Random, at: float) -> list[Message]:
    """The network sensor grumbles about things that are not wrong."""
    person = rng.choice(company.people)
    signatures = (
        (
            2013504,
            "ET POLICY GNU/Linux APT User-Agent Outbound likely related to package management",
            "Not Suspicious Traffic",
        ),
        (2027865, "ET INFO Observed DNS Query to .cloud TLD", "Potentially Bad Traffic"),
        (2210044, "SURICATA STREAM Packet with invalid timestamp", "Generic Protocol Command Decode"),
    )
    target = rng.choice(company.customers)
    return [network.suricata(at, rng, (person.address, target, 443), rng.choice(signatures), 3)]


def name_service(company: Company, rng: Random, at: float) -> list[Message]:
    """Servers look up each other, and addresses backwards."""
    sent = []
    for host in rng.sample(list(LINUX_SERVERS), 3):
        at += rng.uniform(0.2, 3)
        address = LINUX_SERVERS[host]
        if rng.random() < 0.4:
            backwards = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
            answer = [f"{host}.corp.harbour.example"]
            sent.append(network.dns(at, rng, "10.20.1.61", RESOLVER, backwards, "PTR", answer))
        else:
            sent.append(network.dns(at, rng, "10.20.1.61", RESOLVER, f"{host}.corp.harbour.example", "A", [address]))
        sent.append(
            network.conn(
                at + 0.1, rng, "10.20.1.61", address, 9100, service="http",
                volume=(412, rng.randrange(30000, 60000)), seconds=rng.uniform(0.02, 0.2),
            )
        )  # fmt: skip
    return sent
