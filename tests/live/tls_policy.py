#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the configuration demands of TLS: lowest versions, revocation lists, the kernel; in both
directions, before and after a reload."""
import os
import re
import shutil
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, case, check, main, plan
from lab.fedgate import Fedgate, binary, corp_dns, partner, sip_hop
from lab.hostile import (EVIL, EVIL_ADDRESS, FEATURE_DIALBACK, GOOD, JOE, Ground, Raw, Server,
                         header, refused, serve_tls)
from lab.kamailio import Kamailio
from lab.peer import Peer
from lab.process import HANG_S, wait_until
from lab.stage import LabError
from lab.xmpp import local, trust_everyone

ANN = f"ann@{EVIL}"
TLS_1_2 = ssl.TLSVersion.TLSv1_2
TLS_1_3 = ssl.TLSVersion.TLSv1_3
EX_CONFIG = 78


def evil_peer(lab, certificate=None, version=None):
    """EVIL's server; version: the highest that it speaks."""
    peer = Peer(lab, EVIL, EVIL_ADDRESS, certificate)
    if version:
        peer.client_tls.maximum_version = peer.server_tls.maximum_version = version
    return peer.listen()


def message(text, ident="m1"):
    return (f"<message from='{ANN}' to='{JOE}' id='{ident}' type='chat'><body>{text}</body>"
            "</message>")


def lets_in(ground, peer, text):
    """A new stream from the peer carries; returns it."""
    stream = peer.dial(plan.APP)
    stream.send(message(text))
    ground.hears(text)
    return stream


def lets_out(ground, peer, text):
    ground.component.say(JOE, ANN, text)
    heard = peer.inbox.get(timeout=HANG_S)
    check(heard[0].text == text, "out of order:", heard[0].text, text)


def bounces(ground, ident, *steps):
    """What the inside sends to EVIL comes back, and the failure is counted as one of steps."""
    ground.component.say(JOE, ANN, "must not arrive", ident=ident)
    ground.component.gets_error(ident)
    failures = ground.fedgate.partner(EVIL)["out"]["failures"]
    check(set(failures) & set(steps), f"expected a failure of {steps}, got", failures)


# --- versions -------------------------------------------------------------------------------------

def impatient(config):
    """A failed handshake may be a passing trouble: what waits for a better one does so briefly."""
    config["limits"]["queue_age_s_max"] = 3


def no_handshake(peer, port):
    """The handshake itself is refused, with protocol_version."""
    raw = Raw(port)
    try:
        if port == plan.XMPP_SERVER:
            raw.starttls(peer.client_tls)
        else:
            raw.tls(peer.client_tls)
    except ssl.SSLError as error:
        check("PROTOCOL_VERSION" in str(error).upper(), "another alert:", error)
        return
    raise LabError("TLS 1.2 was agreed")


def version_in():
    """A partner with min_tls_version 1.3 that speaks 1.2 only: where it is known before TLS, and
    where it can only be that one, the handshake fails; with 1.3 it comes in."""
    with Lab("vin") as lab:
        def change(config):
            config["partners"][0]["min_tls_version"] = "1.3"
        ground = Ground(lab, {"min_tls_version": "1.3"}, change)
        old = evil_peer(lab, version=TLS_1_2)
        before = ground.totals()
        no_handshake(old, plan.XMPP_SERVER)
        no_handshake(old, plan.XMPPS_SERVER)
        ground.untouched(before, "streams_in_external")
        old.client_tls.maximum_version = TLS_1_3
        lets_in(ground, old, "with 1.3")
        ground.calm()


def version_in_late():
    """Another partner may use 1.2: who did not name itself is let through the handshake and
    refused by name, whatever would have proved it."""
    with Lab("vlate") as lab:
        ground = Ground(lab, {"min_tls_version": "1.3", "sasl": "optional", "dialback": True})
        old = evil_peer(lab, version=TLS_1_2)
        no_handshake(old, plan.XMPP_SERVER)  # STARTTLS: the header named it
        before = ground.totals()
        raw = Raw(plan.XMPPS_SERVER).tls(old.client_tls)
        raw.send(header())
        text = refused(raw, "policy-violation")
        check("TLS" in text and "1.3" in text, "it does not say why:", text)
        ground.grown(before, tls_version_refused=1, streams_in_failed=1)
        check("policy" in ground.fedgate.partner(EVIL)["in"]["failures"], "not counted by step")
        # Dialback, the header without from.
        before = ground.totals()
        raw = Raw(plan.XMPPS_SERVER).tls(old.client_tls)
        raw.send(header(sender=None)).until("</stream:features>")
        raw.send(f"<db:result from='{EVIL}' to='{plan.APP}'>key</db:result>")
        text = raw.until("type=\"error\"")
        check("policy-violation" in text, "another error:", text)
        raw.close()
        ground.grown(before, tls_version_refused=1)
        ground.untouched(before, "streams_in_external", "streams_in_dialback_tls")
        ground.fedgate.process.wait_log("why=tls-version")
        ground.inside_hears_nothing()


def version_out():
    """A partner's server that speaks 1.2 only is not used below the minimum; the partner's own
    minimum goes before the node's, in both directions."""
    with Lab("vout") as lab:
        ground = Ground(lab, {"min_tls_version": "1.3"}, impatient)
        old = evil_peer(lab, version=TLS_1_2)
        bounces(ground, "v1", "tls")
        check(not old.accepted, "a stream was opened")
        config = ground.fedgate.config
        config["tls"]["min_version"] = "1.3"
        config["partners"][1]["min_tls_version"] = "1.2"
        config["limits"]["queue_age_s_max"] = 60  # the failure's back-off may last longer
        ground.fedgate.reload()
        ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == 2)
        lets_out(ground, old, "exempt")
        check(old.accepted[-1].socket.version() == "TLSv1.2", old.accepted[-1].socket.version())
        lets_in(ground, old, "exempt, in")
        ground.calm()


def version_raised():
    """A reload that raises the minimum ends the streams below it; others live on."""
    with Lab("vup") as lab:
        ground = Ground(lab, {}, impatient)
        old = evil_peer(lab, version=TLS_1_2)
        stream = lets_in(ground, old, "before")
        lets_out(ground, old, "before")
        ground.fedgate.config["partners"][1]["min_tls_version"] = "1.3"
        ground.fedgate.reload()
        ends_with(stream, "policy-violation")
        wait_until("our stream to end", lambda: old.accepted[0].ended, 10)
        ground.calm()
        bounces(ground, "v2", "tls", "policy")


# --- revocation -----------------------------------------------------------------------------------

def ends_with(stream, condition):
    """The stream, read by its thread, gets that stream error and the closing tag."""
    error = stream.wait(lambda e: local(e) == "error")
    check(local(error[0]) == condition, "another condition:", local(error[0]))
    wait_until("the closing tag", lambda: stream.ended, 10)


def refuses_in(ground, peer, chain):
    """EXTERNAL with the peer's certificate fails for that reason; nothing is proved."""
    before = ground.fedgate.authenticated(EVIL)["in"]
    raw = Raw().starttls(peer.client_tls)
    raw.send(header())
    refused(raw, "not-authorized")
    check(ground.fedgate.authenticated(EVIL)["in"] == before, "let in")
    wait_until("the log", lambda: f"chain={chain}" in ground.fedgate.log_text(), 5)


def with_crl(path, backend="wolfssl", required=False):
    def change(config):
        config["tls"].update(crl=path, crl_required=required, backend=backend)
    return change


def revoked(backend):
    """A certificate that its issuer's list names proves nothing, in both directions."""
    with Lab("revoked") as lab:
        bad = lab.certs.make(EVIL, name="withdrawn")
        ground = Ground(lab, {}, with_crl(lab.certs.crl("ca", revoke=[bad]), backend))
        peer = evil_peer(lab, bad)
        refuses_in(ground, peer, "revoked")
        bounces(ground, "r1", "certificate")
        # The same server with another certificate of the same authority.
        peer.stop()
        again = evil_peer(lab, lab.certs.make(EVIL, name="renewed"))
        lets_in(ground, again, "renewed")
        ground.calm()


def two_authorities(lab):
    """A trust file with both of the lab's."""
    path = os.path.join(lab.root, "both.pem")
    with open(path, "w", encoding="ascii") as out:
        for name in ("ca", "other"):
            with open(lab.certs.crt(name), encoding="ascii") as source:
                out.write(source.read())
    return path


def stale(backend):
    """A list that is out of date, or of another key, proves nothing and refuses all; without list
    an issuer is not asked about unless that is demanded."""
    with Lab("stale") as lab:
        # The good partner has nothing to do with it.
        lab.certs.make(GOOD, f"xmpp.{GOOD}", name=GOOD, ca="other")
        trust = two_authorities(lab)

        def change(config):
            with_crl(lab.certs.crl("old", days=-1, start=-3), backend)(config)
            config["tls"]["trust"] = trust
        ground = Ground(lab, {}, change)
        peer = evil_peer(lab)
        refuses_in(ground, peer, "crl-stale")
        bounces(ground, "s1", "certificate")
        ground.fedgate.process.wait_log("crl_expires")
        config = ground.fedgate.config
        config["tls"]["crl"] = lab.certs.crl("foreign", issuer="other")
        ground.fedgate.reload()
        ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == 2)
        stream = lets_in(ground, peer, "no list, not asked")
        config["tls"]["crl_required"] = True
        ground.fedgate.reload()
        ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == 3)
        refuses_in(ground, peer, "crl-stale")
        # What is only not known ends no live stream.
        stream.send(message("still here"))
        ground.hears("still here")
        config["tls"]["crl"] = lab.certs.crl("fresh")
        ground.fedgate.reload()
        ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == 4)
        lets_in(ground, peer, "listed, required")


def reload_revokes(shards, issuer):
    """A reload whose list names the partner's certificate ends its live streams and keeps it out;
    the other partner's go on. Back with a list that does not. A list that nobody signed does
    nothing."""
    with Lab("rereject") as lab:
        folder = lab.folder("lists")
        bad = lab.certs.make(EVIL, name="doomed", ca=issuer)

        def lists(*revoke, forged=False):
            made = lab.certs.crl("now", issuer=issuer, revoke=revoke).removesuffix(".crl") + ".der"
            with open(made, "rb") as source, open(os.path.join(folder, ".new"), "wb") as target:
                der = source.read()
                target.write(der[:-1] + bytes([der[-1] ^ forged]))
            os.rename(os.path.join(folder, ".new"), os.path.join(folder, "ca.crl"))
            generation = ground.fedgate.stats()["config_generation"]
            ground.fedgate.reload()
            ground.fedgate.wait_stats("reload",
                                      lambda s: s["config_generation"] == generation + 1)
        ground = Ground(lab, {}, with_crl(folder), shards=shards)
        peer = evil_peer(lab, bad)
        streams = [lets_in(ground, peer, f"before {n}") for n in range(4)]
        lets_out(ground, peer, "before")
        before = ground.totals()
        lists(bad, forged=True)
        for number, stream in enumerate(streams):
            stream.send(message(f"still here {number}"))
            ground.hears(f"still here {number}")
        ground.untouched(before, "certificates_withdrawn")
        lists(bad)
        for stream in streams:
            ends_with(stream, "not-authorized")
        wait_until("our stream to end", lambda: peer.accepted[0].ended, 10)
        ground.grown(before, certificates_withdrawn=5)
        ground.calm()
        refuses_in(ground, peer, "revoked")
        bounces(ground, "rr1", "certificate")
        lists()
        lets_in(ground, peer, "back")
        ground.calm()


def reload_revokes_the_silent(backend):
    """A partner has shaken hands and not said yet who it is while a reload revokes its certificate:
    the certificate proves nothing then."""
    with Lab("silent") as lab:
        path = os.path.join(lab.root, "list.pem")
        shutil.copy(lab.certs.crl("none"), path)
        ground = Ground(lab, {}, with_crl(path, backend))
        bad = lab.certs.make(EVIL, name="silent")
        shows = trust_everyone(lab.certs.crt(bad), lab.certs.key(bad))
        before = ground.totals()
        direct = Raw(plan.XMPPS_SERVER).tls(shows)
        nameless = Raw().starttls(shows, sender=None)
        wait_until("both handshakes",
                   lambda: ground.fedgate.log_text().count("dir=in peer=" + EVIL_ADDRESS) >= 2, 10)
        shutil.copy(lab.certs.crl("some", revoke=[bad], number=2), path)
        ground.fedgate.reload()
        ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == 2)
        for raw in (direct, nameless):
            refused(raw.send(header()), "not-authorized")
        ground.untouched(before, "streams_in_external")
        ground.calm()


def reload_distrusts():
    """A reload that takes the authority away ends what it proved, and only that."""
    with Lab("distrust") as lab:
        both = two_authorities(lab)
        ground = Ground(lab, {}, lambda config: config["tls"].update(trust=both))
        peer = evil_peer(lab, lab.certs.make(EVIL, name="elsewhere", ca="other"))
        stream = lets_in(ground, peer, "trusted")
        lets_out(ground, peer, "trusted")
        ground.fedgate.config["tls"]["trust"] = lab.certs.trust
        ground.fedgate.reload()
        ends_with(stream, "not-authorized")
        wait_until("our stream to end", lambda: peer.accepted[0].ended, 10)
        ground.calm()
        refuses_in(ground, peer, "unknown-ca")


def reload_revokes_pool():
    """The SIP pool's certificate is revoked under a live connection: it is dropped, a new one is
    refused; back with a list that does not name it."""
    with Lab("poolcrl") as lab:
        corp_dns(lab)
        pool = lab.certs.need(f"pool.{plan.CORP}")
        path = os.path.join(lab.root, "list.pem")
        shutil.copy(lab.certs.crl("none"), path)
        Kamailio(lab).start()
        fedgate = Fedgate(lab, hop=sip_hop(options_interval_s=5))
        fedgate.config["tls"]["crl"] = path
        fedgate.start()

        def logged(token, times=1):
            wait_until(token, lambda: fedgate.log_text().count(token) >= times, 30)
        logged("sip_peer_up")
        shutil.copy(lab.certs.crl("some", revoke=[pool], number=2), path)
        fedgate.reload()
        logged("why=certificate-withdrawn")
        logged("why=wrong-certificate")
        ups = fedgate.log_text().count("sip_peer_up")
        shutil.copy(lab.certs.crl("none", number=3), path)
        fedgate.reload()
        logged("sip_peer_up", ups + 1)


VERIFY = re.compile(r"<db:verify [^>]*id=\"([^\"]*)\"")


def reload_spares_dialback():
    """Streams that were proved by dialback do not rest on the certificate that TLS showed."""
    with Lab("spares") as lab:
        both = two_authorities(lab)
        row = {"sasl": "not_supported", "dialback": True}
        ground = Ground(lab, row, lambda config: config["tls"].update(trust=both))
        elsewhere = lab.certs.make(EVIL, name="elsewhere", ca="other")
        shows = (lab.certs.crt(elsewhere), lab.certs.key(elsewhere))

        def confirm(raw, number):
            serve_tls(raw, trust_everyone(*shows, server_side=True), FEATURE_DIALBACK)
            raw.until("</db:verify>")
            raw.send(f"<db:verify from='{EVIL}' to='{plan.APP}' type='valid' "
                     f"id='{VERIFY.search(raw.text).group(1)}'/>")
        Server(lab, EVIL_ADDRESS, confirm)
        raw = Raw().starttls(trust_everyone(*shows))
        raw.send(header()).until("</stream:features>")
        raw.send(f"<db:result from='{EVIL}' to='{plan.APP}'>key</db:result>")
        check("type=\"valid\"" in raw.until("<db:result"), "not proved", raw.text)
        raw.send(message("before"))
        ground.hears("before")
        ground.fedgate.config["tls"]["trust"] = lab.certs.trust
        ground.fedgate.reload()
        ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == 2)
        raw.send(message("after"))
        ground.hears("after")
        check(ground.totals()["certificates_withdrawn"] == 0, "withdrawn")
        ground.calm()


def resumed(context, session=None):
    """STARTTLS with a session to continue; the connection behind it."""
    raw = Raw()
    raw.send(header()).until("</stream:features>")
    raw.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").until("<proceed")
    raw.socket.settimeout(HANG_S)
    raw.socket = context.wrap_socket(raw.socket, server_hostname=plan.APP, session=session)
    raw.text = ""
    return raw.send(header())


def tickets_end_with_a_reload(backend):
    """A session that is continued has its certificate's identity, but not past a reload that
    revokes the certificate."""
    with Lab("tickets") as lab:
        path = os.path.join(lab.root, "list.pem")
        shutil.copy(lab.certs.crl("none"), path)
        ground = Ground(lab, {}, with_crl(path, backend))
        name = lab.certs.make(EVIL, name="ticketed")
        context = trust_everyone(lab.certs.crt(name), lab.certs.key(name))
        first = resumed(context)
        check("EXTERNAL" in first.until("</stream:features>"), "not offered", first.text)
        second = resumed(context, first.socket.session)
        check(second.socket.session_reused, "no session was continued")
        check("EXTERNAL" in second.until("</stream:features>"), "the identity is lost", second.text)
        shutil.copy(lab.certs.crl("some", revoke=[name], number=2), path)
        ground.fedgate.reload()
        ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == 2)
        third = resumed(context, second.socket.session or first.socket.session)
        check(not third.socket.session_reused, "continued past the reload")
        refused(third, "not-authorized")
        ground.calm()


def bad_lists():
    """A file that is no usable list: the start is refused and a reload changes nothing; it is named
    in both."""
    with Lab("badlist") as lab:
        bad = lab.certs.make(EVIL, name="listed")
        delta = lab.certs.crl("delta", delta=1)
        ground = Ground(lab, {}, with_crl(lab.certs.crl("good", revoke=[bad])))
        peer = evil_peer(lab, bad)
        ground.fedgate.config["tls"]["crl"] = delta
        ground.fedgate.reload()
        wait_until("the refusal", lambda: "config_refused" in ground.fedgate.log_text(), 10)
        check(ground.fedgate.stats()["config_generation"] == 1, "a bad list was taken")
        refuses_in(ground, peer, "revoked")
        ground.calm()
        done = subprocess.run([binary(), "--config", ground.fedgate.config_path, "--check"],
                              capture_output=True, text=True, timeout=60)
        said = done.stderr + done.stdout
        check(done.returncode == EX_CONFIG, "status", done.returncode, said)
        check(delta in said and "delta" in said, "file and fault:", said)


# --- the kernel -----------------------------------------------------------------------------------

def ktls_required():
    """Where the kernel cannot protect records, "require" is refused with the reason."""
    with Lab("ktls") as lab:
        fedgate = Fedgate(lab, partners=[partner(EVIL)])
        fedgate.config["tls"]["ktls"] = "require"
        fedgate.write_config()
        done = subprocess.run([binary(), "--config", fedgate.config_path, "--check"],
                              capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            raise Skip("this kernel protects records")
        check(done.returncode == EX_CONFIG, "status", done.returncode, done.stderr)
        check(re.search("tls.ktls \"require\": .+", done.stderr), "no reason:", done.stderr)


main(version_in, version_in_late, version_out, version_raised,
     case("revoked", revoked, "wolfssl"), case("revoked_mbedtls", revoked, "mbedtls"),
     case("stale", stale, "wolfssl"), case("stale_mbedtls", stale, "mbedtls"),
     case("reload_revokes", reload_revokes, 1, "ca"),
     case("reload_revokes_two_shards", reload_revokes, 2, "inter"),
     case("reload_revokes_the_silent", reload_revokes_the_silent, "wolfssl"),
     case("reload_revokes_the_silent_mbedtls", reload_revokes_the_silent, "mbedtls"),
     reload_distrusts, reload_spares_dialback, reload_revokes_pool,
     case("tickets_end_with_a_reload", tickets_end_with_a_reload, "wolfssl"),
     case("tickets_end_with_a_reload_mbedtls", tickets_end_with_a_reload, "mbedtls"),
     bad_lists, ktls_required)
