"""The global SMTP policy: one switch that forces all mail through a single connector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.connector import STRICT
from reconciler.model.described import Described, DescribedEnum
from reconciler.model.fields import Maybe, Name


class ReplyTo(DescribedEnum):
    """Where replies go if the sender was replaced."""

    ORIGINAL_SENDER = ("original_sender", "To the sender that the mail asked for, by Reply-To.")
    NONE = ("none", "To the policy's connector; no Reply-To is added.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalSmtpPolicy:
    """The singleton policy; without a document it is disabled."""

    __pydantic_config__ = STRICT

    kind: Literal["GlobalSmtpPolicy"] = "GlobalSmtpPolicy"
    enabled: Annotated[
        bool,
        Described(
            title="Enable global SMTP connector",
            description="Force all mail through one connector, whichever one the sender names.",
        ),
    ] = False
    connector: Annotated[
        Maybe[Name],
        Described(
            title="Connector",
            description="The connector that carries all mail; it must be able to send.",
            examples=["no-reply"],
        ),
    ] = None
    save_to_sent_items: Annotated[
        bool,
        Described(
            title="Enable save to Sent Items",
            description="File sent mail in the Sent Items of the policy's connector.",
        ),
    ] = False
    reply_to: Annotated[
        ReplyTo,
        Described(
            title="Reply to", description="Where replies go, since the policy replaces the sender."
        ),
    ] = ReplyTo.ORIGINAL_SENDER
    fallback_connector: Annotated[
        Maybe[Name],
        Described(
            title="Fallback connector",
            description="Carries mail whose sender has no connector, whether the policy is enabled or not.",
            examples=["no-reply"],
        ),
    ] = None

    @property
    def name(self) -> str:
        """The name of the singleton."""
        return SINGLETON_NAME

    @property
    def address(self) -> Address:
        """``GlobalSmtpPolicy.default``."""
        return Address(Kind.GLOBAL_SMTP_POLICY, SINGLETON_NAME)
