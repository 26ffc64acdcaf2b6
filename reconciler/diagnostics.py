"""Problems of the configuration as values: which rule, what is wrong, where, and what to do.

A check carries *routes* (``("smtp", "port")``); the code that knows the positions fills in
file, line and column later.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Route = tuple[str | int, ...]
"""The path from a document's root to one of its values: keys of mappings, indexes of sequences."""


class Severity(StrEnum):
    """How bad a problem is. Only an error stops a command."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem at one place.

    ``rule`` is the id under which ``docs/rules.md`` explains it. ``line`` and ``column`` count from
    one; both are zero for a whole file or folder. No field ever holds a secret.
    """

    rule: str
    severity: Severity
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def is_error(self) -> bool:
        """Whether this problem makes the configuration invalid."""
        return self.severity is Severity.ERROR

    @property
    def location(self) -> str:
        """``file:line:column`` as compilers write it, shorter where less is known."""
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"
