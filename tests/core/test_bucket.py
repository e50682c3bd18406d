"""So many a second, told the time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from busctl.core.bucket import Bucket


def test_a_second_at_once_then_as_they_come() -> None:
    bucket = Bucket(4)
    assert [bucket.take(10.0) for _ in range(4)] == [0.0] * 4
    assert bucket.take(10.0) == 0.25
    assert bucket.take(10.125) == 0.125
    assert bucket.take(10.25) == 0.0
    assert bucket.take(10.25) == 0.25
    assert [bucket.take(1000.0) for _ in range(5)] == [0.0] * 4 + [0.25]


def test_less_than_one_a_second_is_one_at_a_time() -> None:
    bucket = Bucket(0.5)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == 2.0
    assert bucket.take(2.0) == 0.0


@given(rate=st.floats(0.01, 1e5), pauses=st.lists(st.floats(-1, 10), min_size=1, max_size=60))
def test_never_more_than_the_rate_and_a_second_ahead(rate: float, pauses: list[float]) -> None:
    bucket, now, passed, taken = Bucket(rate), 0.0, 0.0, 0
    for pause in pauses:
        now += pause
        passed += max(0.0, pause)
        wait = bucket.take(now)
        taken += wait == 0.0
        assert 0.0 <= wait <= 1.0 / rate
    assert taken <= max(1.0, rate) + passed * rate + 1e-6
