"""Credentials: one way to sign in for each account, and clearly whose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.build import says_how_to_sign_in
from reconciler.config.checks.finding import Finding
from reconciler.model.connector import SmtpSignIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Route


def one_way(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """An account signs in with a password or with OAuth 2.0."""
    for case in subject.cases:
        for protocol in ("imap", "smtp"):
            account = getattr(case.document, protocol)
            if account is not None and account.password is not None and account.oauth2 is not None:
                message = f"`{protocol}` has both `password` and `oauth2`."
                route = (protocol, "oauth2")
                yield Finding(
                    "connector/two-credentials", case.entry.raw, route, message, "Keep one of them."
                )


def no_sign_in(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """``sign_in: none`` excludes credentials."""
    for case in subject.cases:
        smtp = case.document.smtp
        if smtp is None or smtp.sign_in is not SmtpSignIn.NONE:
            continue
        for field in ("username", "password", "oauth2", "use_same_credentials"):
            if getattr(smtp, field):
                message = f"`smtp` has `sign_in: none`, and `{field}` says how to sign in."
                hint = f"Delete `{field}`; or delete `sign_in`, if the server wants a sign-in."
                yield Finding(
                    "connector/sign-in-none", case.entry.raw, ("smtp", field), message, hint
                )


def client_keys(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """A key belongs to a certificate."""
    known = subject.catalogue
    shown = [(entry.raw, entry.value.client_certificate, entry.value.client_key)
             for entry in known.connectors.values()]  # fmt: skip
    shown += [(entry.raw, entry.value.client_certificate, entry.value.client_key)
              for entry in known.providers.values()]  # fmt: skip
    for raw, certificate, key in shown:
        if key is not None and certificate is None:
            message = "`client_key` is the key of a `client_certificate`, which is missing."
            hint = "Add `client_certificate`, or delete `client_key`."
            yield Finding("connector/client-key", raw, ("client_key",), message, hint)


def same_credentials(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """``use_same_credentials`` agrees with the other settings."""
    route: Route = ("smtp", "use_same_credentials")
    for case in subject.cases:
        document = case.document
        if document.smtp is None or not document.enable_mail_send_from:
            continue
        if document.smtp.sign_in is SmtpSignIn.NONE or document.smtp.use_same_credentials is None:
            continue
        own = says_how_to_sign_in(document.smtp)
        message = hint = ""
        match document.smtp.use_same_credentials:
            case True if own:
                message = "`use_same_credentials` is true, but `smtp` has its own credentials."
                hint = "Delete those of `smtp`, or set `use_same_credentials: false`."
            case True if document.imap is None:
                message = (
                    "`use_same_credentials` is true, but there is no `imap` to take them from."
                )
                hint = "Give `smtp` its own `username` and `password`."
            case False if not own and not document.draft:
                message = "`use_same_credentials` is false, but `smtp` has no credentials."
                hint = "Add `username` and `password` to `smtp`."
                if says_how_to_sign_in(document.imap):
                    hint += " Or set `use_same_credentials: true`."
        if message:
            yield Finding("connector/same-credentials", case.entry.raw, route, message, hint)


CHECKS: Final[tuple[Check, ...]] = (one_way, no_sign_in, client_keys, same_credentials)
