"""Checks of the settings as a whole, after each is well-formed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.texts import is_placeholder, text_problems
from reconciler.config.environments import in_environment
from reconciler.config.owner_rules import VALID_HOST
from reconciler.config.rules import problem
from reconciler.config.suggest import did_you_mean, one_of
from reconciler.config.variable_checks import variable_problems
from reconciler.model import state_url
from reconciler.model.domain import is_valid_glob
from reconciler.secrets.schemes import BUILT_IN_SCHEMES, known_schemes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.raw import RawDocument
    from reconciler.config.settings import Settings
    from reconciler.diagnostics import Diagnostic, Route
    from reconciler.model.resource import JSON
    from reconciler.model.secret_ref import SecretRef

_REFERENCES: Final = frozenset({"state_password"})
"""The settings that take a reference."""


def problems(raw: RawDocument, settings: Settings) -> Iterator[Diagnostic]:
    """Check the settings as a whole."""
    yield from _database(raw, settings.state, ())
    yield from _password(raw, settings, settings.state_password, ())
    for name, item in settings.environments.items():
        route: Route = ("environments", name)
        if item.state is not None:
            yield from _database(raw, item.state, route)
        yield from _password(raw, settings, item.state_password, route)
    yield from _shared_states(raw, settings)
    yield from variable_problems(raw, settings)
    texts = tuple(_texts(raw, raw.value, ()))
    yield from texts
    hosts = [*_hosts(raw, settings.allowed_hosts, ())]
    for name, item in settings.environments.items():
        hosts += _hosts(raw, item.allowed_hosts or (), ("environments", name))
    told = {(text.line, text.column) for text in texts}
    yield from (host for host in hosts if (host.line, host.column) not in told)


def _texts(raw: RawDocument, value: JSON, before: Route) -> Iterator[Diagnostic]:
    """Every text but the values of variables, which are checked where documents use them."""
    for name, item in value.items() if isinstance(value, dict) else ():
        if name == "environments" and isinstance(item, dict):
            for environment, inner in item.items():
                yield from _texts(raw, inner, (name, environment))
        elif name != "variables":
            for route, rule, message, hint in text_problems({name: item}, _REFERENCES):
                yield _at(raw, rule, (*before, *route), message, hint)


def _hosts(raw: RawDocument, hosts: tuple[str, ...], route: Route) -> Iterator[Diagnostic]:
    for index, host in enumerate(hosts):
        if not is_valid_glob(host) and not is_placeholder(host):
            yield _at(
                raw,
                "name/invalid-domain",
                (*route, "allowed_hosts", index),
                f"`{host}` is not a valid host name, so it would allow nothing.",
                VALID_HOST,
            )


def _shared_states(raw: RawDocument, settings: Settings) -> Iterator[Diagnostic]:
    """Two environments with one state would take turns in destroying what the other applied."""
    seen: dict[str, str] = {}
    for name in settings.environments:
        state = in_environment(settings, name).state
        if state in seen:
            yield _at(
                raw,
                "settings/shared-state",
                ("environments", name, "state"),
                f"{name} and {seen[state]} have the same state.",
                "Give each environment a `state` of its own.",
            )
        seen.setdefault(state, name)


def _database(raw: RawDocument, state: str, route: Route) -> Iterator[Diagnostic]:
    try:
        url = state_url.parse(state)
    except ValueError:
        return  # reported when it is opened, since an option may override it
    if url is None:
        return
    if url.has_password:
        yield _at(
            raw,
            "settings/state-password",
            (*route, "state"),
            "The URL of the state contains a password, which would be in git.",
            "Remove it, change it, and write `state_password: env:NAME`.",
        )
    if not url.verified:
        mode = f"sslmode={url.tls}" if url.tls else "without `sslmode`"
        yield _at(
            raw,
            "settings/state-tls",
            (*route, "state"),
            f"Nothing proves that the state's database is the right one ({mode}).",
            "Add sslmode=verify-full, and sslrootcert=system or sslrootcert=/path/to/ca.pem.",
        )


def _password(
    raw: RawDocument, settings: Settings, reference: SecretRef | None, route: Route
) -> Iterator[Diagnostic]:
    if reference is None:
        return
    if reference.scheme == "command" and not settings.secrets.allow_command:
        yield _at(
            raw,
            "secret/scheme-not-allowed",
            (*route, "state_password"),
            "`command:` references are disabled.",
            "Set `secrets: {allow_command: true}` to allow them.",
        )
    if reference.scheme not in BUILT_IN_SCHEMES and reference.scheme not in (
        known := known_schemes()
    ):
        hint = did_you_mean(reference.scheme, known)
        yield _at(
            raw,
            "secret/unknown-scheme",
            (*route, "state_password"),
            f"Unknown secret scheme; expected {one_of(known)}.",
            hint or "If this is the secret itself, put it elsewhere and refer to it.",
        )


def _at(raw: RawDocument, rule: str, route: Route, message: str, hint: str) -> Diagnostic:
    at = raw.positions.of(route)
    return problem(rule, message, hint=hint, file=raw.file, line=at.line, column=at.column)
