"""``env:NAME``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.errors import SecretError
from reconciler.secrets.env import absence

Reveal = Callable[[str], str]
Refuse = Callable[[str], SecretError]


@pytest.mark.parametrize(
    "text", ["correct horse", " blanks kept ", "pässwörd", "ends in newline\n"]
)
def test_a_variable_is_taken_as_it_is(environ: dict[str, str], reveal: Reveal, text: str) -> None:
    environ["SUPPORT_PASSWORD"] = text

    assert reveal("env:SUPPORT_PASSWORD") == text


def test_a_variable_that_is_not_set_is_named(refuse: Refuse) -> None:
    error = refuse("env:SUPPORT_PASSWORD")

    assert error.message == "the secret env:SUPPORT_PASSWORD is not set"
    assert error.hint == "Export SUPPORT_PASSWORD before you run the command."


def test_an_empty_variable_is_an_error(environ: dict[str, str], refuse: Refuse) -> None:
    environ["SUPPORT_PASSWORD"] = ""

    assert refuse("env:SUPPORT_PASSWORD").message == "the secret env:SUPPORT_PASSWORD is empty"


def test_a_variable_that_is_not_unicode_is_rejected(
    environ: dict[str, str], refuse: Refuse
) -> None:
    environ["SUPPORT_PASSWORD"] = b"caf\xe9".decode("utf-8", "surrogateescape")

    error = refuse("env:SUPPORT_PASSWORD")

    assert "is not UTF-8 text" in error.message
    assert "caf" not in error.message + error.hint


def test_only_the_environment_that_was_given_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, refuse: Refuse
) -> None:
    monkeypatch.setenv("SUPPORT_PASSWORD", "of the process")

    assert "is not set" in refuse("env:SUPPORT_PASSWORD").message


@pytest.mark.parametrize("held", [{}, {"SUPPORT_PASSWORD": ""}])
def test_checking_a_variable_reports_the_error_of_fetching_it(
    environ: dict[str, str], refuse: Refuse, held: dict[str, str]
) -> None:
    environ |= held
    flaw = absence("SUPPORT_PASSWORD", environ=environ)
    error = refuse("env:SUPPORT_PASSWORD")

    assert flaw is not None
    assert (error.message, error.hint) == (
        f"the secret env:SUPPORT_PASSWORD {flaw.message}",
        flaw.hint,
    )


def test_a_blank_is_not_absent(environ: dict[str, str]) -> None:
    environ["SUPPORT_PASSWORD"] = " "

    assert absence("SUPPORT_PASSWORD", environ=environ) is None
