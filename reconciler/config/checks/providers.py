"""Providers: the sign-in methods they accept, and names that replace a built-in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from reconciler.config.build import domain_of
from reconciler.config.checks.finding import Finding
from reconciler.config.suggest import one_of
from reconciler.model.domain import domain_key, pattern_key
from reconciler.model.protocol import Protocol
from reconciler.model.provider import Provider, ServerDefaults, SignInMethod

if TYPE_CHECKING:
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
    """The provider accepts the connector's sign-in method, named or known by its host."""
    owners = _owners(subject.catalogue.built_in.values())
    named: dict[tuple[Protocol, str | None], _ServerOwner | None] = {}
    for case in subject.cases:
        for side in case.sides:
            found = _own_provider(case, side)
            if found is None:
                key = (side.protocol, side.server.server)
                if key not in named:
                    named[key] = _owner_of(owners, side)
                found = named[key]
            if found is None:
                continue
            accepted = found.defaults.sign_in or found.provider.sign_in
            for check in (_nothing, _password, _oauth2):
                for rule, field, message, hint in check(side, found, accepted):
                    yield Finding(rule, case.entry.raw, side.route(field), message, hint)


class _ServerOwner(Struct, frozen=True):
    """A provider, and its entry for the server that an account uses."""

    provider: Provider
    defaults: ServerDefaults


_Problems = Iterator[tuple[str, str, str, str]]


_Owners = Mapping[tuple[Protocol, str], _ServerOwner]
"""By protocol and host; ``*.`` before a domain stands for every host below it."""


def _owners(providers: Iterable[Provider]) -> _Owners:
    """The provider of each known host."""
    found: dict[tuple[Protocol, str], _ServerOwner] = {}
    for provider in providers:
        for protocol, defaults in ((Protocol.IMAP, provider.imap), (Protocol.SMTP, provider.smtp)):
            if defaults is None:
                continue
            for host in (domain_key(defaults.server), *map(pattern_key, defaults.other_names)):
                found.setdefault((protocol, host), _ServerOwner(provider, defaults))
    return found


def _own_provider(case: ResolvedConnector, side: Endpoint) -> _ServerOwner | None:
    """The connector's provider, if the server is the one that it fills in."""
    if case.provider is None or side.defaults is None:
        return None
    own = side.defaults.server_for(domain_of(case.document))
    if domain_key(side.server.server or "") != domain_key(own or ""):
        return None
    return _ServerOwner(case.provider, side.defaults)


def _owner_of(owners: _Owners, side: Endpoint) -> _ServerOwner | None:
    """The provider that runs the server."""
    host = domain_key(side.server.server or "")
    below = [f"*.{host[at + 1 :]}" for at, letter in enumerate(host) if letter == "."]
    known = (owners.get((side.protocol, name)) for name in (host, *below))
    return next((owner for owner in known if owner is not None), None)


def _nothing(side: Endpoint, found: _ServerOwner, accepted: tuple[SignInMethod, ...]) -> _Problems:
    if accepted and not side.server.signs_in:
        message = (
            f"`{found.provider.name}` takes no mail without a sign-in, only with "
            f"{one_of(accepted)}."
        )
        hint = "Sign in, or name the server that takes mail from your network."
        yield "provider/sign-in", "sign_in", message, hint


def _password(side: Endpoint, found: _ServerOwner, accepted: tuple[SignInMethod, ...]) -> _Problems:
    if side.server.password is None:
        return
    name = found.provider.name
    if until := found.defaults.password_until:
        message = f"`{name}` accepts no passwords over {side.label} after {until}."
        hint = "Use `oauth2`." if found.provider.oauth2 else ""
        yield "provider/password-until", "password", message, hint
    elif accepted and not _PASSWORDS.intersection(accepted):
        message = f"`{name}` accepts no passwords, only {one_of(accepted)}."
        yield "provider/sign-in", "password", message, "Use `oauth2`."


def _oauth2(side: Endpoint, found: _ServerOwner, accepted: tuple[SignInMethod, ...]) -> _Problems:
    if side.server.oauth2 is not None and accepted and SignInMethod.OAUTH2 not in accepted:
        message = f"`{found.provider.name}` does not accept OAuth 2.0, only {one_of(accepted)}."
        yield "provider/sign-in", "oauth2", message, "Use `password`."


CHECKS: Final[tuple[Check, ...]] = (overrides, sign_in)
