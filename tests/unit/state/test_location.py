"""State URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.state.location import PostgresqlLocation, SqliteLocation, locate


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///.reconciler/state.db", ".reconciler/state.db"),
        ("sqlite:////var/lib/state.db", "/var/lib/state.db"),
        ("sqlite:///with space #and %20.db", "with space #and %20.db"),
    ],
)
def test_a_sqlite_url_names_a_file(url: str, path: str) -> None:
    assert locate(url) == SqliteLocation(Path(path))
    assert str(locate(url)) == path


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_a_postgresql_url_is_shown_without_its_password(scheme: str) -> None:
    found = locate(f"{scheme}://team:hunter2@db.example:5433/mail?sslmode=require&password=hunter2")
    assert isinstance(found, PostgresqlLocation)
    assert found.url.text.startswith("postgresql://team:hunter2@")
    assert str(found) == "postgresql://team@db.example:5433/mail"
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "",
        ".reconciler/state.db",
        "mysql://root:hunter2@localhost/x",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://relative.db",
        "sqlite:///state.db?password=hunter2",
        "postgresql://u:hunter2@host:port/db",
    ],
)
def test_any_other_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        locate(url)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is None
    assert "sqlite:///.reconciler/state.db" in caught.value.hint
