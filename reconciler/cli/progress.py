"""The progress of live tests: a bar on a terminal, a line for each result elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from reconciler.cli.terminal import show_notes
from reconciler.render.human.diagnostics import diagnostics
from reconciler.render.human.plan import plan_text
from reconciler.render.human.tests import ResultList, summary
from reconciler.wording import counted, shortened

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from reconciler.app.plan import Planned
    from reconciler.model.connector import Connector
    from reconciler.probe.result import ConnectorResult
    from reconciler.render.terminal import Style
    from reconciler.state.base import Lease


class TestProgressBar:
    """Follows a run on standard error; with ``out``, the results are the output of the command.

    Without ``shown`` there is only the bar, for commands that print the results themselves.

    ``redirected`` are the redirections in force. They are shown, so that a test of another server is
    not mistaken for a test of the configured one.
    """

    __test__ = False  # not a test case, despite its name

    def __init__(
        self,
        style: Style,
        redirected: tuple[str, ...] = (),
        *,
        out: bool = False,
        shown: bool = True,
    ) -> None:
        self._style = style
        self._list = ResultList(style)
        self._bar: ProgressBar[int] | None = None
        self.results: list[ConnectorResult] = []
        self._width = 0
        self._redirected = redirected
        self._err = not out
        self._shown = shown

    def started(self, connectors: tuple[Connector, ...]) -> None:
        """Print the number, and start the bar."""
        self._width = max((len(item.name) for item in connectors), default=0)
        if not connectors:
            return
        if self._redirected:
            click.echo("Connections are redirected:", err=True)
            shown, more = shortened([item for item in self._redirected if item != "*"])
            last = ["nothing else"] if "*" in self._redirected else []
            for place in (*shown, *([more] if more else []), *last):
                click.echo(f"  {place}", err=True)
        click.echo(f"Testing {counted(len(connectors), 'connector')} live …", err=True)
        if sys.stderr.isatty():
            self._bar = click.progressbar(length=len(connectors), file=sys.stderr, show_pos=True)
            self._bar.__enter__()

    def finished(self, result: ConnectorResult) -> None:
        """Count one, and show it if it failed or there is no bar."""
        self.results.append(result)
        if self._bar is not None:
            self._bar.update(1)
        elif self._shown:
            self._show(self._list.text(result, width=self._width))

    def _show(self, text: str) -> None:
        if text:
            click.echo(text, err=self._err)

    def ended(self) -> None:
        """Remove the bar and show the counts."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
            ordered = sorted(self.results, key=lambda item: item.connector)
            for result in ordered if self._shown else ():
                self._show(self._list.text(result, width=self._width))
        if self.results and self._shown:
            self._show(self._list.end())
            click.echo(summary(tuple(self.results)), err=self._err)

    def noted(self, notes: tuple[str, ...]) -> None:
        """Report what could not be read or recorded."""
        show_notes(notes)


class ApplyProgressBar(TestProgressBar):
    """Follows an apply: shows its plan on standard output, and keeps it for the reports.

    With ``plan_on_stderr``, standard output is for the report alone.
    """

    def __init__(
        self,
        style: Style,
        redirected: tuple[str, ...] = (),
        *,
        out: Style,
        skip_tests: bool,
        plan_on_stderr: bool = False,
    ) -> None:
        super().__init__(style, redirected)
        self._plan_on_stderr = plan_on_stderr
        self._out = out
        self._skip_tests = skip_tests
        self.plan: Planned | None = None

    def waiting(self, lease: Lease) -> None:
        """Report the lock holder while waiting."""
        click.echo(
            f"Waiting for the lock, held by {lease.holder} ({lease.operation}) on {lease.host} since "
            f"{lease.since:%Y-%m-%d %H:%M:%S} UTC.",
            err=True,
        )

    def planned(self, planned: Planned) -> None:
        """Keep the plan, and show it unless it is empty, which the closing line says."""
        self.plan = planned
        problems = planned.loaded.diagnostics
        if problems:
            click.echo(diagnostics(problems, self._style), err=True)
        self.noted(planned.notes)
        if not planned.plan.empty or planned.plan.settings_changes:
            text = plan_text(planned.plan, self._out, skip_tests=self._skip_tests)
            click.echo(f"{text}\n", err=self._plan_on_stderr)
