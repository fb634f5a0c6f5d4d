"""Secrets that must be read again, such as the key of a webhook, encrypted in the database.

Handed: a secret, the deployment's key and what the secret is for. Hands on: text that says nothing without that key
(AES-256-GCM), and the secret back. What was sealed for one purpose does not open for another. Passwords and tokens that
only have to be recognised are hashed instead.
"""

import base64
import binascii
import hashlib
import os

_VERSION = "v1."
_NONCE_BYTES = 12


class SealBrokenError(ValueError):
    """The text was not sealed with this key and for this purpose, or it was changed."""


def seal(secret: str, *, key: str, purpose: str) -> str:
    """Return the secret sealed; twice the same secret gives two different texts."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_derived(key)).encrypt(nonce, secret.encode(), purpose.encode())
    return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(text: str, *, key: str, purpose: str) -> str:
    """Return what was sealed. Raises :class:`SealBrokenError`."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        whole = base64.urlsafe_b64decode(text.removeprefix(_VERSION).encode())
        return AESGCM(_derived(key)).decrypt(whole[:_NONCE_BYTES], whole[_NONCE_BYTES:], purpose.encode()).decode()
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise SealBrokenError("it was sealed with another SECRET_KEY, or changed since") from error


def _derived(key: str) -> bytes:
    """Return 256 bits for sealing alone; the deployment's key is long and random, so that one hash is enough."""
    return hashlib.sha256(b"winnow secretbox\0" + key.encode()).digest()
