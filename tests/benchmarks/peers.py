"""The same work for the tools that people migrate from: as many records in octoDNS, as many resources in Terraform.

Both get their smallest resource, a record of four lines and a built-in ``terraform_data``, in one file. A connector
has two documents of 26 lines, in a file of its own. octoDNS reads its target from a file as well.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tests.benchmarks.large import GROUPS, write_documents
from tests.benchmarks.measure import RECONCILER, cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

OCTODNS: Final = Path(sys.executable).parent / "octodns-sync"
NO_SECRETS: Final[Mapping[str, str]] = MappingProxyType({})
TERRAFORM: Final = shutil.which("tofu") or shutil.which("terraform")


class Connectors:
    """A project with so many connectors and their permissions."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._changes = 0
        self._written = 0
        write_documents(folder / "connectors.d", 2 * count + GROUPS)

    def plan(self, secrets: Mapping[str, str] = NO_SECRETS) -> float:
        """Seconds of CPU for a plan with these secrets in the environment."""
        return cpu_seconds(RECONCILER, "plan", cwd=self._folder, environ=secrets)

    def apply(
        self, actor: str = "root@contoso.example", secrets: Mapping[str, str] = NO_SECRETS
    ) -> float:
        """Seconds of CPU for an apply, without live tests."""
        command = (RECONCILER, "apply", "--auto-approve", "--skip-tests", "no servers here")
        allowed = {"RECONCILER_ALLOW_CREDENTIAL": "*", "RECONCILER_ACTOR": actor}
        return cpu_seconds(*command, cwd=self._folder, environ={**allowed, **secrets})

    def apply_one_change(self, secrets: Mapping[str, str] = NO_SECRETS) -> float:
        """Seconds of CPU to write another display name of one connector."""
        self._changes += 1
        path = self._folder / "connectors.d" / "c-00000.yaml"
        before, name, after = path.read_text().partition("display_name: ")
        _, end, rest = after.partition("\n")
        path.write_text(f"{before}{name}Changed {self._changes} times{end}{rest}")
        # An administrator of that connector.
        return self.apply("user-0@contoso.example", secrets)

    def validate(self) -> float:
        """Seconds of CPU to check the files."""
        return cpu_seconds(RECONCILER, "validate", cwd=self._folder)

    def written_by(self, *command: str) -> float:
        """Seconds of CPU for a command that writes a configuration into a new folder."""
        self._written += 1
        out = f"written-{self._written}"
        return cpu_seconds(RECONCILER, *command, "--out", out, cwd=self._folder)

    def with_other_files(self, folder: Path, display_name: str | None) -> Connectors:
        """The same state with files in which every connector has another display name; without one, with no files."""
        other = copy.copy(self)
        other._folder = folder
        shutil.copytree(self._folder / ".reconciler", folder / ".reconciler")
        if display_name is not None:
            shutil.copytree(self._folder / "connectors.d", folder / "connectors.d")
            for path in (folder / "connectors.d").glob("c-*.yaml"):
                text = re.sub("display_name: .*", f"display_name: {display_name}", path.read_text())
                path.write_text(text)
        return other

    def forget(self) -> None:
        """Delete the state."""
        shutil.rmtree(self._folder / ".reconciler", ignore_errors=True)


class Records:
    """A zone of octoDNS with so many records, whose target has the same."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        records = "".join(
            f"name-{number:05}:\n  ttl: 300\n  type: A\n  value: 10.0.{number // 250}.{number % 250}\n"
            for number in range(count)
        )
        for side in ("source", "target"):
            (folder / side).mkdir(parents=True)
            (folder / side / "contoso.example.yaml").write_text(f"---\n{records}")
        (folder / "octodns.yaml").write_text(
            "providers:\n"
            + "".join(
                f"  {side}: {{class: octodns.provider.yaml.YamlProvider, directory: {folder / side}}}\n"
                for side in ("source", "target")
            )
            + "zones:\n  contoso.example.: {sources: [source], targets: [target]}\n"
        )

    def plan(self) -> float:
        """Seconds of CPU for a plan without changes."""
        return cpu_seconds(
            str(OCTODNS), "--quiet", "--config-file", "octodns.yaml", cwd=self._folder
        )


class Resources:
    """A configuration of Terraform or OpenTofu with so many resources that need no provider."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text("".join(map(_resource, range(count))))
        self._run("init", "-input=false")

    def plan(self) -> None:
        """Plan."""
        self._run("plan", "-input=false")

    def apply(self) -> None:
        """Write what is planned."""
        self._run("apply", "-auto-approve", "-input=false")

    def forget(self) -> None:
        """Delete the state."""
        for path in self._folder.glob("terraform.tfstate*"):
            path.unlink()

    def _run(self, *arguments: str) -> None:
        assert TERRAFORM is not None
        subprocess.run(
            (TERRAFORM, *arguments), cwd=self._folder, check=True, timeout=1800,
            env=os.environ | {"CHECKPOINT_DISABLE": "1"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip


def _resource(number: int) -> str:
    name = f"c-{number:05}"
    return f"""\
resource "terraform_data" "{name}" {{
  input = {{
    display_name  = "Connector {number}"
    imap_server   = "imap-{number % 50}.contoso.example"
    imap_port     = 993
    imap_user     = "{name}@contoso.example"
    smtp_server   = "smtp-{number % 50}.contoso.example"
    smtp_port     = 587
    email_address = "{name}@contoso.example"
    labels        = ["team-{number % 20}"]
  }}
}}
"""
