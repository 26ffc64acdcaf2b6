"""``command:program argument``: a secret from what a program prints, such as a password manager."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING, cast

from reconciler.secrets.outcome import SIZE_LIMIT, Flaw, Outcome, from_octets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DEADLINE = 30.0
"""The time limit of a command, in seconds; long enough for a vault behind a slow network."""


def fetch(
    target: str, *, environ: Mapping[str, str], base: Path, deadline: float = DEADLINE
) -> Outcome:
    """Run the command in ``base`` and take its standard output.

    No shell sees it: the words are split as a shell would, but nothing is expanded. It gets no
    standard input, so that it cannot wait for a passphrase, and its standard error is discarded,
    because careless programs print secrets there.
    """
    try:
        words = shlex.split(target)
    except ValueError:
        return Flaw("has quotes that do not match", "Quote it as for a shell.")
    try:
        # S603: running the command is what this scheme is for; the settings must have allowed it.
        process = subprocess.Popen(  # noqa: S603
            words,
            cwd=base,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that its children can be ended with it
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds a NUL character"
        return Flaw(f"cannot be run: {reason}", "Check the name of the program and the PATH.")
    return _outcome(process, words, time.monotonic() + deadline)


def _outcome(process: subprocess.Popen[bytes], words: Sequence[str], until: float) -> Outcome:
    try:
        with cast("IO[bytes]", process.stdout) as stdout:  # a pipe was asked for
            octets = _read(stdout, until)
        status = process.wait(timeout=max(0.0, until - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired):
        return Flaw("took too long", f"See what {words[0]} is waiting for.")
    finally:
        if process.returncode is None:
            # Not reaped yet, so that the id cannot have been reused for another group.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if len(octets) > SIZE_LIMIT:
        return Flaw(f"prints more than {SIZE_LIMIT // 1024} KiB", "Print the secret alone.")
    if status != 0:
        end = f"exited with {status}" if status > 0 else f"was ended by signal {-status}"
        return Flaw(f"failed: {words[0]} {end}", "Run it in a shell to see why.")
    return from_octets(octets)


def _read(stdout: IO[bytes], until: float) -> bytes:
    """Read to the end, to just over the limit, or raise TimeoutError at the deadline."""
    octets = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while len(octets) <= SIZE_LIMIT:
            left = until - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError
            chunk = os.read(stdout.fileno(), SIZE_LIMIT)
            if not chunk:
                break
            octets += chunk
    return bytes(octets)
