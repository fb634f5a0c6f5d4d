"""Small shared state between processes: doorbells, notes and the broker's health.

The only door to Redis; embedded, the same is done with files in the data directory. Losing any of this
loses no work: the database is the queue, and a sweep finds rows whose doorbell was lost.
"""

import fcntl
import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

#: A doorbell that nobody answered for this long may be rung again (seconds).
RING_SECONDS = 2.0
#: A note that nobody changes for this long is forgotten (seconds; Redis only, files are few and stay).
NOTE_SECONDS = 7 * 24 * 3600


@lru_cache(maxsize=1)
def _redis() -> Any:
    import redis

    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _bell(name: str) -> Path:
    return Path(settings.DATA_DIR) / "doorbell" / f"{name}.rung"


def ring(name: str) -> bool:
    """Return True when the caller should send the wake-up message: nobody else has since the last answer."""
    if settings.REDIS_URL:
        import redis

        try:
            return bool(_redis().set(f"winnow:ring:{name}", b"1", nx=True, px=int(RING_SECONDS * 1000)))
        except redis.RedisError:
            return False
    return _ring_file(_bell(name))


def _ring_file(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return _ring_stale_file(path)
    return True


def _ring_stale_file(path: Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return True
    if 0 <= age < RING_SECONDS:
        return False
    path.touch()
    return True


def answer(name: str) -> None:
    """Say that the wake-up was heard: work that arrives from now on must ring again."""
    if settings.REDIS_URL:
        import redis

        try:
            _redis().delete(f"winnow:ring:{name}")
        except redis.RedisError:
            return
    else:
        _bell(name).unlink(missing_ok=True)


def broker_problem() -> str:
    """Return why the broker cannot be used, or an empty string."""
    if settings.REDIS_URL:
        import redis

        try:
            _redis().ping()
        except redis.RedisError as error:
            return f"Redis: {error}"
        return ""
    folder = Path(settings.DATA_DIR) / "doorbell" / "messages"
    return "" if os.access(folder, os.W_OK) else f"{folder} is not writable"


def note(name: str) -> str:
    """Return a note that all processes share; empty when there is none, or it cannot be read."""
    if settings.REDIS_URL:
        import redis

        try:
            found = _redis().get(f"winnow:note:{name}")
        except redis.RedisError:
            return ""
        return found.decode() if found else ""
    try:
        return _note_path(name).read_text(encoding="utf-8")
    except OSError:
        return ""


def change_note(name: str, change: Callable[[str], str]) -> str | None:
    """Replace a note by ``change`` of it, in one step for all processes; return it as it was.

    An empty text is no note. None when the notes cannot be reached: the caller goes on without. ``change`` may be
    called more than once, so it must do nothing else.
    """
    if settings.REDIS_URL:
        import redis

        try:
            return _change_in_redis(f"winnow:note:{name}", change)
        except redis.RedisError:
            return None
    try:
        return _change_file(_note_path(name), change)
    except OSError:
        return None


def _change_in_redis(key: str, change: Callable[[str], str]) -> str:
    def attempt(pipe: Any) -> str:
        found = pipe.get(key)
        old = found.decode() if found else ""
        new = change(old)
        pipe.multi()
        if new != old:
            pipe.set(key, new, ex=NOTE_SECONDS) if new else pipe.delete(key)
        return old

    return str(_redis().transaction(attempt, key, value_from_callable=True))


def _note_path(name: str) -> Path:
    return Path(settings.DATA_DIR) / "doorbell" / f"{name}.note"


def _change_file(path: Path, change: Callable[[str], str]) -> str:
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed, also by a process that dies
        file.seek(0)
        old = file.read()
        new = change(old)
        if new != old:
            file.truncate(0)
            file.write(new)
    return old
