"""What a version's folder must be before anything in it is opened: its manifest, its size, its sha256.

Handed: a version and the sha256 the ledger holds for it. Hands on: the artefact's bytes, still closed. Knows none of
the heavy libraries, so that a web process can say whether the champion's artefact is what the ledger says.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

#: Raised by one when an older Winnow could not read what this one writes.
FORMAT = 1
PIPELINE, MANIFEST = "pipeline.skops", "manifest.json"
MAX_BYTES = 64 << 20
MAX_MANIFEST_BYTES = 1 << 20
#: What a version may be called: it becomes a folder name.
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ArtefactError(RuntimeError):
    """A stored model is refused; the message says why."""


def folder_of(models_dir: Path, version: str) -> Path:
    """Return a version's folder; raise :class:`ArtefactError` for a name that is not one."""
    if not _VERSION.fullmatch(version):
        raise ArtefactError(f"{version[:80]!r} is not a model version")
    return Path(models_dir) / version


def read_sealed(models_dir: Path, version: str, expected_sha256: str) -> bytes:
    """Return a version's artefact unopened; raise :class:`ArtefactError` unless it is what the ledger says."""
    folder = folder_of(models_dir, version)
    check_manifest(folder, version)
    body = _read(folder / PIPELINE, MAX_BYTES)
    sha256 = hashlib.sha256(body).hexdigest()
    if sha256 != expected_sha256:
        raise ArtefactError(
            f"version {version} has been changed: its sha256 is {sha256[:12]}, not {expected_sha256[:12]}"
        )
    return body


def fingerprint(models_dir: Path, version: str) -> tuple[tuple[int, int, int], ...]:
    """Return ``(inode, size, time of change)`` of a version's files: the same as long as nobody touched them."""
    folder = folder_of(models_dir, version)
    try:
        found = [(folder / name).stat() for name in (PIPELINE, MANIFEST)]
    except OSError as error:
        raise ArtefactError(f"version {version} cannot be read: {error.strerror}") from error
    return tuple((stat.st_ino, stat.st_size, stat.st_ctime_ns) for stat in found)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(limit + 1)
    except OSError as error:
        raise ArtefactError(f"{path.parent.name}/{path.name} cannot be read: {error.strerror}") from error
    if len(body) > limit:
        raise ArtefactError(f"{path.parent.name}/{path.name} has more than {limit:,} bytes")
    return body


def check_manifest(folder: Path, version: str) -> Mapping[str, Any]:
    """Return a version's manifest; raise :class:`ArtefactError` when it is missing, damaged, or too new."""
    try:
        manifest = orjson.loads(_read(folder / MANIFEST, MAX_MANIFEST_BYTES))
    except orjson.JSONDecodeError as error:
        raise ArtefactError(f"the manifest of version {version} is not JSON: {error}") from error
    written = manifest.get("format") if isinstance(manifest, dict) else None
    if type(written) is not int or written < 1:
        raise ArtefactError(f"the manifest of version {version} has no format number")
    if written > FORMAT:
        raise ArtefactError(f"version {version} has format {written}; this Winnow reads up to {FORMAT}: upgrade it")
    if manifest.get("version") != version:
        raise ArtefactError(f"the manifest in folder {version} is that of {str(manifest.get('version'))[:64]!r}")
    found: Mapping[str, Any] = manifest
    return found
