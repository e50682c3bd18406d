"""How an answer is told to a client of the Model Context Protocol when it does not go whole: a
preview, where the whole is, and how to read on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from busctl.core.envelope import ClaimCheck, MessageType
from busctl.core.errors import BusctlError

SCHEME = "bus://"
TEMPLATE = {
    "uriTemplate": "bus://{transaction_id}",
    "name": "bus",
    "title": "Stored answers",
    "description": "An answer by its id, the identical bytes.",
}
NO_COMPLETION: Mapping[str, Any] = {"completion": {"values": []}}
CLAIM_META = "busctl/claim"
CONVERSATION_META = "busctl/conversation"


def tool_shape(
    name: str, description: str, input_schema: Mapping[str, Any], extra: Mapping[str, Any], *,
    replaceable: bool,
) -> dict[str, Any]:  # fmt: skip
    """A tool as `tools/list` tells it. Where its result may be replaced there is no outputSchema:
    clients refuse a result that does not fit it."""
    said = {key: value for key, value in extra.items() if value is not None}
    if replaceable:
        said.pop("outputSchema", None)
    return {**said, "name": name, "description": description, "inputSchema": dict(input_schema)}


def replacement(
    claim: ClaimCheck, outline: str, *, tool: str, takes_links: bool
) -> dict[str, Any]:  # fmt: skip
    """The CallToolResult that stands for a stored one; `outline` is what of it is shown."""
    content: list[dict[str, Any]] = [{"type": "text", "text": _text(claim, outline)}]
    if takes_links:
        content.append(_link(claim, tool))
    result: dict[str, Any] = {"content": content, "_meta": {CLAIM_META: _claim_shape(claim)}}
    if is_error(claim):
        result["isError"] = True
    return result


def incomplete_block(claim: ClaimCheck) -> dict[str, Any]:
    """What follows an answer that its own tool says is not whole."""
    why = f"its tool says that it was cut ({claim.incomplete})"
    return {"type": "text", "text": f"[The answer above is not whole: {why}.]"}


def with_conversation(
    result: dict[str, Any], conversation: Mapping[str, Any] | None
) -> dict[str, Any]:  # fmt: skip
    """The result, which also says for programs what turn it is and what its model did not get."""
    if conversation is None:
        return result
    return {**result, "_meta": {**result.get("_meta", {}), CONVERSATION_META: dict(conversation)}}


def _text(claim: ClaimCheck, outline: str) -> str:
    chosen = f"{SCHEME}{claim.transaction_id}"
    expires = claim.expires_at.isoformat(timespec="seconds")
    kept = (
        "What came of the answer, which is not whole," if claim.incomplete else "The whole answer"
    )
    return (
        f"[This is a preview. {kept} is kept: {claim.payload_size_bytes:,} bytes of "
        f"{claim.content_type}, SHA-256 {claim.checksum}, until {expires}, as {chosen}. Read on "
        f"with the tools bus_read (a range of bytes or lines), bus_search (a pattern) or bus_info, "
        f'each with id "{claim.transaction_id}"; the resource {chosen} is the identical bytes.]'
        f"\n\n{outline}"
    )


def _link(claim: ClaimCheck, tool: str) -> dict[str, Any]:
    return {
        "type": "resource_link",
        "uri": f"{SCHEME}{claim.transaction_id}",
        "name": f"{tool}-{claim.transaction_id}",
        "title": f"The whole answer of {tool}",
        "description": f"{claim.payload_size_bytes:,} bytes, SHA-256 {claim.checksum}",
        "mimeType": claim.content_type,
        "size": claim.payload_size_bytes,
    }


def _claim_shape(claim: ClaimCheck) -> dict[str, Any]:
    shape = claim.as_json()
    del shape["preview"]
    return shape


def error_result(error: BusctlError) -> dict[str, Any]:
    """What went wrong in a call, as a result that the model reads."""
    parts = [error.message]
    if error.remedy:
        parts.append(error.remedy)
    retry_after = getattr(error, "retry_after", None)
    if retry_after:
        parts.append(f"Try again in {retry_after:g} s.")
    # An error about a message names it in its words; one that is kept is a message of its own.
    if error.transaction_id is not None and str(error.transaction_id) not in error.message:
        parts.append(f"Stored as {SCHEME}{error.transaction_id}.")
    code = getattr(error, "error_code", error.code)
    return {
        "content": [{"type": "text", "text": f"{code}: {' '.join(parts)}"}],
        "isError": True,
    }


def resource_contents(
    uri: str, content_type: str, *, text: str | None, blob: str | None
) -> dict[str, Any]:
    """A ReadResourceResult of one payload, as text or in base64."""
    contents = {"uri": uri, "mimeType": content_type}
    if text is not None:
        return {"contents": [{**contents, "text": text}]}
    return {"contents": [{**contents, "blob": blob}]}


def is_error(claim: ClaimCheck) -> bool:
    """Whether the answer is one that its tool calls an error."""
    return claim.message_type is MessageType.ERROR
