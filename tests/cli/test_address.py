"""The global options: where the daemon is, and the token, which nobody else learns."""

from __future__ import annotations

import pytest

from .command import csms

LINE = "GET /tariffs?limit=50"


@pytest.fixture(autouse=True)
def tariffs(api):
    api.answer(LINE, {"items": []})


def authorization(api):
    return api.last.headers["Authorization"]


def test_the_token_comes_from_the_command_line_a_file_or_the_environment(run, api, tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    file = ("--token-file", tmp_path / "token")
    assert run("tariff", "list")[2] == 0
    assert authorization(api) is None
    assert run(*file, "tariff", "list", CSMS_HTTP_TOKEN="from-environment")[2] == 0
    assert authorization(api) == "Bearer from-file"
    assert run("tariff", "list")[2] == 0
    assert authorization(api) == "Bearer from-environment"
    assert run(*file, "--token", "from-line", "tariff", "list")[2] == 0
    assert authorization(api) == "Bearer from-line"


def test_a_path_before_the_api_is_kept(run, api):
    run("--url", f"{api.url}/csms/", "tariff", "list")
    assert api.last.target == "/csms/api/v1/tariffs?limit=50"


def test_no_proxy_is_asked_about_this_machine(run, api):
    assert run("tariff", "list", HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9")[2] == 0


def test_a_redirection_is_not_followed(run, api):
    api.answer("GET /tariffs/t", b"", 302, Location=f"{api.url}/api/v1/tariffs?limit=50")
    assert run("tariff", "show", "t", CSMS_HTTP_TOKEN="secret-1") == ("", [f"csms: {api.url} answered 302 Found"], 1)


def test_where_a_token_is_wanted_it_says_how_to_give_one(run, api):
    api.problem("GET /tariffs/t", 401, "a token is wanted")
    _, err, status = run("tariff", "show", "t")
    assert (err, status) == (["csms: a token is wanted (set CSMS_HTTP_TOKEN, or use --token-file)"], 8)
    _, err, status = run("tariff", "show", "t", CSMS_HTTP_TOKEN="wrong")
    assert (err, status) == (["csms: a token is wanted"], 8)


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ((), {"CSMS_HTTP_TOKEN": "secret-1\nX: y"}, "not printable"),
        (("--url", "http://user:secret-1@127.0.0.1"), {}, "a password does not belong there"),
        (("--url", "ftp://127.0.0.1"), {}, "allowed is"),
        (("--url", "127.0.0.1:8081"), {}, "allowed is"),
        (("--url", "http://[::1"), {}, "that is no URL"),
        (("--url", "http://127.0.0.1/?a=b"), {}, "allowed is"),
        (("--token-file", "missing"), {}, "missing cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_address_is_one_line_without_the_secret(arguments, environment, words, run, api):
    out, err, status = run(*arguments, "tariff", "list", **environment)
    assert (out, len(err), status) == ("", 1, 2)
    assert words in err[0]
    assert "secret-1" not in err[0]
    assert api.requests == []


def test_help_does_not_show_the_token(tmp_path):
    out, _, status = csms("--help", cwd=tmp_path, CSMS_HTTP_TOKEN="secret-1", CSMS_URL="http://u:secret-2@h")
    assert status == 0
    assert "secret-" not in out


def test_the_variables_are_no_settings_of_the_daemon(tmp_path):
    assert csms("check-config", cwd=tmp_path, CSMS_HTTP_TOKEN="t", CSMS_URL="http://127.0.0.1:1")[2] == 0
