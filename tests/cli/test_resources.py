"""The commands that list, show and change what the daemon knows: exact requests, tables and JSON."""

from __future__ import annotations

import json

import pytest

POINT = {
    "clientId": "CP1",
    "connected": True,
    "version": "1.6",
    "registration": "Accepted",
    "vendor": "V\x1b[2J",
    "model": None,
    "connectors": [{"connectorId": 1, "status": "Charging"}, {"connectorId": 2, "status": "Available"}],
}
PUT_TAG = "PUT /idtags/T%231"
TAG = {"idTag": "T#1", "status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z", "maxTransactions": 2}


def test_a_list_is_a_line_for_each_item(run, api):
    api.answer("GET /chargepoints?connected=true&limit=50", {"items": [POINT]})
    out, err, status = run("chargepoint", "list", "--connected")
    assert (err, status) == ([], 0)
    heading, line = out.splitlines()
    assert heading.split("\t")[:3] == ["charge point", "connected", "OCPP"]
    assert line.split("\t") == [
        "CP1", "yes", "1.6", "Accepted", r"V\u001b[2J", "", "1 Charging, 2 Available"
    ]  # fmt: skip


def test_a_list_as_json_is_one_document(run, api):
    api.answer("GET /chargepoints?limit=1", {"items": [POINT], "next": "c"})
    out, err, status = run("chargepoint", "list", "--json", "--limit", "1")
    assert (err, status, len(out.splitlines())) == ([], 0, 1)
    assert json.loads(out) == {"items": [POINT], "next": "c"}


def test_lists_go_on_to_their_limit_and_no_further(run, api):
    api.answer("GET /tariffs?limit=500", {"items": [{"tariffId": str(n)} for n in range(500)], "next": "a="})
    api.answer(
        "GET /tariffs?limit=20&cursor=a%3D", {"items": [{"tariffId": str(n)} for n in range(500, 520)], "next": "b"}
    )
    out, err, status = run("tariff", "list", "--limit", "520")
    assert (len(out.splitlines()), status) == (521, 0)
    assert err == ["there are more: --all, --limit or --cursor b"]
    assert len(api.requests) == 2


def test_all_is_all(run, api):
    api.answer("GET /tariffs?limit=500", {"items": [{"tariffId": "1"}], "next": "a"})
    api.answer("GET /tariffs?limit=500&cursor=a", {"items": [], "next": "b"})
    api.answer("GET /tariffs?limit=500&cursor=b", {"items": [{"tariffId": "2"}]})
    out, err, status = run("tariff", "list", "--all", "--json")
    assert (json.loads(out), err, status) == ({"items": [{"tariffId": "1"}, {"tariffId": "2"}]}, [], 0)


@pytest.mark.parametrize("body", [{"items": 5}, {"items": [1]}, [], "text", {}])
def test_what_is_no_list_is_one_line(body, run, api):
    api.answer("GET /tariffs?limit=50", body)
    out, err, status = run("tariff", "list")
    assert (out, len(err), status) == ("", 1, 1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("transaction", "list", "--chargepoint", "a b", "--idtag", "#1", "--active", "--since", "2030-01-01T00:00:00Z"),
         "GET /transactions?clientId=a+b&idTag=%231&active=true&since=2030-01-01T00%3A00%3A00Z&limit=50"),
        (("transaction", "readings", "7", "--limit", "3", "--cursor", "x"), "GET /transactions/7/readings?limit=3&cursor=x"),
        (("reservation", "list", "--chargepoint", "CP1", "--status", "ACTIVE"),
         "GET /reservations?clientId=CP1&status=ACTIVE&limit=50"),
        (("idtag", "list"), "GET /idtags?limit=50"),
        (("chargepoint", "quirks", "CP1"), "GET /chargepoints/CP1/quirks"),
        (("chargepoint", "configuration", "CP1"), "GET /chargepoints/CP1/configuration?limit=500"),
        (("chargepoint", "variables", "CP1", "--component", "EVSE", "--variable", "Power", "--evse", "2"),
         "GET /chargepoints/CP1/variables?component=EVSE&variable=Power&evseId=2&limit=50"),
        (("chargepoint", "monitors", "CP1", "--evse", "2", "--limit", "3"), "GET /chargepoints/CP1/monitors?evseId=2&limit=3"),
        (("chargepoint", "messages", "CP1", "--action", "Reset", "--since", "2030-01-01T00:00:00Z"),
         "GET /chargepoints/CP1/messages?action=Reset&since=2030-01-01T00%3A00%3A00Z&limit=50"),
    ],
)  # fmt: skip
def test_what_lists_ask_for(arguments, line, run, api):
    api.answer(line, {"items": [{"anything": 1}]})
    out, err, status = run(*arguments)
    assert (err, status, len(out.splitlines())) == ([], 0, 2)
    assert json.loads(run(*arguments, "--json")[0]) == {"items": [{"anything": 1}]}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("chargepoint", "show", "CP1"), "GET /chargepoints/CP1"),
        (("idtag", "show", "#1"), "GET /idtags/%231"),
        (("tariff", "show", "t"), "GET /tariffs/t"),
        (("transaction", "show", "7"), "GET /transactions/7"),
        (("transaction", "close", "7"), "POST /transactions/7/close"),
        (("reservation", "show", "7"), "GET /reservations/7"),
        (("reservation", "show", "7", "--chargepoint", "CP1"), "GET /reservations/7?clientId=CP1"),
    ],
)
def test_what_shows_one_thing(arguments, line, run, api):
    api.answer(line, POINT)
    out, err, status = run(*arguments)
    assert (err, status) == ([], 0)
    assert out.splitlines()[:2] == ["clientId: CP1", "connected: yes"]
    assert r"vendor: V\u001b[2J" in out
    assert json.loads(run(*arguments, "--json")[0]) == POINT


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("chargepoint", "delete", "CP/1"), "DELETE /chargepoints/CP%2F1"),
        (("idtag", "delete", "CP/1"), "DELETE /idtags/CP%2F1"),
        (("tariff", "delete", "CP/1"), "DELETE /tariffs/CP%2F1"),
        (("token", "delete", "CP/1"), "DELETE /tokens/CP%2F1"),
    ],
)
def test_deleting(arguments, line, run, api):
    api.answer(line, b"", 204)
    assert run(*arguments) == ("CP/1 is deleted\n", [], 0)


def test_a_token_is_printed_alone_so_that_it_can_go_to_a_file(run, api):
    made = {"name": "grafana", "role": "read", "createdAt": "2026-03-01T12:00:00Z", "token": "csms_x"}
    api.answer("POST /tokens", made, 201)
    assert run("token", "add", "grafana", "--role", "read") == ("csms_x\n", [], 0)
    assert api.last.json == {"name": "grafana", "role": "read"}
    assert json.loads(run("token", "add", "grafana", "--role", "read", "--json")[0]) == made
    sent = len(api.requests)
    for arguments in (("grafana",), ("grafana", "--role", "root"), ("--role", "read")):
        assert run("token", "add", *arguments)[2] == 2
    assert len(api.requests) == sent


@pytest.mark.parametrize(("code", "status"), [(409, 7), (403, 8)])
def test_a_token_that_is_not_made_is_told(code, status, run, api):
    api.problem("POST /tokens", code, "there is none for you")
    assert run("token", "add", "grafana", "--role", "read") == ("", ["csms: there is none for you"], status)


def test_tokens_are_listed(run, api):
    document = {"items": [{"name": "grafana", "role": "read", "createdAt": "2026-03-01T12:00:00Z"}]}
    api.answer("GET /tokens", document)
    out, err, status = run("token", "list")
    assert (out.splitlines()[1].split("\t")[:2], err, status) == (["grafana", "read"], [], 0)
    assert json.loads(run("token", "list", "--json")[0]) == document


def test_a_charge_point_is_changed_where_options_say_so(run, api):
    api.answer("PUT /chargepoints/CP1", POINT)
    arguments = ["--registration", "Pending", "--validation", "default", "--tariff", "night", "--meter-factor", "0.001"]
    assert run("chargepoint", "put", "CP1", *arguments, "--group", "", "--allow-no-subprotocol")[1:] == ([], 0)
    assert api.last.json == {
        "registration": "Pending", "validation": None, "tariffId": "night", "meterFactor": 0.001,
        "groupName": None, "allowNoSubprotocol": True,
    }  # fmt: skip
    assert run("chargepoint", "put", "CP1", "--require-subprotocol", "--meter-factor", "")[2] == 0
    assert api.last.json == {"allowNoSubprotocol": False, "meterFactor": None}
    assert run("chargepoint", "put", "CP1")[2] == 0
    assert api.last.json == {}


def test_a_password_is_read_from_a_file_or_standard_input_and_taken_away(run, api, tmp_path):
    api.answer("PUT /chargepoints/CP1", {**POINT, "hasPassword": True})
    path = tmp_path / "password"
    path.write_bytes("pässwörd ::\r\n".encode())
    out, err, status = run("chargepoint", "put", "CP1", "--password-file", path, "--security-profile", "2")
    assert (err, status, "hasPassword: yes" in out) == ([], 0, True)
    assert api.last.json == {"password": "pässwörd ::", "securityProfile": 2}
    assert run("chargepoint", "put", "CP1", "--password-file", "-", stdin=b"correct horse")[2] == 0
    assert api.last.json == {"password": "correct horse"}
    assert run("chargepoint", "put", "CP1", "--certificate-name", "SN-0042")[2] == 0
    assert api.last.json == {"certificateName": "SN-0042"}
    assert run("chargepoint", "put", "CP1", "--accept-expired-certificate")[2] == 0
    assert api.last.json == {"acceptExpiredCertificate": True}
    assert run("chargepoint", "put", "CP1", "--certificate-name", "")[2] == 0
    assert api.last.json == {"certificateName": None}
    assert run("chargepoint", "put", "CP1", "--no-password", "--security-profile", "default")[2] == 0
    assert api.last.json == {"password": None, "securityProfile": None}


@pytest.mark.parametrize(
    ("content", "options"), [(b"\xff\xfe1234567", ()), (b"correct horse", ("--no-password",)), (None, ())]
)
def test_a_password_file_that_cannot_be_used_is_one_line_without_it(content, options, run, api, tmp_path):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    out, err, status = run("chargepoint", "put", "CP1", "--password-file", path, *options)
    assert (out, status, api.requests) == ("", 2, [])
    assert "correct" not in "".join(err)


def test_a_password_is_rotated(run, api):
    api.answer("POST /chargepoints/CP1/password/rotate", {"status": "Accepted", "taken": True})
    assert run("chargepoint", "rotate-password", "CP1") == ("CP1 has a new password\n", [], 0)
    assert json.loads(run("chargepoint", "rotate-password", "CP1", "--json")[0])["taken"] is True


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_password_that_is_refused_is_a_status(options, run, api):
    api.answer("POST /chargepoints/CP1/password/rotate", {"status": "Rejected", "taken": False})
    out, err, status = run("chargepoint", "rotate-password", "CP1", *options)
    assert (status, len(err), bool(out)) == (7, 1, bool(options))
    assert "'Rejected'" in err[0]


def test_an_id_tag_keeps_what_no_option_names(run, api):
    api.answer("GET /idtags/T%231", {**TAG, "somethingNew": 1})
    api.answer(PUT_TAG, TAG)
    assert run("idtag", "put", "T#1", "--status", "Blocked", "--max-transactions", "")[1:] == ([], 0)
    assert api.last.json == {"status": "Blocked", "expiryDate": TAG["expiryDate"]}


def test_a_new_id_tag(run, api):
    api.problem("GET /idtags/T%231", 404, "the id tag is not known")
    api.answer(PUT_TAG, TAG)
    arguments = ["--parent", "P", "--type", "RFID", "--chargepoint", "A", "--chargepoint", "B"]
    arguments += ["--max-transactions", "1", "--budget-kwh", "12.5", "--budget-period", "month", "--evse", "2"]
    assert run("idtag", "put", "T#1", *arguments, "--expiry-date", "2030-01-01T00:00:00Z")[1:] == ([], 0)
    assert api.last.json == {
        "status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z", "parentIdTag": "P", "type": "RFID",
        "chargePoints": ["A", "B"], "maxTransactions": 1, "budgetKwh": 12.5, "budgetPeriod": "month", "evses": [2],
    }  # fmt: skip


def test_an_id_tag_is_not_written_where_it_cannot_be_read(run, api):
    api.problem("GET /idtags/T%231", 503, "the ledger cannot be used now")
    assert run("idtag", "put", "T#1") == ("", ["csms: the ledger cannot be used now"], 3)
    assert [request.method for request in api.requests] == ["GET"]


def test_id_tags_are_imported_with_a_report(run, api, tmp_path):
    (tmp_path / "tags.csv").write_bytes(b"\xef\xbb\xbfidTag,status\r\nA,Accepted\r\n")
    api.answer("POST /idtags/import", {"imported": 1, "bad": []})
    assert run("idtag", "import", tmp_path / "tags.csv") == ("1 id tags imported, 0 bad lines\n", [], 0)
    assert api.last.body == b"idTag,status\r\nA,Accepted\r\n"
    assert api.last.headers["Content-Type"] == "text/csv"


def test_bad_lines_are_told_and_are_a_status(run, api):
    report = {"imported": 0, "bad": [{"line": 3, "reason": "idTag: \x1b[1m"}]}
    api.answer("POST /idtags/import", report)
    out, err, status = run("idtag", "import", "-", stdin=b"x")
    assert out.splitlines() == ["0 id tags imported, 1 bad lines", "line\treason", "3\tidTag: \\u001b[1m"]
    assert (err, status, api.last.body) == ([], 7, b"x")
    out, _, status = run("idtag", "import", "-", "--json", stdin=b"x")
    assert (json.loads(out), status) == (report, 7)


def test_id_tags_are_exported_byte_for_byte(run, api):
    content = "idTag,status\r\nÄ\u202e,Accepted\r\n"
    api.answer("GET /idtags/export", content.encode(), **{"Content-Type": "text/csv; charset=utf-8"})
    assert run("idtag", "export") == (content, [], 0)
    assert api.last.headers["Accept"] == "text/csv"


def test_a_tariff_keeps_what_no_option_names(run, api):
    api.answer(
        "GET /tariffs/t", {"tariffId": "t", "currency": "EUR", "energyRate": 0.3, "timeRate": 0, "sessionFee": 1}
    )
    api.answer("PUT /tariffs/t", {"tariffId": "t"})
    assert run("tariff", "put", "t", "--energy-rate", "0.25")[1:] == ([], 0)
    assert api.last.json == {"currency": "EUR", "energyRate": 0.25, "timeRate": 0, "sessionFee": 1}


def test_a_new_tariff_needs_a_currency(run, api):
    api.problem("GET /tariffs/t", 404, "the tariff is not known")
    api.answer("PUT /tariffs/t", {"tariffId": "t"})
    out, err, status = run("tariff", "put", "t", "--energy-rate", "0.25")
    assert (out, err, status) == ("", ["csms: --currency: a new tariff needs one"], 2)
    assert run("tariff", "put", "t", "--energy-rate", "0.25", "--currency", "SEK")[1:] == ([], 0)
    assert api.last.json == {"currency": "SEK", "energyRate": 0.25, "timeRate": 0, "sessionFee": 0}


def test_wanted_configuration_is_changed_key_by_key(run, api):
    path = "/chargepoints/CP1/configuration/wanted"
    api.answer(f"GET {path}", {"A": "1", "B": "2"})
    api.answer(f"PUT {path}", {})
    arguments = ["chargepoint", "configuration", "CP1"]
    out, err, status = run(*arguments, "--want", "C=x=y", "--want", "A=", "--unwant", "B")
    assert (out, err, status) == ("A: \nC: x=y\n", [], 0)
    assert api.last.json == {"A": "", "C": "x=y"}


def test_what_came_of_the_wanted_configuration(run, api):
    results = {
        "A": {
            "value": "1",
            "source": "chargepoint",
            "status": "Rejected\x1b",
            "readValue": "0",
            "at": "2030-01-01T00:00:00Z",
        },
        "B": {"value": "2", "source": "group", "group": "depot"},
    }
    api.answer("GET /chargepoints/CP1/configuration/wanted?results=true", results)
    arguments = ["chargepoint", "configuration", "CP1", "--wanted"]
    out, err, status = run(*arguments)
    assert (err, status) == ([], 0)
    assert [line.split("\t") for line in out.splitlines()] == [
        ["key", "wanted", "by", "status", "value before", "at"],
        ["A", "1", "chargepoint", r"Rejected\u001b", "0", "2030-01-01T00:00:00Z"],
        ["B", "2", "group depot", "", "", ""],
    ]
    assert json.loads(run(*arguments, "--json")[0]) == results


def test_nothing_wanted_is_a_deletion(run, api):
    path = "/groups/depot%201/configuration/wanted"
    api.answer(f"GET {path}", {"A": "1"})
    api.answer(f"DELETE {path}", b"", 204)
    group = ("chargepoint", "configuration", "--group", "depot 1")
    assert run(*group) == ("A: 1\n", [], 0)
    assert run(*group, "--unwant", "A")[1:] == ([], 0)
    assert run(*group, "--unwant-all")[1:] == ([], 0)
    assert [request.method for request in api.requests] == ["GET", "GET", "DELETE", "DELETE"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("chargepoint", "configuration"),
        ("chargepoint", "configuration", "CP1", "--group", "g"),
        ("chargepoint", "configuration", "CP1", "--want", "A"),
        ("chargepoint", "configuration", "CP1", "--want", "=A"),
        ("chargepoint", "configuration", "CP1", "--want", "A=1", "--unwant-all"),
        ("chargepoint", "put", "CP1", "--meter-factor", "x"),
        ("chargepoint", "put", "CP1", "--registration", "Maybe"),
        ("chargepoint", "show"),
        ("idtag", "put", "T", "--max-transactions", "0"),
        ("idtag", "put", "T", "--budget-kwh", "1e3"),
        ("idtag", "import", "missing.csv"),
        ("tariff", "put", "T", "--energy-rate", "-1"),
        ("transaction", "show", "x"),
        ("transaction", "list", "--limit", "0"),
        ("events", "--after", "x"),
        ("idtag", "show", "\udcff"),
        ("transaction", "list", "--idtag", "\udcff"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, run, api):
    api.problem("GET /idtags/%FF", 400, "the path is not UTF-8")
    out, err, status = run(*arguments)
    assert (out, len(err)) == ("", 1)
    assert status == (7 if "\udcff" in arguments and arguments[0] == "idtag" else 2)


def test_readings_and_costs_in_words(run, api):
    measurands = {"Voltage": {"value": 230.1, "unit": "V"}, "SoC": {"value": 50, "unit": "Percent\x1b"}, "x": 1}
    api.answer("GET /transactions/7/readings?limit=50", {"items": [{"timestamp": "t", "measurands": measurands}]})
    out, _, status = run("transaction", "readings", "7")
    assert (out.splitlines()[1].split("\t")[-1], status) == (r"Voltage 230.1 V, SoC 50 Percent\u001b", 0)
    api.answer("GET /transactions?limit=50", {"items": [{"cost": 1.5, "currency": "EUR"}]})
    assert "1.5 EUR" in run("transaction", "list")[0].splitlines()[1].split("\t")


def test_a_tariff_is_sent(run, api):
    api.answer(
        "POST /chargepoints/CP%2F1/tariffs", {"messageId": "m1", "tariff": {}, "response": {"status": "Accepted"}}
    )
    out, err, status = run("tariff", "send", "night", "CP/1", "--evse", "0")
    assert (json.loads(out), err, status) == ({"status": "Accepted"}, [], 0)
    assert api.last.json == {"tariffId": "night", "evseId": 0}
    run("tariff", "send", "night", "CP/1", "--transaction", "7", "--json")
    assert api.last.json == {"tariffId": "night", "transactionId": 7}
    _out, err, status = run("tariff", "send", "night", "CP/1", "--transaction", "7", "--evse", "1")
    assert (len(err), status, len(api.requests)) == (1, 2, 2)


def test_variables_are_a_line_each(run, api):
    items = [
        {
            "key": "EVSE@1.Power",
            "attributes": [
                {"type": "MaxSet", "value": "9"},
                {"type": "Actual", "value": "5", "mutability": "ReadOnly", "seenAt": "2030-01-01T00:00:00Z"},
            ],
            "characteristics": {"unit": "W"},
        },
        {"key": "SecurityCtrlr.BasicAuthPassword", "attributes": [{"type": "Actual", "mutability": "WriteOnly"}]},
        {"key": "X.Y", "attributes": None},
    ]
    api.answer("GET /chargepoints/CP1/variables?limit=50", {"items": items})
    out, err, status = run("chargepoint", "variables", "CP1")
    assert (err, status) == ([], 0)
    assert [line.split("\t") for line in out.splitlines()[1:]] == [
        ["EVSE@1.Power", "5", "W", "ReadOnly", "MaxSet 9", "2030-01-01T00:00:00Z"],
        ["SecurityCtrlr.BasicAuthPassword", "", "", "WriteOnly", "", ""],
        ["X.Y", "", "", "", "", ""],
    ]
