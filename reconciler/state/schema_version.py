"""The version of the stored tables."""

from __future__ import annotations

from typing import Final

SCHEMA_VERSION: Final = "0005"
"""The schema of a database that this release reads and writes: four digits, compared as text."""
