"""Selecting an environment: the same configuration with other values and its own state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.config.settings import DEFAULTS
from reconciler.config.suggest import did_you_mean, one_of
from reconciler.errors import UsageError
from reconciler.values import replace
from reconciler.wording import counted

if TYPE_CHECKING:
    from reconciler.config.settings import Settings


def choose(settings: Settings, asked: str | None) -> str:
    """Return the name of the environment; "" where none is declared.

    Raises UsageError for an unknown one, and if several are declared but none is requested.
    """
    declared = settings.environments
    if asked is not None:
        if asked in declared:
            return asked
        known = f"It declares {one_of(declared)}." if declared else "It declares none."
        raise UsageError(
            f"reconciler.yaml declares no environment {asked}",
            hint=did_you_mean(asked, declared) or known,
        )
    if len(declared) > 1:
        raise UsageError(
            f"reconciler.yaml declares {counted(len(declared), 'environment')}, but none was chosen",
            hint=f"Choose {one_of(declared)} with --env, or set RECONCILER_ENV.",
        )
    return next(iter(declared), "")


def in_environment(settings: Settings, name: str) -> Settings:
    """Override the common settings with those of an environment.

    A state comes with its own password. If no state is set, not even a common one, it is below
    ``.reconciler/NAME/``.
    """
    found = settings.environments.get(name)
    if found is None:
        return settings
    settings = replace(
        settings,
        limits=found.limits or settings.limits,
        allowed_hosts=settings.allowed_hosts
        if found.allowed_hosts is None
        else found.allowed_hosts,
    )
    if found.state is not None:
        return replace(settings, state=found.state, state_password=found.state_password)
    if settings.state != DEFAULTS.state:
        return settings
    return replace(settings, state=_own_state(name), state_password=found.state_password)


def default_states(settings: Settings) -> frozenset[str]:
    """The states that are used by default."""
    return frozenset((DEFAULTS.state, *map(_own_state, settings.environments)))


def _own_state(environment: str) -> str:
    return DEFAULTS.state.replace("/state.db", f"/{environment}/state.db")
