"""The recipes of the documentation, each run exactly as printed."""

from __future__ import annotations

import io
import logging
import re
import sys
import types
import warnings
from contextlib import chdir
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reconciler import Mailer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    from reconciler.sandbox.session import Session
    from tests.functional.conftest import Home

PAGE: Final = Path(__file__).parents[3] / "docs" / "recipes.md"
RECIPES: Final = dict(
    re.findall(
        r"^## ([^\n]+)\n.*?^```python\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)
JOAN: Final = "joan@contoso.example"


@pytest.fixture
def applied(live: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """An applied example, in whose folder and environment an application runs."""
    live.apply_untested("--allow-policy-change")
    for name, text in {**live.environ, "RECONCILER_ACTOR": JOAN}.items():
        monkeypatch.setenv(name, text)
    with chdir(live.folder):
        yield live


def recipe(title: str, **known: Any) -> dict[str, Any]:
    """The names that the code of a recipe defines, with those ``known`` to it from another one."""
    names: dict[str, Any] = {"__name__": "recipe", **known}
    exec(compile(RECIPES[title], PAGE.name, "exec"), names)
    return names


@pytest.fixture
def mailer(applied: Home) -> Iterator[Any]:
    function = recipe("One mailer for a process")["mailer"]
    yield function
    function().close()


def arrived(session: Session, to: str) -> EmailMessage:
    (stray,) = [item for item in session.journal.strays if item.recipient == to]
    return message_from_bytes(stray.content, policy=policy.default)


def test_a_process_has_one_mailer(mailer: Any) -> None:
    assert isinstance(mailer(), Mailer)
    assert mailer() is mailer()


def test_what_is_logged_is_mailed(mailer: Any, example_session: Session) -> None:
    handler = recipe("Python's logging")["MailHandler"](mailer(), "info", "ops@x.example")
    logger = logging.getLogger("shop.orders")
    logger.addHandler(handler)
    try:
        logger.warning("not bad enough")
        logger.error("order %s\nfailed", 17)
    finally:
        logger.removeHandler(handler)
    mail = arrived(example_session, "ops@x.example")
    assert mail["Subject"] == "ERROR in shop.orders"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == ["order 17", "failed"]


def test_a_log_that_cannot_be_mailed_does_not_fail_the_program(
    mailer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = recipe("Python's logging")["MailHandler"](mailer(), "payroll", "ops2@x.example")
    logger = logging.getLogger("shop.orders")
    logger.addHandler(handler)
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    try:
        logger.error("failed")
    finally:
        logger.removeHandler(handler)
    assert "NotAuthorised" in said.getvalue()


@pytest.fixture
def django(applied: Home, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Django with the backend of the recipe in its settings."""
    release = pytest.importorskip("django").VERSION
    from django.conf import settings
    from django.core import mail

    module = types.ModuleType("contoso_mail")
    monkeypatch.setitem(sys.modules, "contoso_mail", module)
    vars(module).update(recipe("Django"))
    backend = "contoso_mail.EmailBackend"
    named: dict[str, Any] = (
        {"MAILERS": {"default": {"BACKEND": backend}}}
        if release >= (6, 1)
        else {"EMAIL_BACKEND": backend}
    )
    if not settings.configured:
        settings.configure(**named, DEFAULT_FROM_EMAIL="info@contoso.example")
    return mail


def test_django_sends_text_html_files_and_blind_copies(
    django: Any, example_session: Session
) -> None:
    mail = django.EmailMultiAlternatives(
        "Größe 🎉", "Hello", to=["dj1@x.example"], bcc=["dj2@x.example"]
    )
    mail.attach_alternative("<p>Hello</p>", "text/html")
    mail.attach("a.txt", "file", "text/plain")
    assert mail.send() == 1
    for to in ("dj1@x.example", "dj2@x.example"):
        found = arrived(example_session, to)
        assert (found["Subject"], found["From"]) == ("Größe 🎉", "info@contoso.example")
        assert "dj2@x.example" not in found.as_string()
        assert [part.get_filename() for part in found.iter_attachments()] == ["a.txt"]


def test_django_gets_an_error_for_a_rejected_mail_unless_it_fails_silently(django: Any) -> None:
    from reconciler.errors import NotAuthorised

    asked = ("Hi", "Hello", "payroll@contoso.example", ["dj3@x.example"])
    with pytest.raises(NotAuthorised):
        django.send_mail(*asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Django 6.1 and newer would rather not be silent
        assert django.send_mail(*asked, fail_silently=True) == 0


def test_flask_answers_with_the_id_of_the_mail(mailer: Any, example_session: Session) -> None:
    pytest.importorskip("flask")
    client = recipe("Flask", mailer=mailer)["app"].test_client()
    form = {"text": "Where is my order?", "email": "visitor@x.example"}
    answer = client.post("/contact", data=form)
    assert answer.status_code == 202
    assert answer.json["message_id"].endswith("@contoso.example>")
    nasty = client.post("/contact", data=form | {"email": "a@x.example\nBcc: b@x.example"})
    assert nasty.status_code == 400
