"""The documents that connectors are made from: templates and tables, as written.

They expand into documents of other kinds, so they are never planned or stored. Their connector
fields are not listed here: they are those of the connector.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from reconciler.config.documents import TYPES
from reconciler.config.expansion import TABLE, TEMPLATE
from reconciler.config.settings import ScalarValue, Variable
from reconciler.model.connector import STRICT
from reconciler.model.described import Described
from reconciler.model.fields import Maybe, Name, Text

KINDS: Final = (*map(str, TYPES), TEMPLATE, TABLE)
"""The kinds of all documents that a file may hold."""

NAME_PARAMETER: Final = "name"
"""The parameter that every template has: the name of the connector."""

Arguments = Annotated[
    dict[str, ScalarValue],
    Described(
        title="Values of parameters",
        description="Values of the template's parameters, by their names.",
        examples=[{"city": "Berlin", "port": 993}],
    ),
]


Row = dict[str, ScalarValue]
"""The parameters of one connector in a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateHead:
    """What connectors have in common: fields of a connector, with parameters in their texts."""

    __pydantic_config__ = STRICT

    kind: Literal["Template"]
    name: Annotated[
        Name,
        Described(title="Name", description="The name that connectors use.", examples=["shop"]),
    ]
    description: Annotated[
        Maybe[Text],
        Described(
            title="Description",
            description="What the template is for.",
            examples=["The mailbox of a shop"],
        ),
    ] = None
    parameters: Annotated[
        dict[str, Variable],
        Described(
            title="Parameters",
            description="What ${name} stands for; without a default, connectors give a value.",
            examples=[{"city": {"description": "Where the shop is"}}],
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateUseHead:
    """What a connector says of its template."""

    __pydantic_config__ = STRICT

    template: Annotated[
        Maybe[Name],
        Described(
            title="Template",
            description="The template whose fields it has, where it has none itself.",
            examples=["shop"],
        ),
    ] = None
    parameters: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHead:
    """A table of connectors that are made from one template, with fields that all of them have."""

    __pydantic_config__ = STRICT

    kind: Literal["EmailConnectors"]
    template: Annotated[
        Name,
        Described(
            title="Template",
            description="The template that the connectors are made from.",
            examples=["shop"],
        ),
    ]
    parameters: Arguments = field(default_factory=dict)
    renamed_from: Annotated[
        dict[str, Name],
        Described(
            title="Renamed from",
            description="Former names of connectors, by their names.",
            examples=[{"berlin": "berlin-mitte"}],
        ),
    ] = field(default_factory=dict)
    connectors: Annotated[
        dict[str, Row],
        Described(
            title="Connectors",
            description="The parameters of each connector, by its name.",
            examples=[{"berlin": {"city": "Berlin"}, "hamburg": {"city": "Hamburg"}}],
        ),
    ]


HEAD_FIELDS: Final[dict[type[Any], frozenset[str]]] = {
    TemplateHead: frozenset({"kind", "name", "description", "parameters"}),
    TemplateUseHead: frozenset({"template", "parameters"}),
    TableHead: frozenset({"kind", "template", "parameters", "renamed_from", "connectors"}),
}
"""The fields of each; everything else is a field of a connector."""
