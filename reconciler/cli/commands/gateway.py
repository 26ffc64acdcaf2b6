"""``reconciler gateway``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.arguments import whole_number
from reconciler.cli.command import ExampleCommand
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.project import Project, Uses, project_options

if TYPE_CHECKING:
    from reconciler.gateway.settings import ListenAddress, PemSource


class _PemType(click.Path):
    """A file, or a reference with a known scheme."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a SecretRef or a Path."""
        from reconciler.model.secret_ref import SecretRef
        from reconciler.secrets.schemes import known_schemes

        reference = SecretRef.found_in(value) if isinstance(value, str) else None
        if reference is not None and reference.scheme in known_schemes():
            return reference
        return super().convert(value, param, ctx)


_PEM = _PemType(dir_okay=False, path_type=Path)


@click.command(
    "gateway",
    cls=ExampleCommand,
    examples=(
        "reconciler gateway --certificate tls.crt --key tls.key",
        "reconciler gateway --plain 127.0.0.1:2525",
        "reconciler gateway --certificate file:/run/tls/tls.crt --key env:TLS_KEY",
        "reconciler gateway --starttls :587 --certificate tls.crt --key tls.key",
    ),
)
@click.option("--tls", multiple=True, metavar="ADDRESS:PORT",
              help="Listen with TLS from the first octet. [default: :465]")  # fmt: skip
@click.option("--starttls", multiple=True, metavar="ADDRESS:PORT",
              help="Listen with mandatory STARTTLS. [default: :587]")  # fmt: skip
@click.option("--plain", multiple=True, metavar="ADDRESS:PORT",
              help="Listen without TLS, on loopback only.")  # fmt: skip
@click.option("--certificate", type=_PEM, metavar="FILE",
              help="The certificate with its chain, in PEM, or a reference to it; read again when it changes.")  # fmt: skip
@click.option("--key", type=_PEM, metavar="FILE",
              help="Its private key, if that is in a separate file, or a reference to it.")  # fmt: skip
@click.option("--status", default="127.0.0.1:9465", show_default=True, metavar="ADDRESS:PORT",
              help="Serve /healthz, /readyz and /metrics here; none for nowhere.")  # fmt: skip
@click.option("--host-name", metavar="NAME",
              help="The name in the greeting and in Received. [default: that of the machine]")  # fmt: skip
@click.option("--size-limit", type=whole_number(1), default=25_000_000, show_default=True,
              metavar="OCTETS", help="Refuse larger mails.")  # fmt: skip
@click.option("--at-once", type=whole_number(1), default=50, show_default=True, metavar="N",
              help="Mails in progress at once; further ones are asked to try again.")  # fmt: skip
@click.option("--connections", type=whole_number(1), default=1000, show_default=True, metavar="N",
              help="Connections at once, a tenth of them from one address.")  # fmt: skip
@click.option("--recipients", type=whole_number(1), default=100, show_default=True, metavar="N",
              help="Recipients of a mail.")  # fmt: skip
@click.option("--state-grace", type=whole_number(0), default=3600, show_default=True,
              metavar="SECONDS",
              help="How long to use the last revision while the state is unavailable.")  # fmt: skip
@click.option("--ending", type=whole_number(0), default=60, show_default=True, metavar="SECONDS",
              help="How long mails in progress may take to finish after SIGTERM.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Log connections and sign-ins too.")
@project_options(Uses.CONFIG | Uses.STATE | Uses.NETWORK | Uses.SENDER)
def command(
    project: Project,
    *,
    tls: tuple[str, ...],
    starttls: tuple[str, ...],
    plain: tuple[str, ...],
    certificate: PemSource | None,
    key: PemSource | None,
    status: str,
    host_name: str | None,
    size_limit: int,
    at_once: int,
    connections: int,
    recipients: int,
    state_grace: int,
    ending: int,
    verbose: bool,
) -> ExitCode:
    """Accept mail over SMTP and send it through the connectors.

    Applications sign in with their names and passwords. Every mail is routed by what is applied, and
    answered once the provider has answered; nothing is queued. Standard error gets a JSON object for each mail.
    """
    import socket

    from reconciler.app.gateway import run_gateway
    from reconciler.gateway.event_log import EventLog, nothing_else_on_stderr
    from reconciler.gateway.settings import GatewaySettings, Protection

    if not (tls or starttls or plain):
        tls, starttls = (":465",), (":587",)
    listeners = (
        *((Protection.IMPLICIT, _endpoint(item, "--tls")) for item in tls),
        *((Protection.STARTTLS, _endpoint(item, "--starttls")) for item in starttls),
        *((Protection.NONE, _loopback(_endpoint(item, "--plain"))) for item in plain),
    )
    settings = GatewaySettings(
        listeners=listeners,
        status=None if status == "none" else _endpoint(status, "--status"),
        host_name=host_name or socket.getfqdn(),
        certificate=certificate,
        key=key,
        size_limit=size_limit,
        at_once=at_once,
        connections=connections,
        connections_each=max(1, connections // 10),
        recipients=recipients,
        ending=float(ending),
    )
    log = EventLog(sys.stderr, verbose=verbose)
    workspace, actor = project.workspace(), project.actor()
    with nothing_else_on_stderr(log):
        run_gateway(workspace, actor, settings, log, state_grace=float(state_grace))
    return ExitCode.OK


def _endpoint(text: str, option: str) -> ListenAddress:
    from reconciler.errors import UsageError
    from reconciler.gateway.settings import ListenAddress

    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:  # noqa: PLR2004 - the last port
        raise UsageError(
            f"invalid {option} {text!r}: expected ADDRESS:PORT, such as 127.0.0.1:587 or :587"
        )
    return ListenAddress(host.removeprefix("[").removesuffix("]"), int(port))


def _loopback(endpoint: ListenAddress) -> ListenAddress:
    """Refuse to take passwords in the clear from other machines."""
    import ipaddress

    from reconciler.errors import UsageError

    try:
        is_loopback = ipaddress.ip_address(endpoint.host).is_loopback
    except ValueError:
        is_loopback = endpoint.host == "localhost"
    if not is_loopback:
        raise UsageError(
            f"--plain {endpoint} is not on loopback, so passwords could be read on the way",
            hint="Use --tls or --starttls, or an address such as 127.0.0.1.",
        )
    return endpoint
