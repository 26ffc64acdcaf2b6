"""The reports that other systems read, checked by the schemas of those systems."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft4Validator, Draft202012Validator
from xmlschema import XMLSchema

if TYPE_CHECKING:
    from collections.abc import Callable

_SCHEMAS: Final = Path(__file__).parent / "schemas"


@cache
def _junit() -> XMLSchema:
    return XMLSchema(_SCHEMAS / "junit.xsd")


@cache
def _sarif() -> Any:
    return Draft4Validator(json.loads((_SCHEMAS / "sarif-2.1.0.json").read_text("utf-8")))


@cache
def _gitlab() -> Any:
    text = (_SCHEMAS / "gitlab-code-quality.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def _is_annotations(text: str) -> None:
    lines = text.strip("\n").split("\n") if text.strip() else []
    assert all(line.startswith(("::error ", "::warning ")) for line in lines), text


def _is_markdown(text: str) -> None:
    assert any(line.startswith("### Email connectors") for line in text.splitlines()[:3]), text


CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "json": json.loads,
    "markdown": _is_markdown,
    "junit": lambda text: _junit().validate(text),
    "sarif": lambda text: _sarif().validate(json.loads(text)),
    "gitlab": lambda text: _gitlab().validate(json.loads(text)),
    "github": _is_annotations,
}
"""Each raises, or fails, for a report that violates its schema."""
