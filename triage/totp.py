"""Time-based one-time codes (RFC 6238: SHA-1, six digits, 30 seconds), as authenticator apps make them.

Handed: a key and a code somebody typed. Hands on: the time step the code belongs to, so that the caller can refuse it a
second time; and the picture that carries a new key to the app.
"""

import base64
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from urllib.parse import quote, urlencode

STEP_SECONDS, DIGITS, KEY_BYTES = 30, 6, 20
#: Steps of the clock to either side that are still taken: devices are late, and people type slowly.
DRIFT_STEPS = 1
RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True)
class Picture:
    """A QR code: an SVG path over a square of ``size`` modules, quiet zone included."""

    size: int
    path: str


def new_key() -> str:
    """Return a fresh key in base32, as it is typed into an app that cannot see."""
    return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode()


def code_at(key: str, step: int) -> str:
    """Return the code of a time step.

    >>> code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 59 // 30)
    '287082'
    """
    digest = hmac.new(base64.b32decode(key), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(key: str, code: str, *, now: float, after: int = 0) -> int | None:
    """Return the time step of a code, or ``None``. ``now`` in seconds since 1970; steps up to ``after`` are used up."""
    typed = "".join(code.split())
    current = int(now) // STEP_SECONDS
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        right = hmac.compare_digest(code_at(key, step).encode(), typed.encode("utf-8", "surrogatepass"))
        if right and step > after:
            return step
    return None


def address(key: str, *, person: str, issuer: str = "Winnow") -> str:
    """Return the ``otpauth:`` address that apps read."""
    return f"otpauth://totp/{quote(f'{issuer}:{person}', safe='')}?{urlencode({'secret': key, 'issuer': issuer})}"


def picture(text: str) -> Picture:
    """Return a text as a QR code."""
    import segno

    rows = [bytes(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=4)]
    dark = [f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module]
    return Picture(size=len(rows), path="".join(dark))


def new_recovery_codes() -> list[str]:
    """Return fresh codes of 80 bits, each good for one login without the device."""
    made = (base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES))
    return ["-".join(one[at : at + 4] for at in range(0, 16, 4)) for one in made]


def recovery_hash(code: str) -> str:
    """Return what is stored of a recovery code, however it is typed. 80 random bits need no slow hash.

    >>> recovery_hash("ABCD-efgh-ijkl-mnop") == recovery_hash(" abcdefgh ijklmnop")
    True
    """
    plain = "".join(one for one in code.lower() if one.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()
