"""Whatever an argument, a variable or an imported file contains, a command ends with a code and a message."""

from __future__ import annotations

import io
import json
import random
import sys
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cli.exit_codes import ExitCode, SendmailCode
from tests.test_docs import COMMANDS

if TYPE_CHECKING:
    from tests.functional.conftest import Done, Home

USAGE: Final = 64
LEAVES: Final = {name: command for name, command in COMMANDS.items() if name and name != "state"}
CODES: Final = {int(code) for code in (*ExitCode, *SendmailCode)}

NO_TEXT: Final = {
    "bytes that are not UTF-8": b"\xff\xfea".decode("utf-8", "surrogateescape"),
    "a lone surrogate": "a\ud800b",
    "NUL": "a\0b",
}
ODD: Final = (
    "", " ", "-1", "0", "00", "1.5", "1e9", str(2**31), str(2**63), str(2**64), "9" * 5000, "-" + "9" * 30, "\u0663",
    "999999d", "a" * 70_000, "..", "no/such", "/dev/null", ".", "~", "*", "[", "[!", "{}", "%s", "%", "=", ":", "@",
    "a@b@c", "=x", "x=", "json=", "json=.", "a:b=c:d", "h:99999=h:1", "\u202e", "\u200b", "\ufeff",
    "\U0001f4a9" * 40, "a\nb", "a\rb", "a\tb", "\x1b[31m", "'", '"', "\\", "--", "-", "$(id)", "`id`", "EmailConnector.",
    ".x", "Group.\u00e9", "sqlite://", "sqlite:///", "postgresql://", "postgresql://[", "file:///dev", "env:X", "0/0", "2/1",
)  # fmt: skip


def _arguments(name: str, odd: str, at: int) -> list[str]:
    """A call of a command in which one value, of an option or an argument, is odd."""
    places = [item for item in LEAVES[name].params if not getattr(item, "is_flag", False)]
    chosen = places[at % len(places)] if places else None
    words = name.split()
    given: list[str] = []
    for item in LEAVES[name].params:
        if isinstance(item, click.Option):
            if item is chosen:
                words += [item.opts[0], odd]
            elif item.required:
                words += [item.opts[0], "x"]
        elif item is chosen:
            given.append(odd)
        elif item.required:
            given.append("support")
    if chosen is None:
        given.append(odd)
    return [*words, *given]


def _places(name: str) -> int:
    return max(
        1, len([item for item in LEAVES[name].params if not getattr(item, "is_flag", False)])
    )


def _ran(home: Home, arguments: list[str], **environ: str) -> Done:
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(b""), encoding="utf-8")):
        return home(*arguments, **environ)


@pytest.mark.parametrize("name", LEAVES)
def test_an_argument_that_is_not_text_is_a_usage_error_in_every_command(
    name: str, bare: Home
) -> None:
    for text in NO_TEXT.values():
        for at in range(_places(name)):
            done = _ran(bare, _arguments(name, text, at))
            assert done.status == USAGE, (text, at, done.said)
            assert "is not UTF-8" in done.err or "holds a NUL" in done.err
            assert text not in done.said
        done = _ran(bare, [*name.split(), text])
        assert done.status == USAGE
    assert not (bare.folder / ".reconciler").exists()


@pytest.mark.parametrize("text", NO_TEXT.values(), ids=NO_TEXT)
def test_a_variable_that_is_not_text_is_a_usage_error_and_not_shown(text: str, bare: Home) -> None:
    from reconciler.app.trust import VARIABLES
    from reconciler.cli.arguments import check_arguments
    from reconciler.errors import UsageError

    for name in VARIABLES:
        with pytest.raises(UsageError, match=name) as caught:
            check_arguments(["validate"], {name: f"s3cret{text}"})
        assert "s3cret" not in str(caught.value)
    check_arguments(["validate"], {"LS_COLORS": text})
    if "\udcff" in text:  # no other can be in the environment of a process
        assert bare.run("validate", RECONCILER_CONFIG=text).status == USAGE


def test_the_program_of_a_sandbox_gets_any_bytes(live: Home) -> None:
    text = b"\xff".decode("utf-8", "surrogateescape")
    program = "import os, sys; sys.exit(os.fsencode(sys.argv[1]) != b'\\xff')"
    assert live.run("sandbox", "--", sys.executable, "-c", program, text).status == 0
    assert live.run("sandbox", "--folder", text, "--", "true").status == USAGE


@pytest.mark.parametrize("number", [2**31, 2**63, 2**64, 10**30])
def test_a_serial_or_a_count_that_no_state_can_hold_is_a_usage_error(
    number: int, home: Home
) -> None:
    home.apply_untested()
    for line in ("history show {}", "history --limit {}", "diff {}", "diff 0 {}", "rollback {} --out x",
                 "log --limit {}", "plan --allow-deletes {}", "apply --allow-updates {}"):  # fmt: skip
        done = home(*line.format(number).split())
        assert done.status == USAGE, (line, done.said)
    assert home("history", "show", str(2**31 - 1)).status in {1, USAGE}


@given(data=st.data())
@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_odd_value_ends_a_command_without_a_message(data: Any, home: Home) -> None:
    if not home.state.exists():
        home.apply_untested()
        home.environ["RECONCILER_CONNECT_TO"] = "*"  # nothing leaves the machine
    name = data.draw(st.sampled_from(sorted(LEAVES.keys() - {"sandbox"})))
    odd = data.draw(st.sampled_from(ODD))
    arguments = _arguments(name, odd, data.draw(st.integers(0, _places(name) - 1)))
    done = _ran(home, arguments)
    assert done.status in CODES, (arguments, done)
    assert done.status == 0 or done.said.strip(), arguments
    assert "Traceback" not in done.said
    for line in done.err.splitlines():
        assert line.isprintable() or "\t" in line, (arguments, line)


IMPORTED: Final = {
    "plan": (("show", "file.json"), ("apply", "file.json")),
    "shard": (("test", "merge", "file.json"),),
    "export": (("state", "import", "file.json", "--state", "sqlite:///other.db"),),
}


@pytest.fixture
def originals(home: Home) -> dict[str, str]:
    """One file of each kind that can be imported, as it was written."""
    home.apply_untested()
    home.environ["RECONCILER_CONNECT_TO"] = "*"
    home.edit("support.yaml", "Support mailbox", "Help desk")
    assert home("plan", "--out", "plan.json").status == 0
    return {
        "plan": (home.folder / "plan.json").read_text(encoding="utf-8"),
        "shard": home("test", "--shard", "1/1", "--depth", "secret", "--format", "json").out,
        "export": home("state", "export").out,
    }


def _spoilt(text: str, kind: str) -> bytes:
    """A JSON text with one invalid string or number."""
    value = '"spoilt"'
    octets = {
        "bytes": b'"\xff\xfe"',
        "surrogate": rb'"a\ud800b"',
        "pair the wrong way round": rb'"\udc00\ud800"',
        "escaped NUL": rb'"a\u0000b"',
        "64 bits": str(2**63).encode(),
        "thousands of digits": b"9" * 6000,
    }[kind]
    assert value not in text
    return text.replace("{", '{"added": "spoilt",', 1).encode().replace(value.encode(), octets, 1)


@pytest.mark.parametrize(
    "kind",
    [
        "bytes",
        "surrogate",
        "pair the wrong way round",
        "escaped NUL",
        "64 bits",
        "thousands of digits",
    ],
)
@pytest.mark.parametrize("file", IMPORTED)
def test_an_imported_file_with_invalid_text_or_numbers_is_a_usage_error(
    file: str, kind: str, home: Home, originals: dict[str, str]
) -> None:
    (home.folder / "file.json").write_bytes(_spoilt(originals[file].replace("{ ", "{"), kind))
    for command in IMPORTED[file]:
        done = home(*command)
        assert done.status == USAGE, done.said
        assert "file.json" in done.err
    assert not (home.folder / "other.db").exists()


def test_no_damage_to_an_imported_file_ends_without_a_message(
    home: Home, originals: dict[str, str]
) -> None:
    chance = random.Random(11)
    for file, text in originals.items():
        whole = text.encode()
        for _ in range(40):
            octets = bytearray(whole)
            for _ in range(chance.choice((1, 1, 3))):
                at = chance.randrange(len(octets))
                octets[at : at + chance.choice((0, 1, 5))] = chance.choice(
                    (
                        b"",
                        b"\xff",
                        b"\0",
                        b'"',
                        b"{",
                        b"}",
                        b"9" * 25,
                        b"null",
                        b"\\ud800",
                        b"-",
                        b"[[",
                    )
                )
            (home.folder / "file.json").write_bytes(bytes(octets))
            for command in IMPORTED[file][:1]:
                done = home(*command)
                (home.folder / "other.db").unlink(missing_ok=True)
                assert done.status in CODES
                assert "Traceback" not in done.said
    for text in ("[" * 100_000, "{" * 100_000, '{"a":' * 50_000, "", "null", "[]", "NaN", "1e999"):
        (home.folder / "file.json").write_text(text)
        for commands in IMPORTED.values():
            for command in commands:
                done = home(*command)
                assert done.status in CODES - {0}, (text[:10], command)
                assert json.dumps(text[:20]) not in done.out
