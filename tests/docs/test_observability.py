"""The table of metrics is what the daemon tells."""

from __future__ import annotations

from tests.docs.metrics_table import PAGE, page


def test_the_table_is_fresh() -> None:
    assert page() == PAGE.read_text("utf-8"), "run `make docs`"
