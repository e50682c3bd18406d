"""A report as one HTML file that needs nothing else: no script, no font, no request of any kind."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import cache
from pathlib import Path

import jinja2

from busctl.adapters import whole_file
from busctl.core.errors import FileFailed
from busctl.core.reports import chart
from busctl.core.reports.page import Page, written
from busctl.core.text import printable

_HERE = Path(__file__).parent


def check_place(target: Path) -> None:
    """That a report can be written there, before minutes are spent on it. Raises FileFailed."""
    if target.is_dir():
        raise FileFailed(f"{target} is a folder.", remedy="Name a file, as in report.html.")
    if not target.parent.is_dir():
        raise FileFailed(
            f"{target} cannot be written: there is no folder {target.parent}.",
            remedy="Make the folder first.",
        )
    if not os.access(target.parent, os.W_OK):
        raise FileFailed(f"{target} cannot be written: {target.parent} is not yours to write to.")


def write(target: Path, page: Page) -> None:
    """Replace `target` by the page, in one step. Raises FileFailed."""
    try:
        whole_file.replace(target, html(page).encode())
    except OSError as error:
        raise FileFailed(f"{target} cannot be written: {error.strerror}.") from error


def html(page: Page) -> str:
    """The whole document. Whatever the figures say stays text."""
    style = _environment().get_template("page.css").render()
    return (
        _environment()
        .get_template("page.html")
        .render(page=page, style_hash=_hashed(style), json=_json(page), chart=chart)
    )


def _json(page: Page) -> str:
    return json.dumps(page.shape, ensure_ascii=False, indent=2)


def _hashed(style: str) -> str:
    """By this the policy lets in the style that the page brings, and no other."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {"cell": lambda cell: printable(written(cell)), "clean": printable}
    return found
