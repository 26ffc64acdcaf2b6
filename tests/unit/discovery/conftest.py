from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mail_domain import MailDomain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[MailDomain]:
    with MailDomain(tmp_path) as started:
        yield started
