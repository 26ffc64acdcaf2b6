"""Import the settings of another program for a new connector: everything but its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.app.atomic_file import read_wholly
from reconciler.discovery.autoconfig import LARGEST, NotAutoconfig, read_autoconfig
from reconciler.discovery.found import Source
from reconciler.discovery.program_settings import Remark, read_program_settings
from reconciler.discovery.settings_form import FormSettings, read_form
from reconciler.errors import UsageError
from reconciler.values import replace

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.app.add import AddOptions

_FORMATS: Final = (
    "It reads variables (SMTP_*, EMAIL_*, MAIL_*, GF_SMTP_*, MAILER_DSN, SMTP_URL), also in compose files,"
    " spring.mail.* in properties and YAML, msmtprc, autoconfig XML, and the settings form as `export` writes it or as CSV."
)


def take_over(path: Path, given: AddOptions) -> tuple[AddOptions, tuple[Remark, ...]]:
    """Fill in missing options from a file, and list what was not imported.

    Raises ReconcilerError for a file that cannot be read, and UsageError for one without a usable server.
    """
    data = read_wholly(path, largest=(LARGEST, "settings of mail"))
    if data.lstrip().startswith(b"<"):
        return _from_xml(path, data, given), ()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8", hint=_FORMATS) from None
    form = read_form(text)
    if form is not None:
        return _from_form(path, form, given)
    found = read_program_settings(text)
    smtp = given.smtp or found.server
    if smtp is None:
        told = "".join(f" Line {item.line}: {item.text}." for item in found.remarks)
        raise UsageError(f"{path} names no SMTP server that can be used", hint=f"{_FORMATS}{told}")
    address = given.address or found.address
    if not address:
        raise UsageError(
            f"{path} does not say which address mail is sent from", hint="Give ADDRESS as well."
        )
    options = replace(
        given,
        address=address,
        smtp=smtp,
        username=given.username or found.username,
        password=given.password or found.password,
        from_name=found.from_name,
        anonymous=not found.signs_in,
        source=Source.FILE,
    )
    return options, tuple(sorted(found.remarks, key=lambda item: item.line))


def _from_form(
    path: Path, form: FormSettings, given: AddOptions
) -> tuple[AddOptions, tuple[Remark, ...]]:
    address = given.address or form.address
    if not address:
        raise UsageError(f"{path} has no email address", hint="Give ADDRESS as well.")
    imap, smtp = given.imap or form.imap, given.smtp or form.smtp
    if imap is None and smtp is None:
        raise UsageError(f"{path} names no server that can be used", hint=_FORMATS)
    options = replace(
        given,
        address=address,
        imap=imap,
        smtp=smtp if form.send else None,
        send=given.send and form.send,
        username=given.username or form.username,
        password=given.password or form.password,
        from_name=form.from_name,
        source=Source.FILE,
    )
    return options, tuple(sorted(form.remarks, key=lambda item: item.line))


def _from_xml(path: Path, data: bytes, given: AddOptions) -> AddOptions:
    if not given.address:
        raise UsageError(f"{path} is for many addresses", hint="Give ADDRESS as well.")
    try:
        found = read_autoconfig(data, given.address, Source.FILE)
    except NotAutoconfig as error:
        raise UsageError(f"{path} cannot be used: {error}", hint=_FORMATS) from None
    name = next((item.username for item in found.servers if item.username), None)
    return replace(
        given,
        imap=given.imap or found.imap,
        smtp=given.smtp or found.smtp,
        username=given.username or name,
        anonymous=found.anonymous,
        source=Source.FILE,
    )
