"""What is read from the URL of a PostgreSQL database without its driver."""

from __future__ import annotations

import pytest

from reconciler.model.state_url import parse


@pytest.mark.parametrize(
    ("url", "user", "hosts"),
    [
        ("postgresql://team@db.example/mail", "team", ("db.example",)),
        ("postgres://db.example:5433/mail", "", ("db.example",)),
        ("postgresql+psycopg://a%40b@db.example", "a@b", ("db.example",)),
        ("postgresql://team@one:5432,two:5433/mail", "team", ("one", "two")),
        ("postgresql://[2001:db8::1]:5432/mail", "", ("2001:db8::1",)),
        ("postgresql:///mail?host=/run/postgresql&user=team", "team", ("/run/postgresql",)),
        ("postgresql://db.example/mail?hostaddr=127.0.0.1", "", ("127.0.0.1",)),
        ("postgresql://", "", ("",)),
    ],
)
def test_it_says_who_connects_where(url: str, user: str, hosts: tuple[str, ...]) -> None:
    found = parse(url)
    assert found is not None
    assert (found.user, found.hosts) == (user, hosts)
    assert not found.has_password


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://team:hunter2@db.example:5433/mail?sslmode=require",
        "postgresql://team@db.example:5433/mail?password=hunter2",
    ],
)
def test_a_password_is_noticed_and_not_shown(url: str) -> None:
    found = parse(url)
    assert found is not None
    assert found.has_password
    assert found.shown == "postgresql://team@db.example:5433/mail"
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("url", "verified"),
    [
        ("postgresql://db.example/mail", False),
        ("postgresql://db.example/mail?sslmode=require", False),
        ("postgresql://db.example/mail?sslmode=verify-ca", False),
        ("postgresql://db.example/mail?sslmode=verify-full", True),
        ("postgresql://db.example/mail?sslrootcert=system", True),
        ("postgresql://localhost/mail", True),
        ("postgresql://127.0.0.1,[::1]/mail", True),
        ("postgresql://localhost,db.example/mail", False),
        ("postgresql://localhost.example/mail", False),
        ("postgresql:///mail?host=/run/postgresql", True),
        ("postgresql:///mail?service=team", True),
        ("postgresql:///mail", True),
    ],
)
def test_it_says_whether_the_server_has_to_prove_itself(url: str, *, verified: bool) -> None:
    found = parse(url)
    assert found is not None
    assert found.verified is verified


@pytest.mark.parametrize("url", ["sqlite:///state.db", "mysql://db/x", "", "postgresql"])
def test_other_urls_are_ignored(url: str) -> None:
    assert parse(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@host:port/db",
        "postgresql://u:hunter2@host:65536/db",
        "postgresql://u:12/hunter2@host/db",
        "postgresql://u:hun@ter2@host/db",
        "postgresql://u:hunter2@host/db/more",
    ],
)
def test_an_unreadable_url_is_rejected_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|no host") as caught:
        parse(url)
    assert "hunter2" not in str(caught.value)
