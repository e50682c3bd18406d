"""What is known of the whole project when each of its files has been seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from busctl.audit.rule import Facts


class Project:
    """The facts of all files by path, and the texts beside the code (`.env` files, documents).

    `whole` says whether all code of the project was looked at: on a part of it nothing can be said
    to be missing elsewhere. `texts` maps a path to its text: .env files, .md, .rst, .toml, .yml,
    .cfg and the like.
    """

    def __init__(
        self, facts: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str] | None = None, *,
        whole: bool = True,
    ) -> None:  # fmt: skip
        self._facts = facts
        self.texts = dict(texts or {})
        self.whole = whole
        self._made: dict[Any, Any] = {}

    def facts(self, kind: type[Facts]) -> Mapping[str, Any]:
        """What `kind` collected, by the path of the file, files with nothing left out."""
        return self._facts.get(kind.__name__, {})

    def once(self, make: Any) -> Any:
        """`make(self)`, computed once a run however many rules ask: an index over facts."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]
