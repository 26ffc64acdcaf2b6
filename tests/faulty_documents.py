"""Hypothesis strategies for documents as a schema describes them, with and without faults."""

from __future__ import annotations

import copy
from typing import Any, Final

from hypothesis import strategies as st

JUNK: Final = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        993.0,
        1.5,
        1e300,
        65536,
        2**60,
        "",
        "\n",
        "x\n",
        "null",
        [],
        {},
        [None],
        {"a": 1},
    ]
)


def values(  # noqa: PLR0911 - one for each type
    schema: dict[str, Any], root: dict[str, Any]
) -> st.SearchStrategy[Any]:
    """Values that a schema means to allow."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"])
    match schema["type"]:
        case "integer":
            return st.integers(schema["minimum"] - 1, schema["maximum"] + 1)
        case "boolean":
            return st.booleans()
        case list():
            return st.one_of(st.text(max_size=3), st.integers(-9, 9), st.booleans())
        case "string":
            return st.text(max_size=3)
        case "object" if "properties" not in schema:
            names = st.sampled_from(("dev", "prod", "no name"))
            return st.dictionaries(names, values(schema["additionalProperties"], root), max_size=2)
        case "array":
            return st.lists(values(schema["items"], root), max_size=3)
        case _:
            fields = {name: values(item, root) for name, item in schema["properties"].items()}
            needed = schema.get("required", [])
            return st.fixed_dictionaries(
                {name: fields.pop(name) for name in needed}, optional=fields
            )


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a value with a key or an index into it."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    return [(value, key) for key in keys] + [at for key in keys for at in places(value[key])]


def documents(root: dict[str, Any], schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Documents with up to two faults."""
    return faulty(values(schema, root))


@st.composite
def faulty(draw: st.DrawFn, drawn_from: st.SearchStrategy[Any]) -> Any:
    """JSON values with up to two faults."""
    document = copy.deepcopy(draw(drawn_from))
    for _ in range(draw(st.integers(0, 2))):
        found = places(document)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        match draw(st.sampled_from(["junk", "newline", "float", "drop", "add", "unicode"])):
            case "junk":
                container[key] = copy.deepcopy(draw(JUNK))
            case "newline" if isinstance(container[key], str):
                container[key] += draw(st.sampled_from(["\n", "\r", "\u2028", "\0", " "]))
            case "unicode" if isinstance(container[key], str):
                mark = draw(st.characters(exclude_categories=["Cs"]))
                container[key] = draw(st.sampled_from([mark, mark + container[key]]))
            case "float" if isinstance(container[key], int):
                container[key] = float(container[key])
            case "drop":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(st.sampled_from(["x", "Name", "name ", "kind\n", "é"]))] = (
                    copy.deepcopy(draw(JUNK))
                )
            case _:
                pass
    return document
