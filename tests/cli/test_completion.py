"""Shell completion: commands at once, names from the API, silence where it does not answer."""

from __future__ import annotations

import socket

import pytest

from .command import csms

POINTS = "GET /chargepoints?limit=500"


def complete(line, api_url, tmp_path, **settings):
    """Complete a line as bash does; the values and what was said besides."""
    words = line.split(" ")
    out, err, _ = csms(
        cwd=tmp_path,
        _CSMS_COMPLETE="bash_complete",
        COMP_WORDS="\n".join(words),
        COMP_CWORD=str(len(words) - 1),
        CSMS_URL=api_url,
        **settings,
    )
    assert err == []
    return [value.split(",", 1)[1] for value in out.splitlines() if value]


def test_there_is_a_script_for_the_shell(tmp_path):
    out, err, status = csms(cwd=tmp_path, _CSMS_COMPLETE="bash_source")
    assert (err, status) == ([], 0)
    assert "_CSMS_COMPLETE=bash_complete" in out


@pytest.mark.parametrize(
    ("line", "values"),
    [("csms ch", ["chargepoint", "check-config"]), ("csms --to", ["--token", "--token-file"])],
)
def test_commands_and_options(line, values, tmp_path):
    assert complete(line, "http://127.0.0.1:9", tmp_path) == values


def test_client_ids_come_from_the_api_but_only_harmless_ones(api, tmp_path):
    names = ["CP2", "CP10", "CP1", "XP", "CP$(reboot)", "CP\nplain,x", "CP;x", "CP *", "CP`x`", "CP'", 5, "CPü"]
    api.answer(POINTS, {"items": [{"clientId": name} for name in names] + [{}]})
    assert complete("csms send CP", api.url, tmp_path, CSMS_HTTP_TOKEN="t") == ["CP1", "CP10", "CP2"]
    assert api.last.headers["Authorization"] == "Bearer t"
    assert complete(f"csms --url {api.url} chargepoint show X", "http://127.0.0.1:9", tmp_path) == ["XP"]


def test_actions_come_from_the_description_of_the_api(api, tmp_path):
    path = "/api/v1/chargepoints/{clientId}/commands/{action}"
    for schema in ({"enum": ["Reset", "ClearCache"]}, {"examples": ["Reset", "ClearCache"]}):
        action = {"name": "action", "schema": {"type": "string", **schema}}
        api.answer("GET /openapi.json", {"paths": {path: {"post": {"parameters": [{"name": "clientId"}, action]}}}})
        assert complete("csms send CP1 Re", api.url, tmp_path) == ["Reset"]


def test_only_actions_of_the_version_that_the_charge_point_speaks(api, tmp_path):
    path = "/api/v1/chargepoints/{clientId}/commands/{action}"
    names = ["RemoteStartTransaction", "RequestStartTransaction", "Reset"]
    action = {"name": "action", "schema": {"type": "string", "examples": names}}
    api.answer("GET /openapi.json", {"paths": {path: {"post": {"parameters": [action]}}}})
    for version, offered in [
        ("1.6", ["RemoteStartTransaction", "Reset"]),
        ("2.1", names[1:]),
        ("9", names),
        (None, names),
    ]:
        api.answer(f"GET /chargepoints/V{version}", {"version": version})
        assert complete(f"csms send V{version} R", api.url, tmp_path) == offered
    # What charge points send themselves can be looked for, too.
    line = "csms chargepoint messages V1.6 --action Bo"
    assert complete(line, api.url, tmp_path) == ["BootNotification"]


def test_groups_and_event_types(api, tmp_path):
    api.answer(POINTS, {"items": [{"clientId": "CP1", "groupName": "north"}, {"clientId": "CP2"}]})
    assert complete("csms chargepoint configuration --group ", api.url, tmp_path) == ["north"]
    assert complete("csms chargepoint put CP1 --group n", api.url, tmp_path) == ["north"]
    assert complete("csms events --type con", "http://127.0.0.1:1", tmp_path) == ["configuration_changed", "connected"]


@pytest.mark.parametrize("line", ["csms send CP", "csms idtag show ", "csms send CP1 Re", "csms tariff show "])
def test_an_api_that_refuses_or_is_strange_is_silence(line, api, tmp_path):
    assert complete(line, api.url, tmp_path) == []
    for target in (POINTS, "GET /idtags?limit=500", "GET /openapi.json", "GET /tariffs?limit=500"):
        api.answer(target, {"items": 5, "paths": []})
    assert complete(line, api.url, tmp_path) == []


def test_an_api_that_is_away_or_does_not_answer_is_silence(tmp_path):
    assert complete("csms send CP", "http://127.0.0.1:1", tmp_path) == []
    assert complete("csms send CP", "nonsense", tmp_path) == []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert complete("csms send CP", f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path) == []
