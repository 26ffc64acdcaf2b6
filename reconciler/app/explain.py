"""Explains a field, a rule, a provider or an error class.

Fields come from the models, providers from their files. Rules and error classes are explained only in
the documentation; ``reconciler/pages`` holds copies, which a test compares.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from reconciler.config.load import built_in_providers
from reconciler.config.rules import RULES
from reconciler.config.schema import settings_schema
from reconciler.config.suggest import did_you_mean
from reconciler.config.template_documents import KINDS
from reconciler.config.written_schema import explained_definitions
from reconciler.connection.failure import ErrorClass
from reconciler.errors import UsageError
from reconciler.render.explain import (
    ErrorExplanation,
    ExplainDocument,
    Explanation,
    FieldExplanation,
    ProviderExplanation,
    RuleExplanation,
    ServerOfProvider,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.provider import Provider

SETTINGS: Final = "settings"
"""The prefix of field paths of ``reconciler.yaml``."""

_ANY_NAME: Final = "NAME"
"""The placeholder in a path for a name that the user chooses."""

_FENCE: Final = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TO_DO: Final = "*What to do.*"


def explain(topic: str) -> ExplainDocument:
    """Find everything of that name.

    Raises UsageError, with the nearest name, if there is nothing.
    """
    fields = tuple(_fields())
    providers = built_in_providers()
    found: list[Explanation] = []
    if topic in RULES:
        found.append(_rule(topic))
    if topic in tuple(ErrorClass):
        found.append(_error(ErrorClass(topic)))
    found += (_provider(item) for item in providers if item.name == topic)
    found += (item for item in fields if f".{item.name}".endswith(f".{topic}"))
    if found:
        return ExplainDocument(topic=topic, explanations=tuple(found))
    raise UsageError(
        f"unknown topic {topic!r}: expected a field, rule, provider or error class",
        hint=did_you_mean(topic, topics())
        or "Give a field such as smtp.security, a rule such as schema/type, a provider such as gmail, or an "
        "error class such as auth_rejected.",
    )


def topics() -> frozenset[str]:
    """Everything that can be explained."""
    return frozenset((
        *RULES,
        *ErrorClass,
        *(item.name for item in built_in_providers()),
        *(end for item in _fields() for end in _endings(item.name)),
    ))  # fmt: skip


def _endings(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[start:]) for start in range(len(parts)))


def _fields() -> Iterator[FieldExplanation]:
    settings, definitions = settings_schema(), explained_definitions()
    for kind in KINDS:
        yield from _walk(kind, definitions[kind], definitions, required=False)
    yield from _walk(SETTINGS, settings, settings["$defs"], required=False)


def _walk(
    path: str, written: dict[str, Any], definitions: dict[str, Any], *, required: bool
) -> Iterator[FieldExplanation]:
    """Yield a field and its nested fields. No model contains itself, so this ends."""
    schema = _resolved(written, definitions)
    inner = _resolved(schema.get("items", schema), definitions)
    fields: dict[str, Any] = dict(inner.get("properties", {}))
    if isinstance(more := inner.get("additionalProperties"), dict):
        fields[_ANY_NAME] = more
    allowed = inner.get("enum", (inner["const"],) if "const" in inner else ())
    yield FieldExplanation(
        name=path,
        type=_type(schema, definitions),
        description=schema.get("description", ""),
        required=required,
        default=json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else None,
        allowed=tuple(str(value) for value in allowed),
        examples=tuple(str(value) for value in inner.get("examples", ())),
        fields=tuple(fields),
    )
    for name, field in fields.items():
        yield from _walk(
            f"{path}.{name}", field, definitions, required=name in inner.get("required", ())
        )


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Resolve a reference; the keywords beside it take precedence."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target = _resolved(definitions[reference.rpartition("/")[2]], definitions)
    return target | {key: value for key, value in schema.items() if key != "$ref"}


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    kind = schema.get("type", "string" if "const" in schema or "enum" in schema else "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(_resolved(schema.get('items', {}), definitions), definitions)}"
    if "minimum" in schema and "maximum" in schema:
        return f"{kind} from {schema['minimum']} to {schema['maximum']}"
    return str(kind)


def _rule(rule: str) -> RuleExplanation:
    page = _page("rules.md")
    body = page.split(f"### `{rule}`\n", 1)[1]
    body = re.split(r"^##", body, maxsplit=1, flags=re.MULTILINE)[0]
    said, _, remedy = body.partition(_TO_DO)
    meaning, example = _without_example(said)
    return RuleExplanation(
        name=rule,
        severity=RULES[rule].value,
        meaning=_plain(re.sub(r"\*\*\w+\.\*\*", "", meaning, count=1)),
        example=example,
        remedy=_plain(remedy),
    )


def _without_example(said: str) -> tuple[str, str]:
    """Split a text from its examples: code blocks with their introductory lines."""
    meaning: list[str] = []
    example: list[str] = []
    for number, part in enumerate(_FENCE.split(said)):
        if number % 2:  # the captured group: the code
            example.append(part.strip("\n"))
            continue
        for paragraph in filter(None, re.split(r"\n\s*\n", part.strip())):
            leads = paragraph.endswith(":")
            (example if leads else meaning).append(f"# {_plain(paragraph)}" if leads else paragraph)
    return "\n\n".join(meaning), "\n".join(example)


def _error(error: ErrorClass) -> ErrorExplanation:
    (row,) = re.findall(rf"^\| `{error}` \| (.*) \|$", _page("errors.md"), re.MULTILINE)
    cause, _, remedy = row.partition(" | ")
    return ErrorExplanation(
        name=str(error), cause=_plain(cause), remedy=_plain(remedy), unreachable=error.unreachable
    )


def _provider(provider: Provider) -> ProviderExplanation:
    servers = (("imap", provider.imap), ("smtp", provider.smtp))
    return ProviderExplanation(
        name=provider.name,
        display_name=provider.display_name or provider.name,
        servers=tuple(
            ServerOfProvider(
                protocol="imap" if protocol == "imap" else "smtp",
                server=server.server,
                port=server.port,
                security=str(server.security),
                password_until=None
                if server.password_until is None
                else str(server.password_until),
            )
            for protocol, server in servers
            if server is not None
        ),
        sign_in=tuple(str(method) for method in provider.sign_in),
        files_sent_copies=provider.files_sent_copies,
        domains=provider.domains,
        notes=_notes(provider.name),
        source=provider.documentation,
    )


def _notes(provider: str) -> str:
    """Return the comment at the start of a provider's file, without the line for editors."""
    text = (files("reconciler") / "providers" / f"{provider}.yaml").read_text("utf-8")
    comment = re.match(r"(?:#.*\n)*", text)
    lines = comment[0].splitlines() if comment else []
    return _plain("\n".join(line[1:] for line in lines if "yaml-language-server" not in line))


def _page(name: str) -> str:
    return (files("reconciler") / "pages" / name).read_text("utf-8")


def _plain(markdown: str) -> str:
    """Join the lines of each paragraph, and keep only the text of links."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))
