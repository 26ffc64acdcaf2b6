"""Shards on the command line: ``2/8``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from reconciler.probe.shard import Shard


class ShardType(click.ParamType["Shard"]):
    """Two numbers: which part, of how many."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        """Read the text; a value that is a shard already stays one."""
        from reconciler.probe.shard import Shard  # noqa: PLC0415 - only where there are shards

        if isinstance(value, Shard):
            return value
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value).strip(), re.ASCII)
        number, count = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= number <= count:
            self.fail(f"{value!r} is no shard; write 1/8 to 8/8 for eight of them", param, ctx)
        return Shard(number, count)


SHARD = ShardType()
