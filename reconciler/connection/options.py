"""The options of a run of live tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.connection.failure import Stage
from reconciler.mail.dial import ConnectTo
from reconciler.mail.happy_eyeballs import Winners
from reconciler.mail.web_proxy import NO_PROXIES, ProxySettings
from reconciler.model.depth import Depth
from reconciler.model.domain import domain_key, pattern_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.connector import Connector

NOWHERE_ELSE = ConnectTo()
"""Redirects every connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """How many tests at a time, how long each, how deep, and where connections may go.

    ``concurrency`` limits concurrent tests of one protocol, ``per_host`` those against one host
    name. ``timeout`` is in seconds and covers everything from resolving the host to the last
    stage, including retries; secrets have their own limit. ``depth`` is the last stage to test;
    a connector may set a lower one, but not below ``least_depth``. ``ca_file`` holds
    authorities to trust in addition to the system's; ``base`` is where the relative ``ca_file``
    of a connector starts. ``allowed_hosts`` are shell patterns, and empty ones allow every
    host. ``retries`` is how often a test is repeated after a failure that the server calls
    temporary, or a dropped connection; never after a rejected login. ``delivery_seconds`` is
    how long to look for a test mail, which is sent if ``depth`` requires it.
    ``handover_seconds`` limits handing over a mail, including its text and the server's answer;
    None uses the limits of RFC 5321. ``winners`` makes every connection of the run first try
    the address that last succeeded. ``show_server_text`` keeps the text of answers to a
    sign-in, for a terminal. ``proxies`` are the web proxies for token endpoints; mail servers
    are always reached directly.
    """

    concurrency: int = 32
    per_host: int = 3
    timeout: float = 30.0
    depth: Stage = Stage.ENVELOPE
    least_depth: Stage | None = None
    connect_to: ConnectTo = NOWHERE_ELSE
    ca_file: str | None = None
    base: str = "."
    allowed_hosts: tuple[str, ...] = ()
    retries: int = 1
    delivery_seconds: float = 10.0
    handover_seconds: float | None = None
    winners: Winners = field(default_factory=Winners, repr=False, compare=False)
    show_server_text: bool = False
    proxies: ProxySettings = NO_PROXIES

    def authority_of(self, connector: Connector) -> str | None:
        """The file with authorities that one connector trusts in addition to ``ca_file``.

        Also None in the sandbox, where every server is the sandbox's.
        """
        if connector.ca_file is None or self.connect_to.only:
            return None
        return str(Path(self.base, connector.ca_file))

    def bypassed_proxy(self, host: str, port: int) -> str:
        """The variable with a proxy that other programs would use for this host; empty if none."""
        led = self.connect_to.only or self.connect_to.led(host, port) is not None
        return self.proxies.variable if self.proxies.applies_to(host, port) and not led else ""

    def allows_host(self, host: str) -> bool:
        """Whether connections to ``host`` are allowed."""
        name = domain_key(host)
        return not self.allowed_hosts or any(
            fnmatchcase(name, pattern_key(pattern)) for pattern in self.allowed_hosts
        )

    def wants(self, stage: Stage, own: Depth | None = None) -> bool:
        """Whether to test the stage; ``own`` is the connector's own depth, if any."""
        order = tuple(Stage)
        deepest = order.index(self.depth)
        if own is not None and own != Depth.ENVELOPE:
            least = 0 if self.least_depth is None else order.index(self.least_depth)
            deepest = min(deepest, max(order.index(Stage(own.value)), least))
        return order.index(stage) <= deepest

    def tested(self, stages: Iterable[Stage], own: Depth | None = None) -> tuple[Stage, ...]:
        """Return the stages to test."""
        return tuple(stage for stage in stages if self.wants(stage, own))


DEFAULT_OPTIONS = ProbeOptions()
