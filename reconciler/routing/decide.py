"""The routing decision.

In this order: the requested connector must exist, be able to send, and be one that the actor may use,
and no address of a connector may be claimed without permission; only then does the global policy apply.
So the policy never lets anybody use a connector without permission.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.domain import address_key, domain_key
from reconciler.model.policy import ReplyTo
from reconciler.routing.claims import claimed
from reconciler.routing.reason import Reason, RefusalReason
from reconciler.routing.request import Refusal, Route, RouteRequest
from reconciler.routing.senders import sends_as

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from reconciler.model.policy import GlobalSmtpPolicy
    from reconciler.routing.index import RoutingIndex


def route(request: RouteRequest, index: RoutingIndex) -> Route | Refusal:
    """Decide through which connector a mail goes and as whom, with a reason for each step.

    A pure function of its arguments.
    """
    policy = index.policy
    asked = _asked_for(request, index)
    if isinstance(asked, Refusal):
        return asked
    connector, reason, steps = asked
    if connector is not None:
        problem = _unusable(connector, request.actor, index)
        if problem is not None:
            return Refusal(reason=problem[0], sentence=problem[1], steps=tuple(steps))
        steps.append(_permitted(connector, request.actor, index))
    texts = (text for text in (request.sender, request.reply_to) if text)
    if sentence := claimed(texts, request.actor, index):
        return Refusal(reason=RefusalReason.NOT_PERMITTED, sentence=sentence, steps=tuple(steps))
    if policy.enabled:
        return _forced(request, index, policy, connector, steps)
    if connector is None:
        cause = (
            f"no connector sends as {request.sender}" if request.sender else "no sender is given"
        )
        return Refusal(
            reason=RefusalReason.NO_CONNECTOR,
            sentence=f"{cause}, and {_no_fallback(policy)}",
            steps=tuple(steps),
        )
    answers = policy.reply_to if reason is Reason.FALLBACK else ReplyTo.ORIGINAL_SENDER
    asked_name = connector.name if reason is not Reason.FALLBACK else ""
    return _through(request, connector, reason, steps, answers, save=None, asked=asked_name)


def _no_fallback(policy: GlobalSmtpPolicy) -> str:
    if policy.fallback_connector is None:
        return "the policy names no fallback connector"
    return f"the fallback connector {policy.fallback_connector} does not exist"


_Asked = tuple["Connector | None", Reason, list[str]]


def _asked_for(request: RouteRequest, index: RoutingIndex) -> _Asked | Refusal:
    """Find the connector of a request, before any policy applies."""
    if request.connector is not None:
        named = index.connector(request.connector)
        if named is None:
            return Refusal(
                reason=RefusalReason.UNKNOWN_CONNECTOR,
                sentence=f"there is no connector {request.connector}",
            )
        return named, Reason.NAMED, [f"The request names the connector {named.name}."]
    if request.sender is not None:
        owner = index.owner_of(request.sender)
        if owner is not None:
            return owner, Reason.SENDER, [f"{owner.name} is the connector of {request.sender}."]
    steps = [
        f"No connector sends as {request.sender}."
        if request.sender
        else "The request names neither a sender nor a connector."
    ]
    policy = index.policy
    if policy.fallback_connector is None or policy.enabled:
        return None, Reason.FALLBACK, steps
    fallback = index.connector(policy.fallback_connector)
    if fallback is not None:
        steps.append(f"The fallback connector is {fallback.name}.")
    return fallback, Reason.FALLBACK, steps


def _unusable(
    connector: Connector, actor: str, index: RoutingIndex
) -> tuple[RefusalReason, str] | None:
    if connector.draft:
        return RefusalReason.CANNOT_SEND, f"{connector.name} is a draft and is not used for sending"
    if not connector.enable_mail_send_from:
        return (
            RefusalReason.CANNOT_SEND,
            f"{connector.name} only receives: enable_mail_send_from is false",
        )
    if not connector.can_send or connector.email_address is None:
        lacks = "SMTP server" if connector.smtp is None else "address to send as"
        return RefusalReason.CANNOT_SEND, f"{connector.name} cannot send: it has no {lacks}"
    why_not = index.refusal(connector.name, actor)
    return (RefusalReason.NOT_PERMITTED, why_not) if why_not else None


def _permitted(connector: Connector, actor: str, index: RoutingIndex) -> str:
    users = index.permissions_of(connector.name).users
    how = "is one of its users" if users else "may use it, like any internal user"
    if not index.directory.is_internal(actor):
        how = "is a partner, and B2B is enabled for it"
    return f"{actor} {how}."


def _forced(
    request: RouteRequest,
    index: RoutingIndex,
    policy: GlobalSmtpPolicy,
    asked: Connector | None,
    steps: list[str],
) -> Route | Refusal:
    carrier = index.connector(policy.connector) if policy.connector is not None else None
    if carrier is None or not carrier.can_send or carrier.email_address is None:
        what = f"{policy.connector}, which cannot send" if policy.connector else "no connector"
        return Refusal(
            reason=RefusalReason.CANNOT_SEND,
            sentence=f"the global SMTP policy forces all mail through one connector, but names {what}",
            steps=tuple(steps),
        )
    if asked is None and not index.directory.is_internal(request.actor):
        # No connector that admits partners was requested, so the carrier itself must admit them.
        why_not = index.refusal(carrier.name, request.actor)
        if why_not:
            return Refusal(reason=RefusalReason.NOT_PERMITTED, sentence=why_not, steps=tuple(steps))
    steps.append(f"The global SMTP policy forces all mail through {carrier.name}.")
    sender = request.sender or (asked.email_address if asked is not None else None)
    answer = request.reply_to
    if answer is None and asked is not None and policy.reply_to is ReplyTo.ORIGINAL_SENDER:
        answer = asked.reply_to
        if answer is not None:
            steps.append(f"Answers go to {answer}, the `reply_to` of {asked.name}.")
    forced = RouteRequest(
        actor=request.actor, sender=sender, connector=carrier.name, reply_to=answer
    )
    return _through(
        forced,
        carrier,
        Reason.GLOBAL_POLICY,
        steps,
        policy.reply_to,
        save=policy.save_to_sent_items,
        asked=asked.name if asked is not None else "",
    )


def _through(
    request: RouteRequest,
    connector: Connector,
    reason: Reason,
    steps: list[str],
    reply_to: ReplyTo,
    *,
    save: bool | None,
    asked: str,
) -> Route:
    address = _author(connector, request.sender, reason)
    replaced = request.sender is not None and address_key(request.sender) != address_key(address)
    original = request.sender if replaced else None
    answer = request.reply_to
    warnings: tuple[str, ...] = ()
    if original is not None:
        steps.append(f"From becomes {address}; {original} is kept in X-Original-From.")
        if answer is None and reply_to is ReplyTo.ORIGINAL_SENDER:
            answer = original
            steps.append(f"Replies go to {original} (Reply-To).")
        if _domain(original) != _domain(address):
            warnings = (_other_domain(original, address),)
    if answer is None and connector.reply_to is not None:
        answer = connector.reply_to
        steps.append(f"Answers go to {answer}, the `reply_to` of {connector.name}.")
    return Route(
        connector=connector.name,
        from_address=address,
        reply_to=answer,
        original_from=original,
        save_to_sent_items=save,
        reason=reason,
        steps=tuple(steps),
        warnings=warnings,
        asked=asked,
    )


def _author(connector: Connector, sender: str | None, reason: Reason) -> str:
    """The address that the mail goes out as: one of the connector's, in the connector's spelling."""
    own = connector.email_address or ""
    if sender is None or reason is Reason.GLOBAL_POLICY or not sends_as(connector, sender):
        return own
    key = address_key(sender)
    listed = (own, *connector.also_sends_as)
    return next((item for item in listed if address_key(item) == key), sender)


def _other_domain(original: str, address: str) -> str:
    return f"{original} is in another domain than {address}: servers that compare the two (DMARC alignment, RFC 7489) may reject or flag the mail"


def _domain(address: str) -> str:
    return domain_key(address.rpartition("@")[2])
