"""References to secrets: their schemes exist and are allowed.

Secrets are never fetched: checks must work without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding
from reconciler.config.suggest import did_you_mean, one_of
from reconciler.config.text_fields import REFERENCE_FIELDS
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets.schemes import BUILT_IN_SCHEMES, known_schemes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.resolved import ResolvedConfiguration
    from reconciler.diagnostics import Route
    from reconciler.model.resource import JSON


def schemes(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """Every reference has a known and allowed scheme, even in otherwise invalid documents."""
    for raw in subject.catalogue.raw_secrets:
        if id(raw) not in subject.conspicuous.references:
            continue
        for route, text in _references(raw.value):
            try:
                scheme = SecretRef.parse(text).scheme
            except ValueError:
                continue  # rejected by the model
            if scheme == "command" and not subject.settings.secrets.allow_command:
                message = "`command:` references are disabled."
                hint = "Set `secrets: {allow_command: true}` in reconciler.yaml to allow them."
                yield Finding("secret/scheme-not-allowed", raw, route, message, hint)
            if scheme not in BUILT_IN_SCHEMES and scheme not in (known := known_schemes()):
                message = f"Unknown secret scheme; expected {one_of(known)}."
                hint = (
                    did_you_mean(scheme, known)
                    or "If this is the secret itself, put it elsewhere and refer to it."
                )
                yield Finding("secret/unknown-scheme", raw, route, message, hint)


def _references(value: JSON, route: Route = ()) -> Iterator[tuple[Route, str]]:
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if isinstance(item, str) and key in REFERENCE_FIELDS:
            yield (*route, key), item
        elif isinstance(item, dict):
            yield from _references(item, (*route, key))


CHECKS: Final[tuple[Check, ...]] = (schemes,)
