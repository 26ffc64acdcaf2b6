"""The settings of the tool itself: ``reconciler.yaml``, beside ``connectors.d/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any

from reconciler.model.connector import STRICT
from reconciler.model.constraints import Matches, Scalar, Whole
from reconciler.model.depth import Depth
from reconciler.model.described import Described, DescribedEnum
from reconciler.model.domain import domain_key, pattern_key
from reconciler.model.fields import HostGlob, Maybe, Name, Reference, Seconds

STATE_URL = r"^[a-z][a-z0-9+]*:[^\s\uFEFF\x00-\x1F\x7F]{1,2000}$"


Percent = Annotated[int, Whole(0, 100)]
Count = Annotated[int, Whole(0, 1_000_000)]
Parallel = Annotated[int, Whole(1, 1024)]
Retries = Annotated[int, Whole(0, 20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What makes a plan unsafe."""

    __pydantic_config__ = STRICT

    max_delete_percent: Annotated[
        Percent,
        Described(
            title="Deletes, in percent",
            description="The share of the stored connectors that one apply may delete.",
            examples=[10],
        ),
    ] = 30
    max_update_percent: Annotated[
        Percent,
        Described(
            title="Updates, in percent",
            description="The share of the stored connectors that one apply may change.",
            examples=[50],
        ),
    ] = 30
    min_connectors: Annotated[
        Count,
        Described(
            title="Connectors at least",
            description="With fewer stored connectors, the percentages do not apply.",
            examples=[3],
        ),
    ] = 10


class VariableType(DescribedEnum):
    """What the value of a variable is."""

    TEXT = ("text", "One line of text.")
    HOST = ("host", "A host name or an IP address.")
    ADDRESS = ("address", "An email address.")
    INTEGER = ("integer", "A whole number, such as a port.")
    BOOLEAN = ("boolean", "true or false.")


ScalarValue = Annotated[Any, Scalar()]
"""A value in YAML that is neither a list nor a mapping; which type it must have, its variable says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What ``${var.NAME}`` stands for in the configuration."""

    __pydantic_config__ = STRICT

    type: Annotated[VariableType, Described(title="Type", description="What its values are.")] = (
        VariableType.TEXT
    )
    description: Annotated[
        str,
        Described(
            title="Description",
            description="What the variable is for.",
            examples=["Where our mail is"],
        ),
    ] = ""
    default: Annotated[
        ScalarValue,
        Described(
            title="Default",
            description="The value in environments that give it none.",
            examples=["example.com", 993],
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """What differs in an environment. What it leaves out is as it is for all of them."""

    __pydantic_config__ = STRICT

    state: Annotated[
        Maybe[Annotated[str, Matches(STATE_URL)]],
        Described(
            title="State",
            description="URL of the environment's stored state. By default .reconciler/NAME/state.db.",
            examples=["postgresql://mail_writer@db.example.com/mail"],
        ),
    ] = field(default=None, repr=False)
    state_password: Annotated[
        Maybe[Reference],
        Described(
            title="Password of the state",
            description="Reference to the password of the environment's database.",
            examples=["env:STATE_PASSWORD"],
        ),
    ] = None
    limits: Annotated[
        Maybe[LimitSettings],
        Described(
            title="Limits",
            description="What makes a plan unsafe. Replaces the limits above as a whole.",
            examples=[{"max_delete_percent": 10}],
        ),
    ] = None
    allowed_hosts: Annotated[
        Maybe[tuple[HostGlob, ...]],
        Described(
            title="Allowed hosts",
            description="The hosts that connectors may use. By default those for all environments.",
            examples=[["*.example.com"]],
        ),
    ] = None
    variables: Annotated[
        dict[str, ScalarValue],
        Described(
            title="Variables",
            description="Values of variables, by name.",
            examples=[{"domain": "dev.example"}],
        ),
    ] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSettings:
    """Which references to secrets are taken."""

    __pydantic_config__ = STRICT

    allow_command: Annotated[
        bool,
        Described(
            title="Allow command references",
            description="Allow references that run a program (`command:`). The owner must allow them too.",
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Testing:
    """How connectors are tested live."""

    __test__ = False  # not a test case, whatever pytest makes of the name
    __pydantic_config__ = STRICT

    concurrency: Annotated[
        Parallel,
        Described(
            title="Concurrency", description="How many tests run at once.", examples=[8, 128]
        ),
    ] = 32
    per_host: Annotated[
        Parallel,
        Described(
            title="Per host",
            description="How many tests run at once against one host.",
            examples=[1],
        ),
    ] = 3
    timeout_seconds: Annotated[
        Seconds,
        Described(
            title="Timeout",
            description="Deadline of one connector's test, in seconds, retries included.",
            examples=[60],
        ),
    ] = 30
    retries: Annotated[
        Retries,
        Described(
            title="Retries",
            description="How often a test is retried after a failure that the server calls temporary.",
            examples=[0, 3],
        ),
    ] = 1
    depth: Annotated[
        Depth, Described(title="Last stage", description="The last stage to test.")
    ] = Depth.ENVELOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings file. Every setting has a default that works without the file."""

    __pydantic_config__ = STRICT

    project: Annotated[
        Maybe[Name],
        Described(
            title="Project",
            description="The name of the project. A state that was made for another one is refused.",
            examples=["mail"],
        ),
    ] = None
    # The URL may hold the password of a database, so it is not part of the repr.
    state: Annotated[
        str,
        Matches(STATE_URL),
        Described(
            title="State",
            description="URL of the stored state: a SQLite file or a PostgreSQL database.",
            examples=[
                "sqlite:///.reconciler/state.db",
                "postgresql://mail_writer@db.example.com/mail",
            ],
        ),
    ] = field(default="sqlite:///.reconciler/state.db", repr=False)
    state_password: Annotated[
        Maybe[Reference],
        Described(
            title="Password of the state",
            description="Reference to the password of the state's database.",
            examples=["env:STATE_PASSWORD"],
        ),
    ] = None
    limits: Annotated[
        LimitSettings,
        Described(
            title="Limits",
            description="What makes a plan unsafe, so that its apply is refused.",
            examples=[{"max_delete_percent": 10}],
        ),
    ] = LimitSettings()
    allowed_hosts: Annotated[
        tuple[HostGlob, ...],
        Described(
            title="Allowed hosts",
            description="The hosts that connectors may use. Empty: any.",
            examples=[["*.office365.com"]],
        ),
    ] = ()
    secrets: Annotated[
        SecretSettings,
        Described(
            title="Secrets",
            description="Which references to secrets are allowed.",
            examples=[{"allow_command": True}],
        ),
    ] = SecretSettings()
    testing: Annotated[
        Testing,
        Described(
            title="Live tests",
            description="How many run at once, and how long and how deep each goes.",
            examples=[{"concurrency": 8, "retries": 3}],
        ),
    ] = Testing()
    variables: Annotated[
        dict[str, Variable],
        Described(
            title="Variables",
            description="What `${var.NAME}` stands for in documents, by name.",
            examples=[{"domain": {"type": "host", "description": "Where our mail is"}}],
        ),
    ] = field(default_factory=dict, hash=False)
    environments: Annotated[
        dict[str, EnvironmentSettings],
        Described(
            title="Environments",
            description="Places that the same connectors are for, by name. `--env` chooses one.",
            examples=[{"dev": {"variables": {"domain": "dev.example"}}}],
        ),
    ] = field(default_factory=dict, hash=False)

    def allows_host(self, host: str) -> bool:
        """Whether a connector may point at ``host``."""
        name = domain_key(host)
        return not self.allowed_hosts or any(
            fnmatchcase(name, pattern_key(pattern)) for pattern in self.allowed_hosts
        )


DEFAULTS = Settings()
