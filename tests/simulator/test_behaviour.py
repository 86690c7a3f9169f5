"""What cannot be simulated is refused with the name of the number that is wrong."""

from __future__ import annotations

import pytest

from csms.ocppj.versions import V201
from csms.simulator.behaviour import Behaviour


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0.5},
        {"speed": float("nan")},
        {"duration_s": 0},
        {"interval_s": -1},
        {"sessions": -1},
        {"connectors": 0},
        {"id_tag": ""},
        {"id_tag": "x" * 21},
        {"meter_start_wh": -1},
        {"reason": "StoppedByEV"},
        {"reason": "HardReset", "version": V201},
        {"id_tag": "x" * 37, "version": V201},
    ],
)
def test_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Behaviour(**wrong)
