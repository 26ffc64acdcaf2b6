"""Two kinds of values: docs/decisions/2026-11-28-two-kinds-of-values.md says why."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import sys
import typing
from typing import Any

import pytest

import reconciler
from reconciler.app.schemas import document_types
from reconciler.model.fingerprint import Fingerprint
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.probe.drift import _KnownDocument
from reconciler.values import field_names, replace


def test_both_kinds_are_copied_with_other_fields() -> None:
    assert replace(Fingerprint("k1", "00"), mac="11") == Fingerprint("k1", "11")
    policy = GlobalSmtpPolicy(connector="a")
    assert replace(policy, connector="b") == GlobalSmtpPolicy(connector="b")


def test_fields_are_named_in_order() -> None:
    assert field_names(Fingerprint) == ("key_id", "mac")
    assert field_names(GlobalSmtpPolicy)[:2] == ("kind", "enabled")
    assert field_names(str) == ()


def test_a_value_is_immutable_and_equals_only_its_own_kind() -> None:
    mark = Fingerprint("k1", "00")
    with pytest.raises(AttributeError):
        mark.mac = "11"  # type: ignore[misc]
    assert mark != ("k1", "00")  # type: ignore[comparison-overlap]  # which a named tuple would not be
    assert hash(mark) == hash(Fingerprint("k1", "00"))


def test_only_documents_and_what_a_struct_cannot_do_are_dataclasses() -> None:
    documents: set[type[Any]] = set()
    found = _dataclasses()
    for kind in (
        _KnownDocument,
        *document_types().values(),
        *(item for item in found if "__pydantic_config__" in vars(item)),
    ):
        _add_documents(kind, documents)
    could_be_structs = {
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in found - documents
        if _could_be_a_struct(kind)
    }
    assert could_be_structs == set()


def _dataclasses() -> set[type[Any]]:
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)
    modules = [module for name, module in sys.modules.items() if name.startswith("reconciler.")]
    members = [item for module in modules for item in vars(module).values()]
    ours = [item for item in members if getattr(item, "__module__", "").startswith("reconciler.")]
    return {item for item in ours if isinstance(item, type) and dataclasses.is_dataclass(item)}


def _add_documents(annotation: Any, documents: set[type[Any]]) -> None:
    """Add a dataclass and those that its fields hold, as pydantic finds them."""
    if not (isinstance(annotation, type) and dataclasses.is_dataclass(annotation)):
        for part in typing.get_args(annotation):
            _add_documents(part, documents)
    elif annotation not in documents:
        documents.update(item for item in annotation.__mro__ if dataclasses.is_dataclass(item))
        for hint in typing.get_type_hints(annotation, include_extras=True).values():
            _add_documents(hint, documents)


def _could_be_a_struct(kind: Any) -> bool:
    alone = not any(dataclasses.is_dataclass(item) for item in kind.__mro__[1:])
    plain = all(
        item.repr and item.compare and item.hash is None and item.init and not item.metadata
        for item in dataclasses.fields(kind)
    )
    return alone and plain and kind.__dataclass_params__.frozen and "__dict__" not in dir(kind)
