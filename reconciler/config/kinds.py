"""Which model each kind of document has."""

from __future__ import annotations

from typing import Final

from reconciler.model.address import Kind
from reconciler.model.connector import ConnectorDocument
from reconciler.model.directory import Group, Roles
from reconciler.model.permissions import Permissions
from reconciler.model.policy import GlobalSmtpPolicy
from reconciler.model.provider import Provider

Document = ConnectorDocument | Permissions | GlobalSmtpPolicy | Group | Roles | Provider
"""What a file may hold, as written."""

TYPES: Final[dict[Kind, type[Document]]] = {
    Kind.EMAIL_CONNECTOR: ConnectorDocument,
    Kind.PERMISSIONS: Permissions,
    Kind.GLOBAL_SMTP_POLICY: GlobalSmtpPolicy,
    Kind.GROUP: Group,
    Kind.ROLES: Roles,
    Kind.PROVIDER: Provider,
}
