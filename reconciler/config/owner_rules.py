"""The owner's rules: what the owner of the pipeline allows, in a file outside the repository.

Anybody who proposes a change can edit a file of the repository. So only the rules, the
environment and the command line may allow more than the built-in defaults.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from reconciler.config.settings import STATE_URL, LimitSettings, Testing
from reconciler.disk_fault import disk_fault
from reconciler.errors import UsageError
from reconciler.model.connector import STRICT
from reconciler.model.constraints import Matches, NotEmpty
from reconciler.model.credential_rule import CredentialRule
from reconciler.model.domain import is_valid_glob
from reconciler.model.fields import HostGlob, Maybe, Reference
from reconciler.model.validators import Invalid, validated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.config.raw import RawDocument
    from reconciler.diagnostics import Route

_LARGEST = 1024 * 1024

VALID_HOST = "Check its spelling; emoji and invisible characters are not allowed (IDNA 2008)."
"""What to do about a host name that is not valid, here and in ``reconciler.yaml``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRuleDocument:
    """Which references may go to which hosts; both are lists of shell patterns."""

    __pydantic_config__ = STRICT

    references: Annotated[tuple[str, ...], NotEmpty()]
    hosts: Annotated[tuple[HostGlob, ...], NotEmpty()]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSecrets:
    """Which kinds of references are allowed."""

    __pydantic_config__ = STRICT

    allow_command: bool = False
    file_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRules:
    """The file that ``--policy`` or ``RECONCILER_POLICY`` names.

    Omitted fields have their defaults. ``file_folders`` are absolute; if set, ``file:``
    references may lead only there. ``lineage`` is the required lineage of the state.
    ``credentials`` need no further approval.
    """

    __pydantic_config__ = STRICT

    state: Maybe[Annotated[str, Matches(STATE_URL)]] = None
    state_password: Maybe[Reference] = None
    lineage: Maybe[str] = None
    limits: Maybe[LimitSettings] = None
    allowed_hosts: tuple[HostGlob, ...] = ()
    secrets: OwnerSecrets = OwnerSecrets()
    testing: Maybe[Testing] = None
    credentials: tuple[CredentialRuleDocument, ...] = ()

    def __repr__(self) -> str:
        return "OwnerRules(…)"  # the URL of a state may hold a password

    @property
    def credential_rules(self) -> tuple[CredentialRule, ...]:
        """The pairs of references and hosts that are allowed."""
        return tuple(
            CredentialRule(reference, host)
            for item in self.credentials
            for reference in item.references
            for host in item.hosts
        )


NO_RULES = OwnerRules()
"""The rules in force if no file is given."""


def load_owner_rules(path: Path, home: Path) -> OwnerRules:
    """Read the rules.

    Raises UsageError if the file is missing, not valid, inside ``home`` (where a pull request could
    change it), or writable by anybody but the user and root.
    """
    from reconciler.config.plain_yaml import read_documents  # noqa: PLC0415 - most runs have no rules

    text = _read(path, home)
    composed = read_documents(text, path.as_posix())
    for problem in composed.diagnostics:
        raise UsageError(
            f"the owner's rules are invalid: {problem.file}:{problem.line}:{problem.column}:"
            f" {problem.message}",
            hint=problem.hint,
        )
    if len(composed.documents) != 1:
        raise UsageError(f"the owner's rules {path} must hold exactly one YAML document")
    return _validated(composed.documents[0], path)


def _validated(raw: RawDocument, path: Path) -> OwnerRules:
    try:
        rules = validated(OwnerRules, raw.value)
    except Invalid as error:
        raise _invalid(
            raw, path, error.route, error.reason, "docs/security.md lists the fields of the rules."
        ) from None
    for route, host in _hosts(rules):
        if not is_valid_glob(host):
            reason = f"`{host}` is not a valid host name, so it would allow nothing"
            raise _invalid(raw, path, route, reason, VALID_HOST)
    return rules


def _hosts(rules: OwnerRules) -> Iterator[tuple[Route, str]]:
    for index, host in enumerate(rules.allowed_hosts):
        yield ("allowed_hosts", index), host
    for number, rule in enumerate(rules.credentials):
        for index, host in enumerate(rule.hosts):
            yield ("credentials", number, "hosts", index), host


def _invalid(raw: RawDocument, path: Path, route: Route, reason: str, hint: str) -> UsageError:
    at = raw.positions.of(route)
    return UsageError(
        f"the owner's rules are invalid: {path}:{at.line}:{at.column}:"
        f" {'.'.join(map(str, route))}: {reason}",
        hint=hint,
    )


def _read(path: Path, home: Path) -> str:
    real = path.resolve()
    if real.is_relative_to(home.resolve()):
        raise UsageError(
            f"the owner's rules {path} lie inside the project, where a pull request can change them",
            hint="Keep them outside, for example in /etc/reconciler/rules.yaml.",
        )
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(
            f"the owner's rules {path} cannot be read: {disk_fault(error, path).reason}",
            hint="Name another file with --policy or RECONCILER_POLICY.",
        ) from None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"the owner's rules {path} must be a regular file")
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            raise UsageError(
                f"the owner's rules {path} can be changed by other users",
                hint=f"Make them writable only by you: chown $(id -u) {path}; chmod go-w {path}",
            )
        octets = stream.read(_LARGEST + 1)
    if len(octets) > _LARGEST:
        raise UsageError(f"the owner's rules {path} are larger than {_LARGEST // 1024} KiB")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"the owner's rules {path} are not UTF-8") from None
