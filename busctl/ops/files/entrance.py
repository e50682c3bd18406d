"""Files that calls of any tool name: checked before the tool runs, in one place.

The tool gets the paths that lead to the files, without links; what was read of each (its size, its
SHA-256) goes with the answer as the manifest. A file that is refused fails the call: nothing runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from busctl.core.errors import FileRefused
from busctl.core.files.arguments import marked, replaced
from busctl.core.files.manifest import MANIFEST, Done, Entry, manifest_json
from busctl.core.refusals import together
from busctl.ops.files.together import side_by_side
from busctl.ports import Answer, Call, Files, ToolHost, ToolInfo

AT_A_TIME = 4
"""How many files of one call are read at once."""


class FileEntrance:
    """A ToolHost around another: arguments that its tools mark as files are files of this machine.

    A chat tool's `files` are no such arguments: it takes their text (`ops/files/preparing.py`).
    """

    def __init__(self, tools: ToolHost, files: Files) -> None:
        self._tools = tools
        self._files = files
        self._listed: Sequence[ToolInfo] = ()
        self._schemas: Mapping[str, Mapping[str, Any]] = {}

    def list_tools(self) -> Sequence[ToolInfo]:
        return self._tools.list_tools()

    async def call(self, call: Call) -> Answer:
        """Raises FileRefused for files that cannot be taken, and what the tool raises."""
        named = marked(self._schema(call.name), call.arguments)
        if not named:
            return await self._tools.call(call)
        places = list(named)
        found = await self._looked_at([named[place] for place in places])
        canonical = {place: path for place, (path, _) in zip(places, found, strict=True)}
        arguments = replaced(call.arguments, canonical)
        answer = await self._tools.call(replace(call, arguments=arguments))
        manifest = manifest_json(entry for _, entry in found)
        return replace(answer, metadata={**answer.metadata, MANIFEST: manifest})

    def _schema(self, name: str) -> Mapping[str, Any]:
        listed = self.list_tools()
        if listed is not self._listed:
            self._listed = listed
            self._schemas = {one.name: one.input_schema for one in reversed(listed)}
        return self._schemas.get(name, {})

    async def _looked_at(self, paths: Sequence[str]) -> list[tuple[str, Entry]]:
        async def look(path: str) -> tuple[str, Entry] | FileRefused:
            try:
                return await asyncio.to_thread(self._look, path)
            except FileRefused as error:
                return error  # told together with the others

        found = await side_by_side(look, paths, AT_A_TIME)
        if refusals := [one for one in found if isinstance(one, FileRefused)]:
            raise together(refusals)
        return [one for one in found if not isinstance(one, FileRefused)]

    def _look(self, path: str) -> tuple[str, Entry]:
        file = self._files.read(path, keep=False)
        file.content.close()
        entry = Entry(file.name, file.asked, Done.PASSED, file.size, file.sha256)
        return file.canonical, entry
