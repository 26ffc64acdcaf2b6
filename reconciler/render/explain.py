"""Explanations of fields, rules, providers and error classes, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from reconciler.render.formats import OutputFormat
from reconciler.render.json import to_json
from reconciler.render.terminal import visible, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.render.formats import TextOrJson
    from reconciler.render.terminal import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldExplanation:
    """A field, named by its path within the kind.

    ``default`` is in JSON, or None if there is no default. ``allowed`` lists the possible values if there
    are only a few, and ``fields`` the fields within this one.
    """

    about: Literal["field"] = "field"
    name: str
    type: str
    description: str
    required: bool
    default: str | None
    allowed: tuple[str, ...]
    examples: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleExplanation:
    """A rule of ``validate``, as the page of rules has it; ``example`` breaks it and may be empty."""

    about: Literal["rule"] = "rule"
    name: str
    severity: str
    meaning: str
    example: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOfProvider:
    """A server of a provider. ``password_until`` is the last day on which it takes passwords, if known."""

    protocol: Literal["imap", "smtp"]
    server: str
    port: int
    security: str
    password_until: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderExplanation:
    """A built-in provider. ``source`` is the vendor's page, and ``notes`` what its file says of it."""

    about: Literal["provider"] = "provider"
    name: str
    display_name: str
    servers: tuple[ServerOfProvider, ...]
    sign_in: tuple[str, ...]
    files_sent_copies: bool
    domains: tuple[str, ...]
    notes: str
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorExplanation:
    """An error class of the live tests. ``unreachable`` ones say nothing about the account."""

    about: Literal["error"] = "error"
    name: str
    cause: str
    remedy: str
    unreachable: bool


Explanation: TypeAlias = FieldExplanation | RuleExplanation | ProviderExplanation | ErrorExplanation


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainDocument:
    """Everything named ``topic``: a field name may occur in several places."""

    format_version: Literal["1.0"] = "1.0"
    topic: str
    explanations: tuple[Explanation, ...]


def explain_text(document: ExplainDocument, output_format: TextOrJson, style: Style) -> str:
    """The explanations, one after another, or as JSON."""
    match output_format:
        case OutputFormat.HUMAN:
            return "\n\n".join(_human(item, style) for item in document.explanations)
        case OutputFormat.JSON:
            return to_json(document)
        case _:
            assert_never(output_format)


def _human(item: Explanation, style: Style) -> str:
    lines = [style.strong(item.name)]
    for label, text in _facts(item):
        for number, paragraph in enumerate(filter(None, text.split("\n\n"))):
            head = f"  {label}: " if number == 0 else "  "
            lines += wrapped(head, visible(paragraph), style.width)
    if isinstance(item, RuleExplanation) and item.example:
        lines += ["  example:", *(f"    {visible(line)}" for line in item.example.splitlines())]
    return "\n".join(lines)


def _facts(item: Explanation) -> Iterator[tuple[str, str]]:
    match item:
        case FieldExplanation():
            yield "meaning", item.description
            yield "type", item.type
            yield "allowed", ", ".join(item.allowed)
            yield "default", item.default or ""
            if "." in item.name:  # a kind is not a field
                yield "required", "yes" if item.required else "no"
            yield "examples", ", ".join(item.examples)
            yield "fields", ", ".join(item.fields)
        case RuleExplanation():
            yield "severity", item.severity
            yield "meaning", item.meaning
            yield "what to do", item.remedy
        case ProviderExplanation():
            yield "name", item.display_name
            for server in item.servers:
                until = server.password_until
                ends = f"; passwords until {until}" if until is not None else ""
                yield (
                    server.protocol.upper(),
                    f"{server.server}:{server.port} ({server.security}){ends}",
                )
            yield "sign-in", ", ".join(item.sign_in) or "not known"
            yield "sent copies", "filed by the server" if item.files_sent_copies else ""
            yield "domains", ", ".join(item.domains)
            yield "notes", item.notes
            yield "source", item.source or ""
        case ErrorExplanation():
            yield "what happened", item.cause
            yield "what to do", item.remedy
            yield "server", "none answered" if item.unreachable else ""
        case _:
            assert_never(item)
