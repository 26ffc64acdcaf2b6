"""Rewrites the files of a configuration to mean given resources, with minimal changes.

A file whose documents all stay keeps every character. A connector from a template or table
still uses it if a single field differs; if the template no longer fits, the connector is
written in full, and a note says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.config.copied_fields import with_copied_fields
from reconciler.config.expansion import TABLE, TEMPLATE
from reconciler.config.fitting import Made, Wanted, Workshop, shortest
from reconciler.config.layout import files_of
from reconciler.config.load import built_in_providers
from reconciler.config.meant import Meant
from reconciler.config.pieces import Piece, cut, holds_documents, unchanged
from reconciler.config.plain_yaml import ReadOnce
from reconciler.config.template_documents import HEAD_FIELDS, TableHead
from reconciler.config.unresolve import Written, concise, paths_of
from reconciler.config.written_edit import edited
from reconciler.config.yaml_text import yaml_text
from reconciler.model.address import Address, Kind
from reconciler.model.connector import Connector
from reconciler.model.permissions import Permissions
from reconciler.model.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.config.variables import Variables
    from reconciler.model.resource import JSON
    from reconciler.model.snapshot import Snapshot


class Rewritten(Struct, frozen=True):
    """The texts of files by name, which of them are unchanged, and notes on what became longer.

    A file without remaining documents has no text. New resources get new files.
    """

    texts: Mapping[str, str]
    kept: tuple[str, ...]
    notes: tuple[str, ...]


def rewritten(
    files: Mapping[str, str],
    target: Snapshot,
    variables: Variables,
    *,
    renames: Mapping[str, str],
    header: str,
    meant: Snapshot,
    read_as: ReadOnce,
) -> Rewritten | None:
    """Change the texts of files so that they mean a snapshot.

    ``renames`` maps names of connectors to their names in the files. ``meant`` is what the
    files, which must be valid, mean now. New files begin with ``header``. None if documents
    cannot be separated, such as after a YAML directive. ``read_as`` may have cached them.
    """
    providers = {item.name: item for item in (*built_in_providers(), *target.providers)}
    wanted = {item.address: item for item in target.resources}
    known = Meant.of(meant, providers)
    found = {
        name: unchanged(text, known, wanted, read_as) or cut(text, read_as)
        for name, text in files.items()
    }
    every = [piece for parts in found.values() for piece in parts]
    if not all(piece.single for piece in every):
        return None
    templates = [piece.raw for piece in every if piece.raw and piece.raw.kind == TEMPLATE]
    workshop = Workshop.of(templates, variables, providers)
    work = _Rewriting(
        workshop,
        wanted,
        renames,
        known,
        {new: old for old, new in renames.items()},
        read_as,
    )
    for piece in every:
        work.look_at(piece)
    short = work.adopt(every)
    texts: dict[str, str] = {}
    for name, parts in found.items():
        text = "".join(work.text_of(piece) for piece in parts)
        if text == files[name] or holds_documents(text, read_as):
            texts[name] = text
    missing = [item for address, item in work.target.items() if address not in work.done]
    new = files_of(target, header, renames, only=missing)
    new |= {f"{name}.yaml": yaml_text([document], header) for name, document in short.items()}
    for name, text in new.items():
        there = texts.get(name)
        texts[name] = text if there is None else f"{there.rstrip()}\n---\n{text}"
    kept = tuple(name for name in files if texts.get(name) == files[name])
    return Rewritten(texts, kept, tuple(dict.fromkeys(work.notes)))


@dataclass(slots=True)
class _Rewriting:
    workshop: Workshop
    target: dict[Address, Resource]
    renames: Mapping[str, str]
    meant: Meant
    former: Mapping[str, str]
    read_as: ReadOnce
    done: set[Address] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def look_at(self, piece: Piece) -> None:
        """Find out what a document makes, and which of its resources are still needed unchanged."""
        if piece.raw is not None and piece.raw.kind != TEMPLATE:
            piece.made = self.meant.by(piece.raw) or self.workshop.made_of(piece.raw) or {}
        piece.inline = any(item.kind is Kind.PERMISSIONS for item in piece.made)
        self.done |= {address for address, item in piece.made.items()
                      if self.target.get(address) == item}  # fmt: skip

    def adopt(self, parts: list[Piece]) -> dict[str, Written]:
        """Add new connectors to tables that they fit, or else write short documents for them."""
        there = {name for piece in parts for name in self._names(piece)}
        tables = [piece for piece in parts if piece.made and piece.is_table]
        found: dict[str, Written] = {}
        for address, connector in list(self.target.items()):
            if isinstance(connector, Connector) and connector.name not in there:
                fits = any(self._add_row(piece, connector) for piece in tables)
                if not fits and address not in self.done:
                    short = self._of_a_template(connector)
                    if short is not None:
                        found[connector.name] = short
        return found

    def _names(self, piece: Piece) -> Iterator[str]:
        """The new names of a document's connectors."""
        for address in piece.made:
            wanted = self._connector(address.name)
            if wanted is not None:
                yield wanted.name

    def _add_row(self, piece: Piece, connector: Connector) -> bool:
        table = piece.raw.value if piece.raw is not None else None
        if not isinstance(table, dict):
            return False
        if connector.name in self.renames:
            return False  # a row keeps its former name elsewhere
        row = self._row(table, connector.name, {}, connector, inline=piece.inline)
        if row is not None:
            piece.rows[connector.name] = row
        return row is not None

    def _of_a_template(self, connector: Connector) -> Written | None:
        """The shortest document of a template, if it is a third shorter than the full one."""
        if not self.workshop.known:
            return None
        provider = self.workshop.providers.get(connector.provider or "")
        rights = self.target.get(Address(Kind.PERMISSIONS, connector.name))
        most = len(list(paths_of(concise(connector, provider)))) * 2 // 3
        head: Written = {"kind": str(Kind.EMAIL_CONNECTOR), "name": connector.name}
        if connector.name in self.renames:
            head["renamed_from"] = self.renames[connector.name]
        for name in self.workshop.known:
            for permissions in (rights, None) if isinstance(rights, Permissions) else (None,):
                wanted = Wanted(
                    connector, permissions if isinstance(permissions, Permissions) else None
                )
                found = shortest(self.workshop, {**head, "template": name}, wanted)
                if found is not None and len(list(paths_of(found))) <= most:
                    self.done.update(wanted.made)
                    return found
        return None

    def text_of(self, piece: Piece) -> str:
        """The new text of a document."""
        raw = piece.raw
        if raw is None or raw.kind == TEMPLATE or not isinstance(raw.value, dict):
            return piece.text
        same = all(self.target.get(address) == item for address, item in piece.made.items())
        if same and not piece.rows:
            return piece.text
        if raw.kind == TABLE:
            return self._written(piece, self._table(piece))
        found = self._slightly_changed(piece, raw.value)
        if found is None:
            found = self._document(raw.value, piece.made)
        return self._written(piece, found)

    def _slightly_changed(self, piece: Piece, value: Written) -> list[Written] | None:
        """The document of a connector of which little changes; None if that needs a closer look."""
        before = next(iter(piece.made.values())) if len(piece.made) == 1 else None
        after = self.target.get(before.address) if before is not None else None
        if not isinstance(before, Connector) or not isinstance(after, Connector):
            return None
        if not piece.plain or "${" in piece.text:
            return None
        found = with_copied_fields(value, before, after)
        if found is None:
            return None
        self.done.add(after.address)
        return [found]

    def _document(self, value: Written, made: Made) -> list[Written]:
        """The documents that replace one with a single resource and its permissions."""
        address = next(iter(made), None)
        if address is None:
            return []
        if address.kind is not Kind.EMAIL_CONNECTOR:
            wanted = self.target.get(address)
            if wanted is None or address in self.done:
                return []
            self.done.add(address)
            return [self._kept(value, concise(wanted, None))]
        connector = self._connector(address.name)
        if connector is None:
            return []
        inline = any(item.kind is Kind.PERMISSIONS for item in made)
        if connector.name != address.name:
            value = {**value, "name": connector.name, "renamed_from": address.name}
        return self._connector_documents(value, connector, inline=inline)

    def _connector(self, name: str) -> Connector | None:
        """The new version of a connector of the files, under its own or an earlier name."""
        for wanted in (name, self.former.get(name, name)):
            found = self.target.get(Address(Kind.EMAIL_CONNECTOR, wanted))
            if isinstance(found, Connector) and (wanted == name or found.address not in self.done):
                return found
        return None

    def _connector_documents(
        self, value: Written, connector: Connector, *, inline: bool
    ) -> list[Written]:
        """The document of a connector, as short as possible, and that of its permissions."""
        rights = self.target.get(Address(Kind.PERMISSIONS, connector.name)) if inline else None
        wanted = Wanted(connector, rights if isinstance(rights, Permissions) else None)
        self.done.update(wanted.made)
        found = shortest(self.workshop, value, wanted)
        if found is not None:
            return [found]
        if isinstance(value.get("template"), str):
            self.notes.append(
                f"{connector.name} no longer fits the template {value['template']}, so it is written in full"
            )
        former = value.get("renamed_from")
        provider = self.workshop.providers.get(connector.provider or "")
        full = concise(connector, provider, former if isinstance(former, str) else "")
        return [full, *([concise(wanted.permissions, None)] if wanted.permissions else [])]

    def _table(self, piece: Piece) -> list[Written]:
        """The table with the rows that still fit, and documents for connectors that need fields of their own."""
        table = piece.raw.value if piece.raw is not None else None
        if not isinstance(table, dict):
            return []
        rows = _mapping(table.get("connectors"))
        former = _mapping(table.get("renamed_from"))
        shared = _mapping(table.get("parameters"))
        fields = {key: item for key, item in table.items() if key not in HEAD_FIELDS[TableHead]}
        kept: Written = {}
        others: list[Written] = []
        made_by_row: dict[str, dict[Address, Resource]] = {}
        for address, item in piece.made.items():
            made_by_row.setdefault(address.name, {})[address] = item
        for name, row in rows.items():
            made = made_by_row.get(name, {})
            if all(self.target.get(address) == item for address, item in made.items()):
                kept[name] = row
                continue
            connector = self._connector(name)
            if connector is None:
                continue
            inline = any(address.kind is Kind.PERMISSIONS for address in made)
            changed = self._row(table, name, _mapping(row), connector, inline=inline)
            if changed is not None:
                kept[name] = changed
                continue
            value: Written = {"kind": str(Kind.EMAIL_CONNECTOR), "name": connector.name}
            if connector.name != name:
                value["renamed_from"] = name
            elif name in former:
                value["renamed_from"] = former[name]
            arguments = {**shared, **_mapping(row)}
            value |= {"template": table["template"]}
            value |= {"parameters": arguments} if arguments else {}
            others += self._connector_documents({**value, **fields}, connector, inline=inline)
        kept |= piece.rows
        if not kept:
            return others
        result = {**table, "connectors": kept}
        names = {name: old for name, old in former.items() if name in kept}
        result = {**result, "renamed_from": names} if names else _lacking(result, "renamed_from")
        return [result, *others]

    def _row(
        self, table: Written, name: str, row: Written, connector: Connector, *, inline: bool
    ) -> Written | None:
        """The row that makes a connector; None if no parameter values do."""
        if connector.name != name:
            return None
        rights = self.target.get(Address(Kind.PERMISSIONS, name)) if inline else None
        wanted = Wanted(connector, rights if isinstance(rights, Permissions) else None)
        template = table.get("template")
        if not isinstance(template, str) or template not in self.workshop.known:
            return None
        shared = _mapping(table.get("parameters"))
        found = self.workshop.arguments(template, wanted)
        changed = {key: row[key] for key in row if key in found} | {
            key: item for key, item in found.items() if shared.get(key) != item
        }
        alone = _lacking({**table, "connectors": {name: changed}}, "renamed_from")
        if self.workshop.made(alone) != wanted.made:
            return None
        self.done.update(wanted.made)
        return changed

    def _kept(self, value: Written, wanted: Written) -> Written:
        """The new document, with the texts of the written one where they are equivalent."""
        resolved = self.workshop.resolved(value)
        found = _texts(value, resolved, wanted, self.workshop)
        made = self.workshop.made(found)
        return found if made is not None and made == self.workshop.made(wanted) else wanted

    def _written(self, piece: Piece, found: list[Written]) -> str:
        if not found:
            return ""
        first, *others = found
        before = piece.raw.value if piece.plain and piece.raw else None
        text = edited(piece.text, first, before, read=self.read_as.plain)
        if text is None:
            start = "---\n" if piece.text.startswith("---") else ""
            self.notes.append("comments of a document that changed are lost")
            text = start + yaml_text([first], "")
        if others:
            more = yaml_text(others, "")
            ending = "" if text.endswith("\n") else "\n"
            behind = f"{ending}---\n{more}"
            text += behind.replace("\n", "\r\n") if "\r\n" in piece.text else behind
        return text


def _texts(value: JSON, resolved: JSON, wanted: Written, workshop: Workshop) -> Written:
    if not isinstance(value, dict) or not isinstance(resolved, dict):
        return wanted
    found: Written = {}
    for key in [
        *(key for key in value if key in wanted),
        *(key for key in wanted if key not in value),
    ]:
        item: Any = wanted[key]
        if key in value and resolved.get(key) == item:
            found[key] = value[key]
        elif key in value and isinstance(item, dict):
            found[key] = _texts(value[key], resolved.get(key), item, workshop)
        else:
            found[key] = workshop.with_signs(item, value.get(key))
    return found


def _mapping(value: JSON) -> Written:
    return value if isinstance(value, dict) else {}


def _lacking(value: Written, name: str) -> Written:
    return {key: item for key, item in value.items() if key != name}
