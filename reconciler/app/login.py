"""Login: a person grants access to a mailbox, and the refresh token is stored at its reference."""

from __future__ import annotations

import ssl
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from reconciler.app.attempts import AttemptAuthor, AttemptRecorder
from reconciler.app.credential_gate import CredentialApprover, refuse_new_credentials
from reconciler.app.record_tests import load_before
from reconciler.app.selection import named_connector
from reconciler.app.test import probe_options
from reconciler.connection.account import Account, complete_accounts
from reconciler.connection.context import FailureContext
from reconciler.connection.diagnosis import classify
from reconciler.connection.errors import HostNotAllowed
from reconciler.connection.failure import Stage
from reconciler.errors import LoginFailed, SecretError, UsageError
from reconciler.mail.deadline import Deadline
from reconciler.mail.device_endpoints import device_endpoint
from reconciler.mail.faults import (
    ExtraMissing,
    MailFault,
    ProtocolViolation,
    TokenFault,
    TokenUnreachable,
)
from reconciler.mail.https import Https
from reconciler.mail.redaction import Redactor
from reconciler.model.connector import Grant, OAuth2
from reconciler.model.credential_use import HTTPS
from reconciler.model.sign_in_attempt import AttemptOutcome
from reconciler.plan.credentials import uses
from reconciler.plan.inputs import NO_OVERRIDES, Overrides
from reconciler.secrets.base import Secret
from reconciler.secrets.schemes import is_writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.app.actor import Actor
    from reconciler.app.workspace import Workspace
    from reconciler.connection.options import ProbeOptions
    from reconciler.mail.device_grant import DeviceCode
    from reconciler.mail.grants import Issued
    from reconciler.model.connector import Connector
    from reconciler.model.secret_ref import SecretRef
    from reconciler.secrets.registry import Resolver

_TIMEOUT = 30.0
"""Seconds that one question may take."""


_DECLINED = (
    "access was not allowed",
    "Log in again, and allow what the page asks for; an administrator may have to consent first.",
)
_EXPIRED = ("the code expired before it was entered", "Log in again, and enter the new code.")
_REFUSALS = {
    "access_denied": _DECLINED,
    "authorization_declined": _DECLINED,
    "expired_token": _EXPIRED,
    "bad_verification_code": _EXPIRED,
    "no_refresh_token": (
        "access was allowed, but no refresh token was issued",
        "Add the scope offline_access to `scopes` (Microsoft), and log in again.",
    ),
}
"""How a login may end (RFC 8628 section 3.5, and Microsoft's error codes)."""


class LoginProgress(Protocol):
    """Shows what a person has to do."""

    def enter(self, code: DeviceCode, account: str) -> None:
        """Show the code, and the page where to enter it, signed in as ``account``."""
        ...

    def noted(self, note: str) -> None:
        """Report what could not be recorded."""
        ...


class _Target(Struct, frozen=True):
    """A refresh token to obtain: its reference, and the access that it must grant."""

    account: Account
    oauth2: OAuth2
    reference: SecretRef
    endpoint: str
    scopes: tuple[str, ...]


def log_in(
    workspace: Workspace,
    name: str,
    actor: Actor,
    progress: LoginProgress,
    *,
    replace: bool = False,
    overrides: Overrides = NO_OVERRIDES,
    approver: CredentialApprover | None = None,
) -> tuple[SecretRef, ...]:
    """Obtain each refresh token of a connector, and return the references that now hold them.

    The attempt is recorded in the state, by ``actor``. With ``replace``, existing tokens are
    replaced. Raises ConfigurationInvalid, UsageError for a connector that has none or whose
    references cannot be written, PlanRefused if a secret would go to an unapproved destination,
    SecretError, and LoginFailed.
    """
    _, desired = workspace.load_valid()
    connector = named_connector(desired, name)
    targets, resolver, options = _targets(connector), workspace.resolver(), probe_options(workspace)
    refuse_new_credentials(
        workspace,
        desired,
        (connector,),
        options,
        before=partial(load_before, workspace),
        overrides=overrides,
        approver=approver,
    )
    before = {target.reference: _before(target.reference, resolver, replace) for target in targets}
    recorder = AttemptRecorder(workspace, AttemptAuthor(actor, "login"), desired)
    for target in targets:
        with _recorded(recorder, target, connector):
            new = _DeviceLogin(target, resolver, options).obtain(progress)
        if recorder.problem:
            progress.noted(recorder.problem)
        resolver.replace(target.reference, before[target.reference], new)
    return tuple(target.reference for target in targets)


@contextmanager
def _recorded(recorder: AttemptRecorder, target: _Target, connector: Connector) -> Iterator[None]:
    """Record what a login sends to the token endpoint, before and after."""
    references = {target.reference, *target.oauth2.references}
    recorder.begin_uses(
        (connector.name, *use)
        for use in uses(connector)
        if use[0] == target.account.protocol.value
        and use[1] in references
        and use[2].security == HTTPS
    )
    try:
        yield
    except LoginFailed as failed:
        recorder.end_uses(AttemptOutcome.FAILED if failed.rejected else AttemptOutcome.NOT_SENT)
        raise
    recorder.end_uses(AttemptOutcome.SIGNED_IN)


def _targets(connector: Connector) -> tuple[_Target, ...]:
    found: dict[SecretRef, _Target] = {}
    for account in complete_accounts(connector):
        oauth2 = account.settings.oauth2
        if (
            oauth2 is None
            or oauth2.grant is not Grant.REFRESH_TOKEN
            or oauth2.refresh_token is None
        ):
            continue
        reference = oauth2.refresh_token
        if not is_writable(reference.scheme):
            raise UsageError(
                f"the refresh token of {connector.name} cannot be put into {reference}",
                hint="Name a file: or a keyring: reference, which can be written.",
            )
        endpoint = device_endpoint(oauth2.token_endpoint)
        if endpoint is None:
            host = urlsplit(oauth2.token_endpoint or "").hostname
            raise UsageError(
                f"login is not supported at {host}",
                hint="It is supported at Microsoft and Google; obtain the token elsewhere.",
            )
        earlier = found[reference].scopes if reference in found else ()
        scopes = tuple(dict.fromkeys((*earlier, *oauth2.scopes)))
        found[reference] = _Target(account, oauth2, reference, endpoint, scopes)
    if not found:
        raise UsageError(
            f"{connector.name} has no refresh token that a login could obtain",
            hint="A login needs `oauth2` with `grant: refresh_token`.",
        )
    return tuple(found.values())


def _before(reference: SecretRef, resolver: Resolver, replace: bool) -> Secret | None:  # noqa: FBT001 - private
    try:
        there = resolver.resolve(reference)
    except SecretError:
        return None
    if not replace:
        raise UsageError(
            f"{reference} already holds a secret", hint="To replace it, add --replace."
        )
    return there


class _DeviceLogin:
    """One login."""

    def __init__(self, target: _Target, resolver: Resolver, options: ProbeOptions) -> None:
        self._target = target
        self._options = options
        self._resolver = resolver
        self._redactor = Redactor()

    def obtain(self, progress: LoginProgress) -> Secret:
        """Ask for a code, show it, and wait until access is allowed; raises LoginFailed."""
        host = urlsplit(self._target.endpoint).hostname or ""
        try:
            return self._obtain(progress)
        except (TokenFault, HostNotAllowed, ProtocolViolation) as fault:
            raise self._failed(fault) from None
        except MailFault as fault:
            raise self._failed(TokenUnreachable(host, fault)) from None
        except ssl.SSLError as error:
            reason = str(error.reason or "TLS failed").replace("_", " ").lower()
            raise self._failed(TokenFault(host, f"TLS could not be set up: {reason}")) from None

    def _obtain(self, progress: LoginProgress) -> Secret:
        host = urlsplit(self._target.endpoint).hostname or ""
        for name in (host, urlsplit(self._target.oauth2.token_endpoint or "").hostname or ""):
            if not self._options.allows_host(name):
                raise HostNotAllowed(name)
        try:
            from reconciler.mail.device_grant import ask, begin  # noqa: PLC0415 - an extra
            from reconciler.mail.grants import Request  # noqa: PLC0415 - likewise
        except ModuleNotFoundError as missing:
            package = (missing.name or "").partition(".")[0]
            raise ExtraMissing(host, package, "oauth") from None
        oauth2 = self._target.oauth2
        request = Request(
            oauth2, oauth2.token_endpoint or "", host, self._target.account.username, self._reveal
        )
        code = begin(request, self._target.endpoint, self._target.scopes, self._https())
        self._redactor.learn(code.device_code)
        progress.enter(code, self._target.account.username)
        until, interval = time.monotonic() + code.seconds, code.interval
        while time.monotonic() < until:
            time.sleep(interval)
            found = ask(request, code, self._https())
            if not isinstance(found, int):
                return self._token_of(found, host)
            interval += found
        raise TokenFault(host, "the code has expired", error="expired_token")

    def _token_of(self, issued: Issued, host: str) -> Secret:
        if issued.refresh_token is None:
            raise TokenFault(host, "no refresh token was issued", error="no_refresh_token")
        return Secret(issued.refresh_token)

    def _reveal(self, reference: SecretRef) -> Secret:
        secret = self._resolver.resolve(reference)
        self._redactor.learn(secret)
        return secret

    def _https(self) -> Https:
        options = self._options
        authorities = (options.ca_file, options.authority_of(self._target.account.connector))
        return Https(
            Deadline(_TIMEOUT), options.connect_to, authorities, options.winners, options.proxies
        )

    def _failed(self, fault: MailFault) -> LoginFailed:
        if isinstance(fault, TokenFault) and (known := _REFUSALS.get(fault.error)):
            cause, remedy = known
            return LoginFailed(f"{fault.host}: {cause}", rejected=True, hint=remedy)
        where = FailureContext(self._target.account, Stage.AUTHENTICATION, self._redactor)
        failure = classify(fault, where)
        return LoginFailed(
            failure.cause.rstrip("."),
            rejected=not failure.error_class.unreachable,
            hint=failure.remedy,
        )
