"""Small shared state between processes: doorbells and the broker's health.

The only door to Redis; embedded, the same is done with files in the data directory. Losing any of this
loses no work: the database is the queue, and a sweep finds rows whose doorbell was lost.
"""

import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

#: A doorbell that nobody answered for this long may be rung again (seconds).
RING_SECONDS = 2.0


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
