"""What the dashboard ships of others is what was published, and nothing of it is inline."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from busctl.adapters.asgi import pages

FOLDER = Path(pages.__file__).parent


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


def test_no_template_has_script_style_or_unescaped_text() -> None:
    for path in (FOLDER / "templates").iterdir():
        text = path.read_text("utf-8")
        assert not re.search(
            r"<script(?! src=)|<style|\sstyle=|\son\w+=|\|\s*safe|autoescape", text
        ), path
