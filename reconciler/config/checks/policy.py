"""The global policy: the connectors that it relies on can send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.config.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.checks.finding import Check
    from reconciler.config.raw import RawDocument
    from reconciler.config.resolved import ResolvedConfiguration


def target(subject: ResolvedConfiguration) -> Iterator[Finding]:
    """An enabled policy names a connector that can send; so does a fallback, enabled or not."""
    policy = subject.catalogue.policy
    if policy is None:
        return
    if policy.value.enabled and policy.value.connector is None:
        message = "The policy is enabled, but names no connector."
        hint = "Add `connector`, or set `enabled: false`."
        yield Finding("policy/no-connector", policy.raw, ("enabled",), message, hint)
    if policy.value.enabled and policy.value.connector is not None:
        yield from _can_send(subject, policy.raw, "connector", policy.value.connector)
    if policy.value.fallback_connector is not None:
        name = policy.value.fallback_connector
        yield from _can_send(subject, policy.raw, "fallback_connector", name)


def _can_send(
    subject: ResolvedConfiguration, raw: RawDocument, field: str, name: str
) -> Iterator[Finding]:
    case = subject.case(name)
    if case is None:
        return  # reported as an unknown name
    if case.document.draft:
        message = f"`{name}` is a draft, and a draft never sends."
        hint = "Complete it and delete `draft: true`, or name another connector."
    elif not case.document.enable_mail_send_from:
        message = f"`{name}` only receives: its `enable_mail_send_from` is not true."
        hint = "Name a connector that sends."
    else:
        return
    yield Finding("policy/cannot-send", raw, (field,), message, hint)


CHECKS: Final[tuple[Check, ...]] = (target,)
