"""Where a URL that somebody typed leads, and whether it may be reached from here.

Handed: a URL and what is allowed inside. Hands on: a :class:`Target` with the addresses to connect to, or
:class:`RefusedError`. A name is resolved once and every address it has is looked at; whoever connects uses
:attr:`Target.places`, so that a second answer of the name server changes nothing, and follows no redirect.

Addresses of this link, of cloud metadata services, of nobody and of many are never reached. Private and loopback ones,
which are where an attacker would like to be led, are reached only when they are allowed: by address, network or name.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., list[Any]]

MAX_URL = 2000
PORTS = {"http": 80, "https": 443}
#: Answers to whoever asks with the credentials of the machine. IPv4's usual one is link-local, and refused with it.
METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedError(ValueError):
    """The URL leads nowhere that may be reached. The message names the host, never the rest of the URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. ``host`` is its name, for TLS, ``netloc`` that with its port, for the ``Host`` header.

    ``places`` are the URL with each of its addresses instead of the name, in the order in which to try them.
    """

    host: str
    netloc: str
    places: tuple[str, ...]

    @property
    def place(self) -> str:
        """The first place to try."""
        return self.places[0]


def checked(url: str, *, allow: Sequence[str] = (), resolve: Resolve = socket.getaddrinfo) -> Target:
    """Return where an http(s) URL leads. ``allow`` lists addresses, networks and names that are allowed though inside.

    Raises :class:`RefusedError`.

    >>> checked("http://127.0.0.1:8000/x?y=1", allow=["127.0.0.0/8"]).place
    'http://127.0.0.1:8000/x?y=1'
    """
    parts, port = _parts(url)
    host = str(parts.hostname)
    found = _addresses(host, port or PORTS[parts.scheme], resolve)
    for address in found:
        _judge(host, address, allow)
    places = tuple(_with_address(parts, port, address) for address in found)
    return Target(host=host, netloc=parts.netloc, places=places)


def _with_address(parts: SplitResult, port: int | None, address: Address) -> str:
    netloc = f"[{address}]" if address.version == 6 else str(address)
    return parts._replace(netloc=f"{netloc}:{port}" if port else netloc, fragment="").geturl()


def check_peer(address: str) -> None:
    """Raise :class:`RefusedError` when a connection that was opened leads where nothing ever may."""
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    for each in {parsed, _hidden(parsed)}:
        _judge_never(address, each)


def _parts(url: str) -> tuple[SplitResult, int | None]:
    """Return a URL's parts and the port it names."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        raise RefusedError(f"a URL of at most {MAX_URL} characters, without blanks")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedError("that is no URL") from error
    if parts.scheme not in PORTS or not host:
        raise RefusedError("a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise RefusedError("a URL without a user or a password in it")
    return parts, port


def _addresses(host: str, port: int, resolve: Resolve) -> list[Address]:
    try:
        entries = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RefusedError(f"the name {host} cannot be resolved") from error
    found = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%", 1)[0]) for entry in entries))
    if not found:
        raise RefusedError(f"the name {host} has no address")
    return found


def _judge(host: str, address: Address, allow: Sequence[str]) -> None:
    """Raise unless an address, and the one that is hidden in it, may be reached."""
    for each in {address, _hidden(address)}:
        _judge_never(host, each)
        if not each.is_global and not _is_allowed(host, each, allow):
            raise RefusedError(f"{host} leads to {each}, inside; to allow it, name it in OUTBOUND_ALLOW")


def _judge_never(host: str, address: Address) -> None:
    nobody = address.is_unspecified or _is_reserved(address)
    if nobody or address.is_link_local or address.is_multicast or address in METADATA:
        raise RefusedError(f"{host} leads to {address}, which is never reached")


def _hidden(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _is_reserved(address: Address) -> bool:
    """Whether nobody has the address; loopback and the forms that hide another one are reserved in IPv6 too."""
    return address.is_reserved and not address.is_loopback and _hidden(address) == address


def _is_allowed(host: str, address: Address, allow: Sequence[str]) -> bool:
    return any(one.lower() == host.lower() or _holds(one, address) for one in allow)


def _holds(network: str, address: Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:  # it is a name
        return False
