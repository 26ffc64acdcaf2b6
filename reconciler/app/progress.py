"""Receives the progress of live tests, separate from what commands without tests need not load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from reconciler.model.connector import Connector
    from reconciler.probe.result import ConnectorResult


class Progress(Protocol):
    """Receives the progress of a run of tests, in the thread that runs it."""

    def started(self, connectors: tuple[Connector, ...]) -> None:
        """That many connectors are about to be tested."""
        ...

    def finished(self, result: ConnectorResult) -> None:
        """One test has finished."""
        ...

    def ended(self) -> None:
        """The run is over, however it ended."""
        ...

    def noted(self, notes: tuple[str, ...]) -> None:
        """Report what could not be read or recorded."""
        ...


class Silent:
    """Progress that is discarded."""

    def started(self, connectors: tuple[Connector, ...]) -> None:
        """Say nothing."""

    def finished(self, result: ConnectorResult) -> None:
        """Say nothing."""

    def ended(self) -> None:
        """Say nothing."""

    def noted(self, notes: tuple[str, ...]) -> None:
        """Say nothing."""


SILENT: Final = Silent()
