"""OAuth 2.0: what each grant takes, and where tokens come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never
from urllib.parse import urlsplit

from reconciler.config.build import TENANT
from reconciler.config.checks.finding import Finding
from reconciler.model.connector import Grant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.raw import RawDocument
    from reconciler.config.resolved import Endpoint, ResolvedConfiguration, ResolvedConnector
    from reconciler.diagnostics import Route
    from reconciler.model.connector import OAuth2

_CREDENTIALS: Final = (
    "client_id",
    "client_secret",
    "certificate",
    "refresh_token",
    "service_account_key",
    "subject",
)
_TAKEN: Final[dict[Grant, frozenset[str]]] = {
    Grant.CLIENT_CREDENTIALS: frozenset({"client_id", "client_secret", "certificate"}),
    Grant.REFRESH_TOKEN: frozenset({"client_id", "client_secret", "refresh_token"}),
    Grant.JWT_BEARER: frozenset({"client_id", "service_account_key", "subject"}),
}


def completeness(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Every grant has the fields that it requires, except in a draft, and no others."""
    for case in subject.cases:
        for side in case.sides:
            oauth2 = side.written.oauth2
            if oauth2 is None:
                continue
            for field in _CREDENTIALS:
                if getattr(oauth2, field) is not None and field not in _TAKEN[oauth2.grant]:
                    message = f"`{field}` is not used with `grant: {oauth2.grant}`."
                    yield Finding(
                        "oauth2/unused", case.entry.raw, _route(side, field), message, "Delete it."
                    )
            if not case.document.draft:
                for field, message, hint in _missing(case, side, oauth2):
                    yield Finding(
                        "oauth2/incomplete", case.entry.raw, _route(side, field), message, hint
                    )


def endpoints(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """The token endpoint is known, except in a draft."""
    for case in subject.cases:
        if case.document.draft or case.provider_missing:
            continue
        known = case.provider.oauth2 if case.provider else None
        for side in case.sides:
            oauth2 = side.written.oauth2
            if oauth2 is not None and oauth2.token_endpoint is None and known is None:
                message = "The token endpoint is unknown."
                hint = "Add `token_endpoint`, or name a `provider` that sets it."
                yield Finding(
                    "oauth2/no-endpoint",
                    case.entry.raw,
                    _route(side, "token_endpoint"),
                    message,
                    hint,
                )


def addresses(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """The URL of a token endpoint names one host unambiguously."""
    for case in subject.cases:
        for side in case.sides:
            oauth2 = side.written.oauth2
            if oauth2 is not None and (flaw := _flaw(oauth2.token_endpoint)):
                yield _unclear(case.entry.raw, _route(side, "token_endpoint"), flaw)
    for entry in subject.catalogue.providers.values():
        known = entry.value.oauth2
        if known is not None and (flaw := _flaw(known.token_endpoint.replace(TENANT, "tenant"))):
            yield _unclear(entry.raw, ("oauth2", "token_endpoint"), flaw)


def _unclear(raw: RawDocument, route: Route, flaw: str) -> Finding:
    hint = "Write it as https://HOST/PATH; the client's name and secret have fields of their own."
    return Finding("oauth2/endpoint", raw, route, f"The URL of the token endpoint {flaw}.", hint)


def _flaw(url: str | None) -> str:
    """Say what makes a URL mean different hosts to different readers; "" for nothing."""
    if url is None:
        return ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "names no valid host and port"
    if "\\" in url:
        return "holds a backslash"
    if "@" in parts.netloc:
        return "holds a user name before the host"
    if "#" in url:
        return "holds a fragment"
    return "" if host and port != 0 else "names no host"


def _missing(
    case: ResolvedConnector, side: Endpoint, oauth2: OAuth2
) -> Iterator[tuple[str, str, str]]:
    """The fields that are missing, with message and hint."""
    for field in _needed(oauth2):
        yield field, f"`grant: {oauth2.grant}` requires `{field}`.", ""
    if oauth2.grant is Grant.CLIENT_CREDENTIALS and bool(oauth2.client_secret) is bool(
        oauth2.certificate
    ):
        message = f"`grant: {oauth2.grant}` requires either `client_secret` or `certificate`."
        yield "client_secret", message, ""
    if case.provider_missing:
        return
    known = case.provider.oauth2 if case.provider else None
    if known and TENANT in known.token_endpoint and not (oauth2.token_endpoint or oauth2.tenant):
        message = f"Provider `{case.document.provider}` requires `tenant`."
        yield "tenant", message, "It is the id or a domain of the organisation at the provider."
    if side.server.oauth2 is not None and not side.server.oauth2.scopes:
        yield "scopes", "The scopes of the token are unknown.", "Add `scopes`."


def _needed(oauth2: OAuth2) -> Iterator[str]:
    match oauth2.grant:
        case Grant.CLIENT_CREDENTIALS:
            needed: tuple[str, ...] = ("client_id",)
        case Grant.REFRESH_TOKEN:
            needed = ("client_id", "refresh_token")
        case Grant.JWT_BEARER:
            needed = ("service_account_key",)
        case _:
            assert_never(oauth2.grant)
    return (field for field in needed if getattr(oauth2, field) is None)


def _route(side: Endpoint, field: str) -> Route:
    return (side.protocol, "oauth2", field)


CHECKS: Final[tuple[Check, ...]] = (completeness, endpoints, addresses)
