"""A class of `records` behaves as one of the standard library, before and after its first call."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import subprocess
import sys
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from reconciler import records
from reconciler.records import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A frozen value with defaults of every sort."""

    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict, hash=False)
    hidden: str = field(default="secret", repr=False, compare=False)
    cached: int | None = field(default=None, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Named(Point):
    """A class that inherits fields."""

    name: str = "n"


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """An ordered value that checks its fields."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if self.number > self.count:
            raise ValueError("too large")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A class with a text of its own."""

    value: str

    def __repr__(self) -> str:
        return "Quiet(…)"


@dataclass(slots=True)
class Tally:
    """A value that changes."""

    count: int = 0


def standard(cls: type[Any]) -> type[Any]:
    """The same fields in a dataclass of the standard library."""
    return dataclasses.make_dataclass(
        cls.__name__,
        [(item.name, item.type, item) for item in dataclasses.fields(cls)],
        frozen=cls is not Tally,
        order=cls is Part,
        slots=True,
    )


def test_the_fields_are_set_compared_hashed_and_shown_as_by_the_standard_library() -> None:
    theirs = standard(Point)
    for ours in (Point, theirs):
        assert ours(1) == ours(1, 2, hidden="other")
        assert ours(1) != ours(2)
        assert hash(ours(1)) == hash(ours(1, tags={"a": 1}))
        assert ours(1).cached is None
        assert ours(1).tags is not ours(1).tags
    assert repr(Point(1)) == repr(theirs(1)) == "Point(x=1, y=2, tags={})"
    assert hash(Point(1)) == hash(theirs(1))
    assert Point.__match_args__ == theirs.__match_args__
    assert Point(1) != theirs(1)
    assert [item.name for item in dataclasses.fields(Named)] == [
        *(item.name for item in dataclasses.fields(Point)),
        "name",
    ]
    assert Named(1, name="m").name == "m"
    assert Named(1) != Point(1)


def test_a_frozen_value_refuses_assignment_and_deletion() -> None:
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x
    with pytest.raises(AttributeError):
        object.__setattr__(point, "unknown", 1)  # it has slots
    tally = Tally()
    tally.count = 3
    assert tally == Tally(3)
    with pytest.raises(TypeError, match="unhashable"):
        hash(tally)


def test_wrong_arguments_are_refused_with_the_words_of_the_standard_library() -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, z=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        Quiet("text")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="too large"):
        Part(3, 2)


def test_values_are_ordered_replaced_copied_and_pickled() -> None:
    assert sorted([Part(2, 2), Part(1, 3)]) == [Part(1, 3), Part(2, 2)]
    assert Part(1, 2) < Part(1, 3) <= Part(2, 3)
    point = dataclasses.replace(Point(1), y=5)
    assert point == Point(1, 5)
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point
    assert dataclasses.asdict(point)["y"] == 5
    assert repr(Quiet(value="x")) == "Quiet(…)"


def test_every_class_of_the_package_is_made_so() -> None:
    folder = Path(records.__file__).parent
    standard = [
        path.name
        for path in folder.rglob("*.py")
        if re.search(r"^from dataclasses import .*\bdataclass\b", path.read_text(), re.MULTILINE)
    ]
    assert standard == []


def test_pydantic_reads_a_class_that_was_never_called() -> None:
    # In a process of its own: here, other tests have called the class.
    script = (
        "from pydantic import TypeAdapter; from reconciler.model.permissions import Permissions;"
        "read = TypeAdapter(Permissions).validate_json;"
        """text = '{"connector": "info", "users": {"users": ["ada@x.example"]}}';"""
        "one, other = read(text), read(text);"
        "assert one == other and hash(one) == hash(other) and 'ada' in repr(one), one"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert TypeAdapter(Point).validate_json('{"x": 1}') == Point(1)
