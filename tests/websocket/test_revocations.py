"""Every certificate of a chain is held against the revocation lists: handshakes in memory, with authorities below a root."""

import ssl

import pytest
from attrs import define
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from csms.websocket.client_certificates import ClientCertificates, Shown
from csms.websocket.tls import ChargePointTls
from tests.certificates import issue
from tests.fakes import logged
from tests.websocket.certificates import ec_key, write
from tests.websocket.handshakes import V12, V13, client_context, shake
from tests.websocket.pki import DAY, NOW, revocation_list

__all__ = ["logged"]
LATER = NOW + 10 * DAY


@define
class Site:
    """A root, an authority below it, one below that, and a charge point of the lowest; the daemon trusts the root."""

    folder: object
    root: object
    upper: object
    lower: object
    leaf: object = None
    tls: object = None

    @property
    def place(self):
        return self.folder / "CP1"

    def show(self, leaf, *above):
        """Have the charge point show a chain."""
        self.leaf = leaf
        self.place.with_suffix(".pem").write_text("".join(issued.pem for issued in (leaf, *above)))
        self.place.with_suffix(".key").write_bytes(
            leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    def lists(self, **ends):
        """Return the lists of some of the authorities, by when they end."""
        return {name: revocation_list(*_signer(getattr(self, name)), ends=end) for name, end in ends.items()}

    def load(self, *lists, trusted=("root",)):
        (self.folder / "ca.pem").write_text("".join(getattr(self, name).pem for name in trusted))
        (self.folder / "crl.pem").write_bytes(b"".join(lists))
        certificate, key = write(self.folder, "csms.example.org", ec_key())
        ca, crl = str(self.folder / "ca.pem"), str(self.folder / "crl.pem")
        self.tls = ChargePointTls([certificate], [key], ca, crl, demands_certificates=True)
        self.tls.load()

    def come(self, version=V13):
        return shake(self.tls, client_context(version, self.place))

    def is_refused(self, version=V13):
        with pytest.raises((SSL.Error, ssl.SSLError)):
            self.come(version)
        return True


def _signer(issued):
    return issued.certificate.subject, issued.key


@pytest.fixture
def site(tmp_path):
    root = issue("Root", ends=LATER)
    upper = issue("Upper", root, ends=LATER)
    lower = issue("Lower", upper, ends=LATER)
    site = Site(tmp_path, root, upper, lower)
    site.show(issue("CP1", lower, ca=False, ends=LATER), lower, upper)
    return site


def _all(site, **revoked):
    """Return the lists of all authorities, with what each has revoked."""
    return [
        revocation_list(*_signer(getattr(site, name)), *revoked.get(name, ())) for name in ("root", "upper", "lower")
    ]


@pytest.mark.parametrize("version", [V12, V13])
def test_with_a_list_of_each_authority_it_comes_in(site, version, logged):
    site.load(*_all(site))
    shown = site.come(version).server.get_peer_certificate().to_cryptography()
    assert shown == site.leaf.certificate
    assert logged.events == []


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize(("by", "what"), [("root", "upper"), ("upper", "lower"), ("lower", "leaf")])
@pytest.mark.parametrize("trusted", [("root",), ("root", "upper", "lower")])
def test_whatever_of_its_chain_was_revoked_it_stays_out(site, version, by, what, trusted):
    site.load(*_all(site, **{by: [getattr(site, what).certificate]}), trusted=trusted)
    assert site.is_refused(version)


def test_an_authority_revoked_while_the_daemon_runs_ends_the_sessions_below_it(site):
    site.load(*_all(site))
    context = client_context(V13, site.place)
    session = shake(site.tls, context).client.session
    assert shake(site.tls, context, session=session).client.session_reused
    (site.folder / "crl.pem").write_bytes(b"".join(_all(site, root=[site.upper.certificate])))
    site.tls.load()
    with pytest.raises((SSL.Error, ssl.SSLError)):
        shake(site.tls, context, session=session)


def test_an_authority_that_is_trusted_by_name_may_do_without_a_list_and_the_log_says_so(site, logged):
    site.load(*site.lists(lower=NOW + DAY).values(), trusted=("root", "upper"))
    site.come()
    assert sorted(event["authority"] for event in logged.events) == ["CN=Root", "CN=Upper"]
    site.tls.load()
    assert len(logged.events) == 4


def test_with_one_level_the_list_of_the_root_is_all(site, logged):
    site.show(issue("CP1", site.root, ca=False))
    site.load(*site.lists(root=NOW + DAY).values())
    site.come()
    assert logged.events == []


def test_one_that_is_known_by_the_chain_alone_may_not(site):
    """Upper is not in tls.client_ca: nothing could have told the operator that it has no list."""
    site.load(*site.lists(root=NOW + DAY, lower=NOW + DAY).values())
    assert site.is_refused()


@pytest.mark.parametrize("trusted", [("root",), ("root", "upper", "lower")])
def test_the_issuer_of_the_certificate_itself_has_to_have_a_list(site, trusted):
    site.load(*site.lists(root=NOW + DAY, upper=NOW + DAY).values(), trusted=trusted)
    assert site.is_refused()


@pytest.mark.parametrize("stale", ["root", "upper", "lower"])
def test_no_list_of_the_chain_may_have_run_out(site, stale):
    ends = dict.fromkeys(("root", "upper", "lower"), NOW + DAY) | {stale: NOW - DAY}
    site.load(*site.lists(**ends).values(), trusted=("root", "upper", "lower"))
    assert site.is_refused()


@pytest.mark.parametrize("first", ["root", "upper", "lower"])
def test_a_session_ends_with_the_first_list_of_its_chain(site, first):
    """Who resumes a session shows no chain: what it was is known by the handshake."""
    ends = dict.fromkeys(("root", "upper", "lower"), NOW + 3 * DAY) | {first: NOW + DAY}
    site.load(*site.lists(**ends).values())
    shown = site.come().server.get_peer_certificate().to_cryptography()
    for later, is_named in ((NOW, True), (NOW + DAY, False)):
        judge = ClientCertificates(lambda later=later: later, None, site.tls.lists_end)
        assert judge.judge(shown) == Shown("CP1" if is_named else "")
