"""CPU time of a server and of all processes that it started, from Linux's /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PARENT, _FIRST_TIME, _LAST_TIME = 1, 11, 15
"""Fields of /proc/PID/stat after the name, which may hold blanks: the parent; time of its own, and of its children that ended."""


def of_tree(pid: int) -> float:
    """Seconds of CPU that a process and its descendants have taken, those that have ended too."""
    children: dict[int, list[int]] = {}
    taken: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        number = int(path.parent.name)
        children.setdefault(int(fields[_PARENT]), []).append(number)
        taken[number] = sum(map(int, fields[_FIRST_TIME:_LAST_TIME]))
    found, total = [pid], 0
    while found:
        number = found.pop()
        total += taken.get(number, 0)
        found += children.get(number, [])
    return total / _TICKS


def memory_of(pid: int) -> int:
    """Octets of memory that a process has for itself alone (Pss would share out what it has in common)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024
