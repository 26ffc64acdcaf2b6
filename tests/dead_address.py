"""An address on this machine that answers nothing, as that of a host behind a broken route."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DEAD: Final = "127.0.0.99"


@contextlib.contextmanager
def dead_address(port: int = 0, host: str = DEAD) -> Iterator[tuple[str, int]]:
    """Listen at an address, with a queue that is full, so that the system drops whatever else comes."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        place = listener.getsockname()
        while True:
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.2)
            try:
                filler.connect(place)
            except TimeoutError:
                break
        yield place
