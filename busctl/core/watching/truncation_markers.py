"""What tools leave behind when they cut their output. Data: each with where it was seen.

`pattern` is a regular expression for the marker itself. It counts only at an edge of the text
(`truncation.py` sees to that): a document that speaks of markers has them in its middle.
"""

from __future__ import annotations

from dataclasses import dataclass

_DOTS = r"(?:\.{2,}|…|\\u2026)"
"""The last one is an ellipsis in JSON that is ASCII only."""
_SUBJECT = (
    r"(?:(?:tool|command|file|page|log|api|search) )?(?:outputs?|responses?|results?|contents?|"
    r"text|messages?|data|logs?|body|observations?|documents?|files?|lists?)"
)
_UNIT = (
    r"(?:lines?|rows?|items?|results?|entries|records?|files?|matches|characters?|chars?|bytes?|"
    r"tokens?|words?|[kKMG]i?B|messages?|pages?|elements?|columns?)"
)
_CUT = r"(?:truncated|omitted|elided|clipped|not shown|cut off)"
_LEFT_OUT = r"(?:truncated|omitted|elided|clipped|not shown|cut off|hidden|dropped|skipped)"
"""Behind an ellipsis only: '(2 files skipped)' is how a tool sums up."""
_COUNT = r"\+?~?(?!0\b)\d[\d,._]*"
"""Not 0: '(0 lines omitted)' says that nothing was cut."""


@dataclass(frozen=True, slots=True)
class Marker:
    """`name` is what findings call it; `words` (lowercase) are needed in a text for it to be looked
    for; `reach` is how many characters before the end it may begin; `source` says which tools write
    it, and where that can be read."""

    name: str
    pattern: str
    words: tuple[str, ...]
    source: str
    reach: int = 300


MARKERS = (
    Marker(
        "mcp fetch",
        r"<(?:error|note|e)>Content truncated\. Call the fetch tool with a start_index of \d+ to "
        r"get more content\.</(?:error|note|e)>",
        ("content truncated",),
        "modelcontextprotocol/servers, src/fetch/src/mcp_server_fetch/server.py",
    ),
    Marker(
        "response clipped",
        r"<response clipped>(?:\s*<NOTE>[^<]{0,500}</NOTE>)?",
        ("response clipped",),
        "Anthropic's str_replace_based_edit_tool and OpenHands' editor (openhands-aci)",
        reach=700,
    ),
    Marker(
        "openhands observation",
        r"\[\.\.\. Observation truncated due to length \.\.\.\]",
        ("observation truncated",),
        "OpenHands, openhands/events/serialization/event.py (cuts the middle)",
    ),
    Marker(
        "copilot cli",
        r"<output too long - dropped \d+ (?:characters|lines) from the (?:end|start|middle)>",
        ("output too long",),
        "GitHub Copilot CLI; github/copilot-cli issue 1732",
    ),
    Marker(
        "opencode",
        r"The tool call succeeded but the output was truncated\.(?s:.){0,450}",
        ("output was truncated",),
        "opencode, packages/opencode/src/tool/truncation.ts",
        reach=700,
    ),
    Marker(
        "saved elsewhere",
        r"(?:^|\n|\\n)(?:Error: )?(?:result \([\d,]+ characters[^)]*\) exceeds maximum allowed "
        r"tokens|Output too large \([\d.,]+ ?[KM]B\))\. (?:Output has been|Full output) saved to"
        r"(?s:.){0,450}",
        ("exceeds maximum allowed tokens", "output too large"),
        "Claude Code, results over MAX_MCP_OUTPUT_TOKENS and spilled Bash output",
        reach=700,
    ),
    Marker(
        "pytest",
        r"\.\.\.Full output truncated \(\d+ lines? hidden\), use '-v+' to show",
        ("full output truncated",),
        "pytest, src/_pytest/assertion/truncate.py",
    ),
    Marker(
        "log limit",
        r"(?:^|\n|\\n)\s*The log length has exceeded the limit of \d+ \S+(?s:.){0,200}",
        ("log length has exceeded",),
        "Travis CI worker, log_writer.go",
    ),
    Marker(
        "named in brackets",
        rf"[\[(<](?:{_DOTS}|-+|\*+)?\s*(?:warning: |note: |error: )?{_SUBJECT}\s+"
        r"(?:(?:was|were|has been|have been|is|partially) ){0,2}(?:truncated|clipped|cut off"
        rf"|cut short|shortened)[^\n\])>]{{0,200}}[\])>](?:\s*{_DOTS})?",
        ("truncated", "clipped", "cut off", "cut short", "shortened"),
        "[Response truncated …], <output truncated>, [output truncated at 10MB], Gemini CLI's "
        "[File content truncated: showing lines 1-100 of 500 total lines. …] and many MCP servers",
        reach=500,
    ),
    Marker(
        "bare",
        rf"(?:{_DOTS}\s*[\[(<]?\s*(?:content |text |output )?truncated\s*[\])>]?"
        rf"|(?<![\"'`\w])\[\s*{_DOTS}?\s*truncated\s*{_DOTS}?\s*\]|(?<=\w)\[truncated\]"
        rf"|(?:^|\n|\\n)\s*[(<]\s*truncated\s*[)>])(?:\s*{_DOTS})?",
        ("truncated",),
        "'... [truncated]', '...(truncated)', '[...truncated...]': LangChain, LlamaIndex and most "
        "home-made text[:n] + marker",
    ),
    Marker(
        "with a reason",
        rf"(?:(?:{_DOTS}|^|\n|\\n)\s*[\[(<]|(?<![\"'`])\[)\s*truncated\s*[:,;\u2013\u2014-][^\n\])>]{{0,200}}"
        rf"[\])>](?:\s*{_DOTS})?",
        ("truncated",),
        "'[truncated: showing first 100 of 2000 lines]', '... (truncated, 1234 chars total)': "
        "home-made, as bare ones are",
        reach=500,
    ),
    Marker(
        "on a line of its own",
        rf"(?:^|\n|\\n)[ \t]*(?:#+ |>+ |(?:note|warning): |[-=*~]{{2,}} ?)?"
        rf"(?:{_SUBJECT} (?:was |has been )?truncated|(?<=[-=*~] )truncated|(?<=[-=*~])truncated)"
        r"(?: \([^)\n]{0,80}\))?[.!]?(?: ?[-=*~]{2,})?",
        ("truncated",),
        "'--- output truncated ---', '*** truncated ***', 'Output truncated.' as the last line: "
        "shells and CI logs",
    ),
    Marker(
        "counted",
        rf"(?:{_DOTS}\s*[\[(]?\s*(?:and )?(?:"
        rf"{_COUNT} (?:more|additional|further|other|remaining|hidden) {_UNIT}(?: {_LEFT_OUT})?"
        rf"|{_COUNT} {_UNIT} (?:more|{_LEFT_OUT})|{_LEFT_OUT} {_COUNT}(?: of {_COUNT})? {_UNIT})"
        rf"|{_DOTS}\s*[\[(]\+{_COUNT} {_UNIT}|(?:^|\n|\\n)[ \t]*\+ ?{_COUNT} more {_UNIT}"
        rf"|[\[(<]\s*(?:and )?(?:{_COUNT} more {_UNIT}(?: {_CUT})?|{_COUNT} {_UNIT} (?:more|{_CUT})"
        rf"|{_CUT} {_COUNT}(?: of {_COUNT})? {_UNIT}))[^\n\])>]{{0,60}}[\])>]?\s*{_DOTS}?[\])>]?",
        ("more", "[+", "(+", "additional", "further", "other", "remaining", "hidden", "truncated",
         "omitted", "elided", "clipped", "dropped", "skipped", "not shown", "cut off"),
        "'... 12 more lines', '... [120 lines truncated] ...' (Claude Code's Bash), '…34 tokens "
        "truncated…' and '[... omitted 5 of 30 lines ...]' (Codex CLI), "
        "'...14115 bytes truncated...' (opencode)",
    ),
    Marker(
        "and more",
        rf"{_DOTS}\s*\(?and {_COUNT} more\)?",
        ("more",),
        "'... and 5 more': kubectl, cargo, TypeScript. Without 'and' it is Java's own way to fold "
        "equal frames of a stack trace, and nothing was cut",
    ),
)  # fmt: skip
