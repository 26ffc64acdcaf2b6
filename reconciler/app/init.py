"""Starting a configuration: the files that a new user edits first."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.app.atomic_file import create_wholly, refuse_escape
from reconciler.app.project_folder import CONNECTORS, SETTINGS_FILE, enclosing_project
from reconciler.app.schemas import EDITOR_SCHEMAS, FOLDER, modeline, schema_text
from reconciler.config.load import built_in_providers
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.app.add import ConnectorFile

_CONNECTOR = """\
# The account that support mail is sent from. Edit it, then run: reconciler validate
kind: EmailConnector
name: support
display_name: Support mailbox # what plans and lists call it
from_name: Example Support # the name that people see who get the mail
imap:
  server: mail.example.com
  port: 993
  use_ssl: true
  username: support@example.com
  password: env:SUPPORT_PASSWORD # always a reference, never the password itself
enable_mail_send_from: true
smtp:
  server: mail.example.com
  port: 587
  use_ssl: true # on 587 this means mandatory STARTTLS
  email_address: support@example.com
  use_same_credentials: true
---
# Who may change the connector, and who may send through it.
kind: Permissions
connector: support
users: {users: [you@example.com]}
"""

_ROLES = """\
# Who may change what. Rights come from the stored state, so a change cannot grant its own author any.
kind: Roles
administrators: {users: [%s]}
"""
_DOMAINS = """\
# Who belongs to the organisation. Users with an address elsewhere are partners, and send only through
# connectors with `enable_b2b: true`.
internal_domains: [%s]
"""

_SETTINGS = """\
# Settings of the tool itself. Everything but the name is the default.
project: %s # a state that was made for another project is refused
state: sqlite:///.reconciler/state.db
limits:
  max_delete_percent: 30
  max_update_percent: 30
"""


class InitialFiles(Struct, frozen=True):
    """Which files were written, and which already existed."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def place_to_start(named: tuple[Path, ...], environ: Mapping[str, str]) -> Path:
    """The folder for the connectors of a new project; raises UsageError if a project exists.

    A folder that was named explicitly may be inside another project, but not among its
    connectors.
    """
    if len(named) > 1:
        raise UsageError("a new project has one folder", hint="Give --config once.")
    root = named[0] if named else Path(CONNECTORS)
    home = Path(os.path.realpath(root.parent))
    found = enclosing_project(home, environ)
    if found == home and os.path.lexists(home / SETTINGS_FILE) and any(root.glob("**/*.y*ml")):
        raise UsageError(
            f"there is a project in {home} already",
            hint=f"Its connectors are in {root}. To check them: reconciler validate",
        )
    if found not in (None, home) and (not named or home.is_relative_to(found / CONNECTORS)):
        raise UsageError(
            f"{home} is inside the project {found}",
            hint="Add connectors to that project. To start another one here anyway:"
            f" reconciler init --config {CONNECTORS}",
        )
    return root


def start(root: Path, actor: str, first: ConnectorFile | None = None) -> InitialFiles:
    """Write the first files of a configuration and the schemas for editors.

    ``actor`` becomes its Administrator.

    ``first`` is the connector to start with, in place of the example. A folder that holds YAML already only
    gets the settings. Raises ReconcilerError if a file cannot be written; then none is.
    """
    home = root.parent
    settings = home / SETTINGS_FILE
    connectors = {}
    if first is not None:
        connectors[first.path] = first.written.text
    elif not any(root.glob("**/*.y*ml")):
        path = root / "support.yaml"
        connectors[path] = modeline(path, home) + _CONNECTOR
    if connectors:
        domain = first.domain if first is not None else "example.com"
        domains = _domains(domain, actor)
        path = root / "roles.yaml"
        connectors[path] = (
            modeline(path, home) + _ROLES % _quoted(actor) + (_DOMAINS % domains if domains else "")
        )
    files = {settings: modeline(settings, home, "settings") + _SETTINGS % _name(root)}
    files |= connectors
    files |= {home / FOLDER / f"{name}.schema.json": schema_text(name) for name in EDITOR_SCHEMAS}
    written: list[Path] = []
    kept: list[Path] = []
    try:
        for path, text in files.items():
            refuse_escape(path)
            if path.exists():
                kept.append(path)
                continue
            create_wholly(path, text)
            written.append(path)
    except BaseException:
        for path in written:  # an incomplete project would block the next attempt
            path.unlink(missing_ok=True)
        raise
    return InitialFiles(tuple(written), tuple(kept))


def _domains(first: str, actor: str) -> str:
    """The domains of the first connector and the Administrator, without public mail providers."""
    own = actor.rpartition("@")[2] if "@" in actor else ""
    shared = {domain for provider in built_in_providers() for domain in provider.domains}
    return ", ".join(
        _quoted(item) for item in dict.fromkeys((first, own)) if item and item.lower() not in shared
    )


def _name(root: Path) -> str:
    """A name for the project: that of its folder, as far as it can be one."""
    words = re.sub(r"[^a-z0-9]+", "-", Path(os.path.realpath(root.parent)).name.lower())
    return words.strip("-0123456789")[:63].strip("-") or "mail"


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
