"""What has changed since the last test: the account's result, and the servers' properties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.model.protocol import Protocol
from reconciler.model.resource import to_plain
from reconciler.model.snapshot import LastTest, Status
from reconciler.probe.report import ObservedDocument, observed, observed_document
from reconciler.wording import counted

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import TypeAdapter

    from reconciler.connection.observed import Observed
    from reconciler.probe.result import ConnectorResult, ProtocolResult


class Known(Struct, frozen=True):
    """What the last test found of one account of a connector.

    ``failure`` is stage and error class, "" if it passed. ``observed`` is from the last test that
    observed anything of the server.
    """

    failure: str = ""
    observed: Observed | None = None


Facts = Mapping[Protocol, Known]
"""What is known of each account."""


class FindingKind(StrEnum):
    """The kind of change, in one word that scripts can rely on."""

    FAILS = "fails"
    FAILS_OTHERWISE = "fails_otherwise"
    RECOVERED = "recovered"
    CERTIFICATE_EXPIRES = "certificate_expires"
    ISSUER_CHANGED = "issuer_changed"
    TLS_CHANGED = "tls_changed"
    MECHANISM_GONE = "mechanism_gone"
    MECHANISM_NEW = "mechanism_new"
    CAPABILITY_GONE = "capability_gone"
    SIZE_LIMIT_CHANGED = "size_limit_changed"


class DriftFinding(Struct, frozen=True, kw_only=True):
    """One change. ``summary`` is a sentence without its subject; ``before`` may be unknown ("")."""

    kind: FindingKind
    protocol: Protocol
    summary: str
    before: str = ""
    after: str = ""


class Checked(Struct, frozen=True):
    """A connector, its last test (``tested``, None if there was none), and its current state.

    ``failing_since`` is the start of the ongoing failures.
    """

    result: ConnectorResult
    before: Status
    tested: datetime | None
    failing_since: datetime | None
    findings: tuple[DriftFinding, ...]

    @property
    def remarkable(self) -> bool:
        """Whether there is anything to report."""
        return bool(self.findings) or not self.result.passed


def check(
    result: ConnectorResult,
    last: LastTest | None,
    facts: Facts,
    *,
    now: datetime,
    cert_days: int,
) -> Checked:
    """Compare a result with the last one. A pure function of its arguments.

    A certificate with fewer than ``cert_days`` days left is a finding every time, until it is renewed;
    everything else only when it changes.
    """
    before = Status.UNTESTED
    if last is not None:
        before = Status.READY if last.passed else Status.FAILING
    findings: list[DriftFinding] = []
    for account in result.protocols:
        known = facts.get(account.protocol)
        findings += _outcome(account, known.failure if known else _failure_of(account, last))
        if account.observed is not None:
            findings += _expiry(account.protocol, account.observed, now, cert_days)
            if known is not None and known.observed is not None:
                findings += _shown(account, known.observed, account.observed)
    return Checked(
        result,
        before,
        last.at if last else None,
        _failing_since(result, last),
        tuple(findings),
    )


def _failing_since(result: ConnectorResult, last: LastTest | None) -> datetime | None:
    if result.passed:
        return None
    return (last.failing_since if last else None) or result.started_at


def failure_of(account: ProtocolResult) -> str:
    """Stage and error class of the failure, "" if none, for comparison with later tests."""
    failed = account.failed
    if failed is None or failed.failure is None:
        return ""
    return f"{failed.stage}: {failed.failure.error_class}"


def _failure_of(account: ProtocolResult, last: LastTest | None) -> str:
    # An older release kept only the first failure, "imap authentication", and no accounts.
    if last is None or last.passed:
        return ""
    protocol, _, stage = last.stage.partition(" ")
    return f"{stage}: {last.error_class}" if protocol == account.protocol else ""


def _outcome(account: ProtocolResult, before: str) -> Iterator[DriftFinding]:
    now = failure_of(account)
    if now == before:
        return
    if not now:
        kind, summary = FindingKind.RECOVERED, f"works again; it failed at {_words(before)}"
    elif not before:
        kind, summary = FindingKind.FAILS, f"now fails at {_words(now)}"
    else:
        kind = FindingKind.FAILS_OTHERWISE
        summary = f"now fails at {_words(now)}, no longer at {_words(before)}"
    yield DriftFinding(
        kind=kind, protocol=account.protocol, summary=summary, before=before, after=now
    )


def _words(failure: str) -> str:
    stage, _, error_class = failure.partition(": ")
    return f"{stage} ({error_class})"


def _expiry(
    protocol: Protocol, seen: Observed, now: datetime, cert_days: int
) -> Iterator[DriftFinding]:
    expires = seen.certificate_expires
    if expires is None:
        return
    days = (expires - now).days
    if days < cert_days:
        yield DriftFinding(
            kind=FindingKind.CERTIFICATE_EXPIRES,
            protocol=protocol,
            summary=f"has a certificate that expires in {counted(days, 'day')}, "
            f"on {expires:%Y-%m-%d}",
            after=expires.isoformat(),
        )


def _shown(account: ProtocolResult, old: Observed, new: Observed) -> Iterator[DriftFinding]:
    def finding(kind: FindingKind, summary: str, before: str = "", after: str = "") -> DriftFinding:
        return DriftFinding(
            kind=kind, protocol=account.protocol, summary=summary, before=before, after=after
        )

    if old.tls_version != new.tls_version:
        words = f"speaks {new.tls_version or 'no TLS'}, no longer {old.tls_version or 'plain text'}"
        yield finding(FindingKind.TLS_CHANGED, words, old.tls_version, new.tls_version)
    if old.certificate_issuer and old.certificate_issuer != new.certificate_issuer:
        words = (
            f"has a certificate of {new.certificate_issuer}, no longer of {old.certificate_issuer}"
        )
        yield finding(
            FindingKind.ISSUER_CHANGED, words, old.certificate_issuer, new.certificate_issuer
        )
    if not new.capabilities and not new.mechanisms:
        return  # the test ended before asking for them
    if not old.capabilities and not old.mechanisms:
        return
    for name in sorted(set(old.mechanisms) - set(new.mechanisms)):
        yield finding(
            FindingKind.MECHANISM_GONE,
            f"no longer offers the sign-in mechanism {name}",
            before=name,
        )
    for name in sorted(set(new.mechanisms) - set(old.mechanisms)):
        yield finding(
            FindingKind.MECHANISM_NEW, f"now offers the sign-in mechanism {name}", after=name
        )
    for name in sorted(set(old.capabilities) - set(new.capabilities)):
        yield finding(
            FindingKind.CAPABILITY_GONE, f"no longer has the capability {name}", before=name
        )
    if old.size_limit != new.size_limit:
        was, now = _size(old.size_limit), _size(new.size_limit)
        yield finding(
            FindingKind.SIZE_LIMIT_CHANGED,
            f"accepts messages up to {now}, no longer {was}",
            was,
            now,
        )


def _size(octets: int | None) -> str:
    return "any size" if not octets else f"{octets} octets"


def last_test(
    result: ConnectorResult, before: LastTest | None = None, *, shallow: bool = False
) -> LastTest:
    """Reduce a result to the first failure, and the findings for each account.

    Earlier observations from ``before`` of an unreachable server are kept for later comparison. A
    ``shallow`` test does not prove that a failing account works again.
    """
    known = facts(before)
    found = {
        account.protocol: _KnownDocument(
            failure_of(account) or (earlier.failure if shallow and earlier else ""),
            _observed(account, earlier),
        )
        for account in result.protocols
        for earlier in (known.get(account.protocol),)
    }
    kept = {name.value: to_plain(item, nulls=True) for name, item in found.items()}
    for account, stage, failure in result.failures:
        return LastTest(
            passed=False,
            at=result.started_at,
            stage=f"{account.protocol} {stage.stage}",
            error_class=failure.error_class,
            summary=failure.cause,
            facts=kept,
        )
    return LastTest(passed=True, at=result.started_at, facts=kept)


def facts(last: LastTest | None) -> Facts:
    """A stored test's observations of each server; unreadable ones are ignored."""
    if last is None:
        return {}
    try:
        found = _facts().validate_python(last.facts)
        return {
            protocol: Known(item.failure, observed(item.observed) if item.observed else None)
            for protocol, item in found.items()
        }
    except ValueError:  # a newer release may observe other things
        return {}


def _observed(account: ProtocolResult, known: Known | None) -> ObservedDocument | None:
    seen = account.observed or (known.observed if known else None)
    return observed_document(seen) if seen else None


@dataclass(frozen=True, slots=True)
class _KnownDocument:
    """How an account is stored within ``LastTest.facts``."""

    failure: str
    observed: ObservedDocument | None


@cache
def _facts() -> TypeAdapter[dict[Protocol, _KnownDocument]]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - an apply only writes facts

    return TypeAdapter(dict[Protocol, _KnownDocument])


class Recording(Struct, frozen=True):
    """How the state recorded the results of a run.

    ``others`` are connectors that the state holds in another version, or not at all. ``shallow`` counts
    those that passed a test that stopped too early to prove anything. ``problem`` says why nothing was
    recorded.
    """

    recorded: int = 0
    others: tuple[str, ...] = ()
    shallow: int = 0
    problem: str = ""
