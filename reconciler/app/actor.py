"""The actor: as given, as the CI system reports, or from the OS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.ci_systems import CI_SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Mapping


class Actor(Struct, frozen=True):
    """A name, and where it comes from."""

    name: str
    source: str


def actor(told: str | None, environ: Mapping[str, str], *, by: str = "--actor") -> Actor:
    """Determine the actor: as given ``by`` an option or a variable, else from the environment.

    Raises nothing.
    """
    if name := _name(told):
        return Actor(name, by)
    for system in CI_SYSTEMS:
        if environ.get(system.present):
            for variable in system.actors:
                if name := _name(environ.get(variable)):
                    return Actor(name, f"{system.name} ({variable})")
    import getpass  # noqa: PLC0415 - only where nothing else names the actor

    try:
        name = _name(getpass.getuser())
    except (KeyError, OSError):  # a user id without a name, as in many containers
        name = ""
    return Actor(name or "unknown", "operating system")


def _name(text: str | None) -> str:
    """A name as permissions spell it: without surrounding blanks."""
    return (text or "").strip()
