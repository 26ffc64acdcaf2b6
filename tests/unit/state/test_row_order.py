"""Rows are taken apart by the order of their columns, so both readers must have one order."""

from __future__ import annotations

import pytest

from reconciler.state import sqlite_reader
from reconciler.state.sql import tables


@pytest.mark.parametrize("table", sqlite_reader.COLUMNS)
def test_the_driver_and_the_store_read_columns_in_one_order(table: str) -> None:
    columns = tables.metadata.tables[table].columns
    assert list(sqlite_reader.COLUMNS[table]) == [item.name for item in columns]
