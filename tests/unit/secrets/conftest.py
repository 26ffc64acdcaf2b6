"""What the tests of all schemes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SecretError
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets.registry import Resolver

if TYPE_CHECKING:
    from pathlib import Path

Reveal = Callable[[str], str]
Refuse = Callable[[str], SecretError]


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment of the resolver under test; a test fills it in."""
    return {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def resolver(environ: Mapping[str, str], tmp_path: Path) -> Resolver:
    """A resolver that may run commands, at home in ``tmp_path``."""
    return Resolver(environ, allow_command=True, base=tmp_path)


@pytest.fixture
def reveal(resolver: Resolver) -> Reveal:
    """Resolve a reference and give the text away."""

    def resolve(reference: str) -> str:
        return resolver.resolve(SecretRef.parse(reference)).reveal()

    return resolve


@pytest.fixture
def refuse(resolver: Resolver) -> Refuse:
    """Resolve a reference that cannot be, and return the error."""

    def resolve(reference: str) -> SecretError:
        with pytest.raises(SecretError) as caught:
            resolver.resolve(SecretRef.parse(reference))
        assert reference in caught.value.message
        return caught.value

    return resolve
