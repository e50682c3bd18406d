"""Where a cut value goes decides: cases beside the rules' own examples."""

from __future__ import annotations

import pytest

from busctl.audit import Confidence
from busctl.audit.registry import rules
from tests.audits.examples import audited

RULES = [rule for rule in rules() if rule.family == "truncation"]


def codes(body: str, path: str = "app/tools.py") -> list[str]:
    return [one.code for one in audited({path: body}, RULES)]


FOUND = {
    "through a name": "def f(r):\n    out = r.text\n    cut = out[:5000]\n    return cut\n",
    "through a list": (
        "def f(rows):\n    parts = []\n    for text in rows:\n"
        "        parts.append(f'- {text[:500]}')\n    return '\\n'.join(parts)\n"
    ),
    "into json": "import json\ndef f(r):\n    return json.dumps({'content': r.text[:9000]})\n",
    "the end": "def f(p):\n    output = p.stdout\n    return {'output': output[-4000:]}\n",
    "a named cut is no flag": "def f(r):\n    truncated = r.text[:2000]\n    send(truncated)\n",
    "into a row": "def f(row, p):\n    row['text'] = (p.get('a') or '')[:65535]\n    save(row)\n",
    "by precision": "def f(s, text):\n    s.send(f'{text:.500}')\n",
    "shortened": (
        "import textwrap\ndef f(s, text):\n"
        "    s.send(textwrap.shorten(text, width=500, placeholder=''))\n"
    ),
    "for a model": (
        "def f(text):\n    return [{'role': 'user', 'content': 'Read: ' + text[:8000]}]\n"
    ),
}
SPARED = {
    "an exception": "def f(r):\n    raise ValueError(f'bad answer {r.text[:500]}')\n",
    "an error message": "def f(r):\n    return {'error': r.text[:500]}\n",
    "what was caught": (
        "def f():\n    try:\n        g()\n    except OSError as error:\n"
        "        return f'{error}'[:300]\n"
    ),
    "a sentence about a failure": "def f(r):\n    return f'request failed: {r.text[:500]}'\n",
    "the rest is taken": "def f(s, text):\n    s.send(text[:500])\n    s.send(text[500:])\n",
    "counted": "def f(text):\n    return {'content': text[:500], 'total': len(text)}\n",
    "refused": (
        "def f(text):\n    if len(text) > 500:\n        raise ValueError('too long')\n"
        "    return text[:500]\n"
    ),
    "marked": "def f(text):\n    return text[:500] + '…'\n",
    "a name that says so": "def preview(text):\n    return text[:500]\n",
    "compared": "def f(body):\n    return body[:500] == OTHER\n",
    "a page of rows": "def f(rows: list[int], limit):\n    return rows[:limit]\n",
    "shortened with a mark": (
        "import textwrap\ndef f(s, text):\n    s.send(textwrap.shorten(text, 500))\n"
    ),
    "a number": "def f(s, text: float):\n    s.send(f'{text:.500f}')\n",
    "an id": "def f(text):\n    return text[:12]\n",
    "asked for by every caller": "def f(text, size):\n    return text[:size]\n",
    "the last one left out": "def f(text):\n    return text[:-1]\n",
    "taken out of a buffer": (
        "def f(self, size=500):\n    text = self.buffer[:size]\n    del self.buffer[:size]\n"
        "    return text\n"
    ),
}


@pytest.mark.parametrize("body", FOUND.values(), ids=FOUND)
def test_a_silent_cut_is_found_where_it_leaves(body: str) -> None:
    assert codes(body) == ["TR001"]


@pytest.mark.parametrize("body", SPARED.values(), ids=SPARED)
def test_a_cut_that_is_told_or_goes_nowhere_is_spared(body: str) -> None:
    assert codes(body) == []


def test_tests_and_examples_are_spared() -> None:
    body = FOUND["into json"]
    assert codes(body, "tests/test_tools.py") == []
    assert codes(body, "docs/demo.py") == []


def test_a_limit_with_a_default_is_of_low_confidence() -> None:
    body = "def f(text: str, limit: int = 500):\n    return text[:limit]\n"
    (found,) = audited({"a.py": body}, RULES)
    assert found.confidence is Confidence.LOW


def test_an_observer_is_its_own_rule_and_one_finding() -> None:
    body = "def review(text: str):\n    return ask(prompt='Judge: ' + text[:1000])\n"
    (found,) = audited({"a.py": body}, RULES)
    assert (found.code, found.confidence) == ("TR006", Confidence.HIGH)
    assert "first 1000 of text" in found.message


def test_a_strict_attempt_before_does_not_make_replacing_lossless() -> None:
    body = (
        "def f(socket, body):\n    try:\n        text = body.decode()\n"
        "    except UnicodeDecodeError:\n        text = body.decode('utf-8', 'ignore')\n"
        "    socket.send(text)\n"
    )
    assert codes(body) == ["TR002"]


def test_a_surrogate_cleaner_is_spared() -> None:
    body = "def f(s, text):\n    s.send(text.encode('utf-8', 'ignore').decode())\n"
    assert codes(body) == []


def test_a_read_in_a_loop_or_of_a_part_is_spared() -> None:
    loop = "def load(response):\n    for _ in range(3):\n        yield response.read(65536)\n"
    wrapper = "def read(self):\n    return self.sock.recv(65536)\n"
    assert codes(loop) == []
    assert codes(wrapper) == []
