"""A mail's own pictures stand in its HTML; nothing else does."""

from __future__ import annotations

import pytest

from reconciler.sandbox.opened_mail import ReceivedFile, open_mail, with_pictures

PICTURE = "data:image/png;base64,iVBORw=="
MAIL = """\
Content-Type: multipart/related; boundary=b

--b
Content-Type: text/html

<img src="cid:logo@x.example">
--b
Content-Type: image/png
Content-ID: <logo@x.example>
Content-Transfer-Encoding: base64

iVBORw==
--b--
"""


def logo(content_id: str = "logo@x.example", kind: str = "image/png") -> ReceivedFile:
    return ReceivedFile("logo", kind, b"\x89PNG", content_id)


def test_a_picture_of_the_mail_is_found_by_its_content_id() -> None:
    mail = open_mail(MAIL.encode())
    assert mail.html is not None
    assert with_pictures(mail.html, mail.attachments) == f'<img src="{PICTURE}">'


@pytest.mark.parametrize(
    "text",
    ["cid:logo@x.example", "CID:logo@x.example", "cid:logo%40x.example", "cid:logo&#64;x.example"],
)
def test_it_may_be_called_in_any_spelling(text: str) -> None:
    assert with_pictures(f"<img src='{text}'>", [logo()]) == f"<img src='{PICTURE}'>"
    assert with_pictures(f"url({text})", [logo()]) == f"url({PICTURE})"


@pytest.mark.parametrize(
    ("text", "attached"),
    [
        ("cid:other@x.example", logo()),
        ("cid:", logo("")),
        ("my-cid:logo@x.example", logo()),
        ("cid:logo@x.example", logo(kind="image/svg+xml")),
        ("cid:logo@x.example", logo(kind="text/html")),
        ("http://x.example/logo.png", logo("http://x.example/logo.png")),
    ],
)
def test_everything_else_stays_as_it_is(text: str, attached: ReceivedFile) -> None:
    assert with_pictures(f'<img src="{text}">', [attached]) == f'<img src="{text}">'


def test_a_picture_that_is_named_very_often_does_not_fill_the_memory() -> None:
    large = ReceivedFile("large", "image/png", b"x" * 3_000_000, "l")
    shown = with_pictures('<img src="cid:l">' * 1_000_000, [large])
    assert shown.count("data:") == 12
    assert len(shown) < 80_000_000
