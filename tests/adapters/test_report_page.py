"""A report is one file: its figures are those of the JSON, and nothing in it is more than text."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from busctl.adapters import report_page
from busctl.core.errors import FileFailed
from busctl.core.reports.chart import Curve, milliseconds, plot, times
from busctl.core.reports.page import Bar, Page, table_of, written

XSS = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>"
ROWS: list[dict[str, Any]] = [
    {"path": XSS, "bytes": 1_234_567, "ms": 0.0004, "against": {XSS: 1.5}, "wrong": False},
    {"path": "b", "bytes": None, "ms": 12_345.678, "against": {}, "wrong": True},
]


def page() -> Page:
    return Page(
        XSS, XSS, (False, XSS), {XSS: XSS},
        [plot(XSS, [Curve(XSS, [(1, 2), (3, 4)])], times, milliseconds, level=1)],
        [table_of(XSS, ROWS, XSS)], {"rows": ROWS}, [Bar(XSS, 3, XSS), Bar("none", 0, "0")], XSS,
    )  # fmt: skip


def test_nothing_is_interpreted_and_nothing_is_fetched() -> None:
    text = report_page.html(page())
    assert "<script" not in text and "<img" not in text and XSS not in text
    assert not re.search(
        r"(?:src|href)=|url\(|@import|http:|https:", re.sub(r"&lt;.*?&gt;", "", text)
    )
    assert html.escape(XSS) in text


def test_the_policy_lets_in_the_style_and_nothing_else() -> None:
    text = report_page.html(page())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy and style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert " style=" not in text


def test_figures_are_those_of_the_json() -> None:
    text = report_page.html(page())
    held = re.search(r'<pre id="json">(.*?)</pre>', text, re.DOTALL)
    assert held and json.loads(html.unescape(held[1])) == {"rows": ROWS}
    cells = [html.unescape(one) for one in re.findall(r"<td[^>]*>(.*?)</td>", text)]
    assert cells[1:3] == ["1,234,567", "0.000400"] and cells[6:8] == ["–", "12,346"]
    assert written(1e-7) == "1e-07" and written(True) == "yes" and written(2.0) == "2.00"
    assert [written(one) for one in (0.0, 0.048, 3.609, 350.237, -29_639.0912)] == [
        "0", "0.0480", "3.61", "350", "-29,639",
    ]  # fmt: skip
    assert table_of("t", [{"mb_per_s": 1.0, "median_ms": 2.0}]).head == ["MB/s", "median ms"]


def test_it_is_replaced_whole_or_refused_by_name(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    report_page.check_place(target)
    report_page.write(target, page())
    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(FileFailed, match="is a folder"):
        report_page.check_place(tmp_path)
    with pytest.raises(FileFailed, match="no folder"):
        report_page.check_place(tmp_path / "none" / "report.html")
