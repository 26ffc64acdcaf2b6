"""Checks of the settings as a whole, after each is well-formed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.config.environments import in_environment
from reconciler.config.rules import problem
from reconciler.config.suggest import did_you_mean, one_of
from reconciler.config.variable_checks import variable_problems
from reconciler.model import state_url
from reconciler.secrets.schemes import BUILT_IN_SCHEMES, known_schemes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.raw import RawDocument
    from reconciler.config.settings import Settings
    from reconciler.diagnostics import Diagnostic, Route
    from reconciler.model.secret_ref import SecretRef


def problems(raw: RawDocument, settings: Settings) -> Iterator[Diagnostic]:
    """Look at the settings as a whole."""
    yield from _database(raw, settings.state, ())
    yield from _password(raw, settings, settings.state_password, ())
    for name, item in settings.environments.items():
        route: Route = ("environments", name)
        if item.state is not None:
            yield from _database(raw, item.state, route)
        yield from _password(raw, settings, item.state_password, route)
    yield from _shared_states(raw, settings)
    yield from variable_problems(raw, settings)


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
        return  # told where it is opened, since an option may name another one
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
