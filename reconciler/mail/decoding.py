"""Decodes a server's text in every way that could reveal something that was sent to it."""

from __future__ import annotations

import binascii
import html
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_OCTETS: Final = r"(?i)(?:(?:%|=|\\x|0x)[0-9a-f]{2}[ ,;:]?)+|(?:\\[0-3][0-7]{2})+"
"""Escaped octets: URLs (RFC 3986), quoted-printable (RFC 2045), and strings of programming languages."""

_OCTET: Final = r"(?i)(?:%|=|\\x|0x)([0-9a-f]{2})|\\([0-3][0-7]{2})"
_CHARACTER: Final = r"(?i)(?:\\u\{?|u\+)([0-9a-f]{4,6})\}?"
_NUMBER: Final = r"[0-9]+"
_HEXADECIMAL: Final = r"(?i)[0-9a-f]{6,}"
_BASE64: Final = r"[A-Za-z0-9+/]{6,}"
_BASE32: Final = r"[A-Z2-7]{8,}"
_QUOTING: Final = r"[\s\\\"']+"
_NEITHER: Final = r"[\W_]+"
_OCTAL: Final = r"[0-3][0-7]{2}"
_HIGHEST: Final = 0x10FFFF
_OCTETS_END: Final = 0x100
_FOR_URLS: Final = {ord("-"): "+", ord("_"): "/"}
_FIVE_BITS: Final = {
    digit: f"{value:05b}" for value, digit in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
}


def readings(text: str, *, ascii_only: bool = False) -> Iterator[str]:
    """Yield a text as it is and decoded in each way, twice over where escapes are escaped.

    The result may be noise if the text is not in that encoding. With ``ascii_only``, non-ASCII
    characters are dropped from decoded text.
    """
    charsets = ("ascii",) if ascii_only else ("utf-8", "latin-1")
    seen = {text}
    for charset in charsets:
        plainer = _unescaped(text, charset)
        seen |= {plainer, _unescaped(plainer, charset)}
    yield from seen
    for each in seen:
        tight = re.sub(_QUOTING, "", each)
        yield from (tight[::2], tight[1::2])
        if numbers := re.findall(_NUMBER, each):
            yield "".join(map(_character, _decimal(numbers)))
        for octets in (*_numbers(numbers), *_hexadecimal(each), *_base64(tight), *_base32(tight)):
            if b"\0" in octets:
                yield octets.decode("utf-16-le", "ignore")
                yield octets.decode("utf-16-be", "ignore")
            for charset in charsets:
                yield octets.decode(charset, "ignore")


def _unescaped(text: str, charset: str) -> str:
    def octets(match: re.Match[str]) -> str:
        found = re.findall(_OCTET, match[0])
        values = (int(digits, 16) if digits else int(octal, 8) for digits, octal in found)
        return bytes(values).decode(charset, "ignore")

    text = re.sub(_OCTETS, octets, html.unescape(text))
    return re.sub(_CHARACTER, lambda match: _character(int(match[1], 16)), text)


def _character(number: int) -> str:
    return chr(number) if number <= _HIGHEST else " "


def _decimal(numbers: list[str]) -> list[int]:
    return [int(item) for item in numbers if len(item) <= len(str(_HIGHEST))]


def _numbers(numbers: list[str]) -> Iterator[bytes]:
    """Read numbers as octets, in decimal and in octal."""
    yield bytes(item for item in _decimal(numbers) if item < _OCTETS_END)
    octal = (int(item, 8) for item in numbers if re.fullmatch(_OCTAL, item))
    yield bytes(octal)


def _hexadecimal(text: str) -> Iterator[bytes]:
    for run in re.findall(_HEXADECIMAL, re.sub(_NEITHER, "", text)):
        for digits in (run, run[1:]):
            yield bytes.fromhex(digits[: len(digits) // 2 * 2])


def _base64(tight: str) -> Iterator[bytes]:
    for run in re.findall(_BASE64, tight.translate(_FOR_URLS)):
        for start in range(4):
            digits = run[start:]
            digits = digits[: len(digits) - (len(digits) % 4 == 1)]
            yield binascii.a2b_base64(digits + "=" * (-len(digits) % 4))


def _base32(tight: str) -> Iterator[bytes]:
    for run in re.findall(_BASE32, tight.upper()):
        for start in range(8):
            bits = "".join(_FIVE_BITS[digit] for digit in run[start:])
            octets = len(bits) // 8
            if octets:
                yield int(bits[: octets * 8], 2).to_bytes(octets)
