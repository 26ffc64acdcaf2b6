"""Output formats are an enum, and an unknown one is never rendered as text for people."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

import reconciler
from reconciler.cli.main import COMMANDS, cli
from reconciler.cli.reports import Report, report_option
from reconciler.render import formats
from reconciler.render.formats import OutputFormat, formats_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE: Final = Path(reconciler.__file__).parent
SETS: Final = {
    name: formats_of(value) for name, value in vars(formats).items() if formats_of(value)
}
"""The sets of formats by name."""


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli, **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        for sub, item in getattr(command, "commands", {}).items():
            yield f"{name} {sub}", item


ALL_COMMANDS: Final = dict(_commands())


def _functions() -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Every function with a parameter whose type is a set of formats: its place, itself, the set."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not any(name in text for name in SETS):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef):
                continue
            for argument in (*node.args.args, *node.args.kwonlyargs):
                words = ast.unparse(argument.annotation) if argument.annotation else ""
                if words in SETS and words != "OutputFormat":
                    module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
                    yield module, node, argument.arg


FUNCTIONS: Final = {f"{module}.{node.name}": (module, node, name)
                    for module, node, name in _functions()}  # fmt: skip


def _matches(node: ast.FunctionDef, parameter: str) -> list[ast.Match]:
    return [
        item
        for item in ast.walk(node)
        if isinstance(item, ast.Match) and ast.unparse(item.subject) == parameter
    ]


@pytest.mark.parametrize("place", FUNCTIONS)
def test_formats_are_dispatched_by_a_match_that_ends_in_assert_never(place: str) -> None:
    _, node, parameter = FUNCTIONS[place]
    for item in ast.walk(node):
        if isinstance(item, (ast.If, ast.IfExp, ast.While)):
            assert parameter not in ast.unparse(item.test), f"line {item.lineno}"
        if isinstance(item, ast.Compare):
            assert not [part for part in ast.walk(item)
                        if isinstance(part, ast.Constant) and part.value in tuple(OutputFormat)]  # fmt: skip
    for found in _matches(node, parameter):
        assert ast.unparse(found.cases[-1]) == f"case _:\n    assert_never({parameter})"


def test_a_renderer_accepts_a_set_of_formats_not_a_string() -> None:
    for path in sorted((SOURCE / "render").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arg) and node.arg in {"form", "format", "output_format"}:
                assert node.annotation is not None
                assert ast.unparse(node.annotation) in SETS, f"{path}:{node.lineno}"


RENDERERS: Final = [
    place
    for place, (module, node, parameter) in FUNCTIONS.items()
    if module.startswith("reconciler.render.") and _matches(node, parameter)
]


def test_every_renderer_is_found() -> None:
    assert len(RENDERERS) >= 14


@pytest.mark.parametrize("place", RENDERERS)
def test_an_unknown_format_is_never_rendered(place: str) -> None:
    module, node, parameter = FUNCTIONS[place]
    function: Callable[..., str] = getattr(importlib.import_module(module), node.name)
    arguments: dict[str, object] = dict.fromkeys(inspect.signature(function).parameters, ())
    with pytest.raises(AssertionError, match="yaml"):
        function(**arguments | {parameter: "yaml"})


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_a_command_offers_the_formats_that_its_parameters_take(name: str) -> None:
    command = ALL_COMMANDS[name]
    signature = inspect.signature(inspect.unwrap(command.callback or (lambda: None)))
    for option in command.params:
        if option.name == "output_format":
            offered = SETS[str(signature.parameters[option.name].annotation)]
            assert isinstance(option.type, click.Choice)
            assert tuple(option.type.choices) == tuple(item.value for item in offered)
            assert option.default == offered[0]
        if option.name == "reports":
            words = str(signature.parameters[option.name].annotation)
            taken = SETS[words.removeprefix("tuple[Report[").removesuffix("], ...]")]
            for item in OutputFormat:
                assert _takes(option, item) is (item in taken)


def _takes(option: click.Parameter, output_format: OutputFormat) -> bool:
    try:
        made = option.type.convert(f"{output_format}=file", option, None)
    except click.BadParameter:
        return False
    assert isinstance(made, Report)
    return made.output_format is output_format


def test_every_option_for_a_format_is_made_by_the_registry() -> None:
    for name, command in ALL_COMMANDS.items():
        for option in command.params:
            if "--format" in option.opts:
                assert option.name == "output_format", name
            if "--report" in option.opts:
                assert option.name == "reports", name


def test_a_report_in_an_unknown_format_is_refused() -> None:
    @click.command()
    @report_option(formats.TestReportFormat)
    def command(reports: tuple[Report[OutputFormat], ...]) -> None:
        del reports

    with pytest.raises(
        click.BadParameter, match="one of the formats json, markdown, junit, github"
    ):
        command.main(["--report", "yaml=x"], standalone_mode=False)
