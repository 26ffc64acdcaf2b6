"""Providers: the sign-in methods they accept, and names that replace a built-in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding
from reconciler.config.suggest import one_of
from reconciler.model.provider import SignInMethod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import Endpoint, ResolvedConfiguration, ResolvedConnector

_PASSWORDS: Final = frozenset({SignInMethod.PASSWORD, SignInMethod.APP_PASSWORD})


def overrides(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """A user's provider replaces the built-in one of the same name."""
    for name, entry in subject.catalogue.providers.items():
        if name in subject.catalogue.built_in:
            message = f"This replaces the built-in provider `{name}`."
            hint = "Give it another name, unless that is what you want."
            yield Finding("provider/overrides-built-in", entry.raw, ("name",), message, hint)


def sign_in(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """The provider accepts the connector's sign-in method."""
    for case in subject.cases:
        for side in case.sides:
            if side.defaults is None or side.server.server != side.defaults.server:
                continue
            yield from _nothing(case, side)
            yield from _password(case, side)
            yield from _oauth2(case, side)


def _nothing(case: ResolvedConnector, side: Endpoint) -> Iterator[Finding]:
    if side.server.signs_in or case.provider is None or not case.provider.sign_in:
        return
    message = (
        f"`{case.provider.name}` takes no mail without a sign-in, only with "
        f"{one_of(case.provider.sign_in)}."
    )
    hint = "Sign in, or name the server that takes mail from your network."
    yield Finding("provider/sign-in", case.entry.raw, side.route("sign_in"), message, hint)


def _password(case: ResolvedConnector, side: Endpoint) -> Iterator[Finding]:
    if side.server.password is None or case.provider is None or side.defaults is None:
        return
    if until := side.defaults.password_until:
        message = f"`{case.provider.name}` accepts no passwords over {side.label} after {until}."
        hint = "Use `oauth2`." if case.provider.oauth2 else ""
        yield Finding(
            "provider/password-until", case.entry.raw, side.route("password"), message, hint
        )
    elif case.provider.sign_in and not _PASSWORDS.intersection(case.provider.sign_in):
        message = (
            f"`{case.provider.name}` accepts no passwords, only {one_of(case.provider.sign_in)}."
        )
        yield Finding(
            "provider/sign-in", case.entry.raw, side.route("password"), message, "Use `oauth2`."
        )


def _oauth2(case: ResolvedConnector, side: Endpoint) -> Iterator[Finding]:
    if side.server.oauth2 is None or case.provider is None or not case.provider.sign_in:
        return
    if SignInMethod.OAUTH2 not in case.provider.sign_in:
        message = f"`{case.provider.name}` does not accept OAuth 2.0, only {one_of(case.provider.sign_in)}."
        yield Finding(
            "provider/sign-in", case.entry.raw, side.route("oauth2"), message, "Use `password`."
        )


CHECKS: Final[tuple[Check, ...]] = (overrides, sign_in)
