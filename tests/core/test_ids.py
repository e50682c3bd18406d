"""Transaction ids: RFC 9562's UUIDv7, in time order, read back as printed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.errors import InvalidId
from busctl.core.ids import MAX_UNIX_MS, first_id, make_id, parse_id, time_of, unix_ms, unix_ms_of

MOMENTS = st.integers(0, MAX_UNIX_MS)
ENTROPY = st.binary(min_size=10, max_size=10)


@given(st.integers(0, MAX_UNIX_MS - 1), ENTROPY)
def test_an_id_is_a_version_7_uuid_of_its_time(moment: int, random: bytes) -> None:
    made = make_id(moment, random)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert unix_ms_of(made) == moment
    assert first_id(moment) <= made < first_id(moment + 1)
    assert parse_id(str(made)) == parse_id(f" bus://{made}\n") == made


@given(MOMENTS, MOMENTS, ENTROPY, ENTROPY)
def test_order_of_ids_is_order_of_time(one: int, two: int, first: bytes, second: bytes) -> None:
    if one < two:
        assert make_id(one, first) < make_id(two, second)


def test_74_random_bits_are_kept() -> None:
    seen = {make_id(0, bytes.fromhex(f"{1 << bit:020x}")) for bit in range(80)}
    assert len(seen - {make_id(0, bytes(10))}) == 74


def test_the_example_of_the_rfc() -> None:
    """RFC 9562 appendix A.6: 22 February 2022, 14:22:22.00 GMT-05:00."""
    example = UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    assert time_of(example) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


@pytest.mark.parametrize("moment", [-1, MAX_UNIX_MS + 1])
def test_a_time_that_does_not_fit_is_refused(moment: int) -> None:
    with pytest.raises(InvalidId, match=r"that a UUIDv7 can hold"):
        make_id(moment, bytes(10))


def test_a_time_past_the_year_9999_is_refused_by_name() -> None:
    far = make_id(MAX_UNIX_MS, bytes(10))
    with pytest.raises(InvalidId, match="9999") as caught:
        time_of(far)
    assert caught.value.transaction_id == far


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "bus://", "0" * 31, "76223d8d-41e7-419e-aff9-7ff4bf4aeb9a", str(first_id(5)),
        "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",  # variant bits of Microsoft's
        # What UUID() alone reads as an id, some of them as another one.
        "+17f22e279b07cc398c4dc0c0c07398f", "_017f22e279b07cc398c4dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398\u0669", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "0-17f22e279b07cc398c4dc0c0c07398f",
    ],
)  # fmt: skip
def test_what_is_not_an_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_id(text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # bounds are naive
def test_times_are_kept_to_the_millisecond(moment: datetime) -> None:
    back = time_of(make_id(unix_ms(moment), bytes(10)))
    assert timedelta(0) <= moment - back < timedelta(milliseconds=2)
