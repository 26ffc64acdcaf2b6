"""The gateway's own log: a JSON object on each line of standard error, never a secret or a part of a mail."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


class EventLog:
    """Writes events; threads share it. With ``verbose``, connections and refused commands too."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._turn = threading.Lock()

    def event(self, name: str, **fields: str | float | None) -> None:
        """Write an event; fields that are None or empty are left out."""
        known = {key: value for key, value in fields.items() if value not in (None, "")}
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": name, **known}, ensure_ascii=True)
        with self._turn:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def detail(self, name: str, **fields: str | float | None) -> None:
        """Write an event that only ``-v`` shows."""
        if self._verbose:
            self.event(name, **fields)
