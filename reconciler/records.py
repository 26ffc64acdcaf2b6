"""Dataclasses whose methods are compiled when they are first called.

``dataclasses.dataclass`` compiles six methods for each frozen class, which takes 0.5 ms: a tenth of a second for the
classes that a plan imports, most of whose methods it never calls. Here the fields, the slots and the signature for
``match`` are made at once and by the standard library; ``__init__``, ``__repr__``, ``__eq__``, ``__hash__`` and the
comparisons are its own too, each made at its first call. To type checkers it is the standard decorator.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - exported
else:

    def dataclass(
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        order: bool = False,
    ) -> Callable[[type], type]:
        """Make a dataclass, with the options of the standard decorator."""

        def make(cls: type) -> type:
            own = frozenset(cls.__dict__)
            if cls.__doc__ is None:
                cls.__doc__ = cls.__name__  # else the signature is made for it
            made = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=slots, kw_only=kw_only
            )(cls)
            names = [
                "__init__",
                "__repr__",
                *(("__eq__",) if eq else ()),
                *(_ORDER if order else ()),
            ]
            if eq and frozen:
                names.append("__hash__")
            for name in names:
                if name not in own:
                    setattr(made, name, _first_call(made, name, frozen=frozen, slots=slots))
            if eq and not frozen and "__hash__" not in own:
                made.__hash__ = None
            if frozen:
                made.__setattr__, made.__delattr__ = _refuse_assignment, _refuse_deletion
                if slots:
                    made.__getstate__, made.__setstate__ = _state_of, _set_state
            return made

        return make


_ORDER: Final = ("__lt__", "__le__", "__gt__", "__ge__")


def _first_call(cls: Any, name: str, **options: bool) -> Callable[..., Any]:
    """A method that makes the one of the standard library at its first call, and leaves the rest to it."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = _standard(cls, name, **options)
        made.__qualname__ = method.__qualname__
        setattr(cls, name, made)
        return made(self, *args, **kwargs)

    method.__name__, method.__qualname__ = name, f"{cls.__qualname__}.{name}"
    return method


def _standard(cls: Any, name: str, *, frozen: bool, slots: bool) -> Any:
    """The method that the standard library makes for a class with these fields, and no other."""
    after = {"__post_init__": None} if hasattr(cls, "__post_init__") else {}
    init = name == "__init__"
    made = dataclasses.make_dataclass(
        cls.__name__,
        [(field.name, field.type, field) for field in dataclasses.fields(cls)],
        namespace={"__doc__": cls.__name__, **after},
        init=init,
        repr=name == "__repr__",
        eq=name == "__eq__" or name in _ORDER,
        order=name in _ORDER,
        unsafe_hash=name == "__hash__",
        frozen=frozen and init,  # then the fields are set past our own __setattr__
        slots=slots and init,
    )
    return made.__dict__[name]


def _refuse_assignment(self: object, name: str, value: object) -> NoReturn:
    del self, value
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: object, name: str) -> NoReturn:
    del self
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state_of(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
