"""The configuration: defaults, bounds, hierarchy, faults told at once, secrets never shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from busctl.adapters.environment import Loaded, OriginKind, load
from busctl.core.configuration.dsn import mask_dsn, store_key
from busctl.core.configuration.field import names_of
from busctl.core.configuration.settings import (
    Settings,
    canonical_name,
    is_secret,
    known_names,
    render_env_example,
    shown,
)
from busctl.core.errors import ConfigurationInvalid

ROOT = Path(__file__).parents[2]
NOWHERE = Path("/nonexistent")


def from_environ(**environ: str) -> Loaded:
    return load(environ=environ, cwd=NOWHERE)


def faults(**environ: str) -> list[str]:
    with pytest.raises(ConfigurationInvalid) as caught:
        from_environ(**environ)
    return caught.value.faults


def one_fault(**environ: str) -> str:
    (fault,) = faults(**environ)
    return fault


def load_or_faults(environ: dict[str, str], cwd: Path = NOWHERE) -> Loaded | list[str]:
    """What was loaded, or faults and warnings; any other error is the test's failure."""
    try:
        return load(environ=environ, cwd=cwd)
    except ConfigurationInvalid as error:
        return [*error.faults, *error.warnings]


def write(folder: Path, text: str) -> Path:
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    return file


# --- values ---------------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_plan() -> None:
    settings = Settings()
    assert settings.enabled
    assert settings.ttl == timedelta(hours=48)
    assert settings.max_payload_bytes == 100_000_000
    assert settings.compression == "auto"
    assert settings.checksum_enabled
    assert settings.circuit_breaker_threshold == 5
    assert settings.circuit_breaker_timeout_secs == 60
    assert settings.fallback_to_websocket
    assert (settings.write_timeout_secs, settings.read_timeout_secs) == (10, 5)
    assert settings.cleanup_interval_secs == 3600
    assert not settings.verify_integrity
    assert not settings.log_all_operations
    assert settings.inline_max_bytes == 65536
    assert settings.horizon == timedelta(days=7)
    assert (settings.host, settings.port) == ("127.0.0.1", 8765)
    assert settings.max_message_bytes == 32 * 1024 * 1024
    assert settings.database_dsn() is None
    assert settings.token is None
    assert settings.tools == ()


def test_every_default_is_allowed() -> None:
    given_back = Settings().model_dump()
    assert Settings.model_validate(given_back).model_dump() == given_back


def test_names_are_canonical_and_unique() -> None:
    all_names = [n for known in Settings.model_fields.values() for n in names_of(known)]
    assert len(all_names) == len(known_names())
    for field in Settings.model_fields:
        name = canonical_name(field)
        for prefix in ("MESSAGE_BUS_", "BUSCTL_"):
            name = name.removeprefix(prefix)
        assert name.lower() == field


def test_settings_are_frozen_and_refuse_unknown_names() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]  # the fault under test
    with pytest.raises(ValidationError):
        Settings.model_validate({"prot": 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, True) for text in ("true", "1", "YES", "on")],
        *[(text, False) for text in ("false", "0", "no", "Off")],
    ],
)
def test_booleans(text: str, value: bool) -> None:
    assert from_environ(MESSAGE_BUS_VERIFY_INTEGRITY=text).settings.verify_integrity is value


@pytest.mark.parametrize("text", ["", "2", "maybe", "tru", "enabled", "-1"])
def test_anything_else_is_no_boolean(text: str) -> None:
    assert "MESSAGE_BUS_ENABLED (environment)" in one_fault(MESSAGE_BUS_ENABLED=text)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "0", "-1", "8785", "two", ""])
def test_ttl_is_bounded(text: str) -> None:
    assert "over 0, at most 8784" in one_fault(MESSAGE_BUS_TTL_HOURS=text)


def test_every_number_is_bounded_on_both_sides() -> None:
    numbers = [f for f, known in Settings.model_fields.items() if known.annotation in (int, float)]
    assert len(numbers) > 15
    for field in numbers:
        for text in ("-1", "1e30", "nan", "inf"):
            assert text in one_fault(**{canonical_name(field): text})


def test_the_smallest_payload_limit_is_one_byte() -> None:
    smallest = from_environ(MESSAGE_BUS_MAX_PAYLOAD_MB="0.000001")
    assert smallest.settings.max_payload_bytes == 1


def test_words_are_taken_in_any_case() -> None:
    loaded = from_environ(BUSCTL_LOG_LEVEL="WARNING", MESSAGE_BUS_COMPRESSION="Zstd")
    assert loaded.settings.log_level == "warning"
    assert loaded.settings.compression == "zstd"
    assert "auto, none, gzip, zstd" in one_fault(MESSAGE_BUS_COMPRESSION="lz4")


def test_lists_are_split_at_commas() -> None:
    loaded = from_environ(
        BUSCTL_TOOLS="pkg.tools:all, mine:run.now,",
        BUSCTL_ALLOWED_ORIGINS="https://a.example,http://[::1]:3000",
        BUSCTL_ALLOWED_HOSTS="bus.example:8765",
    )
    assert loaded.settings.tools == ("pkg.tools:all", "mine:run.now")
    assert loaded.settings.allowed_origins == ("https://a.example", "http://[::1]:3000")
    assert loaded.settings.allowed_hosts == ("bus.example:8765",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BUSCTL_TOOLS", "good:one,bad"),
        ("BUSCTL_TOOLS", "a:b;c"),
        ("BUSCTL_TOOLS", ":run"),
        ("BUSCTL_ALLOWED_ORIGINS", "*"),
        ("BUSCTL_ALLOWED_ORIGINS", "a.example"),
        ("BUSCTL_ALLOWED_ORIGINS", "https://a.example/path"),
        ("BUSCTL_ALLOWED_HOSTS", "http://a.example"),
        ("BUSCTL_HOST", "ws://127.0.0.1"),
        ("BUSCTL_HOST", "127.0.0.1:8765"),
        ("BUSCTL_STORE_DIR", "~/store"),
        ("BUSCTL_STORE_DIR", "a\x00b"),
    ],
)
def test_values_of_the_wrong_form(name: str, text: str) -> None:
    assert one_fault(**{name: text}).startswith(f"{name} (environment): ")


def test_empty_means_not_set_where_something_may_be_left_out() -> None:
    optional = [f for f, known in Settings.model_fields.items() if known.default in (None, ())]
    assert len(optional) >= 10
    loaded = from_environ(**dict.fromkeys(map(canonical_name, optional), ""))
    assert loaded.settings == Settings()


def test_paths_do_not_depend_on_who_changes_folder(tmp_path: Path) -> None:
    loaded = load(environ={"BUSCTL_STORE_DIR": "store", "BUSCTL_PG_BIN": "/opt/pg"}, cwd=tmp_path)
    assert loaded.settings.store_dir == tmp_path / "store"
    assert loaded.settings.pg_bin == Path("/opt/pg")


# --- contradictions -------------------------------------------------------------------------------


def test_another_address_demands_a_token_and_tls() -> None:
    token, tls = faults(BUSCTL_HOST="0.0.0.0")
    assert "BUSCTL_TOKEN" in token
    assert "BUSCTL_TLS_CERT" in tls
    assert "BUSCTL_TLS_CERT" in one_fault(EXAI_WS_HOST="bus.example", BUSCTL_TOKEN="t")
    from_environ(BUSCTL_HOST="::", BUSCTL_TOKEN="t", BUSCTL_ALLOW_REMOTE="true")
    from_environ(BUSCTL_HOST="::", BUSCTL_TOKEN="t", BUSCTL_TLS_CERT="c", BUSCTL_TLS_KEY="k")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_loopback_address_demands_nothing(host: str) -> None:
    assert from_environ(BUSCTL_HOST=host).settings.is_loopback


def test_certificate_and_key_go_together() -> None:
    assert "BUSCTL_TLS_KEY is not" in one_fault(BUSCTL_TLS_CERT="c.pem")
    assert "BUSCTL_TLS_CERT is not" in one_fault(BUSCTL_TLS_KEY="k.pem")


def test_a_part_may_not_exceed_the_whole() -> None:
    fault = one_fault(BUSCTL_MAX_INFLIGHT="4", BUSCTL_MAX_INFLIGHT_PER_SESSION="5")
    assert "(5)" in fault
    assert "(4)" in fault
    # A default that is over it was chosen by nobody.
    assert from_environ(BUSCTL_MAX_INFLIGHT="4").settings.max_inflight == 4


def test_settings_made_by_hand_are_checked_too() -> None:
    with pytest.raises(ValidationError, match="BUSCTL_TLS_KEY is not"):
        Settings(tls_cert=Path("c.pem"))


# --- all faults at once ---------------------------------------------------------------------------


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, "\n\nBUSCTL_POOL_MAX_SIZE=0\n# why\nBUSCTL_TLS_KEY=k.pem\n")
    with pytest.raises(ConfigurationInvalid) as caught:
        load(
            {"port": 70000},
            env_file=file,
            environ={"MESSAGE_BUS_TTL_HOURS": "soon", "MESSAGE_BUS_TLT_HOURS": "1"},
            cwd=NOWHERE,
        )
    told = "\n".join(sorted(caught.value.faults))
    assert len(caught.value.faults) == 4
    assert "--port (flag): 70000 " in told
    assert "MESSAGE_BUS_TTL_HOURS (environment): 'soon' " in told
    assert f"BUSCTL_POOL_MAX_SIZE ({file}:3): '0' " in told
    assert f"BUSCTL_TLS_KEY ({file}:5): " in told
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    assert "MESSAGE_BUS_TTL_HOURS" in caught.value.warnings[0]
    assert caught.value.exit_code == 2


def test_no_contradiction_is_told_of_a_value_that_is_wrong_anyway() -> None:
    told = faults(BUSCTL_TLS_CERT="~/c.pem", BUSCTL_TLS_KEY="k.pem")
    assert [fault.partition(" ")[0] for fault in told] == ["BUSCTL_TLS_CERT"]


def test_a_long_value_is_not_told_whole() -> None:
    assert len(one_fault(BUSCTL_LOG_LEVEL="x" * 100_000)) < 300


def test_an_unknown_flag_is_a_fault() -> None:
    with pytest.raises(ConfigurationInvalid, match="no such setting"):
        load({"prot": 1}, environ={}, cwd=NOWHERE)


# --- hierarchy ------------------------------------------------------------------------------------


def test_flag_over_environment_over_file_over_default(tmp_path: Path) -> None:
    write(tmp_path, "BUSCTL_PORT=3\nMESSAGE_BUS_TTL_HOURS=3\nBUSCTL_POOL_MAX_SIZE=3\n")
    environ = {"BUSCTL_PORT": "2", "MESSAGE_BUS_TTL_HOURS": "2"}
    loaded = load({"port": 1, "host": None}, environ=environ, cwd=tmp_path)
    settings, origins = loaded.settings, loaded.origins
    assert (settings.port, settings.ttl_hours, settings.pool_max_size) == (1, 2, 3)
    assert settings.host == "127.0.0.1"
    assert str(origins["port"]) == "flag"
    assert str(origins["ttl_hours"]) == "environment"
    assert str(origins["pool_max_size"]) == ".env:3"
    assert str(origins["host"]) == "default"
    assert loaded.warnings == []


def test_every_field_can_be_set_by_each_of_its_names() -> None:
    for name, field in known_names().items():
        origin = load(environ={name: " "}, cwd=NOWHERE).origins if _optional(field) else None
        if origin is None:
            default = Settings.model_fields[field].default
            origin = load(environ={name: str(default)}, cwd=NOWHERE).origins
        assert (origin[field].kind, origin[field].name) == (OriginKind.ENVIRONMENT, name)


def _optional(field: str) -> bool:
    return Settings.model_fields[field].default in (None, ())


def test_the_old_names_are_read() -> None:
    loaded = from_environ(EXAI_WS_HOST="localhost", EXAI_WS_PORT="9", EXAI_WS_TOKEN="abc")
    assert (loaded.settings.host, loaded.settings.port) == ("localhost", 9)
    assert loaded.settings.token is not None
    assert loaded.settings.token.get_secret_value() == "abc"
    assert loaded.origins["port"].name == "EXAI_WS_PORT"
    assert loaded.warnings == []


def test_database_url_wins_over_supabase_db_url_and_says_so() -> None:
    one, two = "postgresql://u:first@a/db", "postgresql://u:second@b/db"
    loaded = from_environ(DATABASE_URL=one, SUPABASE_DB_URL=two)
    assert loaded.settings.database_dsn() == one
    (warning,) = loaded.warnings
    assert warning.startswith("SUPABASE_DB_URL (environment) differs from DATABASE_URL")
    assert "first" not in warning
    assert "second" not in warning
    assert from_environ(DATABASE_URL=one, SUPABASE_DB_URL=one).warnings == []


def test_an_empty_name_leaves_the_place_to_the_other() -> None:
    loaded = from_environ(DATABASE_URL="", SUPABASE_DB_URL="postgresql://b/db")
    assert loaded.settings.database_dsn() == "postgresql://b/db"
    assert loaded.warnings == []


def test_an_empty_variable_hides_the_file(tmp_path: Path) -> None:
    """`DATABASE_URL= busctl cleanup` must never run against the database in .env."""
    write(tmp_path, "DATABASE_URL=postgresql://production/db\n")
    loaded = load(environ={"DATABASE_URL": ""}, cwd=tmp_path)
    assert loaded.settings.database_dsn() is None
    assert "hides DATABASE_URL (.env:1)" in loaded.warnings[0]


def test_unknown_names_are_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "BUSCTL_PROT=1\nOTHER_PROGRAM=1\n")
    environ = {"MESSAGE_BUS_TTL_HOUR": "1", "message_bus_enabled": "no", "HOME": "/"}
    first, second, third = load(environ=environ, cwd=tmp_path).warnings
    assert "MESSAGE_BUS_TTL_HOUR (environment)" in first
    assert "nearest is MESSAGE_BUS_TTL_HOURS." in first
    assert "nearest is MESSAGE_BUS_ENABLED." in second
    assert "BUSCTL_PROT (.env:1)" in third
    assert "nearest is BUSCTL_PORT." in third


# --- the file -------------------------------------------------------------------------------------


def test_an_explicit_file_must_exist(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigurationInvalid, match="--env-file"):
            load(env_file=path, environ={}, cwd=tmp_path)
    assert load(environ={}, cwd=tmp_path).settings == Settings()


def test_an_explicit_file_is_read_in_place_of_the_one_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "BUSCTL_PORT=1\n")
    (tmp_path / "other").write_text("BUSCTL_POOL_MAX_SIZE=2\n")
    loaded = load(env_file=Path("other"), environ={}, cwd=tmp_path)
    assert (loaded.settings.port, loaded.settings.pool_max_size) == (8765, 2)
    assert str(loaded.origins["pool_max_size"]) == "other:1"


def test_a_folder_named_env_is_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert load(environ={}, cwd=tmp_path).settings == Settings()


def test_a_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"BUSCTL_PORT=\xff\n")
    with pytest.raises(ConfigurationInvalid, match="not UTF-8"):
        load(environ={}, cwd=tmp_path)


def test_quotes_export_comments_and_expansion(tmp_path: Path) -> None:
    write(
        tmp_path,
        "export BUSCTL_PORT='7'  # why\nPASSWORD=abc\n"
        'DATABASE_URL="postgresql://u:${PASSWORD}@${DB_HOST:-h}/db"\n',
    )
    settings = load(environ={}, cwd=tmp_path).settings
    assert settings.port == 7
    assert settings.database_dsn() == "postgresql://u:abc@h/db"
    settings = load(environ={"DB_HOST": "other"}, cwd=tmp_path).settings
    assert settings.database_dsn() == "postgresql://u:abc@other/db"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\nMESSAGE_BUS_TTL_HOURS='48\n", ".env:2 is not NAME=value"),
        ("BUSCTL_PORT\n", "BUSCTL_PORT (.env:1) has no value"),
        ("DATABASE_URL=postgresql://u:se${cret@h/${db}\n", "refers to a ${NAME} that is not set"),
    ],
)
def test_a_half_said_line_is_a_fault(tmp_path: Path, text: str, told: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigurationInvalid) as caught:
        load(environ={}, cwd=tmp_path)
    (fault,) = caught.value.faults
    assert told in fault
    assert "cret" not in fault


def test_lines_of_other_programs_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path, "OTHER='open\nOTHER_FLAG\nOTHER_URL=${UNSET}\nBUSCTL_PORT=5\n")
    loaded = load(environ={}, cwd=tmp_path)
    assert loaded.settings.port == 5
    assert loaded.warnings == [".env:1 is not NAME=value and is left out."]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_counted_as_an_editor_does(tmp_path: Path, end: str) -> None:
    lines = [
        "",
        "  ",
        " BUSCTL_PORT=1",
        "# why",
        "",
        "",
        "OTHER='a",
        "b'",
        "BUSCTL_POOL_MAX_SIZE=2",
    ]
    (tmp_path / ".env").write_bytes(end.join(lines).encode())
    origins = load(environ={}, cwd=tmp_path).origins
    assert str(origins["port"]) == ".env:3"
    assert str(origins["pool_max_size"]) == ".env:9"


def test_the_last_of_two_lines_counts_and_is_told(tmp_path: Path) -> None:
    write(tmp_path, "BUSCTL_PORT=5\nBUSCTL_PORT=6\n")
    loaded = load(environ={}, cwd=tmp_path)
    assert loaded.settings.port == 6
    assert loaded.warnings == ["BUSCTL_PORT (.env:1) is set again at .env:2."]


def test_env_example_is_true(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert text == render_env_example()
    # Uncommented line by line it says what holds without it.
    write(
        tmp_path,
        re.sub(r"\n# (?!DATABASE_URL)([A-Z_]+=)", r"\n\1", text),
    )
    loaded = load(environ={}, cwd=tmp_path)
    assert loaded.settings == Settings()
    assert loaded.warnings == []
    from_file = [o for o in loaded.origins.values() if o.kind is OriginKind.FILE]
    assert len(from_file) == len(Settings.model_fields) - 1  # all but DATABASE_URL


def test_env_testing_is_true() -> None:
    loaded = load(env_file=ROOT / ".env.testing", environ={}, cwd=NOWHERE)
    assert loaded.warnings == []
    assert loaded.settings.database_dsn() is None
    assert loaded.settings.port == 0
    assert loaded.settings.is_loopback


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://me:a@host/db", "postgresql://me:b@HOST/db?sslmode=require", True),
        ("postgresql://me@host/db", "postgresql://me@host/other", False),
        ("postgresql://me@host:1/db", "postgresql://me@host:2/db", False),
        ("postgresql://postgres.a@pooler/db", "postgresql://postgres.b@pooler/db", False),
        ("postgresql:///db?host=/run/a", "postgresql:///db?host=/run/b", False),
        ("host=a dbname=b password=c", "dbname=b  host=a password='d e'", True),
        ("host=a dbname=b", "host=a dbname=c", False),
    ],
)
def test_a_store_has_one_key(one: str, other: str, same: bool) -> None:
    assert (store_key(one) == store_key(other)) is same


# --- secrets --------------------------------------------------------------------------------------

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://user:{SECRET}@host:5432/db",
        f"postgres://:{SECRET}@/db",
        f"postgresql://user:{SECRET}@host1:5432,[::1]:5433/db",
        f"postgresql://user:{SECRET}:{SECRET}@host/db",
        f"postgresql://host/db?password={SECRET}&sslmode=require",
        f"postgresql://host/db?sslpassword={SECRET}",
        f"host=host password={SECRET} dbname=db",
        f"host=host password = '{SECRET} it\\'s {SECRET}' dbname=db",
        f"password={SECRET}\\ {SECRET} host=host",
    ],
)
def test_a_dsn_is_shown_without_its_password(dsn: str) -> None:
    loaded = from_environ(DATABASE_URL=dsn)
    assert loaded.settings.database_dsn() == dsn
    masked = shown(loaded.settings, "database_url")
    assert "hunter2" not in masked
    assert "***" in masked
    assert "host" in masked or "/db" in masked
    assert "hunter2" not in f"{loaded.settings} {loaded!r} {loaded.settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://h:99999/db", "names a port"), ("postgresql://h:0/db", "names a port"),
        ("postgresql://h1:1,h2:70000/db", "names a port"),
        ("postgresql://h/db?port=abc", "names a port"), ("host=h port='x'", "names a port"),
        ("postgresql://h/db?sslmode=full", "names an sslmode"),
        ("host=h sslmode=verify", "names an sslmode"),
    ],
)  # fmt: skip
def test_what_libpq_would_not_take_is_a_fault_before_it_is_asked(dsn: str, said: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=said):
        from_environ(DATABASE_URL=dsn)


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://h1:5432,h2,[::1]:1/db?sslmode=verify-full", "host=h port=1,2 sslmode='prefer'",
     "postgresql://[::1]/db", "postgresql:///db?port=6543", "postgresql://h:/db",
     "host=h passport=x password='a port=b'"],
)  # fmt: skip
def test_what_it_would_take_is_none(dsn: str) -> None:
    assert from_environ(DATABASE_URL=dsn).settings.database_dsn() == dsn


@pytest.mark.parametrize(
    "dsn", ["postgresql://me@host/db?sslmode=require", "postgresql:///db", "host=h dbname=d"]
)
def test_a_dsn_without_a_password_is_shown_as_it_is(dsn: str) -> None:
    assert mask_dsn(dsn) == dsn


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": f"mysql://user:{SECRET}@host/db"},
        {"DATABASE_URL": SECRET},
        {"DATABASE_URL": f"postgresql://user:[{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:a/{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:12/{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:12?{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:12#{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:a@b/{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:a@{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:{SECRET}%zz@host/db"},
        {"DATABASE_URL": f"postgresql://user:{SECRET}%@host/db"},
        {"DATABASE_URL": f"postgresql://user:{SECRET} x@host/db"},
        {"DATABASE_URL": f"postgresql://host/db?password={SECRET}%zz"},
        {"DATABASE_URL": f"postgresql://user:{SECRET}"},
        {"SUPABASE_DB_URL": f"postgresql://user:[YOUR-PASSWORD]{SECRET}@host/db"},
        {"DATABASE_URL": f"postgresql://user:{SECRET}\x07@host/db"},
        {"DATABASE_URL": f"postgresql://user:\udcff{SECRET}@host/db"},
        {"BUSCTL_TOKEN": f"{SECRET} {SECRET}"},
        {"BUSCTL_TOKEN": f"{SECRET}\n"},
        {"EXAI_WS_TOKEN": f"{SECRET}é"},
        {"EXAI_WS_TOKEN": f"\udcff{SECRET}"},
    ],
)
def test_a_wrong_secret_is_not_told(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        from_environ(**environ)
    assert next(iter(environ)) in str(caught.value)
    told: BaseException | None = caught.value
    while told is not None:
        assert "hunter2" not in f"{told} {told!r}"
        told = told.__cause__ or told.__context__


def test_an_error_of_settings_made_by_hand_holds_no_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"token": f"{SECRET} ", "database_url": SECRET, "tls_cert": "c"})
    assert "hunter2" not in f"{caught.value} {caught.value!r}"


def test_the_token_is_never_shown() -> None:
    loaded = load({"token": SECRET}, environ={}, cwd=NOWHERE)
    assert shown(loaded.settings, "token") == "***"
    assert "hunter2" not in f"{loaded} {loaded!r}"


# --- arbitrary values -----------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(), max_size=40)
CLOSE_TO_RIGHT = st.sampled_from(
    [
        "",
        " ",
        "0",
        "1",
        "-1",
        "1e5",
        "nan",
        "9" * 5000,
        "true",
        "auto",
        "/",
        "[::1]",
        "a:b",
        "::",
        "%",
    ]
)
VALUES = ANY_TEXT | CLOSE_TO_RIGHT | ANY_TEXT.map("postgresql://u:p@{}/db".format)


@given(st.dictionaries(st.sampled_from(sorted(known_names())), VALUES, max_size=8))
def test_any_environment_gives_settings_or_faults(environ: dict[str, str]) -> None:
    found = load_or_faults(environ)
    assert found
    told = found if isinstance(found, list) else [shown(found.settings, f) for f in found.origins]
    "".join(told).encode()  # all of it can be printed


@given(st.dictionaries(ANY_TEXT.map("BUSCTL_{}".format), ANY_TEXT, max_size=3))
def test_any_unknown_name_is_told(environ: dict[str, str]) -> None:
    unknown = {name: value for name, value in environ.items() if name not in known_names()}
    told = load(environ=unknown, cwd=NOWHERE).warnings
    assert len(told) == len(unknown)
    "".join(told).encode()


@given(st.text(st.characters(), min_size=6, max_size=30), st.sampled_from(sorted(known_names())))
def test_no_arbitrary_secret_is_told(secret: str, name: str) -> None:
    if not is_secret(known_names()[name]):
        return
    marked = f"{secret}\x00zq9Zq7"  # the NUL makes every secret a fault
    assert "zq9Zq7" not in one_fault(**{name: marked})


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_file_gives_settings_or_faults(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("env")
    write(folder, f"BUSCTL_PORT={text}\nBUSCTL_HOST='{text}\n")
    found = load_or_faults({}, folder)
    assert found
    if isinstance(found, list):
        "".join(found).encode()


# --- nothing at import ----------------------------------------------------------------------------

_IMPORT = """
import os, sys
read = []
class Watched(dict):
    def __getitem__(self, key): read.append(key); return super().__getitem__(key)
    def get(self, key, default=None): read.append(key); return super().get(key, default)
    def __contains__(self, key): read.append(key); return super().__contains__(key)
    def items(self): read.append("*"); return super().items()
    def __iter__(self): read.append("*"); return super().__iter__()
    def keys(self): read.append("*"); return super().keys()
os.environ = Watched(os.environ)
import busctl.core.configuration.settings, busctl.adapters.environment, busctl.cli.config
print([name for name in read if name == "*" or name.startswith(("MESSAGE", "BUSCTL", "DATABASE"))])
os.environ = dict(os.environ)
print(busctl.core.configuration.settings.Settings().port)
"""


def test_nothing_is_read_at_import_or_by_construction(tmp_path: Path) -> None:
    write(tmp_path, "BUSCTL_PORT=wrong\n")
    environ = {**os.environ, "BUSCTL_PORT": "wrong", "DATABASE_URL": "wrong", "port": "wrong"}
    environ["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "[]\n8765\n"
