"""The company: its people, machines, names and outside addresses, drawn once from the seed.

Handed: a seed. Hands on: :class:`Company`, which benign habits and intrusions both draw from. Outside
addresses come from the documentation and benchmark ranges (RFC 5737, RFC 2544), those of intruders from the
same ranges as those of customers, so that a range tells nobody apart.
"""

from dataclasses import dataclass
from random import Random

LOGINS = (
    "anna.lind", "bo.friis", "carla.ruiz", "david.okoro", "elif.kaya", "farid.haddad", "greta.holm", "hugo.maes",
    "ines.costa", "jonas.weber", "kaja.nilsen", "liam.byrne", "mira.novak", "nils.berg", "olga.petrova",
    "paul.laurent", "qing.zhou", "rosa.marino", "samir.nasser", "tove.dahl", "umar.khan", "vera.simic",
    "wim.devries", "xenia.pappas", "yara.santos",
)  # fmt: skip
ROLES = ("sales", "finance", "warehouse", "support", "developer", "admin")
ROLE_WEIGHTS = (7, 4, 5, 4, 3, 2)

LINUX_SERVERS = {
    "bastion-1": "10.20.0.5", "shop-1": "10.20.1.11", "shop-2": "10.20.1.12", "db-1": "10.20.1.21",
    "mail-1": "10.20.1.31", "build-1": "10.20.1.41", "backup-1": "10.20.1.51", "monitor-1": "10.20.1.61",
}  # fmt: skip
WINDOWS_SERVERS = {
    "dc-1": "10.20.2.10", "dc-2": "10.20.2.11", "files-1": "10.20.2.20", "erp-1": "10.20.2.30",
    "rds-1": "10.20.2.40", "print-1": "10.20.2.50", "vpn-1": "10.20.2.60",
}  # fmt: skip
RESOLVER = "10.20.2.10"

POPULAR_NAMES = (
    "www.google.com", "outlook.office365.com", "teams.microsoft.com", "login.microsoftonline.com", "ocsp.digicert.com",
    "update.googleapis.com", "settings-win.data.microsoft.com", "fonts.gstatic.com", "erp-1.corp.harbour.example",
    "files-1.corp.harbour.example", "dc-1.corp.harbour.example", "shop.harbour.example", "www.bing.com",
    "github.com", "api.github.com", "pypi.org", "deb.debian.org", "security.debian.org",
    "s3.eu-central-1.amazonaws.com",
    "sts.eu-central-1.amazonaws.com", "www.wikipedia.org", "tracking.parcel.example", "bank.example", "news.example",
)  # fmt: skip
WORDS = ("cdn", "img", "api", "static", "www", "mail", "assets", "login", "media", "files", "app", "tiles")
SITES = ("freight", "harbourtown", "weather", "recipes", "timetable", "paperwork", "pallets", "forklift", "customs")

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
)


@dataclass(frozen=True, slots=True)
class Person:
    """One employee and the habits that make a day of hers look like the last one."""

    login: str
    role: str
    station: str
    address: str
    home: str
    starts: float
    ends: float

    @property
    def unix(self) -> str:
        """The name on Linux servers."""
        return self.login.split(".", maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Company:
    """Everything that stays the same from day to day."""

    people: tuple[Person, ...]
    names: tuple[str, ...]
    name_weights: tuple[float, ...]
    customers: tuple[str, ...]
    crawlers: tuple[tuple[str, str], ...]
    noise: tuple[str, ...]
    intruders: tuple[str, ...]
    ci_key: str
    admin_key: str
    backup_target: str

    def staff(self, *roles: str) -> tuple[Person, ...]:
        """Return the people with one of the roles."""
        return tuple(person for person in self.people if person.role in roles)

    def address_of(self, name: str) -> str:
        """Return the address a name resolves to, the same every time."""
        for host, address in (LINUX_SERVERS | WINDOWS_SERVERS).items():
            if name.startswith(f"{host}."):
                return address
        place = Random(name).randrange(2, 65000)  # a name's address must not depend on the seed's other draws
        return f"198.19.{place // 255}.{place % 255}"


def build_company(seed: int) -> Company:
    """Return the company of a seed; two roles that stories need are always filled."""
    rng = Random(f"{seed}:company")
    outside = _outside_addresses(rng)
    names = _names(rng)
    return Company(
        people=_people(rng, outside),
        names=names,
        name_weights=tuple(1 / (rank + 1) ** 1.1 for rank in range(len(names))),
        customers=tuple(outside.pop() for _ in range(240)),
        crawlers=tuple((outside.pop(), agent) for agent in CRAWLERS for _ in range(2)),
        noise=tuple(outside.pop() for _ in range(40)),
        intruders=tuple(outside.pop() for _ in range(20)),
        ci_key=_key(rng, "ASIA"),
        admin_key=_key(rng, "AKIA"),
        backup_target=outside.pop(),
    )


def _outside_addresses(rng: Random) -> list[str]:
    pool = [f"{net}.{last}" for net in ("192.0.2", "198.51.100", "203.0.113") for last in range(1, 255)]
    rng.shuffle(pool)
    return pool


def _people(rng: Random, outside: list[str]) -> tuple[Person, ...]:
    roles = ["admin", "admin", "developer", "developer", "developer", "finance", "sales", "support", "warehouse"]
    roles += rng.choices(ROLES[:5], weights=ROLE_WEIGHTS[:5], k=len(LOGINS) - len(roles))
    rng.shuffle(roles)
    people = []
    for number, (login, role) in enumerate(zip(LOGINS, roles, strict=True)):
        kind = "lt" if role in {"admin", "developer", "sales"} else "ws"
        starts = rng.choice((6.5, 7.5, 8.0, 8.5, 9.0))
        station, address = f"{kind}-{number + 101}", f"10.20.10.{number + 21}"
        people.append(Person(login, role, station, address, outside.pop(), starts, starts + rng.uniform(8, 9.5)))
    return tuple(people)


def _names(rng: Random) -> tuple[str, ...]:
    long_tail = sorted({f"{word}.{site}.example" for word in WORDS for site in SITES})
    rng.shuffle(long_tail)
    hashed = [f"d{rng.getrandbits(52):013x}.cloudfront.net" for _ in range(25)]
    return POPULAR_NAMES + tuple(long_tail + hashed)


def _key(rng: Random, prefix: str) -> str:
    return prefix + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))
