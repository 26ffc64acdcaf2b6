"""The resolver: a closed set of schemes, each secret once, and errors that never hold a value."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import SecretError
from reconciler.model.secret_ref import SecretRef
from reconciler.secrets import schemes
from reconciler.secrets.registry import Resolver
from reconciler.secrets.schemes import known_schemes

if TYPE_CHECKING:
    from reconciler.secrets.base import Secret, SecretResolver

Reveal = Callable[[str], str]
Refuse = Callable[[str], SecretError]


class Environment(dict[str, str]):
    """An environment that counts how often it is looked at, and can hold a reader up."""

    def __init__(self, *args: object, **variables: str) -> None:
        super().__init__(variables)
        self.asked: list[str] = []
        self.open = threading.Event()
        self.open.set()

    def get(self, key: str, default: object = None) -> str | None:  # type: ignore[override]
        self.asked.append(key)
        assert self.open.wait(10)
        return super().get(key)


# What the entry points of the tests lead to.


def fetch_from_vault(target: str) -> str:
    return f"secret of {target}"


def fetch_nothing(target: str) -> str:
    raise SecretError("the vault is sealed", hint="Unseal it.")


def fetch_and_break(target: str) -> str:
    value = "correct" + " " + "horse"
    raise LookupError(value)


def fetch_a_number(target: str) -> int:
    return 42


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that packages with these schemes are installed."""

    def install(*points: tuple[str, Callable[[str], object]]) -> None:
        found = EntryPoints(
            EntryPoint(scheme, f"{load.__module__}:{load.__name__}", schemes.ENTRY_POINT_GROUP)
            for scheme, load in points
        )
        loads = {load.__name__: load for _, load in points}
        monkeypatch.setattr(EntryPoint, "load", lambda point: loads[point.attr])
        monkeypatch.setattr(schemes, "entry_points_of_schemes", lambda: found)

    return install


def test_the_resolver_is_one() -> None:
    resolver: SecretResolver = Resolver({}, allow_command=False, base=Path())

    assert resolver is not None


def test_the_built_in_schemes_are_known() -> None:
    assert known_schemes() == ("env", "file", "keyring", "command")


def test_an_unknown_scheme_is_named_with_those_that_are_known(refuse: Refuse) -> None:
    error = refuse("vault:mail/support")

    assert error.message == "the secret vault:mail/support has an unknown scheme: vault"
    assert error.hint == "Known schemes: env, file, keyring, command."


def test_a_package_adds_a_scheme(packages: Callable[..., None], reveal: Reveal) -> None:
    packages(("vault", fetch_from_vault))

    assert known_schemes() == ("env", "file", "keyring", "command", "vault")
    assert reveal("vault:mail/support") == "secret of mail/support"


def test_no_package_takes_the_place_of_a_built_in_scheme(
    packages: Callable[..., None], refuse: Refuse
) -> None:
    packages(("env", fetch_from_vault))

    assert known_schemes() == ("env", "file", "keyring", "command")
    assert "is not set" in refuse("env:SUPPORT_PASSWORD").message


def test_two_packages_cannot_share_a_scheme(packages: Callable[..., None], refuse: Refuse) -> None:
    packages(("vault", fetch_from_vault), ("vault", fetch_nothing))

    assert "has a scheme that 2 packages claim" in refuse("vault:mail").message


def test_a_package_says_why_there_is_no_secret(
    packages: Callable[..., None], refuse: Refuse
) -> None:
    packages(("vault", fetch_nothing))

    error = refuse("vault:mail")

    assert error.message == "the secret vault:mail cannot be fetched: the vault is sealed"
    assert error.hint == "Unseal it."


def test_a_package_that_breaks_is_not_quoted(packages: Callable[..., None], refuse: Refuse) -> None:
    packages(("vault", fetch_and_break))

    error = refuse("vault:mail")

    assert "raised LookupError" in error.message
    assert "correct horse" not in "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )


def test_a_package_that_returns_no_text_is_refused(
    packages: Callable[..., None], refuse: Refuse
) -> None:
    packages(("vault", fetch_a_number))

    assert "returned no text" in refuse("vault:mail").message


def test_each_secret_is_fetched_once() -> None:
    environ = Environment(SUPPORT_PASSWORD="correct horse", INFO_PASSWORD="battery staple")
    resolver = Resolver(environ, allow_command=False, base=Path())

    first = resolver.resolve(SecretRef("env", "SUPPORT_PASSWORD"))
    environ["SUPPORT_PASSWORD"] = "another"
    again = resolver.resolve(SecretRef.parse("env:SUPPORT_PASSWORD"))
    resolver.resolve(SecretRef("env", "INFO_PASSWORD"))

    assert again is first
    assert environ.asked == ["SUPPORT_PASSWORD", "INFO_PASSWORD"]


def test_a_cached_secret_is_fetched_again_when_it_expires() -> None:
    now = [1000.0]
    environ = Environment()
    resolver = Resolver(environ, allow_command=False, base=Path(), keep=60, clock=lambda: now[0])
    reference = SecretRef("env", "SUPPORT_PASSWORD")

    with pytest.raises(SecretError):
        resolver.resolve(reference)
    environ["SUPPORT_PASSWORD"] = "first"
    now[0] += 60
    assert resolver.resolve(reference).reveal() == "first"
    environ["SUPPORT_PASSWORD"] = "second"
    now[0] += 59
    assert resolver.resolve(reference).reveal() == "first"
    now[0] += 1
    assert resolver.resolve(reference).reveal() == "second"


def test_a_secret_stays_as_it_was_while_it_is_being_replaced() -> None:
    now = [1000.0]
    environ = Environment(SUPPORT_PASSWORD="first")
    resolver = Resolver(environ, allow_command=False, base=Path(), keep=60, clock=lambda: now[0])
    reference = SecretRef("env", "SUPPORT_PASSWORD")
    assert resolver.resolve(reference).reveal() == "first"
    del environ["SUPPORT_PASSWORD"]
    now[0] += 60
    assert resolver.resolve(reference).reveal() == "first"
    environ["SUPPORT_PASSWORD"] = "second"
    now[0] += 6
    assert resolver.resolve(reference).reveal() == "second"


def test_a_failure_is_remembered_and_raised_afresh() -> None:
    environ = Environment()
    resolver = Resolver(environ, allow_command=False, base=Path())
    errors = []

    for _ in range(2):
        with pytest.raises(SecretError) as caught:
            resolver.resolve(SecretRef("env", "SUPPORT_PASSWORD"))
        errors.append(caught.value)

    assert environ.asked == ["SUPPORT_PASSWORD"]
    assert errors[0] is not errors[1]
    assert str(errors[0]) == str(errors[1])


def test_threads_wait_for_the_one_that_fetches() -> None:
    environ = Environment(SUPPORT_PASSWORD="correct horse")
    environ.open.clear()
    resolver = Resolver(environ, allow_command=False, base=Path())
    reference = SecretRef("env", "SUPPORT_PASSWORD")
    resolved: list[Secret] = []
    threads = [
        threading.Thread(target=lambda: resolved.append(resolver.resolve(reference)))
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    environ.open.set()
    for thread in threads:
        thread.join(10)

    assert [secret.reveal() for secret in resolved] == ["correct horse"] * 8
    assert environ.asked == ["SUPPORT_PASSWORD"]


def test_one_slow_secret_does_not_delay_another() -> None:
    environ = Environment(SUPPORT_PASSWORD="correct horse")
    environ.open.clear()
    resolver = Resolver(environ, allow_command=False, base=Path())
    slow = threading.Thread(target=resolver.resolve, args=[SecretRef("env", "SUPPORT_PASSWORD")])

    slow.start()
    with pytest.raises(SecretError):
        resolver.resolve(SecretRef("file", "missing"))
    environ.open.set()
    slow.join(10)

    assert not slow.is_alive()


def test_an_interrupted_fetch_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver({"SUPPORT_PASSWORD": "correct horse"}, allow_command=False, base=Path())
    reference = SecretRef("env", "SUPPORT_PASSWORD")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("reconciler.secrets.env.fetch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            resolver.resolve(reference)

    assert resolver.resolve(reference).reveal() == "correct horse"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@settings(max_examples=30, deadline=None)  # some of them run a program
@given(
    word=st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=16, max_size=24),
    flaw=st.sampled_from([b"\xff", b"\0", b"x" * 70_000]),
    scheme=st.sampled_from(["file", "command", "env"]),
)
def test_no_error_holds_what_was_fetched_not_even_in_its_frames(
    word: str, flaw: bytes, scheme: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("secrets")
    base.joinpath("secret").write_bytes(word.encode() + flaw)
    environ = {"PATH": "/usr/bin:/bin", "secret": word + "\udcff"}
    target = "cat secret" if scheme == "command" else "secret"
    resolver = Resolver(environ, allow_command=True, base=base)

    with pytest.raises(SecretError) as caught:
        resolver.resolve(SecretRef(scheme, target))

    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    below = [frame for frame in told.stack if frame.filename != __file__]
    assert below
    assert word not in repr([frame.locals for frame in below])
    assert all(word not in repr(error) for error in chain(caught.value))
    assert word not in repr(vars(caught.value))


def test_the_resolver_itself_shows_nothing() -> None:
    resolver = Resolver({"SUPPORT_PASSWORD": "correct horse"}, allow_command=False, base=Path())
    resolver.resolve(SecretRef("env", "SUPPORT_PASSWORD"))

    assert "correct horse" not in repr(resolver)
    assert "correct horse" not in repr(resolver._fetched)
