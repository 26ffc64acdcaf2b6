"""The examination of one connector, as text and as a document for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from reconciler.connection.failure import Stage
from reconciler.model.connector import SaveSent, Security
from reconciler.model.domain import with_a_label
from reconciler.model.protocol import Protocol
from reconciler.probe.report import StageDocument, stage_document
from reconciler.probe.result import StageOutcome
from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.terminal import instant, pad, visible, wrapped
from reconciler.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from reconciler.connection.account import Account
    from reconciler.model.connector import Connector
    from reconciler.probe.doctor import ExaminedAccount
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDocument:
    """One certificate of a chain; ``not_after`` is ISO 8601 in UTC, ``days_left`` negative once expired."""

    subject: str
    issuer: str
    not_after: str
    days_left: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderDocument:
    """One folder, with its flags in upper case."""

    name: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaDocument:
    """One quota (RFC 9208); STORAGE is in units of 1024 octets, MESSAGE in messages."""

    root: str
    resource: str
    usage: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDocument:
    """Where sent mail goes.

    ``folder`` is null if none was found; ``reason`` says why it was chosen.

    ``copies`` says who files the copies: ``us``, the ``provider``, or ``nobody``.
    """

    folder: str | None
    reason: str
    copies: Literal["us", "provider", "nobody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDocument:
    """The IMAP or the SMTP account of a connector.

    ``security`` is the configured TLS mode and ``speaks`` the actual one of the port, null if
    unknown. ``quotas`` and ``sent`` are null for SMTP, and where the server was not asked or did
    not say; ``size_limit`` (RFC 1870) is in octets. ``unreadable_lines`` counts the server's lines
    that could not be read and were ignored.
    """

    protocol: Protocol
    host: str
    port: int
    via: str
    username: str
    security: Security
    speaks: Security | None
    stages: tuple[StageDocument, ...]
    certificates_verified: bool
    certificates: tuple[CertificateDocument, ...]
    mechanisms: tuple[str, ...]
    capabilities: tuple[str, ...]
    folders: tuple[FolderDocument, ...]
    sent: SentDocument | None
    quotas: tuple[QuotaDocument, ...] | None
    size_limit: int | None
    unreadable_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorDocument:
    """Everything that was found; ``verdict`` is one sentence."""

    format_version: Literal["1.0"] = "1.0"
    connector: str
    display_name: str
    provider: str | None
    examined_at: str
    outcome: Literal["passed", "rejected", "unreachable"]
    verdict: str
    accounts: tuple[AccountDocument, ...]


def doctor_document(
    connector: Connector, accounts: tuple[ExaminedAccount, ...], verdict: str, at: datetime
) -> DoctorDocument:
    """Convert an examination made at ``at`` to its published form."""
    failures = [item.result.failed.failure for item in accounts if item.result.failed is not None]
    outcome: Literal["passed", "rejected", "unreachable"] = "passed"
    if failures:
        silent = all(item is not None and item.error_class.unreachable for item in failures)
        outcome = "unreachable" if silent else "rejected"
    return DoctorDocument(
        connector=connector.name,
        display_name=connector.display_name,
        provider=connector.provider,
        examined_at=instant(at),
        outcome=outcome,
        verdict=verdict,
        accounts=tuple(_account(item, at) for item in accounts),
    )


def _account(item: ExaminedAccount, at: datetime) -> AccountDocument:
    account, result, details = item.account, item.result, item.details
    seen = result.observed
    return AccountDocument(
        protocol=account.protocol,
        host=account.host,
        port=account.port,
        via=result.via,
        username=account.username,
        security=account.security,
        speaks=details.speaks,
        stages=tuple(stage_document(stage) for stage in result.stages),
        certificates_verified=details.verified,
        certificates=tuple(
            CertificateDocument(
                subject=certificate.subject,
                issuer=certificate.issuer,
                not_after=instant(certificate.not_after),
                days_left=certificate.days_left(at),
                hosts=certificate.hosts,
            )
            for certificate in details.chain
        ),
        mechanisms=seen.mechanisms if seen else (),
        capabilities=details.capabilities,
        folders=tuple(
            FolderDocument(name=folder.name, flags=tuple(sorted(folder.flags)))
            for folder in details.folders
        ),
        sent=_sent(item) if details.folders else None,
        quotas=None
        if details.quotas is None
        else tuple(
            QuotaDocument(
                root=quota.root, resource=quota.resource, usage=quota.usage, limit=quota.limit
            )
            for quota in details.quotas
        ),
        size_limit=seen.size_limit if seen else None,
        unreadable_lines=details.unreadable,
    )


def _sent(item: ExaminedAccount) -> SentDocument:
    found = item.details.sent
    return SentDocument(
        folder=found[0] if found else None,
        reason=found[1] if found else "no folder is marked or named as Sent",
        copies=_copies(item.account),
    )


def _copies(account: Account) -> Literal["us", "provider", "nobody"]:
    connector = account.connector
    if not connector.can_send or connector.save_sent is SaveSent.NEVER:
        return "nobody"
    if connector.save_sent is SaveSent.AUTO and connector.files_sent_copies:
        return "provider"
    return "us"


def server_texts(accounts: tuple[ExaminedAccount, ...]) -> dict[Protocol, str]:
    """Return the servers' texts, which are shown only on a terminal and are in no document."""
    failed = ((item.account.protocol, item.result.failed) for item in accounts)
    return {
        protocol: stage.failure.server_text
        for protocol, stage in failed
        if stage is not None and stage.failure is not None and stage.failure.server_text
    }


def doctor_text(
    document: DoctorDocument,
    output_format: TextOrJson,
    style: Style,
    texts: Mapping[Protocol, str] | None = None,
) -> str:
    """Render the examination, the verdict last; ``texts`` are those of :func:`server_texts`, for people only."""
    match output_format:
        case OutputFormat.HUMAN:
            return _examination(document, style, texts or {})
        case OutputFormat.JSON:
            return to_json(document)
        case _:
            assert_never(output_format)


def _examination(document: DoctorDocument, style: Style, texts: Mapping[Protocol, str]) -> str:
    provider = f" ({document.provider})" if document.provider else ""
    parts = [style.strong(visible(f"{document.connector}: {document.display_name}{provider}"))]
    for account in document.accounts:
        rows = list(_rows(account))
        width = max(len(name) for name in (*Stage, *(name for name, _ in rows)))
        lines = [style.strong(_title(account))]
        for item in account.stages:
            lines += _stage(f"  {pad(item.stage, width)}  ", item, style)
        for name, values in rows:
            for number, text in enumerate(values):
                head = pad(name if not number else "", width)
                lines += wrapped(f"  {head}  ", text, style.width)
        failed = next((item.failure for item in account.stages if item.failure is not None), None)
        if failed is not None:
            lines += ["", f"  {visible(failed.cause)}", f"  {visible(failed.remedy)}"]
            if failed.reply:
                lines.append(style.faint(f"  The server said: {visible(failed.reply)}"))
            if said := texts.get(account.protocol):
                lines.append(style.faint(f"  Word for word: {visible(said)}"))
        parts.append("\n".join(lines))
    paint = style.added if document.outcome == "passed" else style.removed
    parts.append(paint(visible(document.verdict)))
    return "\n\n".join(parts)


def _title(account: AccountDocument) -> str:
    user = f"as {account.username}" if account.username else "without a sign-in"
    return (
        f"{account.protocol.upper()}  {with_a_label(account.host)}:{account.port} {visible(user)}"
    )


def _rows(account: AccountDocument) -> Iterator[tuple[str, list[str]]]:
    if account.via:
        yield "redirected", [f"to {account.via}, because of --connect-to"]
    yield "TLS mode", [_mode(account)]
    if account.certificates:
        unproven = [] if account.certificates_verified else ["as sent by the server, not trusted:"]
        yield "certificates", [*unproven, *(_certificate(item) for item in account.certificates)]
    if account.mechanisms:
        yield "signs in with", [", ".join(account.mechanisms)]
    if account.capabilities:
        yield "can do", [" ".join(account.capabilities)]
    if account.folders:
        yield "folders", [", ".join(_folder(item) for item in account.folders)]
    if account.sent is not None:
        yield "sent mail", [_sent_words(account.sent)]
    if account.protocol is Protocol.IMAP and account.folders:
        quotas = [_quota(item) for item in account.quotas or ()]
        yield "quota", quotas or ["the server reports none"]
    if account.unreadable_lines:
        yield "left out", [f"{counted(account.unreadable_lines, 'line')} that could not be read"]
    if account.protocol is Protocol.SMTP and account.mechanisms:
        limit = account.size_limit
        yield "size limit", [f"{limit / 1e6:.1f} MB" if limit else "the server reports none"]


def _stage(head: str, stage: StageDocument, style: Style) -> list[str]:
    detail = visible(stage.detail)
    took = f"{stage.seconds * 1000:5.0f} ms  "
    if stage.outcome is StageOutcome.OK:
        dressed = f"{head}{style.added('ok')}      {took}"
        return wrapped(dressed, detail, style.width, bare=f"{head}ok      {took}")
    if stage.outcome is StageOutcome.FAILED and stage.failure is not None:
        return [f"{head}{style.removed('failed')}  {took}{style.strong(stage.failure.error_class)}"]
    words = stage.outcome.replace("_", " ")
    return [head + style.faint(f"{words}: {detail}" if detail else words)]


def _mode(account: AccountDocument) -> str:
    words = {
        Security.IMPLICIT: "implicit TLS",
        Security.STARTTLS: "STARTTLS",
        Security.NONE: "plain text",
    }
    if account.speaks is None:
        return f"{words[account.security]} is set; the mode of the port could not be determined"
    if account.speaks is account.security:
        return f"{words[account.security]}, as configured"
    return f"the port speaks {words[account.speaks]}, but {words[account.security]} is set"


def _certificate(item: CertificateDocument) -> str:
    days = f"{item.days_left} days left" if item.days_left >= 0 else "expired"
    return visible(
        f"{item.subject or 'no name'}: {days} ({item.not_after[:10]}), issued by {item.issuer}"
    )


def _folder(item: FolderDocument) -> str:
    special = [flag for flag in item.flags if flag in _SPECIAL]
    return visible(item.name + (f" ({', '.join(special).lower()})" if special else ""))


_SPECIAL = frozenset(
    {"\\ALL", "\\ARCHIVE", "\\DRAFTS", "\\FLAGGED", "\\JUNK", "\\SENT", "\\TRASH", "\\NOSELECT"}
)


def _sent_words(sent: SentDocument) -> str:
    who = {
        "us": "copies of sent mail are filed there",
        "provider": "the provider files copies itself",
        "nobody": "no copies are filed",
    }[sent.copies]
    if sent.folder is None:
        return f"{sent.reason}; {who if sent.copies != 'us' else 'copies need one'}"
    return visible(f"{sent.folder}, because {sent.reason}; {who}")


def _quota(item: QuotaDocument) -> str:
    unit = " KiB" if item.resource.upper() == "STORAGE" else ""
    share = f" ({100 * item.usage // item.limit} %)" if item.limit > 0 else ""
    return visible(f"{item.resource}: {item.usage} of {item.limit}{unit}{share}")
