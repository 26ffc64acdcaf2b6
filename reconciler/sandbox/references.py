"""Resolving references to secrets in the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import SandboxError
from reconciler.secrets import file
from reconciler.secrets.outcome import Flaw

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.application import Application
    from reconciler.model.connector import Connector
    from reconciler.model.secret_ref import SecretRef
    from reconciler.sandbox.seed import Seed
    from reconciler.secrets.base import Secret

CONNECT_TO = "RECONCILER_CONNECT_TO"
CA_FILE = "RECONCILER_CA_FILE"
STATE = "RECONCILER_STATE"

RESERVED = frozenset({CONNECT_TO, CA_FILE, STATE, "PATH"})
"""Variables that the sandbox sets to something else, so that no reference may name them."""


def secret_behind(reference: SecretRef, connector: Connector, seed: Seed, *, base: Path) -> Secret:
    """Find the value that the command will get for the reference.

    That of ``env:`` is made up and exported; that of ``file:`` is the file's content. Raises
    SandboxError, which names reference and connector, for a file that cannot be read and for every
    other scheme.
    """
    match reference.scheme:
        case "env":
            return made_up(reference, connector, seed)
        case "file":
            outcome = file.fetch(reference.target, base=base)
            if isinstance(outcome, Flaw):
                raise SandboxError(
                    f"the sandbox needs the secret of {connector.address}, "
                    f"but {reference} {outcome.message}",
                    hint="Write a made-up one into that file for the sandbox, or use env:NAME.",
                )
            return outcome
        case scheme:
            raise SandboxError(
                f"the sandbox cannot stand in for {reference} of {connector.address}: "
                f"it can make up what {scheme}: yields, but not put it there",
                hint="Use env:NAME or file:/path for connectors that are tried out in a sandbox.",
            )


def made_up(reference: SecretRef, connector: Connector, seed: Seed) -> Secret:
    """Make up the value of a connector's reference, according to its use.

    A certificate and the key of a service account are real ones, of the sandbox's own making.
    """
    for server in (connector.imap, connector.smtp):
        if server is not None and reference in (server.client_certificate, server.client_key):
            return seed.certificate(server.client_certificate or reference)
        oauth2 = None if server is None else server.oauth2
        if oauth2 is not None and reference == oauth2.certificate:
            return seed.certificate(reference)
        if oauth2 is not None and reference == oauth2.service_account_key:
            return seed.service_account_key(reference)
    return seed.password(reference)


def _refuse_taken(reference: SecretRef, of: Connector | Application) -> None:
    if "=" in reference.target or reference.target in RESERVED:
        raise SandboxError(
            f"the sandbox cannot export {reference} of {of.address}: "
            "the name is taken, or is not a valid variable name",
            hint="Name another variable there.",
        )


def exports_of(
    connectors: tuple[Connector, ...], seed: Seed, applications: tuple[Application, ...] = ()
) -> tuple[tuple[str, Secret], ...]:
    """Make up every secret that comes from the environment, by the variable's name.

    Those of drafts are among them, although nothing here asks for them: whatever a command in the
    sandbox resolves, it must not be the real secret. Raises SandboxError for a name
    that no variable can have or that the sandbox itself needs.
    """
    exports: dict[str, Secret] = {}
    for connector in connectors:
        for reference in connector.references:
            if reference.scheme == "env":
                _refuse_taken(reference, connector)
                exports[reference.target] = made_up(reference, connector, seed)
    for application in applications:
        if application.password.scheme == "env":
            _refuse_taken(application.password, application)
            exports.setdefault(application.password.target, seed.password(application.password))
    return tuple(sorted(exports.items(), key=lambda item: item[0]))
