"""A memory with a bound in bytes: whoever chooses the keys cannot choose how much is kept.

Handed: keys, values and what each pair takes. Hands on: the value of a key that is still remembered.
"""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memory(Generic[Key, Value]):
    """Remember until ``limit`` bytes are held, then start again from nothing.

    What repeats comes back at once; keeping an order of use would cost more on every hit than that saves.
    """

    __slots__ = ("_found", "get", "held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._found: dict[Key, Value] = {}
        self.get = self._found.get

    def __len__(self) -> int:
        return len(self._found)

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Remember a value that takes ``size`` bytes together with its key."""
        if self.held + size > self.limit:
            self.forget()
        if size <= self.limit:
            self._found[key] = value
            self.held += size

    def forget(self) -> None:
        """Forget everything."""
        self._found.clear()
        self.held = 0
