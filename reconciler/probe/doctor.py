"""An examination of one connector: its test, and further observations of the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.connection.access import Access
from reconciler.connection.account import Account, accounts
from reconciler.connection.failure import Stage
from reconciler.connection.imap import ImapAccountSession
from reconciler.connection.observed import names
from reconciler.connection.options import DEFAULT_OPTIONS, ProbeOptions
from reconciler.connection.rejections import Rejections
from reconciler.connection.tls_mode import presented_chain, spoken_mode
from reconciler.mail.deadline import Deadline
from reconciler.mail.faults import Cancelled, MailFault
from reconciler.mail.tls import Certificate, shared_context
from reconciler.model.connector import Security
from reconciler.model.protocol import Protocol
from reconciler.probe.result import ProtocolResult, StageOutcome
from reconciler.probe.stages import ConnectionTest
from reconciler.values import replace
from reconciler.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.connection.base import AccountSession
    from reconciler.mail.folders import SentBy
    from reconciler.mail.imap_lines import Folder, Quota
    from reconciler.model.connector import Connector
    from reconciler.probe.result import StageResult
    from reconciler.secrets.base import SecretResolver


_LOOK = 5.0
"""Seconds for further checks, such as the TLS mode of a server that does not speak ours."""

_MOST_FOLDERS = 500
_MOST_HOSTS = 50


class Details(Struct, frozen=True, kw_only=True):
    """Observations of a server beyond the stages; every text is redacted.

    ``speaks`` is the TLS mode of the port, None if unknown. ``verified`` is whether the ``chain`` was.
    ``capabilities`` are those after the sign-in, if there was one. ``quotas`` is None if the server
    reports none, or was not asked. ``unreadable`` counts skipped lines.
    """

    speaks: Security | None = None
    chain: tuple[Certificate, ...] = ()
    verified: bool = False
    capabilities: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    sent: tuple[str, SentBy] | None = None
    quotas: tuple[Quota, ...] | None = None
    unreadable: int = 0


class ExaminedAccount(Struct, frozen=True):
    """One account of a connector: its test result, and the observations."""

    account: Account
    result: ProtocolResult
    details: Details


def examine(
    connector: Connector, resolver: SecretResolver, options: ProbeOptions = DEFAULT_OPTIONS
) -> tuple[ExaminedAccount, ...]:
    """Test and examine a connector in this thread; raises like ``probe``.

    Failing observations are omitted: only the test itself decides whether the connector works.
    """
    shared_context(options.ca_file)
    access, rejections = Access.with_tokens(resolver, options), Rejections()
    found = []
    for account in accounts(connector):
        inspector = _Inspector(account)
        test = ConnectionTest(account, access, rejections=rejections, inspect=inspector)
        found.append(ExaminedAccount(account, test.result(), inspector.details))
    return tuple(found)


class _Inspector:
    """Examines each session of a test; the last one counts."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.details = Details()

    def __call__(self, session: AccountSession, results: tuple[StageResult, ...]) -> None:
        passed = {item.stage for item in results if item.outcome is StageOutcome.OK}
        if Stage.TCP not in passed:
            return
        verified = Stage.TLS in passed
        speaks, certificates = self._tls(session, verified=verified)
        seen = Details(
            speaks=speaks,
            chain=tuple(_shown_certificate(item, session) for item in certificates),
            verified=verified,
        )
        if isinstance(session, ImapAccountSession) and session.survey is not None:
            seen = _mailbox(seen, session)
        elif Stage.CAPABILITIES in passed:
            seen = replace(seen, capabilities=names(session.offer().capabilities, session.show_all))
        self.details = seen

    def _tls(
        self, session: AccountSession, *, verified: bool
    ) -> tuple[Security | None, tuple[Certificate, ...]]:
        account = self._account
        if verified:
            return account.security, session.chain
        where = (account.protocol, session.endpoints, account.host)
        try:
            speaks = spoken_mode(*where, Deadline(_LOOK))
            if speaks is None or speaks is Security.NONE:
                return speaks, ()
            return speaks, presented_chain(*where, speaks, Deadline(_LOOK))
        except Cancelled:
            raise
        except MailFault:
            return None, ()  # no time left for it


def _mailbox(seen: Details, session: ImapAccountSession) -> Details:
    survey, sent = session.survey, session.sent
    listed = survey.folders[:_MOST_FOLDERS] if survey is not None else ()
    seen = replace(
        seen,
        folders=tuple(
            replace(item, name=name, flags=frozenset(names(item.flags, session.show_all)))
            for item, name in zip(
                listed, session.show_all(item.name for item in listed), strict=True
            )
        ),
        sent=(session.show(sent[0]), sent[1]) if sent is not None else None,
        capabilities=names(session.offer().capabilities, session.show_all),
    )
    try:
        session.session.ask_again()
        seen = replace(seen, capabilities=names(session.offer().capabilities, session.show_all))
        quotas = session.session.quotas("INBOX")
    except Cancelled:
        raise
    except MailFault:
        quotas = ()  # the account works all the same
    return replace(
        seen,
        quotas=_shown_quotas(quotas, session) or None,
        unreadable=session.session.unreadable,
    )


def _shown_certificate(certificate: Certificate, session: AccountSession) -> Certificate:
    subject, issuer, *hosts = session.show_all(
        (certificate.subject, certificate.issuer, *certificate.hosts[:_MOST_HOSTS])
    )
    return replace(certificate, subject=subject, issuer=issuer, hosts=tuple(hosts))


def _shown_quotas(quotas: tuple[Quota, ...], session: AccountSession) -> tuple[Quota, ...]:
    roots = session.show_all(quota.root for quota in quotas)
    resources = session.show_all(quota.resource for quota in quotas)
    return tuple(
        replace(quota, root=root, resource=resource)
        for quota, root, resource in zip(quotas, roots, resources, strict=True)
    )


_SOON = 21
"""The minimum days before a certificate expires."""

_NEARLY_FULL = 0.9

_DOES = {Protocol.IMAP: "reads mail", Protocol.SMTP: "sends mail"}
_DOING = {Protocol.IMAP: "read mail", Protocol.SMTP: "send mail"}


def verdict(name: str, accounts: tuple[ExaminedAccount, ...], now: datetime) -> str:
    """Say whether it works, and list current and upcoming problems. A pure function."""
    failed = [item for item in accounts if item.result.failed is not None]
    if failed:
        first = failed[0].result.failed
        cause = first.failure.cause if first is not None and first.failure is not None else ""
        cannot = " nor ".join(_DOING[item.account.protocol] for item in failed)
        works = [_DOES[item.account.protocol] for item in accounts if item not in failed]
        but = f"{works[0]}, but it cannot" if works else "can neither" if failed[1:] else "cannot"
        return f"{name} {but} {cannot}: {cause}"
    if not accounts:
        return f"{name} neither reads nor sends mail, so there is nothing to test."
    verbs = " and ".join(_DOES[item.account.protocol].split()[0] for item in accounts)
    does = f"{verbs} mail"
    warnings = [text for item in accounts for text in _warnings(item, now)]
    if warnings:
        return f"{name} {does}, but {', and '.join(dict.fromkeys(warnings))}."
    return f"{name} {does}; no problems found."


def _warnings(item: ExaminedAccount, now: datetime) -> Iterator[str]:
    for certificate in item.details.chain:
        days = certificate.days_left(now)
        if days < _SOON:
            what = certificate.subject or item.account.host
            yield f"the certificate of {what} expires in {counted(days, 'day')}"
    for quota in item.details.quotas or ():
        if quota.limit > 0 and quota.usage / quota.limit >= _NEARLY_FULL:
            percent = 100 * quota.usage // quota.limit
            yield f"the mailbox is {percent} % full ({quota.resource})"
