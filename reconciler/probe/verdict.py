"""A connector's health in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.probe.result import Protocol
from reconciler.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.probe.examine import ExaminedHalf

_SOON = 21
"""Days that a certificate should have left."""

_NEARLY_FULL = 0.9

_DOES = {Protocol.IMAP: "reads mail", Protocol.SMTP: "sends mail"}
_DOING = {Protocol.IMAP: "read mail", Protocol.SMTP: "send mail"}


def verdict(name: str, halves: tuple[ExaminedHalf, ...], now: datetime) -> str:
    """Say whether it works, and what stands against it or soon will. A pure function."""
    failed = [item for item in halves if item.result.failed is not None]
    if failed:
        first = failed[0].result.failed
        cause = first.failure.cause if first is not None and first.failure is not None else ""
        cannot = " nor ".join(_DOING[item.half.protocol] for item in failed)
        works = [_DOES[item.half.protocol] for item in halves if item not in failed]
        but = f"{works[0]}, but it cannot" if works else "can neither" if failed[1:] else "cannot"
        return f"{name} {but} {cannot}: {cause}"
    if not halves:
        return f"{name} neither reads nor sends mail, so there is nothing to test."
    verbs = " and ".join(_DOES[item.half.protocol].split()[0] for item in halves)
    does = f"{verbs} mail"
    warnings = [text for item in halves for text in _warnings(item, now)]
    if warnings:
        return f"{name} {does}, but {', and '.join(dict.fromkeys(warnings))}."
    return f"{name} {does}; nothing stands against it."


def _warnings(item: ExaminedHalf, now: datetime) -> Iterator[str]:
    for certificate in item.details.chain:
        days = certificate.days_left(now)
        if days < _SOON:
            what = certificate.subject or item.half.host
            yield f"the certificate of {what} expires in {counted(days, 'day')}"
    for quota in item.details.quotas or ():
        if quota.limit > 0 and quota.usage / quota.limit >= _NEARLY_FULL:
            percent = 100 * quota.usage // quota.limit
            yield f"the mailbox is {percent} % full ({quota.resource})"
