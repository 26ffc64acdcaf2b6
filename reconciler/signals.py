"""Waiting in a way that a signal always ends.

Python runs a signal's handler between two steps of the main thread. A signal that comes after the
last step and before the system call that waits is noted, and the call waits on without it. So whoever
waits with no end in sight waits for a descriptor too that the signal itself makes readable.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def wakened() -> Iterator[int]:
    """Give a descriptor from which the number of each signal that comes can be read, a byte each.

    Only signals that have a handler in Python are told. To be used in the main thread.
    """
    waker, tell = os.pipe()
    os.set_blocking(tell, False)
    before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    try:
        yield waker
    finally:
        signal.set_wakeup_fd(before)
        os.close(waker)
        os.close(tell)
