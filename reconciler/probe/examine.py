"""A longer look at one connector: its test, and what the servers tell besides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, MailFault
from reconciler.mail.folders import SentBy
from reconciler.mail.imap import Folder, Quota
from reconciler.mail.oauth import AuthlibTokens
from reconciler.mail.tls import Certificate, shared_context
from reconciler.model.connector import Security
from reconciler.probe.half import Half, halves
from reconciler.probe.imap import ImapAttempt
from reconciler.probe.modes import presented_chain, spoken_mode
from reconciler.probe.observed import names
from reconciler.probe.options import DEFAULT_OPTIONS, ProbeOptions
from reconciler.probe.refusals import Refusals
from reconciler.probe.result import Outcome, ProtocolResult, Stage
from reconciler.probe.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.connector import Connector
    from reconciler.probe.attempt import Attempt
    from reconciler.probe.result import StageResult
    from reconciler.secrets.base import SecretResolver

    Show = Callable[[str], str]

_LOOK = 5.0
"""Seconds for looks beyond the test, such as which TLS mode a server speaks that does not speak ours."""

_MOST_FOLDERS = 500
_MOST_HOSTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What was seen of a server besides the stages; every text is fit to be shown.

    ``speaks`` is the TLS mode of the port, None if it could not be told. ``verified`` is whether the
    ``chain`` was. ``capabilities`` are those after the sign-in, where there was one. ``quotas`` is None
    if the server tells nothing of quotas, or was not asked.
    """

    speaks: Security | None = None
    chain: tuple[Certificate, ...] = ()
    verified: bool = False
    capabilities: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    sent: tuple[str, SentBy] | None = None
    quotas: tuple[Quota, ...] | None = None


@dataclass(frozen=True, slots=True)
class ExaminedHalf:
    """One half of a connector: how its test went, and what was seen."""

    half: Half
    result: ProtocolResult
    details: Details


def examine(
    connector: Connector, resolver: SecretResolver, options: ProbeOptions = DEFAULT_OPTIONS
) -> tuple[ExaminedHalf, ...]:
    """Test a connector in this thread and look around; raises as ``probe`` does.

    What cannot be seen is left out: only the test itself decides whether the connector works.
    """
    shared_context(options.ca_file)
    tokens = AuthlibTokens(resolver, connect_to=options.connect_to, ca_file=options.ca_file)
    refusals = Refusals()
    found = []
    for half in halves(connector):
        inspector = _Inspector(half)
        walk = Walk(half, resolver, options, tokens, inspect=inspector, refusals=refusals)
        result = walk.result()
        found.append(ExaminedHalf(half, result, inspector.details))
    return tuple(found)


class _Inspector:
    """Looks around in each attempt; what the last one shows is what counts."""

    def __init__(self, half: Half) -> None:
        self._half = half
        self.details = Details()

    def __call__(self, attempt: Attempt, results: tuple[StageResult, ...], show: Show) -> None:
        passed = {item.stage for item in results if item.outcome is Outcome.OK}
        if Stage.TCP not in passed:
            return
        verified = Stage.TLS in passed
        speaks, certificates = self._tls(attempt, verified=verified)
        seen = Details(
            speaks=speaks,
            chain=tuple(_shown_certificate(item, show) for item in certificates),
            verified=verified,
        )
        if isinstance(attempt, ImapAttempt) and attempt.survey is not None:
            seen = _mailbox(seen, attempt, show)
        elif Stage.CAPABILITIES in passed:
            seen = replace(seen, capabilities=names(attempt.offer().capabilities, show))
        self.details = seen

    def _tls(
        self, attempt: Attempt, *, verified: bool
    ) -> tuple[Security | None, tuple[Certificate, ...]]:
        half = self._half
        if verified:
            return half.security, attempt.chain
        where = (half.protocol, attempt.endpoints, half.host)
        try:
            speaks = spoken_mode(*where, Deadline(_LOOK))
            if speaks is None or speaks is Security.NONE:
                return speaks, ()
            return speaks, presented_chain(*where, speaks, Deadline(_LOOK))
        except Cancelled:
            raise
        except MailFault:
            return None, ()  # there was no time to find out


def _mailbox(seen: Details, attempt: ImapAttempt, show: Show) -> Details:
    survey, sent = attempt.survey, attempt.sent
    listed = survey.folders[:_MOST_FOLDERS] if survey is not None else ()
    seen = replace(
        seen,
        folders=tuple(
            replace(item, name=show(item.name), flags=frozenset(names(item.flags, show)))
            for item in listed
        ),
        sent=(show(sent[0]), sent[1]) if sent is not None else None,
        capabilities=names(attempt.offer().capabilities, show),
    )
    try:
        attempt.session.ask_again()
        seen = replace(seen, capabilities=names(attempt.offer().capabilities, show))
        quotas = attempt.session.quotas("INBOX")
    except Cancelled:
        raise
    except MailFault:
        return seen  # the account works all the same
    return replace(seen, quotas=tuple(_shown_quota(item, show) for item in quotas) or None)


def _shown_certificate(certificate: Certificate, show: Show) -> Certificate:
    return replace(
        certificate,
        subject=show(certificate.subject),
        issuer=show(certificate.issuer),
        hosts=tuple(show(host) for host in certificate.hosts[:_MOST_HOSTS]),
    )


def _shown_quota(quota: Quota, show: Show) -> Quota:
    return replace(quota, root=show(quota.root), resource=show(quota.resource))
