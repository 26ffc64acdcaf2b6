"""How PostgreSQL is reached: the parameters of the URL, TLS, and where the password comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import StateUnavailable, UsageError
from reconciler.secrets.base import Secret
from reconciler.state.sql.store import open_store
from tests.servers.postgresql import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.postgresql import Postgresql

PASSWORD = "hunter2-of-the-state"
ROLES = ("member", "cleartext")

pytestmark = pytest.mark.server


@pytest.fixture
def server(postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgresql]:
    """The server, with roles that need a password over TCP, and nothing of libpq's set outside."""
    for name in ("PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT", "PGSERVICEFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    postgresql.clear(ROLES)
    postgresql.execute(*(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'" for role in ROLES))
    yield postgresql
    postgresql.clear(ROLES)


def verified(server: Postgresql) -> str:
    return f"sslmode=verify-full&sslrootcert={server.certificate}"


def password() -> Secret:
    return Secret(PASSWORD)


def test_a_verified_server_gets_the_password_of_the_reference(server: Postgresql) -> None:
    store = open_store(server.tcp_url("member", tls=verified(server)), password=password)
    assert store.load().serial == 0


def test_a_certificate_for_another_name_is_refused(server: Postgresql) -> None:
    url = server.tcp_url("member", host="elsewhere.contoso.example", tls=verified(server))
    with pytest.raises(StateUnavailable, match="does not match host name") as caught:
        open_store(url, password=password).load()
    assert HOST in caught.value.message


def test_a_certificate_of_a_stranger_is_refused(server: Postgresql, tmp_path: Path) -> None:
    import trustme

    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    url = server.tcp_url("member", tls=f"sslmode=verify-full&sslrootcert={stranger}")
    with pytest.raises(StateUnavailable, match="certificate verify failed"):
        open_store(url, password=password).load()


def test_a_missing_root_certificate_is_named(server: Postgresql) -> None:
    url = server.tcp_url("member", tls="sslmode=verify-full&sslrootcert=/nonexistent/ca.pem")
    with pytest.raises(StateUnavailable, match=r"/nonexistent/ca\.pem"):
        open_store(url, password=password).load()


def test_the_connection_is_encrypted_if_the_url_says_so(server: Postgresql) -> None:
    store = open_store(server.tcp_url("member", tls=verified(server)), password=password)
    with store._database.sql_view() as view:  # type: ignore[attr-defined]
        assert view is None  # nothing was created, and the sign-in worked
    server.execute("CREATE SCHEMA reconciler AUTHORIZATION member")
    with store.lock(holder="member", operation="apply"):
        pass
    with store._database.sql_view() as view:  # type: ignore[attr-defined]
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert view.exec_driver_sql(query).scalar() is True


def test_a_wrong_password_is_reported_and_not_repeated(server: Postgresql) -> None:
    store = open_store(
        server.tcp_url("member", tls=verified(server)), password=lambda: Secret("wrong-secret")
    )
    with pytest.raises(StateUnavailable, match="does not let this user sign in") as caught:
        store.load()
    assert "wrong-secret" not in f"{caught.value.message} {caught.value.hint}"
    assert "state_password" in caught.value.hint


def test_no_password_at_all_says_where_to_put_one(server: Postgresql) -> None:
    with pytest.raises(StateUnavailable, match="asks for a password, but none is set") as caught:
        open_store(server.tcp_url("member", tls=verified(server))).load()
    assert "state_password" in caught.value.hint


def test_a_password_in_the_url_comes_before_the_reference(server: Postgresql) -> None:
    url = server.tcp_url(f"member:{PASSWORD}", tls=verified(server))
    assert open_store(url, password=lambda: Secret("wrong")).load().serial == 0


@pytest.mark.parametrize("way", ["PGPASSWORD", "pgpass"])
def test_libpq_finds_the_password_where_it_always_does(
    way: str, server: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "PGPASSWORD":
        monkeypatch.setenv(way, PASSWORD)
    else:
        file = tmp_path / "pgpass"
        file.write_text(f"*:*:*:member:{PASSWORD}\n", encoding="ascii")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
    assert open_store(server.tcp_url("member", tls=verified(server))).load().serial == 0


def test_a_service_file_can_hold_everything(
    server: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text(
        f"[team]\nhost={HOST}\nhostaddr=127.0.0.1\nport={server.port}\ndbname=postgres\n"
        f"user=member\npassword={PASSWORD}\nsslmode=verify-full\nsslrootcert={server.certificate}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    assert open_store("postgresql:///?service=team").load().serial == 0


def test_an_unverified_server_does_not_get_the_password_in_clear(server: Postgresql) -> None:
    # As this machine is its own, what the URL names must not be on loopback: hostaddr decides.
    import psycopg

    from reconciler.model.state_url import parse
    from reconciler.state.sql.connecting import Connecting

    far = parse(f"postgresql://cleartext@db.example:{server.port}/postgres?sslmode=require")
    assert far is not None
    connecting = Connecting(far, password)
    connecting._parameters["hostaddr"] = "127.0.0.1"
    with pytest.raises(psycopg.OperationalError, match="cleartext password"):
        connecting()
    checked = server.tcp_url("cleartext", tls=verified(server))
    assert open_store(checked, password=password).load().serial == 0


def test_the_password_is_fetched_once_and_only_if_it_is_needed(server: Postgresql) -> None:
    fetched = []

    def fetch() -> Secret:
        fetched.append(1)
        return Secret(PASSWORD)

    store = open_store(server.tcp_url("member", tls=verified(server)), password=fetch)
    assert fetched == []
    store.load()
    store.load()
    assert fetched == [1]


@pytest.mark.parametrize(
    "query", ["sslmood=verify-full", "sslmode", "hunter2=%zz", "connect_timeout=%0"]
)
def test_parameters_that_libpq_does_not_know_are_usage_errors(query: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(f"postgresql://team:hunter2@db.example/mail?{query}")
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    assert "libpq" in caught.value.hint


def test_an_unknown_tls_mode_is_reported(server: Postgresql) -> None:
    with pytest.raises(StateUnavailable, match="sslmode"):
        open_store(server.tcp_url("member", tls="sslmode=verify-fully")).load()
