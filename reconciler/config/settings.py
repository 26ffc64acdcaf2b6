"""The settings of the tool itself: ``reconciler.yaml``, beside ``connectors.d/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from reconciler.model.connector import STRICT
from reconciler.model.depth import Depth
from reconciler.model.domain import domain_key, pattern_key
from reconciler.model.fields import WHOLE, HostGlob, Matches, Maybe, Name, Reference, Seconds

STATE_URL = r"^[a-z][a-z0-9+]*:[^\s\uFEFF\x00-\x1F\x7F]{1,2000}$"


Percent = Annotated[int, Field(ge=0, le=100), WHOLE]
Count = Annotated[int, Field(ge=0, le=1_000_000), WHOLE]
Parallel = Annotated[int, Field(ge=1, le=1024), WHOLE]
Retries = Annotated[int, Field(ge=0, le=20), WHOLE]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What makes a plan unsafe."""

    __pydantic_config__ = STRICT

    max_delete_percent: Annotated[
        Percent, Field(description="Share of the stored connectors that one apply may delete.")
    ] = 30
    max_update_percent: Annotated[
        Percent, Field(description="Share of the stored connectors that one apply may change.")
    ] = 30
    min_connectors: Annotated[
        Count, Field(description="With fewer stored connectors, the shares do not apply.")
    ] = 10


class VariableType(StrEnum):
    """What the value of a variable is."""

    TEXT = "text"
    HOST = "host"
    ADDRESS = "address"
    INTEGER = "integer"
    BOOLEAN = "boolean"


def _scalar(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str | int | bool):
        raise ValueError("neither text nor a whole number nor a boolean")  # noqa: TRY004 - pydantic's way
    return value


ScalarValue = Annotated[
    Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "integer", "boolean"]})
]
"""A value in YAML that is neither a list nor a mapping; which type it must have, its variable says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What ``${var.NAME}`` stands for in the configuration."""

    __pydantic_config__ = STRICT

    type: Annotated[VariableType, Field(description="What its values are.")] = VariableType.TEXT
    description: Annotated[str, Field(description="What it is for.")] = ""
    default: Annotated[
        ScalarValue, Field(description="Its value in environments that give it none.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """What differs in an environment. What it leaves out is as it is for all of them."""

    __pydantic_config__ = STRICT

    state: Annotated[
        Maybe[Annotated[str, Matches(STATE_URL)]],
        Field(description="URL of its stored state. [default: .reconciler/NAME/state.db]"),
    ] = field(default=None, repr=False)
    state_password: Annotated[
        Maybe[Reference], Field(description="Reference to the password of its state's database.")
    ] = None
    limits: Annotated[Maybe[LimitSettings], Field(description="What makes a plan unsafe.")] = None
    allowed_hosts: Annotated[
        Maybe[tuple[HostGlob, ...]], Field(description="Hosts that connectors may name.")
    ] = None
    variables: Annotated[
        dict[str, ScalarValue], Field(description="Values of variables, by their names.")
    ] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSettings:
    """Which references to secrets are taken."""

    __pydantic_config__ = STRICT

    allow_command: Annotated[
        bool, Field(description="Allow references that run a program (command:).")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Testing:
    """How connectors are tested live."""

    __test__ = False  # not a test case, whatever pytest makes of the name
    __pydantic_config__ = STRICT

    concurrency: Annotated[Parallel, Field(description="Tests that run at once.")] = 32
    per_host: Annotated[Parallel, Field(description="Tests that run at once against one host.")] = 3
    timeout_seconds: Annotated[
        Seconds, Field(description="Deadline of one connector's test, in seconds.")
    ] = 30
    retries: Annotated[
        Retries, Field(description="Retries after a failure that the server calls temporary.")
    ] = 1
    depth: Annotated[Depth, Field(description="The last stage to test.")] = Depth.ENVELOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings file. Every setting has a default that works without the file."""

    __pydantic_config__ = STRICT

    project: Annotated[
        Maybe[Name],
        Field(description="Name of the project: a state that was made for another one is refused."),
    ] = None
    # The URL may hold the password of a database, so it is not part of the repr.
    state: Annotated[
        str,
        Matches(STATE_URL),
        Field(description="URL of the stored state: a SQLite file or a PostgreSQL database."),
    ] = field(default="sqlite:///.reconciler/state.db", repr=False)
    state_password: Annotated[
        Maybe[Reference], Field(description="Reference to the password of the state's database.")
    ] = None
    limits: Annotated[LimitSettings, Field(description="What makes a plan unsafe.")] = (
        LimitSettings()
    )
    allowed_hosts: Annotated[
        tuple[HostGlob, ...],
        Field(description="Hosts that connectors may name, such as *.example.com; empty: any."),
    ] = ()
    secrets: Annotated[SecretSettings, Field(description="Which references are allowed.")] = (
        SecretSettings()
    )
    testing: Annotated[Testing, Field(description="How connectors are tested live.")] = Testing()
    variables: Annotated[
        dict[str, Variable], Field(description="What ${var.NAME} stands for, by name.")
    ] = field(default_factory=dict, hash=False)
    environments: Annotated[
        dict[str, EnvironmentSettings],
        Field(
            description="Places that the same connectors are for, such as dev and prod, by name."
        ),
    ] = field(default_factory=dict, hash=False)

    def allows_host(self, host: str) -> bool:
        """Whether a connector may point at ``host``."""
        name = domain_key(host)
        return not self.allowed_hosts or any(
            fnmatchcase(name, pattern_key(pattern)) for pattern in self.allowed_hosts
        )


DEFAULTS = Settings()
