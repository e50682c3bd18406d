"""Files become text: each content is uploaded once, read back once, and is on the bus then."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

import pytest

from busctl.adapters.postgres.files import PostgresCopies
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.provider_files import account_of, text_of
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import FileRefused, ProviderBusy, ProviderRefused, ProviderUnauthorized
from busctl.core.files.manifest import Done, FileRef, Reason
from busctl.ops.files.hosting import PatientHost
from busctl.ops.files.purging import chosen, purge
from busctl.ports import FileHost
from tests import pdfs
from tests.adapters.bus_sql import sql
from tests.ingesting import ingesting
from tests.providers.played import KEY, Played, Refusal
from tests.providers.shelf import Stored

Play = Callable[[str], Played]
PAGES = pdfs.pdf([["figures of the year", "revenue 42"]], filler=5_000_000)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(PAGES)
    return path


async def test_text_goes_as_it_is_and_no_provider_is_asked(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    path = tmp_path / "notes.md"
    path.write_text("# Größe\n")
    async with ingesting(bus, kimi, tmp_path) as daemon:
        first = await daemon.ingest(path)
        again = await daemon.ingest(path)
    assert first.text == again.text == "# Größe\n"
    assert first.entry.done is again.entry.done is Done.INLINED
    assert first.entry.text_id is not None
    assert again.entry.text_id == first.entry.text_id
    assert await bus.get(first.entry.text_id) == "# Größe\n".encode()
    stored = await bus.stat(first.entry.text_id)
    assert (stored.labels.owner, stored.labels.content_type.split(";")[0]) == (
        "alice", "text/plain",
    )  # fmt: skip
    assert stored.labels.metadata["file"]["sha256"] == first.entry.sha256
    assert not kimi.seen


async def test_the_same_five_mb_in_twenty_calls_is_uploaded_once(
    bus: Bus, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        found = [await daemon.ingest(report) for _ in range(20)]
    assert kimi.count("POST") == 1
    assert kimi.count("GET") == 1  # its text; the other nineteen have it from the bus
    assert len({one.text for one in found}) == len({one.entry.text_id for one in found}) == 1
    assert [one.entry.done for one in found] == [Done.UPLOADED, *[Done.REUSED] * 19]
    assert {one.entry.file_id for one in found} == set(kimi.shelf.files)


async def test_twenty_at_once_by_two_daemons_upload_it_once(
    bus: Bus, settings: Settings, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    async with (
        Bus.connect(settings) as other,
        ingesting(bus, kimi, report.parent, "one") as one,
        ingesting(other, kimi, report.parent, "two") as two,
    ):
        await asyncio.gather(*(each.ingest(report) for each in [one, two] * 10))
    assert kimi.count("POST") == 1
    assert len(kimi.shelf.files) == 1


async def test_another_principal_gets_a_text_of_its_own_of_the_same_copy(
    bus: Bus, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        alice = await daemon.ingest(report, "alice")
        bob = await daemon.ingest(report, "bob")
    assert kimi.count("POST") == 1
    assert (alice.text, alice.entry.file_id) == (bob.text, bob.entry.file_id)
    assert alice.entry.text_id != bob.entry.text_id
    assert bob.entry.text_id is not None
    assert (await bus.stat(bob.entry.text_id)).labels.owner == "bob"


async def test_two_accounts_share_no_copy_and_no_text(
    bus: Bus, settings: Settings, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    found = []
    for kimi.key in (KEY, "sk-of-another-account", KEY):
        async with ingesting(bus, kimi, report.parent) as daemon:
            found.append((await daemon.ingest(report)).entry)
    theirs = next(iter(kimi.shelf.files))
    assert kimi.count("POST") == 2
    assert kimi.count("GET", f"/files/{theirs}") == 1  # its text; not by the other key
    assert found[0].file_id == found[2].file_id == theirs
    assert found[1].file_id != theirs and found[1].text_id != found[0].text_id
    rows = await sql(settings.database_dsn() or "", "select account from bus.provider_file")
    assert {row[0] for row in rows} == {account_of(KEY), account_of("sk-of-another-account")}


async def test_another_provider_ingests_it_once_more(bus: Bus, play: Play, report: Path) -> None:
    kimi, glm = play("kimi"), play("glm")
    for played in (kimi, glm, kimi, glm):
        async with ingesting(bus, played, report.parent) as daemon:
            await daemon.ingest(report)
    assert (kimi.count("POST"), glm.count("POST")) == (1, 1)


async def test_where_nothing_can_be_read_back_it_is_extracted_here(
    bus: Bus, play: Play, report: Path
) -> None:
    zai = play("zai")
    async with ingesting(bus, zai, report.parent) as daemon:
        found = await daemon.ingest(report)
        document = report.with_name("a.docx")
        document.write_bytes(b"PK\x03\x04....[Content_Types].xml")
        with pytest.raises(FileRefused) as caught:
            await daemon.ingest(document)
    assert "revenue 42" in found.text
    assert (found.entry.done, found.entry.by) == (Done.EXTRACTED, "pypdf")
    assert caught.value.reason == Reason.KIND
    assert not zai.seen


async def test_a_copy_that_the_provider_forgot_is_uploaded_anew(
    bus: Bus, settings: Settings, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        first = await daemon.ingest(report, "alice")
        kimi.shelf.files.clear()
        second = await daemon.ingest(report, "bob")
    assert kimi.count("POST") == 2
    assert second.entry.done is Done.UPLOADED
    assert second.entry.file_id != first.entry.file_id
    rows = await sql(settings.database_dsn() or "", "select file_id from bus.provider_file")
    assert [row[0] for row in rows] == [second.entry.file_id]


async def test_a_copy_past_its_time_is_uploaded_anew(
    bus: Bus, settings: Settings, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        await daemon.ingest(report, "alice")
        await sql(settings.database_dsn() or "", "update bus.provider_file set expires_at = now()")
        await daemon.ingest(report, "bob")
    assert kimi.count("POST") == 2


async def test_an_upload_whose_daemon_died_is_taken_over(
    bus: Bus, settings: Settings, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    await sql(
        settings.database_dsn() or "",
        "insert into bus.provider_file (sha256, provider, account, purpose, name, size_bytes,"
        f" holder, lease_until) values ('\\x{sha256_of(report)}', 'kimi', '{account_of(KEY)}',"
        " 'file-extract', 'x', 1, 'dead', now() + interval '1 second')",
    )
    async with ingesting(bus, kimi, report.parent) as daemon:
        found = await daemon.ingest(report)
    assert found.entry.done is Done.UPLOADED
    assert kimi.count("POST") == 1


class Overtaken(PatientHost):
    """While it uploads, somebody else takes the upload over and ends it first."""

    def __init__(self, host: PatientHost, dsn: str) -> None:
        self._inner = host
        self._dsn = dsn

    @property
    def account(self) -> str:
        return self._inner.account

    async def upload(self, name: str, content: IO[bytes], purpose: str) -> FileRef:
        placed = await self._inner.upload(name, content, purpose)
        theirs = await self._inner.upload(name, content, purpose)
        await sql(
            self._dsn,
            "update bus.provider_file set holder = null, uploaded_at = now(), seen_at = now(), "
            f"file_id = '{theirs.file_id}' where file_id is null",
        )
        return placed

    async def find(self, file_id: str) -> FileRef | None:
        return await self._inner.find(file_id)

    async def content(self, file_id: str) -> str:
        return await self._inner.content(file_id)

    async def delete(self, file_id: str) -> bool:
        return await self._inner.delete(file_id)


async def test_an_upload_that_was_taken_over_leaves_no_second_copy(
    bus: Bus, settings: Settings, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        daemon.host = Overtaken(daemon.host, settings.database_dsn() or "")
        found = await daemon.ingest(report)
    assert found.entry.done is Done.REUSED
    assert list(kimi.shelf.files) == [found.entry.file_id]


async def test_without_the_store_a_file_is_used_and_leaves_nothing_behind(
    settings: Settings, play: Play, report: Path, tmp_path: Path
) -> None:
    kimi = play("kimi")
    away = settings.model_copy(update={"circuit_breaker_threshold": 1})
    async with Bus.connect(away) as bus, ingesting(bus, kimi, tmp_path) as daemon:
        await sql(away.database_dsn() or "", "alter table bus.provider_file rename to elsewhere")
        found = await daemon.ingest(report)
        assert found.entry.done is Done.UPLOADED
        assert kimi.shelf.files == {}


async def test_no_text_from_the_provider_is_taken_from_the_pdf_and_told(
    bus: Bus, play: Play, report: Path
) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        kimi.shelf.texts[sha256_of(report)] = "  \n"
        found = await daemon.ingest(report)
        image = report.with_name("scan.png")
        image.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(100))
        kimi.shelf.texts[sha256_of(image)] = ""
        with pytest.raises(FileRefused) as caught:
            await daemon.ingest(image)
    assert found.entry.done is Done.EXTRACTED
    assert "no text" in (found.entry.why or "")
    assert caught.value.reason == Reason.NO_TEXT


async def test_half_a_text_from_the_provider_is_noticed(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    lines = [f"line {number} of the report on the year" for number in range(40)]
    report, scan = tmp_path / "report.pdf", tmp_path / "scan.pdf"
    report.write_bytes(pdfs.pdf([lines]))
    scan.write_bytes(pdfs.pdf([[]]))
    kimi.shelf.texts[sha256_of(report)] = "\n".join(lines[:20])
    async with ingesting(bus, kimi, tmp_path) as daemon:
        found = await daemon.ingest(report)
        read = await daemon.ingest(scan)
    assert found.text.split() == " ".join(lines).split()
    assert found.entry.done is Done.EXTRACTED
    assert "kimi gave" in (found.entry.why or "")
    assert read.entry.done is Done.UPLOADED  # there is nothing to compare it with


async def test_a_provider_that_refuses_or_is_away(bus: Bus, play: Play, report: Path) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        document = report.with_name("a.docx")
        document.write_bytes(b"PK\x03\x04....[Content_Types].xml")
        kimi.refusals.append(Refusal(400, message=f"this {KEY} is not good"))
        with pytest.raises(FileRefused) as caught:
            await daemon.ingest(document)
        assert caught.value.reason == Reason.PROVIDER
        assert "is not good" in str(caught.value)
        assert KEY not in str(caught.value)
        kimi.refusals += [Refusal(429, headers={"Retry-After": "900"})]
        with pytest.raises(ProviderBusy):  # that is no fault of the file
            await daemon.ingest(document)
        # The failed uploads hold nobody up.
        assert (await daemon.ingest(document)).entry.done is Done.UPLOADED


async def test_a_busy_provider_is_tried_again(bus: Bus, play: Play, report: Path) -> None:
    kimi = play("kimi")
    async with ingesting(bus, kimi, report.parent) as daemon:
        kimi.refusals.append(Refusal(429, headers={"Retry-After": "0"}))
        assert (await daemon.ingest(report)).entry.done is Done.UPLOADED
    assert {stored.payload for stored in kimi.shelf.files.values()} == {PAGES}


async def test_a_provider_that_takes_no_more_files(bus: Bus, play: Play, report: Path) -> None:
    glm = play("glm")
    async with ingesting(bus, glm, report.parent) as daemon:
        for number in range(100):
            glm.shelf.files[f"file-x{number}"] = Stored(
                f"file-x{number}", "x.pdf", "file-extract", b"x", 0
            )
        document = report.with_name("a.docx")
        document.write_bytes(b"PK\x03\x04....[Content_Types].xml")
        with pytest.raises(FileRefused) as caught:
            await daemon.ingest(document)
        found = await daemon.ingest(report)
    assert "over 100 files" in caught.value.message
    assert "busctl files purge" in caught.value.remedy
    assert found.entry.done is Done.EXTRACTED
    assert "over 100 files" in (found.entry.why or "")
    assert "revenue 42" in found.text


async def test_over_what_the_model_has_room_for(bus: Bus, play: Play, tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_text("word " * 100_000)
    async with ingesting(bus, play("kimi"), tmp_path) as daemon:
        with pytest.raises(FileRefused) as caught:
            await daemon.ingest(path, room=1000)
    assert caught.value.reason == Reason.CONTEXT


async def test_files_of_a_host(bus: Bus, play: Play, report: Path) -> None:
    for name in ("kimi", "glm"):
        played = play(name)
        async with ingesting(bus, played, report.parent) as daemon:
            host = daemon.host
            with report.open("rb") as content:
                placed = await host.upload("größe.pdf", content, "file-extract")
            assert (placed.name, placed.size) == ("größe.pdf", len(PAGES))
            assert await host.find(placed.file_id) == placed
            assert await host.list() == [placed]
            assert "text of" in await host.content(placed.file_id)
            assert await host.delete(placed.file_id)
            assert not await host.delete(placed.file_id)
            assert await host.find(placed.file_id) is None
            with pytest.raises(ProviderRefused):
                await host.content(placed.file_id)


async def test_files_are_found_in_a_list_of_pages(bus: Bus, play: Play, report: Path) -> None:
    """GLM tells of a file only in the list of its purpose, a hundred at a time."""
    glm = play("glm")
    async with ingesting(bus, glm, report.parent) as daemon:
        for number in range(250):
            purpose = "agent" if number % 2 else "file-extract"
            file_id = f"file-{number}"
            glm.shelf.files[file_id] = Stored(file_id, "x.pdf", purpose, b"x", 0)
        assert len(await daemon.host.list()) == 250
        found = await daemon.host.find("file-248")
        assert found is not None and found.purpose == "file-extract"
        assert await daemon.host.find("file-250") is None


async def test_a_wrong_key_is_told_without_it(bus: Bus, play: Play, report: Path) -> None:
    played = play("kimi")
    async with ingesting(bus, played, report.parent) as daemon:
        played.key = "another"
        with pytest.raises(ProviderUnauthorized) as caught:
            await daemon.host.list()
    assert "401" in str(caught.value)
    assert KEY not in repr(caught.value)


def test_texts_as_providers_give_them_back() -> None:
    glm = b'{"content": "text", "file_type": "application/pdf", "filename": "a", "type": "file"}'
    assert text_of(glm, "application/json") == "text"
    assert text_of(b'{"content": "a file of JSON"}', "text/plain") == (
        '{"content": "a file of JSON"}'
    )
    assert text_of(b"{ not JSON", "text/plain") == "{ not JSON"


async def test_copies_are_told_by_provider(bus: Bus, play: Play, report: Path) -> None:
    async with ingesting(bus, play("kimi"), report.parent) as daemon:
        await daemon.ingest(report)
    copies = PostgresCopies(cast(PostgresStore, bus.store.inner))
    (copy,) = await copies.list("kimi")
    assert (copy.name, copy.size, copy.key.account) == ("report.pdf", len(PAGES), account_of(KEY))
    assert await copies.list("glm") == []
    assert KEY not in repr(copy)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Failing:
    """A host that removes one file, and refuses from then on."""

    def __init__(self, inner: PatientHost) -> None:
        self._inner = inner
        self.account = inner.account
        self._left = 1

    async def list(self) -> Sequence[FileRef]:
        return await self._inner.list()

    async def delete(self, file_id: str) -> bool:
        self._left -= 1
        if self._left < 0:
            raise ProviderBusy("The files are not to be had.")
        return await self._inner.delete(file_id)


async def test_a_purge_that_fails_half_way_tells_how_far_it_came(
    bus: Bus, play: Play, tmp_path: Path
) -> None:
    kimi = play("kimi")
    copies = PostgresCopies(cast(PostgresStore, bus.store.inner))
    async with ingesting(bus, kimi, tmp_path) as daemon:
        for number in range(3):
            report = tmp_path / f"{number}.pdf"
            report.write_bytes(pdfs.pdf([[f"figures of {number}"]]))
            await daemon.ingest(report)
        hosts = cast(Mapping[str, FileHost], {"kimi": Failing(daemon.host)})
        placed = await chosen(copies, hosts, everything=True, ids=())
        with pytest.raises(ProviderBusy, match=r"1 of 3 files were removed"):
            async for _ in purge(copies, hosts, placed):
                pass
        assert len(kimi.shelf.files) == len(await copies.list("kimi")) == 2
