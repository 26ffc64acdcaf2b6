"""``reconciler-sendmail``: ``reconciler sendmail`` as a single word, for settings that take only a program."""

from __future__ import annotations

import sys
from typing import NoReturn

from reconciler.cli.entry import run as run_command


def run() -> NoReturn:
    """Run ``reconciler sendmail`` with the arguments of the process."""
    sys.argv[1:1] = ["sendmail"]
    run_command()
