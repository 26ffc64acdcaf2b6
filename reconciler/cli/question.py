"""Asking a question on the terminal, in a way that a signal always ends."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator


def ask(question: str) -> str:
    """Ask on standard error and read one line, without its end.

    Raises click.Abort at the end of the input. A signal that comes between the question and the
    reading would not wake ``input()``, which then waits for a line with the lock held; so nothing is
    read before there is something to read.
    """
    click.echo(f"{question}: ", nl=False, err=True)
    if sys.platform != "win32":
        with _wakened() as waker:
            select.select([sys.stdin, waker], [], [])
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise click.Abort
    return line.rstrip("\r\n")


@contextmanager
def _wakened() -> Iterator[int]:
    """Give a descriptor that can be read from as soon as a signal has come."""
    waker, tell = os.pipe()
    os.set_blocking(tell, False)
    before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    try:
        yield waker
    finally:
        signal.set_wakeup_fd(before)
        os.close(waker)
        os.close(tell)
