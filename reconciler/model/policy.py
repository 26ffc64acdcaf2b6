"""The global SMTP policy: one switch that forces all mail through a single connector."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from reconciler.model.address import SINGLETON_NAME, Address, Kind
from reconciler.model.connector import STRICT
from reconciler.model.fields import Maybe, Name


class ReplyTo(StrEnum):
    """Where replies go if the sender was replaced."""

    ORIGINAL_SENDER = "original_sender"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalSmtpPolicy:
    """The singleton policy; without a document it is disabled."""

    __pydantic_config__ = STRICT

    kind: Literal["GlobalSmtpPolicy"] = "GlobalSmtpPolicy"
    enabled: Annotated[bool, Field(description="Force all mail through one connector.")] = False
    connector: Annotated[Maybe[Name], Field(description="The connector that carries it.")] = None
    save_to_sent_items: Annotated[
        bool, Field(description="File sent mail in the connector's Sent Items.")
    ] = False
    reply_to: Annotated[
        ReplyTo, Field(description="Where replies go if the sender is replaced.")
    ] = ReplyTo.ORIGINAL_SENDER
    fallback_connector: Annotated[
        Maybe[Name],
        Field(description="Carries mail whose sender has no connector, e.g. no-reply@."),
    ] = None

    @property
    def name(self) -> str:
        """The name of the singleton."""
        return SINGLETON_NAME

    @property
    def address(self) -> Address:
        """``GlobalSmtpPolicy.default``."""
        return Address(Kind.GLOBAL_SMTP_POLICY, SINGLETON_NAME)
