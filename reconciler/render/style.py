"""Colour and width: how a text is dressed, apart from what it says."""

from __future__ import annotations

from dataclasses import dataclass

_RESET = "\033[0m"


@dataclass(frozen=True, slots=True)
class Style:
    """How to dress text. ``width`` is the columns of the terminal, or of a log line."""

    colour: bool = False
    width: int = 100

    def added(self, text: str) -> str:
        """Green, for what comes."""
        return self._paint("32", text)

    def changed(self, text: str) -> str:
        """Yellow, for what changes."""
        return self._paint("33", text)

    def removed(self, text: str) -> str:
        """Red, for what goes and what fails."""
        return self._paint("31", text)

    def strong(self, text: str) -> str:
        """Bold, for headings."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """Dim, for what is there only to be complete."""
        return self._paint("2", text)

    def mark(self, symbol: str) -> str:
        """One of the symbols of a plan, in its colour."""
        paint = {"+": self.added, "~": self.changed, "-": self.removed, "!": self.removed}
        return paint[symbol](symbol) if symbol in paint else symbol

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}{_RESET}" if self.colour and text else text


PLAIN = Style()
