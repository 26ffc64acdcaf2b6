"""Durations on the command line: ``30s``, ``5m``, ``1h``, ``2d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click

_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(click.ParamType[timedelta]):
    """A number and a unit; without a unit, seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read the text; a value that is a duration already stays one."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd]?)", str(value).strip())
        if not found:
            self.fail(f"{value!r} is no time; write 30s, 5m, 1h or 2d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


DURATION = Duration()
