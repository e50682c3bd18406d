"""What the dashboard ships of others is what was published, and nothing of it is inline."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from busctl.adapters import report_page
from busctl.adapters.asgi import pages

FOLDER = Path(pages.__file__).parent
REPORT = Path(report_page.__file__).parent


def test_vendored_files_are_as_published() -> None:
    table = (FOLDER / "static" / "VENDORED.md").read_text("utf-8")
    told = dict(re.findall(r"^\| (\S+\.(?:js|css)) \|.*\| ([0-9a-f]{64}) \|$", table, re.MULTILINE))
    found = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in (FOLDER / "static").iterdir()
        if ".min." in path.name
    }
    assert told == found
    for licence in re.findall(r"\((LICENSE\.\S+)\)", table):
        assert (FOLDER / "static" / licence).stat().st_size > 100


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("sheet", [FOLDER / "static" / "dashboard.css", REPORT / "page.css"])
def test_text_can_be_read_light_and_dark(sheet: Path) -> None:
    """4.5 to 1 is what WCAG 2.2 asks of text (AA), whatever it stands on."""
    schemes = re.findall(r":root \{(.*?)\}", sheet.read_text("utf-8"), re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", scheme))
        grounds = {name: colours.pop(name) for name in ("page", "card", "wash") if name in colours}
        colours.pop("line")
        for name, ink in colours.items():
            for ground in grounds.values():
                assert contrast(ink, ground) >= 4.5, (sheet.name, name, ink, ground)


def test_no_template_has_script_style_or_unescaped_text() -> None:
    for path in (FOLDER / "templates").iterdir():
        text = path.read_text("utf-8")
        assert not re.search(
            r"<script(?! src=)|<style|\sstyle=|\son\w+=|\|\s*safe|autoescape", text
        ), path
