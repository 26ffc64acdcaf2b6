"""Finding ``reconciler.yaml``, which many projects do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.config.settings import DEFAULTS, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.diagnostics import Diagnostic


def load_settings(
    path: Path, *, within: Path | None = None
) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """Read the settings; the defaults, if there is no such file or if it has errors.

    A link that leads out of ``within`` is an error.
    """
    try:
        path.lstat()  # not stat: a dangling link is an error, not a missing file
    except FileNotFoundError:
        return DEFAULTS, ()
    except OSError:
        pass  # reading it reports the problem
    from reconciler.config.settings_reading import read_settings  # noqa: PLC0415 - only with a file

    return read_settings(path, within=within)
