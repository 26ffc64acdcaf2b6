"""Shell completion: the names of the configuration, or nothing if it cannot be read.

A name that does not look like one is left out: text from a stranger's file must not reach a shell.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from reconciler.errors import ReconcilerError
from reconciler.model.address import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    from reconciler.app.project_folder import ProjectFolder

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/=-]{0,79}", re.ASCII)


def connectors(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The connectors, without those that the line names already."""
    used = ctx.params.get(param.name or "") or ()
    names = _names(ctx, lambda kind: kind is Kind.EMAIL_CONNECTOR)
    return [name for name in _fitting(names, incomplete) if name not in used]


def addresses(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Every resource by its address, such as Group.staff, and connectors by their names."""
    del param
    project = _project(ctx)
    if project is None:
        return []
    from reconciler.config.declared import declared  # noqa: PLC0415 - reads YAML

    found = declared(project.roots, within=project.bounds_of_roots)
    names = [item.name for item in found if item.kind is Kind.EMAIL_CONNECTOR]
    return _fitting([*names, *map(str, found)], incomplete)


def labels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The labels of all connectors."""
    del param
    project = _project(ctx)
    if project is None:
        return []
    from reconciler.config.declared import declared_labels  # noqa: PLC0415 - as above

    return _fitting(declared_labels(project.roots, within=project.bounds_of_roots), incomplete)


def providers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The built-in providers, by the names of their files, and the project's own."""
    del param
    from importlib.resources import files  # noqa: PLC0415 - only for this

    built_in = (item.name.removesuffix(".yaml") for item in (files("reconciler") / "providers").iterdir()
                if item.name.endswith(".yaml"))  # fmt: skip
    return _fitting([*built_in, *_names(ctx, lambda kind: kind is Kind.PROVIDER)], incomplete)


def topics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The topics of `explain`."""
    del ctx, param
    from reconciler.app.explain import topics as known  # noqa: PLC0415 - only for this

    return _fitting(known(), incomplete)


def environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The environments that reconciler.yaml declares."""
    del param
    project = _project(ctx)
    if project is None:
        return []
    from reconciler.config.settings_file import load_settings  # noqa: PLC0415 - reads YAML

    settings, _ = load_settings(project.settings_file, within=project.home)
    return _fitting(settings.environments, incomplete)


def _names(ctx: click.Context, wanted: Callable[[Kind], bool]) -> list[str]:
    project = _project(ctx)
    if project is None:
        return []
    from reconciler.config.declared import declared  # noqa: PLC0415 - as above

    found = declared(project.roots, within=project.bounds_of_roots)
    return [item.name for item in found if wanted(item.kind)]


def _project(ctx: click.Context) -> ProjectFolder | None:
    """The project that the command line names so far, or that of the working folder; None if none."""
    from reconciler.app.project_folder import find_project  # noqa: PLC0415 - as above

    try:
        project = find_project(os.environ, tuple(ctx.params.get("config") or ()))
    except (ReconcilerError, OSError, ValueError):
        return None  # an error would be written into the line being typed
    return project if project.exists else None


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({
        name for name in names if name.startswith(incomplete) and _NAME.fullmatch(name)
    })  # fmt: skip
