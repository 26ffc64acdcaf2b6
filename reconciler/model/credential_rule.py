"""Which secret may go where: allowed patterns, and reserved names, which need an owner's rule."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Self

from msgspec import Struct

from reconciler.model.domain import domain_key, pattern_key

if TYPE_CHECKING:
    from reconciler.model.secret_ref import SecretRef

RESERVED_VARIABLES = (
    "RECONCILER_*", "PG*", "AWS_*", "AZURE_*", "ARM_*", "GOOGLE_*", "GCP_*", "GCLOUD_*",
    "GITHUB_*", "GH_*", "ACTIONS_*", "RUNNER_*", "GITLAB_*", "CI_*", "CI", "BITBUCKET_*",
    "SYSTEM_*", "BUILD_*", "CIRCLE_*", "JENKINS_*", "BUILDKITE_*", "TRAVIS_*", "VAULT_*",
    "KUBERNETES_*", "DOCKER_*", "NPM_*", "NODE_AUTH_TOKEN", "TWINE_*", "UV_PUBLISH_*", "PYPI_*",
    "SSH_*", "GPG_*", "TF_*", "DATABASE_URL", "PATH", "HOME",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
)  # fmt: skip
"""Variables that belong to the pipeline and its platforms, not to mail accounts; ``*`` only ends a name."""

_RESERVED_NAMES: Final = frozenset(RESERVED_VARIABLES)
_RESERVED_STARTS: Final = tuple(
    name.removesuffix("*") for name in RESERVED_VARIABLES if name.endswith("*")
)


_PROVIDER = "provider:"
"""The prefix of patterns for the secrets of a provider's connectors."""


class CredentialRule(Struct, frozen=True, order=True):
    """A shell pattern for references, and one for the hosts that they may go to.

    ``provider:NAME`` covers the secrets of a provider's connectors, but only at its own hosts.
    """

    references: str
    hosts: str = "*"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``REFERENCES`` or ``REFERENCES=HOSTS``; raises ValueError for anything else."""
        references, sign, hosts = text.rpartition("=")
        if not sign:
            references, hosts = text, "*"
        if not references or not hosts:
            raise ValueError(
                f"invalid credential pattern {text!r}: expected REFERENCE, REFERENCE=HOST or provider:NAME,"
                " such as 'env:SUPPORT_*=*.office365.com'"
            )
        return cls(references, hosts)

    def covers(self, reference: str, host: str, provider: str = "") -> bool:
        """Whether the rule allows this pair; hosts are compared without case and the final dot.

        ``provider`` is the connector's, if it lists this host.
        """
        subject = f"{_PROVIDER}{provider}" if self._of_provider else reference
        return (
            (bool(provider) or not self._of_provider)
            and fnmatchcase(subject, self.references)
            and fnmatchcase(domain_key(host), pattern_key(self.hosts))
        )

    @property
    def _of_provider(self) -> bool:
        return self.references.startswith(_PROVIDER)

    @property
    def names_reserved(self) -> bool:
        """Whether the pattern spells out part of a name; others allow nothing reserved."""
        literal = re.split(r"[*?\[]", self.references, maxsplit=1)[0]
        return not self._of_provider and not "env:".startswith(literal)

    def __str__(self) -> str:
        return self.references if self.hosts == "*" else f"{self.references}={self.hosts}"


def is_reserved(reference: SecretRef) -> bool:
    """Whether a reference names a variable of the pipeline, which only a rule may allow."""
    if reference.scheme != "env":
        return False
    name = reference.target.upper()
    return name in _RESERVED_NAMES or name.startswith(_RESERVED_STARTS)
