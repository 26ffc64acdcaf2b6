"""The entry point: finds the command, runs it, and turns the outcome into an exit code."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from reconciler import __version__
from reconciler.cli.arguments import check_arguments
from reconciler.cli.closing import MailOutcome, begin_closing, closing
from reconciler.cli.command import ExampleGroup
from reconciler.cli.exit_codes import ExitCode, SendmailCode, exit_code
from reconciler.cli.streams import NAMES, mute, prepare, stream_path
from reconciler.cli.working_folder import go_to
from reconciler.debts import take_owed
from reconciler.errors import ConfigurationInvalid, ReconcilerError
from reconciler.signals import (
    end_at_once_with,
    ignore_signals,
    raise_interrupt_on_signals,
    settle_signals,
    signals_came,
)

COMMANDS = {
    "init": "Create a configuration: for a mailbox, or an example to edit.",
    "add": "Add the connector of a mailbox, and find its settings.",
    "validate": "Check the configuration, without secrets, state or network.",
    "explain": "Explain a field, a rule, a provider or an error class.",
    "fmt": "Format the configuration files.",
    "rename": "Rename a connector or another resource in every file.",
    "plan": "Show what an apply would change, and who then sends as whom.",
    "test": "Test connectors live, over IMAP and SMTP.",
    "login": "Obtain the refresh token of a connector, in a browser.",
    "doctor": "Examine one connector closely: certificates, folders, quota, verdict.",
    "apply": "Test what changed and write it to the state, all or nothing.",
    "status": "List the stored connectors and their status.",
    "drift": "Test what is applied, and report what changed since the last test.",
    "show": "Show one stored resource, or a saved plan.",
    "history": "Show who applied what and when, and what one revision changed.",
    "diff": "Show what changed between two revisions.",
    "rollback": "Write the YAML of an earlier revision, to go back through git.",
    "export": "Show a connector in the words of the settings form.",
    "import": "Write the stored state as YAML.",
    "sendmail": "Send a mail from standard input like sendmail, for cron, PHP and git.",
    "log": "Show which mails were sent or refused, and by whom.",
    "route": "Explain which connector would carry a mail, and as whom.",
    "send": "Send a mail through an applied connector.",
    "settings": "Show the settings in force, and who set them.",
    "schema": "Print or write the JSON Schemas.",
    "state": "Manage the stored state: unlock, move and migrate it.",
    "gateway": "Accept mail over SMTP and send it through the connectors.",
    "sandbox": "Run a command against local mail servers.",
}
"""Every command with its one line of help, so that ``--help`` need not load any of them."""

_MODULES = {"import": "import_"}
"""Commands whose names are Python keywords."""


class LazyGroup(ExampleGroup):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(
            f"reconciler.cli.commands.{_MODULES.get(cmd_name, cmd_name)}"
        )
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"unknown command {cmd_name}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    examples=("reconciler validate", "reconciler plan", "reconciler apply"),
)
@click.option("-C", "directory", type=click.Path(path_type=Path), is_eager=True, callback=go_to,
              expose_value=False, metavar="DIR",
              help="Run as if started in DIR.")  # fmt: skip
@click.version_option(__version__, "-V", "--version", message="reconciler %(version)s")
def cli() -> None:
    """Email connectors as code.

    The accounts that applications send mail through, as YAML in git: validated, planned, tested
    live, and applied.
    """


def run() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    arguments = sys.argv[1:]
    try:
        try:
            raise_interrupt_on_signals()
            atexit.register(ignore_signals)
            collect_rarely(arguments)
            prepare()
            code = main(arguments)
        except KeyboardInterrupt as error:  # before the command has begun, or the second one
            code = _ended_early(error, arguments)
    except KeyboardInterrupt as error:  # the second one; there is no third
        code = _ended_early(error, arguments)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            mute(stream)
    sys.exit(code)


_ENDS_SOON = frozenset({
    "validate", "plan", "status", "show", "history", "diff", "route", "explain", "schema", "import",
    "rollback",
})  # fmt: skip
"""Commands that only read, and show or write files: no mail server keeps them waiting."""


def collect_rarely(arguments: list[str]) -> None:
    """Run the cycle collector less often, and not at all in a command that ends soon.

    A command makes hundreds of thousands of values that live until its end, hardly any of them in cycles;
    collecting took 40 % of a validation of 10,000 documents, and still 10 % of a plan when rare.
    """
    words = _words_of_command(arguments)
    untested = words[:1] == ["apply"] and any(word.startswith("--skip-tests") for word in words)
    if untested or (words and words[0] in _ENDS_SOON and "--test" not in words):
        gc.disable()
    else:
        gc.enable()
    gc.set_threshold(50_000, 20, 20)


def _words_of_command(arguments: list[str]) -> list[str]:
    return arguments[2:] if arguments[:1] == ["-C"] else arguments


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code; raises nothing but a second interrupt."""
    begin_closing()
    try:
        check_arguments(arguments, os.environ)
        result = cli.main(arguments, prog_name="reconciler", standalone_mode=False)
        code = result if isinstance(result, int) else ExitCode.OK
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (
        click.ClickException,
        click.Abort,  # click turns every KeyboardInterrupt into one
        KeyboardInterrupt,
        ReconcilerError,
        OSError,  # standard output is on a full disk, for example
        SystemExit,  # click turns a closed pipe into one
    ) as error:
        return _ended_early(error, arguments)
    except Exception:
        if not signals_came():
            raise
        # Some code turns an interrupt into another exception, whose traceback would tell nothing.
        return _ended_early(KeyboardInterrupt(), arguments)
    closing.code = code
    _settle(code)
    return code


def _settle(code: int, last_words: str = "") -> None:
    """Let no signal change how the command ends, and complete interrupted steps."""
    settle_signals()
    end_at_once_with(lambda: (code, last_words))
    for step in take_owed():
        try:
            step()
        except ReconcilerError as error:
            click.echo(f"Note: {_shown(error.message)}", err=True)


def _ended_early(error: BaseException, arguments: list[str]) -> int:
    """Print why a command ended early and, if it writes revisions, whether it did; return the exit code."""
    settle_signals()
    code: int = ExitCode.FAILED
    try:
        if isinstance(error, KeyboardInterrupt | click.Abort):
            _expect(arguments)
            code, lines = closing.interrupted(str(error.__cause__ or ""))
            _settle(code, lines)
            click.echo(lines, nl=False, err=True)
        else:
            shown = _show(error)
            _settle(shown)
            if closing.outcome is not None:
                click.echo(closing.outcome.sentence, err=True)
            code = shown
    except OSError:  # nobody can read it: the terminal was closed
        mute(sys.stderr)
    end_at_once_with(lambda: (code, ""))
    return code


def _expect(arguments: list[str]) -> None:
    """Note that nothing was done by a command that had not begun to write a revision, or to send a mail."""
    words = _words_of_command(arguments)
    if words[:1] == ["sendmail"] and closing.mail is None:
        closing.mail = MailOutcome(SendmailCode.TEMPORARY, SendmailCode.PROTOCOL, lambda: False)
    writes = words[:1] == ["apply"] or words[:2] in (["state", "forget"], ["state", "import"])
    if writes and closing.outcome is None:
        from reconciler.state.write_outcome import WriteOutcome  # noqa: PLC0415 - only where there is an error

        closing.outcome = WriteOutcome()


def _show(error: BaseException) -> int:
    match error:
        case click.ClickException():
            told = io.StringIO()
            error.show(told)
            click.echo(_shown(told.getvalue()), nl=False, err=True)
            return ExitCode.USAGE if isinstance(error, click.UsageError) else ExitCode.FAILED
        case ReconcilerError():
            show_error(error)
            return exit_code(error)
        case BrokenPipeError() | SystemExit():  # as in `… | head`: nothing to report
            completed = isinstance(error, SystemExit) and error.code == 0  # a line, for a shell
            return ExitCode.OK if completed else ExitCode.FAILED
        case OSError():
            show_error(_of_system(error))
            return ExitCode.FAILED
    raise error


def _of_system(error: OSError) -> ReconcilerError:
    """The failure of a file, or of an output stream, that no other place has explained."""
    from reconciler.disk_fault import disk_fault  # noqa: PLC0415 - only where there is an error

    name = error.filename
    for stream, title in NAMES.items():
        if name == title:
            fault = disk_fault(error, stream_path(getattr(sys, stream)))
            return ReconcilerError(f"{title} cannot be written: {fault.reason}", hint=fault.remedy)
    fault = disk_fault(error, name if isinstance(name, str) else None)
    place = f"{name}: " if name else ""
    return ReconcilerError(f"{place}{fault.reason}", hint=fault.remedy)


def show_error(error: ReconcilerError) -> None:
    """Print a failure on standard error, with its remedy."""
    from reconciler.cli.terminal import stderr_style  # noqa: PLC0415 - only where there is an error
    from reconciler.render.human.diagnostics import diagnostics, summary  # noqa: PLC0415 - as above

    style = stderr_style()
    if isinstance(error, ConfigurationInvalid):
        click.echo(diagnostics(error.diagnostics, style), err=True)
        said = f"{error.message[:1].upper()}{error.message[1:]}: {summary(error.diagnostics)}."
        click.echo(f"\n{_shown(said)}", err=True)
        return
    click.echo(f"{style.removed('Error:')} {_shown(error.message)}", err=True)
    if error.hint:
        click.echo(f"  {_shown(error.hint)}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"{style.changed('Warning:')} {_shown(note)}", err=True)


def _shown(text: str) -> str:
    """Escape control characters in a text of several lines."""
    from reconciler.render.terminal import visible  # noqa: PLC0415 - only where there is an error

    return "\n".join(visible(line) for line in text.split("\n"))
