from __future__ import annotations

import pytest

from reconciler.config.scalars import NumberOutOfReach, Scalar, has_tag, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("993", 993),
        ("-1", -1),
        ("+1", 1),
        ("0993", 993),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("993.0", 993.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1e", "1e"),
        ("-", "-"),
        ("+", "+"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        ("2026-12-31", "2026-12-31"),
        ("2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z"),
        ("=", "="),
        ("9007199254740992", 2**53),
    ],
)
def test_plain_scalars_mean_what_the_core_schema_says(text: str, value: Scalar) -> None:
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        ".inf",
        "-.INF",
        "+.Inf",
        ".nan",
        ".NAN",
        "1e999",
        "9007199254740993",
        "-9007199254740993",
        "9" * 5000,
        "0x" + "f" * 5000,
        "0o" + "7" * 5000,
    ],
)
def test_a_number_that_cannot_be_kept_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(NumberOutOfReach) as caught:
        resolve(text)
    assert str(caught.value) == ""


@pytest.mark.parametrize(
    ("value", "tag", "fits"),
    [
        ("a", "str", True),
        (1, "int", True),
        (1, "float", True),
        (True, "int", False),
        (None, "null", True),
    ],
)
def test_a_tag_fits_values_of_its_type(value: Scalar, tag: str, fits: bool) -> None:
    assert has_tag(value, f"tag:yaml.org,2002:{tag}") is fits
