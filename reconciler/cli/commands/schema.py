"""``reconciler schema``."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.app.schemas import NAMES, outdated, schema_text, write_schemas
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode


@click.command(
    "schema",
    cls=ExampleCommand,
    examples=(
        "reconciler schema connectors > connectors.schema.json",
        "reconciler schema --out schemas/",
        "reconciler schema --check schemas/",
    ),
)
@click.argument("name", type=click.Choice(NAMES), required=False)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write all schemas into this folder.")  # fmt: skip
@click.option("--check", type=click.Path(file_okay=False, exists=True, path_type=Path),
              metavar="FOLDER", help="Fail if the schemas in this folder differ.")  # fmt: skip
def command(*, name: str | None, out: Path | None, check: Path | None) -> ExitCode:
    """Print a JSON Schema (2020-12), or write or check all of them."""
    if sum(item is not None for item in (name, out, check)) != 1:
        raise click.UsageError(f"Give one of {', '.join(NAMES)}, --out or --check.")
    if out is not None:
        for path in write_schemas(out):
            click.echo(f"Wrote {path}")
        return ExitCode.OK
    if check is not None:
        old = outdated(check)
        for path in old:
            click.echo(f"{path} is out of date", err=True)
        return ExitCode.FAILED if old else ExitCode.OK
    click.echo(schema_text(str(name)), nl=False)
    return ExitCode.OK
