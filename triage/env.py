"""Typed readers for the process environment.

Handed: a mapping of variable names to strings (normally ``os.environ``). Hands on: typed values. Every
variable can also be given as ``NAME_FILE``, the path of a file that holds the value (container secrets).
A value that cannot be read raises :class:`EnvironmentValueError`, which names the variable.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


class EnvironmentValueError(ValueError):
    """A variable is missing or has a value that is not allowed; the message names the variable."""


class Environment:
    """Read-only view of environment variables with one method per type."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def text(self, name: str, default: str = "") -> str:
        """Return the variable, the content of the file ``NAME_FILE`` names, or the default."""
        file_name = self._variables.get(f"{name}_FILE", "")
        value = self._variables.get(name, "")
        if file_name and value:
            raise EnvironmentValueError(f"{name} and {name}_FILE are both set; keep one of them")
        if file_name:
            return self._read_file(name, file_name)
        return value or default

    def _read_file(self, name: str, file_name: str) -> str:
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentValueError(f"{name}_FILE: cannot read {file_name}: {error}") from error

    def required(self, name: str) -> str:
        """Return the variable; raise when it is missing or empty."""
        value = self.text(name)
        if not value:
            raise EnvironmentValueError(f"{name} must be set")
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        """Accept 1/0, true/false, yes/no, on/off in any case."""
        value = self.text(name).lower()
        if not value:
            return default
        if value in TRUE_WORDS:
            return True
        if value in FALSE_WORDS:
            return False
        raise EnvironmentValueError(f"{name}: {value!r} is not a boolean; use true or false")

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int = 2**53) -> int:
        """Return a whole number inside ``[minimum, maximum]``."""
        value = self.text(name)
        if not value:
            return default
        try:
            number = int(value)
        except ValueError as error:
            raise EnvironmentValueError(f"{name}: {value!r} is not a whole number") from error
        if not minimum <= number <= maximum:
            raise EnvironmentValueError(f"{name}: {number} is outside {minimum} to {maximum}")
        return number

    def decimal(self, name: str, default: float, *, minimum: float = 0.0, maximum: float = 1e12) -> float:
        """Return a number inside ``[minimum, maximum]``."""
        value = self.text(name)
        if not value:
            return default
        try:
            number = float(value)
        except ValueError as error:
            raise EnvironmentValueError(f"{name}: {value!r} is not a number") from error
        if not minimum <= number <= maximum:
            raise EnvironmentValueError(f"{name}: {number} is outside {minimum} to {maximum}")
        return number

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        """Return one of the allowed words."""
        value = self.text(name, default)
        if value not in allowed:
            raise EnvironmentValueError(f"{name}: {value!r} is not one of {', '.join(allowed)}")
        return value

    def words(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """Return a comma-separated list without blanks."""
        value = self.text(name)
        if not value:
            return list(default)
        return [word.strip() for word in value.split(",") if word.strip()]
