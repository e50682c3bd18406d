"""What literals look like: numbers written as products, addresses, model names, credentials."""

from __future__ import annotations

import ast
import math
import re

_DEEPEST, _LARGEST = 8, 1e300
_MODEL = re.compile(
    r"(?:[\w.-]+/)*(?:gpt-|chatgpt-|o[134]-|claude-|gemini-|gemma|kimi-|moonshot-|glm-|chatglm|llama"
    r"|mistral|mixtral|codestral|text-embedding-|whisper-|dall-e-|tts-1|deepseek-|qwen|command-r"
    r"|sonnet|opus|haiku|grok-|phi-?\d|all-minilm|bge-|nomic-embed|jina-|sentence-transformers/"
    r"|stable-diffusion|flux)[\w.:@/-]*",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"(?:sk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|AIza[\w-]{30,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+|sbp_[0-9a-f]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----.*)",
    re.DOTALL,
)
# Made to be published: whoever has one can only send events or begin a payment.
_PUBLIC = re.compile(r"phc_|pk_(?:live|test)_")
_PLACEHOLDER = re.compile(
    r"your|example|placeholder|dummy|fake|redacted|sample|xxx|\*\*\*|\.\.\.|<|>|\{|\$|not[-_ ]?need"
    r"|not[-_ ]?required|no[-_ ]?key|none|null|empty|test|mock|insert|todo|replace|change[-_ ]?me"
    r"|anonymous|ollama|1234567890|abcdef",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|localhost|::1?|(?=[a-z0-9.-]*[a-z])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
    r"(?:\.[a-z0-9-]+)+",
    re.IGNORECASE,
)
# Blocks for documentation and the well-known resolvers of "which address do I have?".
_NOWHERE = re.compile(
    r"192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|2001:db8|10\.255\.255\.255|8\.8\.[84]\.[84]|1\.1\.1\.1"
    r"|10\.254\.254\.254|169\.254\."
)
_DEPLOYED = re.compile(
    r"/(?:tmp|var|opt|home|root|data|mnt|srv|Users|app|workspace)/.|[A-Za-z]:[\\/]."
)
# The system's own places: the same on every machine.
_SYSTEM = re.compile(
    r"/var/run/(?:docker\.sock|secrets/|utmp|dbus)|/var/lib/dbus/|/tmp/\.X11-unix|/var/log/(?:wtmp"
    r"|lastlog|syslog|messages|auth\.log)|/home/linuxbrew/|/opt/(?:homebrew|rocm|conda)\b"
    r"|/app/\.dockerenv"
)


def number(node: ast.expr, depth: int = _DEEPEST) -> float | None:
    """The value of `30`, `-1`, `10 * 1024 ** 2`; the largest of a tuple; None for other things,
    and for sums nested deeper than anybody writes them."""
    if isinstance(node, ast.Constant):
        value = node.value
        is_number = type(value) in (int, float) and abs(value) < _LARGEST  # type: ignore[arg-type]  # a number, as just asked
        return float(value) if is_number else None  # type: ignore[arg-type]  # just checked
    if depth == 0:
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = number(node.operand, depth - 1)
        return inner if inner is None or isinstance(node.op, ast.UAdd) else -inner
    if isinstance(node, ast.Tuple):
        found = [number(each, depth - 1) for each in node.elts]
        return max((each for each in found if each is not None), default=None)
    return _calculated(node, depth - 1) if isinstance(node, ast.BinOp) else None


def _calculated(node: ast.BinOp, depth: int) -> float | None:
    left, right = number(node.left, depth), number(node.right, depth)
    if left is None or right is None:
        return None
    try:
        match node.op:
            case ast.Mult():
                value = left * right
            case ast.Pow():
                value = left**right
            case ast.Add():
                value = left + right
            case ast.Sub():
                value = left - right
            case ast.Div() | ast.FloorDiv():
                value = left / right
            case ast.LShift():
                value = left * 2**right
            case _:
                return None
    except (OverflowError, ZeroDivisionError):
        return None
    return value if not isinstance(value, complex) and math.isfinite(value) else None


def joined(node: ast.expr, depth: int = _DEEPEST) -> str | None:
    """The text of `"sk-" + "4f…"`: one that is written in pieces; None where a piece is told at
    run time."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if depth == 0 or not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return None
    left, right = joined(node.left, depth - 1), joined(node.right, depth - 1)
    return None if left is None or right is None else left + right


def is_model(text: str) -> bool:
    """Whether a text names a language, embedding, speech or image model."""
    return 5 <= len(text) <= 80 and _MODEL.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether a text is a host: an IP address, localhost, a dotted name."""
    return len(text) <= 80 and _ADDRESS.fullmatch(text) is not None and not is_nowhere(text)


def is_nowhere(text: str) -> bool:
    """Whether nothing is meant to answer at this address."""
    return _NOWHERE.match(text) is not None


def is_deployed_path(text: str) -> bool:
    """Whether a path depends on how a machine was set up, as /proc or /dev/null do not."""
    return (
        _DEPLOYED.match(text) is not None and " " not in text and len(text) <= 200
        and not _SYSTEM.match(text) and not any(each in text for each in "*?[(|^$\n")
    )  # fmt: skip


def has_key_shape(text: str) -> bool:
    """Whether a text is a key by its own shape, whatever it is called."""
    return (
        len(text) <= 4000 and _PREFIXED.fullmatch(text) is not None
        and not _PLACEHOLDER.search(text)
    )  # fmt: skip


def is_authorization(text: str) -> bool:
    """Whether a text is what an Authorization header holds, with its secret."""
    scheme, _, secret = text.partition(" ")
    return scheme in ("Bearer", "Basic", "Token") and (
        has_key_shape(secret) or (len(secret) >= 16 and is_secret_value(secret))
    )


def is_secret_value(text: str) -> bool:
    """Whether a value under a secret's name is a secret: no placeholder, no word, no name."""
    if not 6 <= len(text) <= 500 or not text.isascii() or any(each.isspace() for each in text):
        return False
    if _PLACEHOLDER.search(text) or "://" in text or text[0] in "/.#@%-_" or _PUBLIC.match(text):
        return False
    letters, digits = any(map(str.isalpha, text)), any(map(str.isdigit, text))
    odd = any(not each.isalnum() and each not in "-_./:" for each in text)
    mixed = text != text.lower() and text != text.upper() and len(text) >= 16
    return letters and (digits or odd or mixed) and not _is_name(text)


# A digit within a word, as in "s3cret"; not in "k8s" or "i18n".
_DISGUISED = re.compile(r"(?<![a-z])(?!k8s|i18n|l10n|x509|b64)[a-z]+\d[a-z]{2,}", re.IGNORECASE)


def _is_name(text: str) -> bool:
    """`openai.api_key_2`, `OAUTH2_TOKEN`, `application/x-token`: words with at most two digits."""
    plain = all(each.isalnum() or each in "-_./:" for each in text)
    split = any(each in "-_./:" for each in text) and not _DISGUISED.search(text)
    return plain and split and sum(map(str.isdigit, text)) <= 2 and len(text) < 40
