"""The registry of rules: every id under which a problem of the configuration can be reported.

``docs/rules.md`` explains each of them; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from reconciler.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable


_ERROR = Severity.ERROR
_WARNING = Severity.WARNING

RULES: Final[dict[str, Severity]] = {
    # files
    "file/missing": _ERROR,
    "file/not-a-folder": _ERROR,
    "file/unreadable": _ERROR,
    "file/link-outside": _ERROR,
    "file/too-large": _ERROR,
    "file/encoding": _ERROR,
    "file/not-yaml": _ERROR,
    "file/empty": _WARNING,
    # YAML
    "yaml/syntax": _ERROR,
    "yaml/tab": _ERROR,
    "yaml/character": _ERROR,
    "yaml/version": _ERROR,
    "yaml/depth": _ERROR,
    "yaml/duplicate-key": _ERROR,
    "yaml/key": _ERROR,
    "yaml/merge-key": _ERROR,
    "yaml/alias": _ERROR,
    "yaml/alias-expansion": _ERROR,
    "yaml/tag": _ERROR,
    "yaml/number": _ERROR,
    # one document
    "settings/second-document": _ERROR,
    "settings/state-password": _ERROR,
    "settings/state-tls": _WARNING,
    "settings/name": _ERROR,
    "settings/shared-state": _ERROR,
    "variable/unknown": _ERROR,
    "variable/unset": _ERROR,
    "variable/syntax": _ERROR,
    "variable/type": _ERROR,
    "template/nested": _ERROR,
    "template/parameter-name": _ERROR,
    "template/parameter-type": _ERROR,
    "template/unknown-parameter": _ERROR,
    "template/unset-parameter": _ERROR,
    "template/unused-parameter": _WARNING,
    "template/expansion": _ERROR,
    "schema/type": _ERROR,
    "schema/null": _ERROR,
    "schema/required": _ERROR,
    "schema/unknown-field": _ERROR,
    "schema/enum": _ERROR,
    "schema/pattern": _ERROR,
    "schema/range": _ERROR,
    "schema/missing-kind": _ERROR,
    "schema/unknown-kind": _ERROR,
    "schema/invalid": _ERROR,
    "secret/plain-text": _ERROR,
    "secret/unknown-scheme": _ERROR,
    "secret/scheme-not-allowed": _ERROR,
    # names
    "name/duplicate": _ERROR,
    "name/second-singleton": _ERROR,
    "name/unknown-connector": _ERROR,
    "name/unknown-group": _ERROR,
    "name/unknown-provider": _ERROR,
    "name/unknown-template": _ERROR,
    "text/log-command": _WARNING,
    "text/placeholder": _ERROR,
    "text/reference": _ERROR,
    "text/quotes": _ERROR,
    # connectors
    "connector/does-nothing": _ERROR,
    "connector/incomplete": _ERROR,
    "connector/no-smtp": _ERROR,
    "connector/smtp-unused": _WARNING,
    "connector/no-address": _ERROR,
    "connector/two-credentials": _ERROR,
    "connector/sign-in-none": _ERROR,
    "connector/client-key": _ERROR,
    "connector/same-credentials": _ERROR,
    "connector/same-address": _WARNING,
    "connector/address-pattern": _ERROR,
    "connector/duplicate-sender": _ERROR,
    "connector/repeated-sender": _WARNING,
    "connector/host-not-allowed": _ERROR,
    "name/invalid-domain": _ERROR,
    "connector/renamed-from": _ERROR,
    "connector/duplicate-label": _WARNING,
    "tls/mode": _ERROR,
    "tls/contradiction": _ERROR,
    "tls/unusual-mode": _WARNING,
    "tls/wrong-protocol": _ERROR,
    "tls/cleartext": _ERROR,
    "tls/cleartext-mail": _WARNING,
    "oauth2/incomplete": _ERROR,
    "oauth2/no-endpoint": _ERROR,
    "oauth2/endpoint": _ERROR,
    "oauth2/unused": _WARNING,
    # providers
    "provider/overrides-built-in": _WARNING,
    "provider/sign-in": _WARNING,
    "provider/password-until": _WARNING,
    # policy, permissions, directory
    "policy/no-connector": _ERROR,
    "policy/cannot-send": _ERROR,
    "directory/no-administrator": _ERROR,
    "directory/group-cycle": _ERROR,
    "directory/empty-group": _WARNING,
    "permissions/b2b-without-domains": _WARNING,
    "permissions/public-domain": _WARNING,
    # applications
    "application/network": _ERROR,
    "application/sender": _ERROR,
    "application/account-password": _ERROR,
    "application/shared-password": _WARNING,
}
"""Every rule, with the severity that its problems have."""


def problem(
    rule: str, message: str, *, hint: str = "", file: str = "", line: int = 0, column: int = 0
) -> Diagnostic:
    """Report a problem under a rule, with the severity that the registry gives it."""
    return Diagnostic(rule, RULES[rule], message, hint, file, line, column)


@dataclass(frozen=True, slots=True)
class SharedDiagnostic(Diagnostic):
    """A problem at a place that several documents share; ``user`` is the affected connector."""

    user: str = ""

    @classmethod
    def of(cls, found: Diagnostic, user: str) -> Self:
        """Add the affected connector to a problem."""
        return cls(
            found.rule,
            found.severity,
            found.message,
            found.hint,
            found.file,
            found.line,
            found.column,
            user,
        )


def _folded(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Report a problem of a shared place once, with the first affected connector."""
    kept: dict[object, Diagnostic] = {}
    users: dict[object, dict[str, None]] = {}
    for item in diagnostics:
        key: object = item
        if isinstance(item, SharedDiagnostic):
            key = (item.rule, *_place(item))
            users.setdefault(key, {})[item.user] = None
        kept.setdefault(key, item)
    for key, names in users.items():
        first, more = next(iter(names)), len(names) - 1
        used = f" Used by {first}" + (f" and {more} more." if more else ".")
        item = kept[key]
        kept[key] = Diagnostic(
            item.rule,
            item.severity,
            item.message + used,
            item.hint,
            item.file,
            item.line,
            item.column,
        )
    return tuple(kept.values())


_MEANT: Final = frozenset({"text/placeholder", "text/reference", "text/quotes"})


def _place(item: Diagnostic) -> tuple[str, int, int]:
    return item.file, item.line, item.column


def settled(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort problems by place, and keep one where YAML and schema both object to the same value.

    The first one is kept, unless a later one reports a secret in plain text. A recognised
    mistake takes precedence over an invalid format.
    """
    diagnostics = _folded(diagnostics)
    meant = {_place(item) for item in diagnostics if item.rule in _MEANT}
    taken: dict[tuple[str, int, int], int] = {}
    kept: list[Diagnostic] = []
    for item in diagnostics:
        place = _place(item)
        if place in meant and item.rule.startswith(("schema/", "secret/")):
            continue
        if item.rule.startswith("yaml/"):
            taken[place] = len(kept)
        elif place in taken and item.rule.startswith(("schema/", "secret/")):
            if item.rule == "secret/plain-text":
                kept[taken[place]] = item
            continue
        kept.append(item)
    return tuple(sorted(kept, key=lambda item: (item.file, item.line, item.column)))
