"""Refuses a pattern of ``--allow-credential`` that covers nothing, most likely a typo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import UsageError
from reconciler.model.credential_rule import CredentialRule
from reconciler.plan.credentials import provider_at, uses
from reconciler.plan.planner import identities
from reconciler.wording import NAMED, listed

if TYPE_CHECKING:
    from reconciler.plan.inputs import Desired, Overrides


def refuse_idle_patterns(desired: Desired, overrides: Overrides) -> None:
    """Raise UsageError for a pattern that covers no secret of the configuration, new or not.

    Patterns of the environment and of the owner's rules are shared by projects, so they may cover nothing.
    """
    if not overrides.credentials:
        return
    identify = identities(desired)
    hosts = {item.name: item.hosts for item in desired.providers}
    pairs = dict.fromkeys(
        (name, destination.host_name, provider_at(resource, destination, hosts))
        for resource in desired.snapshot.resources
        for _, reference, destination in uses(resource)
        for name in dict.fromkeys((str(reference), identify(reference)))
    )
    for rule in sorted(overrides.credentials):
        if rule != _ANYTHING and not any(rule.covers(*pair) for pair in pairs):
            known = dict.fromkeys(str(CredentialRule(name, host)) for name, host, _ in pairs)
            known |= dict.fromkeys(f"provider:{item.name}" for item in desired.providers)
            raise UsageError(
                f"--allow-credential {rule} matches no secret of the configuration",
                hint=_near(str(rule), tuple(known)),
            )


_ANYTHING = CredentialRule("*")
"""Not a typo, even if there is nothing to send."""


def _near(text: str, known: tuple[str, ...]) -> str:
    if not known:
        return "No connector has a secret."
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    near = get_close_matches(text, known, n=NAMED, cutoff=0.6)
    return f"Near it: {listed(near)}." if near else f"There are {listed(known)}."
