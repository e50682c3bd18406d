"""The one place that knows the `openai` library: chats and, for whoever needs the client, the rest.

Its import takes a third of a second and 18 MB (measured), so it happens in a thread, and not before
a provider is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from busctl.core.errors import ConfigurationError
from busctl.core.providers.account import LOCAL, Account
from busctl.core.providers.chat import CallPart, Piece
from busctl.core.providers.faults import ApiFault
from busctl.core.providers.profile import Profile
from busctl.core.redaction import Redactor

if TYPE_CHECKING:
    import openai

CHECKS = {"models": "GET /models", "files": "GET /files", "chat": "a chat of one token"}
CONNECT_SECS = 10.0
HEADERS = frozenset({
    "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type",
    "host", "transfer-encoding", "user-agent",
})  # fmt: skip
"""What is sent. The library would add this machine's kind, and what the environment holds for
OpenAI itself: organisation, project, headers of the user's own."""


class OpenAiApi:
    """Implements `busctl.ports.ChatApi` for one account. `stall_secs` is how long the provider may
    send nothing. Raises ConfigurationError for an account without a key."""

    def __init__(self, account: Account, *, stall_secs: float) -> None:
        if account.key is None:
            raise ConfigurationError(f"{account.profile.title} needs {account.variables}.")
        self._account = account
        self._profile = account.profile
        self._stall = stall_secs
        self._client: openai.AsyncOpenAI | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[Piece]]:
        """Ask, and give the answer piece by piece while the block runs. Raises ApiFault."""
        import openai

        client = await self.client()
        with self.faults():
            # As plain JSON: to make the library's objects of each chunk took three quarters of the
            # time of a stream (measured), and what a provider adds has no place in them.
            stream: Any = await client.post(
                "/chat/completions", cast_to=object, body=dict(body), stream=True,
                stream_cls=openai.AsyncStream[object],
            )  # fmt: skip
        try:
            yield self._pieces(stream)
        finally:
            await stream.close()

    async def check(self) -> str:
        """A cheap call that needs the key; says what was asked. Raises ApiFault."""
        client, profile = await self.client(), self._profile
        with self.faults():
            match profile.check:
                case "models":
                    await client.models.list()
                case "files":
                    by = () if profile.files is None else profile.files.listed_by
                    await (client.files.list(purpose=by[0]) if by else client.files.list())
                case _:
                    limit: Any = {profile.chat.max_tokens_field: 1}
                    await client.chat.completions.create(
                        model=profile.default_model, extra_body=limit,
                        messages=[{"role": "user", "content": "1"}],
                    )  # fmt: skip
        return CHECKS[profile.check]

    async def client(self) -> openai.AsyncOpenAI:
        """The library's client, without retries of its own: ours know the provider's rules."""
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._made)
            return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Everything that the library raises in the block is ApiFault, without the key."""
        import httpx2
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.APIConnectionError as error:
            raise self._lost(error.__cause__ or error) from None
        except openai.APIError as error:
            raise self._fault(error.message, error.body, status=None) from None
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, ValueError) as error:
            # ValueError: an event that is no JSON.
            raise ApiFault(f"{self._host} sent something else than an answer: "
                           f"{type(error).__name__}.") from None  # fmt: skip

    @property
    def _host(self) -> str:
        return urlsplit(self._account.base).hostname or self._account.base

    def _made(self) -> openai.AsyncOpenAI:
        import httpx2
        import openai

        assert self._account.key is not None  # noqa: S101  # __init__ has looked
        timeout = httpx2.Timeout(self._stall, connect=min(self._stall, CONNECT_SECS))
        # The environment's proxies, but not to reach this machine.
        http = openai.DefaultAsyncHttpxClient(
            timeout=timeout, trust_env=self._host not in LOCAL,
            follow_redirects=False,  # a prompt goes where it was sent, and nowhere else
            event_hooks={"request": [_only_what_is_asked]},
        )  # fmt: skip
        return openai.AsyncOpenAI(
            api_key=self._account.key.get_secret_value(), base_url=self._account.base,
            max_retries=0, timeout=timeout, http_client=http,
        )  # fmt: skip

    async def _pieces(self, stream: Any) -> AsyncIterator[Piece]:
        response = stream.response
        header = self._profile.chat.request_id_header
        if header is not None and (request_id := response.headers.get(header)):
            yield Piece(request_id=request_id)
        if response.headers.get("content-type", "").startswith("application/json"):
            await self._no_stream(response)
        with self.faults():
            async for chunk in stream:
                yield _piece(self._profile, chunk)

    async def _no_stream(self, response: Any) -> None:
        """An error that came with status 200 in place of a stream, as GLM's may."""
        import json

        with self.faults():
            shape = json.loads(await response.aread())
        raise self._fault("", shape.get("error", shape), status=response.status_code)

    def _lost(self, error: BaseException) -> ApiFault:
        """What the line came to: never there, silent, or broken off."""
        import httpx2

        kind = type(error).__name__
        match error:
            case httpx2.ReadTimeout():
                return ApiFault(f"{self._host} sent nothing for {self._stall:g} s ({kind}).")
            case httpx2.ReadError() | httpx2.RemoteProtocolError():
                return ApiFault(f"{self._host} broke the connection off: {kind}.")
        return ApiFault(f"{self._host} was not reached: {kind}.")

    def _refusal(self, error: openai.APIStatusError) -> ApiFault:
        headers = error.response.headers
        return self._fault(
            error.message, error.body, status=error.status_code,
            retry_after=headers.get("retry-after"),
        )  # fmt: skip

    def _fault(
        self, message: str, body: object, *, status: int | None, retry_after: str | None = None
    ) -> ApiFault:
        named = body if isinstance(body, Mapping) else {}
        code = named.get("code") or named.get("type") or ""
        said = named.get("message") or message or "no word of why"
        key = self._account.key
        clean = Redactor([] if key is None else [key.get_secret_value()])
        return ApiFault(clean.clean(str(said)), status=status, code=str(code),
                        retry_after=retry_after)  # fmt: skip


async def _only_what_is_asked(request: Any) -> None:
    for name in set(request.headers) - HEADERS:
        del request.headers[name]


def _piece(profile: Profile, chunk: Any) -> Piece:
    """One chunk, as the documents have it: a choice with a delta, usage beside it or in it. Raises
    ValueError for anything else."""
    field, search = profile.chat.request_id_field, profile.web_search
    about = _object(chunk)
    choices: Any = about.get("choices") or ({},)
    choice = _object(choices[0] if isinstance(choices, Sequence) else None)
    delta = _object(choice.get("delta") or {})
    found = about.get(search.results_field) if search and search.results_field else None
    return Piece(
        text=_text(delta.get("content")),
        reasoning=_text(delta.get("reasoning_content")),
        calls=[_call(one) for one in delta.get("tool_calls") or ()],
        finish=_text(choice.get("finish_reason")) or None,
        usage=_object(about.get("usage") or choice.get("usage") or {}) or None,
        model=_text(about.get("model")) or None,
        id=_text(about.get("id")) or None,
        request_id=(_text(about.get(field)) or None) if field else None,
        found=found if isinstance(found, list) else (),
    )  # fmt: skip


def _call(part: Any) -> CallPart:
    told = _object(part)
    function = _object(told.get("function") or {})
    place = told.get("index")
    return CallPart(
        place if isinstance(place, int) else 0, _text(told.get("id")), _text(told.get("type")),
        _text(function.get("name")), _text(function.get("arguments")),
    )  # fmt: skip


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("not an object")  # noqa: TRY004  # a wrong value of the other end
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004  # a wrong value of the other end
    return value
