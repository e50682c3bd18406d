"""The files of a played provider: uploaded, listed, read back, deleted, within its limits."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qs

from tests.providers.site import IMAGES, Rules, Site


class Refused(Exception):
    """A request that is refused. `fault` says what of it is not of the documented form, "" for one
    that is (and is wrong otherwise: over a limit, of an unknown id)."""

    def __init__(self, status: int, code: str, message: str, *, fault: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fault = status, code, message, fault


@dataclass(frozen=True)
class Stored:
    file_id: str
    name: str
    purpose: str
    payload: bytes
    created_at: int

    def shape(self) -> dict[str, Any]:
        return {
            "id": self.file_id, "object": "file", "bytes": len(self.payload),
            "created_at": self.created_at, "filename": self.name, "purpose": self.purpose,
            "status": "ok", "status_details": "",
        }  # fmt: skip


class Shelf:
    """`texts` says by SHA-256 (hex) what is extracted from a file; text files are their own text,
    others are told by their name and digest."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.files: dict[str, Stored] = {}
        self.texts: dict[str, str] = {}
        self._lock = threading.Lock()
        self._numbers = iter(range(1, 1_000_000))

    def answer(
        self, method: str, path: str, query: str, headers: Message, body: bytes
    ) -> tuple[int, str, bytes]:
        """Status, content type and body for a request below /files. Raises Refused."""
        if method != "POST" and not self._site.content:
            raise self._refused(404, f"no {method}", fault="this site documents uploads alone")
        with self._lock:
            match method, path.strip("/").split("/"):
                case "POST", ["files"]:
                    return _json(self._upload(headers, body).shape())
                case "GET", ["files"]:
                    return _json(self._list(query))
                case "GET", ["files", file_id] if not self._site.listed_by:
                    return _json(self._known(file_id).shape())
                case "DELETE", ["files", file_id]:
                    del self.files[self._known(file_id).file_id]
                    return _json({"id": file_id, "object": "file", "deleted": True})
                case "GET", ["files", file_id, "content"] if self._site.content:
                    return self._content(self._known(file_id))
        raise self._refused(404, f"no {method} {path}", fault="this site has no such method")

    def _list(self, query: str) -> dict[str, Any]:
        asked = parse_qs(query)
        wanted = asked.get("purpose")
        data = [one.shape() for one in self.files.values() if not wanted or one.purpose in wanted]
        if not self._site.listed_by:
            return {"object": "list", "data": data, "has_more": False}
        if wanted is None or not self._site.listed_by.issuperset(wanted):
            raise self._refused(400, "purpose", fault="a list wants one of the purposes")
        most = int(asked.get("limit", ["20"])[0])
        if not 1 <= most <= 100:
            raise self._refused(400, "limit", fault="limit is not from 1 to 100")
        ids = [one["id"] for one in data]
        begin = ids.index(asked["after"][0]) + 1 if "after" in asked else 0
        page = data[begin : begin + most]
        return {"object": "list", "data": page, "has_more": begin + most < len(data)}

    def _content(self, one: Stored) -> tuple[int, str, bytes]:
        if one.purpose not in self._site.content:
            raise self._refused(400, "the purpose has no text", fault="the purpose has no text")
        digest = hashlib.sha256(one.payload).hexdigest()
        text = self.texts.get(digest)
        if text is None:
            text = _as_text(one.payload) or f"text of {one.name} ({digest})"
        if not self._site.coded_errors:
            return 200, "text/plain; charset=utf-8", text.encode()
        # docs.bigmodel.cn/cn/guide/tools/file-extract
        kind = "application/" + _suffix(one.name)
        shape = {"content": text, "file_type": kind, "filename": one.name, "title": "",
                 "type": "file"}  # fmt: skip
        return _json(shape)

    def _upload(self, headers: Message, body: bytes) -> Stored:
        parts = dict(_parts(headers, body))
        for name in sorted(parts.keys() - {"file", "purpose"}):
            raise self._refused(400, f"a field {name}", fault=f"{name!r} is no field of an upload")
        if parts.keys() != {"file", "purpose"}:
            raise self._refused(400, "file and purpose", fault="an upload has file and purpose")
        name, payload = parts["file"]
        purpose = parts["purpose"][1].decode()
        rules = self._site.purposes.get(purpose)
        if rules is None:
            raise self._refused(400, "Invalid purpose", fault=f"no purpose {purpose!r} here")
        if not name:
            raise self._refused(400, "no file name", fault="the file has no name")
        self._check(rules, purpose, name, payload)
        stored = Stored(f"file-{next(self._numbers)}", name, purpose, payload, 1764200000)
        self.files[stored.file_id] = stored
        return stored

    def _check(self, rules: Rules, purpose: str, name: str, payload: bytes) -> None:
        suffix = _suffix(name)
        most = rules.max_bytes
        if suffix in IMAGES and rules.max_image_bytes is not None:
            most = rules.max_image_bytes
        if not payload:
            raise self._refused(400, "File size is zero")
        if len(payload) > most:
            # docs.z.ai/api-reference/api-code: 435
            raise self._refused(435 if self._site.name == "zai" else 400, f"over {most} bytes")
        if rules.suffixes and suffix not in rules.suffixes:
            raise self._refused(400, f"no files of the kind {suffix!r}")
        if sum(one.purpose == purpose for one in self.files.values()) >= rules.max_files:
            raise self._refused(400, f"over {rules.max_files} files")
        total = sum(len(one.payload) for one in self.files.values()) + len(payload)
        if self._site.max_total_bytes is not None and total > self._site.max_total_bytes:
            raise self._refused(400, f"over {self._site.max_total_bytes} bytes in all")

    def _known(self, file_id: str) -> Stored:
        found = self.files.get(file_id)
        if found is None:
            raise self._refused(404, f"no file {file_id}")
        return found

    def _refused(self, status: int, message: str, *, fault: str = "") -> Refused:
        code = "1210" if self._site.coded_errors else "invalid_request_error"
        if status == 404 and not self._site.coded_errors:
            code = "resource_not_found_error"
        return Refused(status, code, message, fault=fault)


def _parts(headers: Message, body: bytes) -> Iterator[tuple[str, tuple[str, bytes]]]:
    kind = headers.get("Content-Type") or ""
    if not kind.startswith("multipart/form-data"):
        raise Refused(400, "invalid_request_error", "no form", fault="an upload is a form")
    boundary = headers.get_param("boundary")
    for part in body.split(f"--{boundary}".encode())[1:-1]:
        head, _, payload = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        told = BytesParser(policy=policy.HTTP).parsebytes(head + b"\r\n\r\n")
        name = told.get_param("name", header="Content-Disposition")
        yield str(name), (told.get_filename() or "", payload.removesuffix(b"\r\n"))


def _as_text(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() or "\n" in text else ""


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _json(shape: Mapping[str, Any]) -> tuple[int, str, bytes]:
    return 200, "application/json", json.dumps(shape).encode()
