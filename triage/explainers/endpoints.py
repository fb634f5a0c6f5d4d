"""Where an LLM endpoint is, and so what may be sent to it.

Handed: a base URL. Hands on: its host, and whether it is inside (loopback or private addresses only).
"""

import hashlib
import hmac
import ipaddress
import socket
from urllib.parse import urlsplit


def host(base_url: str) -> str:
    """Return the host of an http(s) URL, empty for anything else.

    >>> host("http://127.0.0.1:8080/v1")
    '127.0.0.1'
    """
    try:
        parts = urlsplit(base_url)
        parts.port  # noqa: B018 - raises when it is not a port
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""


def name(base_url: str) -> str:
    """Return host and port of an http(s) URL, empty for anything else.

    >>> name("https://LLM.example/v1"), name("http://[::1]:8080/v1")
    ('llm.example:443', '[::1]:8080')
    """
    found = host(base_url)
    if not found:
        return ""
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"[{found}]:{port}" if ":" in found else f"{found}:{port}"


def is_internal(base_url: str) -> bool:
    """Tell whether every address of the endpoint is loopback or private; what cannot be resolved is not.

    >>> is_internal("http://127.0.0.1:8080/v1"), is_internal("https://192.0.2.7/v1"), is_internal("https://8.8.8.8/v1")
    (True, False, False)
    """
    name = host(base_url)
    if not name:
        return False
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(is_inside(address) for address in found)


#: Private use by RFC 1918 and RFC 4193, and loopback. Python's is_private also holds documentation ranges.
_INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


def is_inside(address: str) -> bool:
    """Tell whether an address is loopback or private."""
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    return any(parsed in network for network in _INSIDE)


def safety_identifier(*, secret: str, subject: str) -> str:
    """Return a stable name for a tenant or analyst that tells a provider nothing else (HMAC-SHA-256, 32 digits).

    A provider that stops one of them then need not stop all.
    """
    key = hashlib.sha256(b"winnow safety identifier\0" + secret.encode()).digest()
    return hmac.new(key, subject.encode(), hashlib.sha256).hexdigest()[:32]
