"""EVSEs and connectors under flat numbers (contracts §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger import evses
from csms.ledger.decision import Draft
from csms.ledger.evses import NoSuchConnector, find, place
from tests.ledger.station import NEW, Station


def _draft() -> Draft:
    return Draft(NEW, Station().context())


def test_an_evses_first_connector_has_the_evses_number():
    draft = _draft()
    assert [place(draft, 1, 1), place(draft, 2, 1), place(draft, 2, 2), place(draft, 3, 1)] == [1, 2, 3, 4]
    assert [place(draft, 3, 1), place(draft, 2, 2), place(draft, 1, None)] == [4, 3, 1]
    assert len(draft.decide(None).changes) == 4


def test_evse_0_is_the_station_and_has_no_row():
    draft = _draft()
    assert (place(draft, 0, None), place(draft, 0, 0), find(draft.state, 0)) == (0, 0, 0)
    assert draft.decide(None).changes == ()


def test_an_evse_without_a_connector_is_its_first():
    draft = _draft()
    assert find(draft.state, 2) is None
    assert place(draft, 2, None) == 2
    assert place(draft, 2, 1) == 2
    assert place(draft, 2, 2) == 3
    assert find(draft.state, 2) == 2
    assert find(draft.state, 2, 9) is None


@pytest.mark.parametrize(("evse_id", "connector_id"), [(-1, 1), (2**31, 1), (1, -1), (1, 2**31)])
def test_numbers_that_no_station_has(evse_id, connector_id):
    with pytest.raises(NoSuchConnector):
        place(_draft(), evse_id, connector_id)


def test_what_is_kept_of_a_station_has_a_bound():
    draft = _draft()
    for number in range(1, evses.MOST_CONNECTORS + 1):
        place(draft, 1, number)
    assert place(draft, 1, 256) == 256
    with pytest.raises(NoSuchConnector):
        place(draft, 2, 1)


@given(st.lists(st.tuples(st.integers(1, 6), st.one_of(st.none(), st.integers(1, 4))), max_size=30))
def test_numbers_are_given_once_and_stay(asked):
    draft = _draft()
    first = [place(draft, *pair) for pair in asked]
    again = [place(draft, *pair) for pair in asked if pair[1] is not None]
    assert again == [number for number, pair in zip(first, asked, strict=True) if pair[1] is not None]
    known = draft.state.evses
    assert len({(item.evse_id, item.station_connector_id) for item in known.values()}) == len(known)
    assert all(number == item.connector_id > 0 for number, item in known.items())
