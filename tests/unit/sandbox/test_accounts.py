from __future__ import annotations

from reconciler.model.domain import address_key
from reconciler.sandbox.accounts import username_key


def test_addresses_are_the_same_in_capitals_and_with_a_domain_in_a_labels() -> None:
    assert address_key("Info@Bücher.example") == address_key("info@xn--bcher-kva.EXAMPLE")


def test_a_user_name_may_be_a_local_part_or_an_address() -> None:
    assert username_key("Payroll") == "payroll"
    assert username_key("Payroll@Corp.Example") == "payroll@corp.example"
