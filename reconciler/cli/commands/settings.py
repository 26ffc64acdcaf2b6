"""``reconciler settings``."""

from __future__ import annotations

import click

from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import format_option
from reconciler.cli.project import Project, Uses, project_options
from reconciler.render.formats import TextOrJson


@click.command(
    "settings",
    cls=ExampleCommand,
    examples=(
        "reconciler settings",
        "RECONCILER_POLICY=/etc/reconciler/rules.yaml reconciler settings",
    ),
)
@format_option(TextOrJson)
@project_options(Uses.CONFIG | Uses.STATE)
def command(project: Project, *, output_format: TextOrJson) -> ExitCode:
    """Show the settings in force, and who set each: the owner, the repository, or the defaults.

    In CI, and under the owner's rules, reconciler.yaml can only tighten; what it may not set is
    listed as ignored. Needs no secret, no state and no network.
    """
    from reconciler.errors import ConfigurationInvalid
    from reconciler.mail.web_proxy import ProxySettings
    from reconciler.render.settings import settings_document, settings_text

    space = project.workspace()
    if any(problem.is_error for problem in space.settings_problems):
        raise ConfigurationInvalid(space.settings_problems)
    space.require_environment()
    rules = tuple(str(rule) for rule in space.trust.credential_rules)
    proxies = ProxySettings.of(space.environ)
    document = settings_document(space.in_force, space.state_source, rules, space.trust.ci, proxies)
    click.echo(settings_text(document, output_format, project.stdout_style()))
    return ExitCode.OK
