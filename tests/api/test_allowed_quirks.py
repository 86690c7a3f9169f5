"""``quirks`` of a charge point: the settings for its deviations as one group, beside the same settings by themselves."""

from __future__ import annotations

from pytest_twisted import ensureDeferred

from tests.api.test_resources import V1


@ensureDeferred
async def test_the_deviations_that_a_charge_point_is_allowed_are_one_group(desk):
    target = f"{V1}/chargepoints/CP1"

    async def put(**body):
        reply = await desk.http.put(target, body)
        assert reply.status in {200, 201}, reply
        again = (await desk.http.get(target)).json
        assert again == reply.json
        return again["quirks"], again["allowNoSubprotocol"], again.get("meterFactor")

    given = {"allowNoSubprotocol": True, "meterFactor": "0.1"}
    assert await put(quirks=given) == (given, True, 0.1)
    assert await put(quirks={}) == (given, True, 0.1)
    assert await put(registration="Accepted") == (given, True, 0.1)
    assert await put(quirks={"meterFactor": "2.50"}) == ({**given, "meterFactor": "2.5"}, True, 2.5)
    # By themselves, and together with the group where they say the same.
    assert await put(meterFactor=10, allowNoSubprotocol=False) == (
        {"allowNoSubprotocol": False, "meterFactor": "10"},
        False,
        10,
    )
    assert await put(meterFactor=0.1, quirks={"meterFactor": "0.10"}) == (
        {"allowNoSubprotocol": False, "meterFactor": "0.1"},
        False,
        0.1,
    )
    assert await put(quirks={"meterFactor": None}) == ({"allowNoSubprotocol": False}, False, None)
    assert await put(quirks={"meterFactor": 0.001, "allowNoSubprotocol": True}) == (
        {"allowNoSubprotocol": True, "meterFactor": "0.001"},
        True,
        0.001,
    )
    assert await put(quirks=None) == ({"allowNoSubprotocol": False}, False, None)
    for body, path in [
        ({"meterFactor": 0.1, "quirks": {"meterFactor": "0.2"}}, "quirks.meterFactor"),
        ({"meterFactor": None, "quirks": {"meterFactor": "0.2"}}, "quirks.meterFactor"),
        ({"meterFactor": 2, "quirks": None}, "quirks.meterFactor"),
        ({"allowNoSubprotocol": True, "quirks": {"allowNoSubprotocol": False}}, "quirks.allowNoSubprotocol"),
        ({"quirks": {"meterFactor": "0"}}, "quirks.meterFactor"),
        ({"quirks": {"meterFactor": "1000000.1"}}, "quirks.meterFactor"),
        ({"quirks": {"meterFactor": "1e3"}}, "quirks.meterFactor"),
        ({"quirks": {"meterFactor": 0.1234567}}, "quirks.meterFactor"),
        ({"quirks": {"allowNoSubprotocol": None}}, "quirks.allowNoSubprotocol"),
        ({"quirks": {"speed": 1}}, "quirks"),
        ({"quirks": []}, "quirks"),
    ]:
        reply = await desk.http.put(target, body)
        assert (reply.status, reply.json["path"]) == (422, path), body
    assert (await desk.http.get(target)).json["quirks"] == {"allowNoSubprotocol": False}
