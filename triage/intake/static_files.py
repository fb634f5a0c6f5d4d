"""The pages' static files, compressed once when a web process starts.

Handed: the WSGI application of the pages. Hands on: the same with every app's static folder in front of it, text files
gzipped for whoever takes that. Compressed copies are kept in the data directory under the hash of what they hold, so
that processes share them and a file that changed is never served under an old copy.
"""

import gzip
import hashlib
import os
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from django.apps import apps
from django.conf import settings
from whitenoise import WhiteNoise
from whitenoise.responders import MissingFileError, StaticFile

MAX_AGE_SECONDS = 300
#: Files below this gain nothing (bytes); images and fonts are compressed already.
WORTH_IT = 1024
KINDS = frozenset({".css", ".js", ".svg", ".txt", ".json"})


def folders() -> list[Path]:
    """Return the static folder of every app that has one."""
    found = [Path(config.path) / "static" for config in apps.get_app_configs()]
    return [folder for folder in found if folder.is_dir()]


def compressed(file: Path, directory: Path) -> Path | None:
    """Return the gzipped copy of a file, made when it is not there yet; ``None`` where it is not worth it."""
    if file.suffix not in KINDS or file.stat().st_size < WORTH_IT:
        return None
    body = file.read_bytes()
    copy = directory / f"{hashlib.sha256(body).hexdigest()}.gz"
    if not copy.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(gzip.compress(body, 9, mtime=0))
        unfinished.replace(copy)
    return copy


class StaticFiles(WhiteNoise):  # type: ignore[misc]  # it carries no types
    """WhiteNoise with compressed copies that do not stand beside the files."""

    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> StaticFile:
        """Return a file with its headers and, where there is one, its compressed copy."""
        if not os.path.exists(path):
            raise MissingFileError(path)
        headers = Headers([])
        self.add_mime_headers(headers, path, url)
        self.add_cache_headers(headers, path, url)
        copy = compressed(Path(path), settings.DATA_DIR / "static")
        return StaticFile(path, headers.items(), encodings={"gzip": str(copy)} if copy else None)


def in_front_of(django: Any) -> Any:
    """Return Django with its static files as one WSGI application."""
    files = StaticFiles(django, max_age=MAX_AGE_SECONDS, autorefresh=settings.DEBUG)
    for folder in reversed(folders()):
        files.add_files(str(folder), prefix=settings.STATIC_URL)
    return files
