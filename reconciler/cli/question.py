"""Asking a question on the terminal, in a way that a signal always ends."""

from __future__ import annotations

import select
import sys

import click

from reconciler.signals import wakened


def ask(question: str) -> str:
    """Ask on standard error and read one line, without its end.

    Raises click.Abort at the end of the input. A signal that comes between the question and the
    reading would not wake ``input()``, which then waits for a line with the lock held; so nothing is
    read before there is something to read.
    """
    click.echo(f"{question}: ", nl=False, err=True)
    if sys.platform != "win32":
        with wakened() as waker:
            select.select([sys.stdin, waker], [], [])
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise click.Abort
    return line.rstrip("\r\n")
