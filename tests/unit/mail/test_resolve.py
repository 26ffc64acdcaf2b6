from __future__ import annotations

import pytest

from reconciler.mail.resolve import ascii_host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Imap.Example.COM.", "imap.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("ü" * 70 + ".example", "ü" * 70 + ".example"),
        ("", ""),
    ],
)
def test_a_name_is_written_as_the_network_writes_it(host: str, expected: str) -> None:
    assert ascii_host(host) == expected
