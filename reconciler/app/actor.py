"""The actor and the git commit: as given, as the CI system reports, or from the OS."""

from __future__ import annotations

import getpass
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.ci_systems import CI_SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Actor:
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
    try:
        name = _name(getpass.getuser())
    except (KeyError, OSError):  # a user id without a name, as in many containers
        name = ""
    return Actor(name or "unknown", "operating system")


def _name(text: str | None) -> str:
    """A name as rights know it: without blanks around it."""
    return (text or "").strip()


def git_commit(directory: Path, environ: Mapping[str, str]) -> str:
    """The commit that is checked out, with ``-dirty`` if files differ from it; empty if unknown."""
    for system in CI_SYSTEMS:
        if environ.get(system.present) and environ.get(system.commit):
            return environ[system.commit]
    described = _git(
        directory, environ, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"
    )
    return described or ""


_GIT = (
    "git",
    "--no-pager",
    "--no-optional-locks",
    "-c",
    "safe.bareRepository=explicit",
    "-c",
    "core.fsmonitor=false",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.pager=cat",
    "-c",
    "diff.external=",
)
"""git as it may be run in a folder that a stranger filled: such a folder can pose as a bare repository,
whose configuration names programs (https://git-scm.com/docs/git-config, safe.bareRepository)."""


def _git(directory: Path, environ: Mapping[str, str], *arguments: str) -> str | None:
    kept = {name: environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in environ}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            [*_GIT, *arguments],
            cwd=directory,
            env={**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
