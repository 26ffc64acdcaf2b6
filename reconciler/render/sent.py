"""The outcome of a mail, or of a dry run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from reconciler.model.domain import with_a_label
from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.route import route_text
from reconciler.render.terminal import instant, visible
from reconciler.routing.request import Route
from reconciler.sending.outcome import Copy, CopyStatus

if TYPE_CHECKING:
    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style
    from reconciler.sending.message import Prepared
    from reconciler.sending.outcome import Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRecipientDocument:
    """A recipient whom the server refused: its reply code, enhanced status code and words."""

    recipient: str
    code: str
    status: str
    text: str
    temporary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDocument:
    """The delivery to the server; ``reply`` is its last reply. ``at`` is ISO 8601 in UTC."""

    at: str
    host: str
    port: int
    reply: str
    accepted: tuple[str, ...]
    refused: tuple[RefusedRecipientDocument, ...]
    copy: Copy


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDocument:
    """A mail that was sent, or would be sent (``--dry-run``).

    ``size`` is in octets. ``message`` is the whole mail of a dry run, otherwise null; ``delivery``
    is null in a dry run.
    """

    format_version: str = "1.0"
    dry_run: bool
    route: Route
    message_id: str
    size: int
    recipients: tuple[str, ...]
    message: str | None
    delivery: DeliveryDocument | None
    warnings: tuple[str, ...]


def sent_document(sent: Sent) -> SendDocument:
    """A mail that was sent, for machines."""
    return SendDocument(
        dry_run=False,
        route=sent.route,
        message_id=sent.message_id,
        size=sent.size,
        recipients=(*sent.accepted, *(item.recipient for item in sent.refused)),
        message=None,
        delivery=DeliveryDocument(
            at=instant(sent.at),
            host=sent.host,
            port=sent.port,
            reply=sent.reply,
            accepted=sent.accepted,
            refused=tuple(
                RefusedRecipientDocument(
                    recipient=item.recipient,
                    code=item.code,
                    status=item.status,
                    text=item.text,
                    temporary=item.temporary,
                )
                for item in sent.refused
            ),
            copy=sent.copy,
        ),
        warnings=sent.warnings,
    )


def prepared_document(mail: Prepared) -> SendDocument:
    """A mail that would be sent, for machines."""
    return SendDocument(
        dry_run=True,
        route=mail.route,
        message_id=mail.message_id,
        size=len(mail.content),
        recipients=mail.envelope.recipients,
        message=mail.content.decode("utf-8", "backslashreplace"),
        delivery=None,
        warnings=mail.route.warnings,
    )


def sent_text(sent: Sent, output_format: TextOrJson, style: Style) -> str:
    """A mail that was sent: the accepted recipients, and the outcome of the copy."""
    match output_format:
        case OutputFormat.HUMAN:
            return _sent(sent, style)
        case OutputFormat.JSON:
            return to_json(sent_document(sent))
        case _:
            assert_never(output_format)


def _sent(sent: Sent, style: Style) -> str:
    went = "Sent" if not sent.refused else style.changed("Sent to some recipients")
    carrier = f"{style.strong(sent.route.connector)} ({with_a_label(sent.host)}:{sent.port})"
    lines = [
        f"{went} through {carrier} as {style.strong(sent.route.from_address)}.",
        *_replaced(sent.route),
        f"  Message-ID  {visible(sent.message_id)}",
        f"  size        {sent.size:,} octets",
    ]
    lines += [f"  accepted    {visible(recipient)}" for recipient in sent.accepted]
    lines += [f"  {style.removed('refused')}     {visible(str(item))}" for item in sent.refused]
    lines.append(f"  copy        {_copy(sent.copy, style)}")
    return "\n".join(lines)


def _replaced(route: Route) -> tuple[str, ...]:
    if route.original_from is None:
        return ()
    return (f"  requested   {visible(route.original_from)}, kept in X-Original-From",)


def prepared_text(mail: Prepared, output_format: TextOrJson, style: Style) -> str:
    """A mail that would be sent: its route, its envelope and its content."""
    match output_format:
        case OutputFormat.HUMAN:
            return _prepared(mail, style)
        case OutputFormat.JSON:
            return to_json(prepared_document(mail))
        case _:
            assert_never(output_format)


def _prepared(mail: Prepared, style: Style) -> str:
    explained = route_text(mail.route, OutputFormat.HUMAN, style)
    text = mail.content.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return "\n".join([
        "Nothing is sent. " + explained,
        "",
        f"Envelope: from {mail.envelope.sender}",
        *(f"            to {visible(recipient)}" for recipient in mail.envelope.recipients),
        "",
        f"Message, {len(mail.content):,} octets:",
        "",
        "\n".join(visible(line) for line in text.split("\n")),
    ])  # fmt: skip


def _copy(copy: Copy, style: Style) -> str:
    said = visible(copy.sentence).rstrip(".")
    if copy.status is CopyStatus.APPENDED:
        return f"filed in {visible(copy.folder)}{f'; {said}' if said else ''}"
    if copy.status is CopyStatus.FOUND:
        return f"is in {visible(copy.folder)}: {said}"
    if copy.status is CopyStatus.FAILED:
        return f"{style.removed('not filed')}: {said}"
    if copy.status is CopyStatus.PENDING:
        return said
    return f"not filed: {said}"
