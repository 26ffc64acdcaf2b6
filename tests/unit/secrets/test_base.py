"""A resolved secret is never shown, whatever is done with the object that holds it."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import traceback
from pprint import pformat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.secret_ref import SecretRef
from reconciler.secrets.base import FingerprintKey, Secret

if TYPE_CHECKING:
    from collections.abc import Callable

# Nothing that is shown beside a secret holds this mark by chance.
MARK = "Zq7vXk2W"

secrets = st.text(max_size=40).map(lambda text: MARK + text)
ascii_secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map(
    lambda text: MARK + text
)

SHOWN: list[Callable[[Secret], str]] = [
    repr,
    str,
    ascii,
    format,
    pformat,
    lambda secret: f"{secret} {secret!r} {secret!s} {secret:>40}",
    lambda secret: "{} {!r} {:<40}".format(secret, secret, secret),  # noqa: UP032 - the method itself
    lambda secret: "%s %r %20s" % (secret, secret, secret),  # noqa: UP031 - the operator itself
    lambda secret: repr({"password": secret, "all": [secret], "both": (secret, secret)}),
    lambda secret: repr(ValueError("bad login", secret)),
    lambda secret: str(ValueError("bad login", secret)),
]


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    user: str
    password: Secret


@pytest.mark.parametrize("show", SHOWN)
@given(text=secrets)
def test_no_formatting_shows_it(show: Callable[[Secret], str], text: str) -> None:
    assert show(Secret(text)) == show(Secret("another secret, of another length"))


@given(text=secrets)
def test_a_dataclass_that_holds_it_does_not_show_it(text: str) -> None:
    account = Account("somebody", Secret(text))

    shown = f"{account!r} {dataclasses.fields(account)!r} {pformat(account)}"

    other = Account("somebody", Secret("another secret, of another length"))
    assert shown == f"{other!r} {dataclasses.fields(other)!r} {pformat(other)}"
    with pytest.raises(TypeError):
        dataclasses.asdict(account)


@given(text=secrets)
def test_it_does_not_become_json(text: str) -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"password": Secret(text)})

    assert str(caught.value) == "Object of type Secret is not JSON serializable"
    written = json.dumps({"password": Secret(text)}, default=str)
    assert written == json.dumps({"password": str(Secret("another"))})


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not to be pickled"):
        pickle.dumps([Secret("correct horse")], protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_it_is_not_copied(duplicate: Callable[[Secret], Secret]) -> None:
    with pytest.raises(TypeError, match="pickled or copied"):
        duplicate(Secret("correct horse"))


def test_it_has_no_dictionary_to_look_into() -> None:
    with pytest.raises(TypeError):
        vars(Secret("correct horse"))


def test_it_is_not_hashable_and_cannot_be_a_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret("correct horse"))


@given(text=ascii_secrets)
def test_a_traceback_with_all_its_locals_does_not_show_it(text: str) -> None:
    def sign_in(secret: Secret) -> None:
        attempt = {"AUTH PLAIN": secret}
        raise RuntimeError(f"could not sign in with {attempt} and {secret}") from KeyError(secret)

    with pytest.raises(RuntimeError) as caught:
        sign_in(Secret(text))

    # The frame of this test holds the text itself, so look only at those below it.
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    told.stack = traceback.StackSummary.from_list([told.stack[-1]])
    shown = "".join(told.format())
    assert "could not sign in" in shown
    assert "attempt" in shown
    assert MARK not in shown


@given(text=secrets)
def test_a_log_record_does_not_show_it(text: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.Logger("test")  # noqa: LOG001 - one that no other test can see
    logger.addHandler(handler)

    logger.error("signing in with %s, %r and %s", Secret(text), Secret(text), [Secret(text)])

    assert "signing in with" in stream.getvalue()
    assert MARK not in stream.getvalue()


@given(text=st.text(), other=st.text())
def test_only_reveal_returns_its_text(text: str, other: str) -> None:
    assert Secret(text).reveal() == text
    assert (Secret(text) == Secret(other)) is (text == other)
    assert Secret(text) != text


@given(text=ascii_secrets, key=st.binary(min_size=1))
def test_a_fingerprint_tells_nothing_but_whether_it_is_the_same(text: str, key: bytes) -> None:
    reference = SecretRef("env", "SUPPORT_PASSWORD")

    fingerprint = FingerprintKey(key).fingerprint(reference, Secret(text))

    assert MARK not in repr(fingerprint)
    assert fingerprint == FingerprintKey(key).fingerprint(reference, Secret(text))
    assert fingerprint != FingerprintKey(key).fingerprint(reference, Secret(text + "2"))
    assert fingerprint != FingerprintKey(key).fingerprint(SecretRef("env", "OTHER"), Secret(text))
    assert fingerprint.key_id != FingerprintKey(key + b"2").key_id
