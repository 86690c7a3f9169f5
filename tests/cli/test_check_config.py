"""``csms check-config``: what is in effect, or what is wrong."""

from __future__ import annotations

import pytest

from .command import csms


def test_it_says_what_is_in_effect(tmp_path):
    (tmp_path / "csms.toml").write_text('[ocpp]\nheartbeat_interval = "5m"\n[mqtt]\nhost = "broker"\n')
    out, err, status = csms("check-config", "csms.toml", cwd=tmp_path, MQTT_HOST="other", CSMS_GATEWAY_ID="g1")
    assert (err, status) == ([], 0)
    lines = out.splitlines()
    for line in ("ocpp.heartbeat_interval = 300", "mqtt.host = other", "gateway.id = g1", "mqtt.password = -"):
        assert line in lines
    assert f"database.url = sqlite:///{tmp_path}/csms.db" in lines


def test_secrets_stay_hidden(tmp_path):
    (tmp_path / "MQTT_PASSWORD").write_text("secret-1\n")
    out, _, status = csms(
        "check-config",
        cwd=tmp_path,
        CREDENTIALS_DIRECTORY=str(tmp_path),
        CSMS_HTTP_TOKEN="secret-2",
        CSMS_AUTHORITY_TOKEN="secret-4",
        CSMS_PKI_AUTHORITY="https",
        CSMS_PKI_ORGANIZATION="O",
        CSMS_PKI_URL="https://ca.example.org/sign?key=secret-6",
        CSMS_PKI_TOKEN="secret-5",
        CSMS_ISO15118_EV_CERTIFICATE_URL="https://contracts.example.com/",
        CSMS_ISO15118_EV_CERTIFICATE_TOKEN="secret-6",
        CSMS_DATABASE_URL="postgresql://csms:secret-3@localhost/csms",
    )
    assert status == 0
    assert "secret-" not in out
    assert {"mqtt.password = (hidden)", "pki.url = https://ca.example.org/sign?(hidden)"} <= set(out.splitlines())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ocpp]\nheartbeat_interval = 5\n", "ocpp.heartbeat_interval: '5'"),
        ("[ocpp]\nspeed = 5\n", "ocpp.speed: unknown setting"),
        ("[ocpp]\nlisten = 'tcp:nowhere:x=y'\n", "ocpp.listen: 'tcp:nowhere:x=y' is no server endpoint"),
        ("[http]\nlisten = 'tcp:8081'\n", "http.token"),
        ("[tls]\ncertificate = '/nowhere.pem'\nkey = '/nowhere.key'\n", "tls.certificate: /nowhere.pem cannot be read"),
        ("[security]\nprofile = 4\n", "security.profile: '4': input should be"),
        ("[security]\nprofile = 2\n", "security.profile: '2': allowed with tls.certificate only"),
        (
            "[security]\nprofile = 3\n[tls]\ncertificate = 'a.pem'\nkey = 'a.key'\n",
            "security.profile: '3': allowed with tls.client_ca only",
        ),
        ("[mqtt]\nca = '/nowhere.pem'\n", "mqtt.ca: /nowhere.pem cannot be read"),
        (
            "[tls]\ncertificate = ['/dev/null', '/nowhere.pem']\nkey = ['/dev/null', '/dev/null']\n",
            "tls.certificate: /nowhere.pem cannot be read",
        ),
        (
            "[tls]\ncertificate = ['/dev/null', '/dev/null']\nkey = ['/dev/null', '/nowhere.key']\n",
            "tls.key: /nowhere.key cannot be read",
        ),
        (
            "[tls]\ncertificate = ['a.pem', 'b.pem']\nkey = 'a.key'\n",
            "tls.key: allowed is one key for each certificate of tls.certificate",
        ),
        ("[tls]\nkey = 'a.key'\n", "tls.key: allowed is one key for each certificate of tls.certificate"),
        ("[iso15118]\nmo_roots = '/nowhere.pem'\n", "iso15118.mo_roots: /nowhere.pem cannot be read"),
        ("[iso15118]\nocsp_responders = 'ocsp'\n", "iso15118.ocsp_responders: allowed are http:// and https:// URLs"),
        (
            "[iso15118]\nocsp_responders = ['http://ocsp.example.com', 'http://me:secret@ocsp.example.com']\n",
            "iso15118.ocsp_responders: allowed are http:// and https:// URLs without a name",
        ),
        (
            "[iso15118]\nocsp_responders = 'http://ocsp.example.com:65536'\n",
            "iso15118.ocsp_responders: allowed are URLs with a port up to 65535",
        ),
        ("[iso15118]\nocsp_responders = [5]\n", "iso15118.ocsp_responders: "),
        (
            "[iso15118]\nocsp_issuers = '/dev/null'\n",
            "iso15118.ocsp_issuers: allowed with iso15118.ocsp_responders only",
        ),
        (
            "[iso15118]\nocsp_responders = 'http://ocsp.example.com'\nocsp_issuers = '/nowhere.pem'\n",
            "iso15118.ocsp_issuers: /nowhere.pem cannot be read",
        ),
        (
            "[iso15118]\nev_certificate_url = 'http://contracts.example.com/?key=secret'\n",
            "iso15118.ev_certificate_url: allowed is an https:// URL, and http:// to loopback only",
        ),
        ("[iso15118]\nev_certificate_token = ['secret']\n", "iso15118.ev_certificate_token: "),
        ("[iso15118]\ntimeout = '31s'\n", "iso15118.timeout: '31s': input should be less than or equal to 30"),
        ("[iso15118]\ntimeout = 0\n", "iso15118.timeout: '0': input should be greater than 0"),
        (
            "[pki]\nca_certificate = '/dev/null'\nca_key = '/secret'\norganization = 'O'\n",
            "pki.ca_key: its file cannot be read",
        ),
        ("[pki]\nauthority = 'ca'\n", "pki.authority: 'ca'"),
        ("[pki]\nauthority = 'https'\n", "pki.organization: it is needed with pki.authority = 'https'"),
        ("[pki]\nauthority = 'https'\norganization = 'O'\n", "pki.url: it goes together with pki.authority = 'https'"),
        ("[pki]\nurl = 'https://ca.example.org/'\n", "pki.url: it goes together with pki.authority = 'https'"),
        ("[pki]\ntoken = 'secret'\n", "pki.token: allowed with pki.url only"),
        ("[pki]\nroots = '/dev/null'\n", "pki.roots: allowed with pki.authority = 'https' or 'mqtt' only"),
        ("[pki]\nauthority = 'mqtt'\norganization = 'O'\n", "pki.authority: 'mqtt': allowed with mqtt.enabled and"),
        ("[pki]\nca_certificate = '/dev/null'\n", "pki.ca_key: allowed is one together with pki.ca_certificate"),
        ("[database]\nurl = 'mysql://secret@here'\n", "database.url: mysql is not supported"),
        (
            "[authority]\nurl = 'http://tags.example.com/?key=secret'\n",
            "authority.url: allowed is an https:// URL, and http://",
        ),
        (
            "[authority]\nurl = 'https://me:secret@tags.example.com'\n",
            "authority.url: allowed is an https:// URL, without",
        ),
        ("[authority]\nurl = 'tags.example.com'\n", "authority.url: allowed is an https:// URL"),
        ("[authority]\nurl = 'https://tags.example.com:99999'\n", "authority.url: port"),
        ("[authority]\ntimeout = '1m'\n", "authority.timeout: '1m'"),
        ("[authority]\nabsent = 'ConcurrentTx'\n", "authority.absent: 'ConcurrentTx'"),
        ("[database\n", "is no TOML"),
    ],
)
def test_a_wrong_setting_is_one_line(text, words, tmp_path):
    (tmp_path / "csms.toml").write_text(text)
    out, err, status = csms("check-config", "csms.toml", cwd=tmp_path)
    assert (out, status, len(err)) == ("", 1, 1)
    assert words in err[0]
    assert "secret" not in err[0]


@pytest.mark.parametrize(
    "url", ["https://tags.example.com/authorize?a=b", "http://127.0.0.1:8080", "http://[::1]/x", "http://localhost/"]
)
def test_where_an_authority_may_be(url, tmp_path):
    out, _, status = csms("check-config", cwd=tmp_path, CSMS_AUTHORITY_URL=url)
    assert status == 0
    assert f"authority.url = {url.replace('a=b', '(hidden)')}" in out.splitlines()


def test_a_missing_file_is_one_line(tmp_path):
    _, err, status = csms("check-config", "missing.toml", cwd=tmp_path)
    assert (status, err) == (1, ["csms: missing.toml cannot be read: No such file or directory"])
