#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`fedgatectl diagnose` with real servers, where all holds or they refuse; with several targets,
certificates and rules to choose from."""
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, case, check, main, plan
from lab.diagnosis import DIALBACK_TLS, FAILED, Land, garbage_tls, step_of, with_features
from lab.ejabberd import Ejabberd
from lab.fedgate import partner
from lab.hostile import FEATURE_DIALBACK, FEATURE_EXTERNAL, FEATURE_TLS, Raw, Server
from lab.hostile import answer_header, serve_tls
from lab.prosody import Prosody
from lab.xmpp import trust_everyone


def holds(land, domain, method):
    document, text = land.diagnose(domain, status=0, timeout=30)
    check(document["ok"] is True and document["failures"] == [], "failures", document["failures"])
    check("every step holds" in text.rstrip().splitlines()[-1], "last line", text)
    for step in ("policy", "srv", "address", "tcp", "tls", "features"):
        for direction in ("out", "in"):
            result = step_of(document, direction, step)
            check(result["status"] == "ok", result)
    check(step_of(document, "out", method)["status"] == "ok", text)
    for direction, step in (("out", "stanza"), ("in", "answer"), ("in", "node")):
        check(step_of(document, direction, step)["status"] == "ok", text)
    return document, text


def good_prosody(backend):
    with Lab(f"diag-prosody-{backend}") as lab:
        land = Land(lab, backend)
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY, direct=plan.XMPPS_SERVER)
        land.fedgate.config["partners"] = [partner(plan.FABRIKAM)]
        Prosody(lab, smacks=True).start()
        land.fedgate.start()
        document, text = holds(land, plan.FABRIKAM, "sasl")
        check(step_of(document, "out", "header")["status"] == "skipped", "direct TLS first", text)
        check(step_of(document, "out", "acks")["status"] == "ok", text)
        check("urn:xmpp:sm:3" in text, "XEP-0198 was not switched on", text)
        chain = step_of(document, "out", "certificate")["seen"]
        check(any("1: CN=" in line and "days left" in line for line in chain), "chain", chain)
        lab.dns.srv(f"_xmpps-server._tcp.{plan.FABRIKAM}")
        time.sleep(1.1)  # the record's time to live: the node may have it in its cache, we do not
        document, text = holds(land, plan.FABRIKAM, "sasl")
        check(step_of(document, "out", "starttls")["status"] == "ok", "STARTTLS", text)
        # What the walk did by itself is in nobody's figures; that the partner dialled us is.
        ways = land.fedgate.authenticated(plan.FABRIKAM)
        check(ways == {"in": {"external": 1}, "out": {}}, "the node's figures:", ways)
        failures = land.fedgate.partner(plan.FABRIKAM)["in"]["failures"]
        check(failures == {}, "failures in the node's figures", failures)


def good_ejabberd(backend):
    """Dialback over TLS: the key is the node's, which answers the partner's question."""
    with Lab(f"diag-ejabberd-{backend}") as lab:
        land = Land(lab, backend)
        lab.dns.xmpp(plan.CONTOSO, plan.EJABBERD)
        land.fedgate.config["partners"] = [partner(plan.CONTOSO, **DIALBACK_TLS)]
        Ejabberd(lab).start()
        land.fedgate.start()
        document, text = holds(land, plan.CONTOSO, "dialback")
        check(step_of(document, "in", "dialback")["status"] == "ok", "db:verify", text)
        check("invalid" in " ".join(step_of(document, "in", "dialback")["seen"]), text)
        # The same with a secret of the configuration: nobody needs to be asked for the key.
        land.fedgate.config["gateway"]["dialback_secret"] = "shared between nodes"
        land.fedgate.write_config()
        land.fedgate.ctl("reload")
        holds(land, plan.CONTOSO, "dialback")


def policy_of_ejabberd():
    """It authenticates whomever it does not let talk, and refuses the first stanza."""
    with Lab("diag-ejabberd-policy") as lab:
        land = Land(lab)
        lab.dns.xmpp(plan.CONTOSO, plan.EJABBERD)
        server = Ejabberd(lab)
        with open(server.config, encoding="utf-8") as source:
            text = source.read()
        check("s2s_access: all" in text, "another configuration")
        with open(server.config, "w", encoding="utf-8") as out:
            out.write(text.replace("s2s_access: all", "s2s_access: none"))
        land.fedgate.config["partners"] = [partner(plan.CONTOSO)]
        server.start()
        land.fedgate.start()
        document, text = land.expect(plan.CONTOSO, "out", "stanza", "refused")
        check(step_of(document, "out", "sasl")["status"] == "ok", text)
        land.fedgate.config["partners"] = [partner(plan.CONTOSO, **DIALBACK_TLS)]
        land.fedgate.write_config()
        land.fedgate.ctl("reload")
        land.expect(plan.CONTOSO, "out", "dialback", "dialback-refused")


def refusals_of_prosody():
    """It does not trust our authority; it does not serve the domain that leads to it; it cannot
    reach us to verify our key."""
    with Lab("diag-prosody-refuses") as lab:
        land = Land(lab)
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        lab.dns.xmpp("other.test", plan.PROSODY)
        land.fedgate.config["partners"] = [partner(plan.FABRIKAM), partner("other.test")]
        Prosody(lab, trust=lab.certs.crt("other")).start()
        land.fedgate.start()
        document, text = land.expect(plan.FABRIKAM, "out", "features", "tls-certificate-refused")
        check("certificate is not trusted" in text, "its words are missing", text)
        land.expect("other.test", "out", "header", "refused")


def next_target():
    """The first target fails, the second holds: warnings, and all is well."""
    with Lab("diag-next") as lab:
        land = Land(lab)
        context = land.certificate("two.test")
        address = land.partner("two.test", with_features("two.test", context, FEATURE_EXTERNAL))
        broken = land.partner("other.test", lambda raw, _: raw.send("HTTP/1.1 400 No\r\n\r\n"))
        lab.dns.a("a.two.test", broken)
        lab.dns.srv("_xmpp-server._tcp.two.test", (1, 1, 5269, "a.two.test"),
                    (2, 1, 5269, "xmpp.two.test"), (3, 1, 1, "xmpp.two.test"))

        def serve(raw, _):
            serve_tls(raw, context, FEATURE_EXTERNAL, "two.test")
            raw.until("</auth>")
            raw.text = ""
            raw.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
            answer_header(raw, "", "two.test", to=plan.CORP)
            raw.until("</stream:stream>")
            raw.send("</stream:stream>")
        next(s for s in lab.owned if isinstance(s, Server) and s.listener.getsockname()[0]
             == address).script = serve
        land.fedgate.start()
        document = land.document("two.test", status=0)
        check(step_of(document, "out", "header")["status"] == "warning", document)
        check(step_of(document, "out", "header")["fault"]["name"] == "not-xmpp", document)
        check(step_of(document, "out", "tcp")["fault"]["name"] == "tcp-some", document)
        check(step_of(document, "out", "sasl")["status"] == "ok", document)
        # It took our ping and dials nobody.
        check(step_of(document, "in", "answer")["fault"]["name"] == "answer-missing", document)


def plain_after_tls():
    """TLS fails where the row leaves dialback without it: tried again so, as the node does."""
    def serve(raw, number):
        if number == 1:
            garbage_tls("weak.test")(raw, number)
            return
        answer_header(raw, FEATURE_TLS + FEATURE_DIALBACK, "weak.test", to=plan.CORP)
        raw.until("</db:result>")
        raw.send(f"<db:result from='weak.test' to='{plan.CORP}' type='valid'/>")
        raw.until("</db:verify>")
        ident = raw.text.split("<db:verify")[1].split("id=")[1][1:17]
        raw.send(f"<db:verify from='weak.test' to='{plan.CORP}' id='{ident}' type='error'>"
                 "<error type='cancel'><item-not-found "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:verify>")
        raw.until("</stream:stream>")
    with Lab("diag-plain") as lab:
        land = Land(lab)
        land.partner("weak.test", serve, tls="optional", sasl="optional", dialback=True)
        land.fedgate.start()
        document = land.document("weak.test", status=0)
        check(step_of(document, "out", "tls")["status"] == "warning", document)
        check(step_of(document, "out", "dialback")["status"] == "ok", document)
        check(step_of(document, "in", "dialback")["fault"]["name"] == "verify-failed", document)
        check("1 warning" not in document["verdict"] and "warnings" in document["verdict"],
              document["verdict"])


def both_families():
    """Every address of both families is tried; a stream goes to the first that answers."""
    with Lab("diag-families") as lab, socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError as error:
            raise Skip(f"no IPv6 here: {error}") from None
        land = Land(lab)
        context = land.certificate("six.test")
        land.partner("six.test", srv=False)
        lab.dns.aaaa("xmpp.six.test", "::1", "2001:db8::99")
        lab.dns.a("xmpp.six.test", plan.NOBODY)
        lab.dns.srv("_xmpp-server._tcp.six.test", (1, 1, 5301, "xmpp.six.test"))
        listener = socket.create_server(("::1", 5301), family=socket.AF_INET6)

        def accept():
            while True:
                try:
                    raw = Raw.over(listener.accept()[0])
                    with_features("six.test", context, FEATURE_DIALBACK)(raw, 1)
                    raw.until_end()
                except (OSError, AssertionError):
                    return
        threading.Thread(target=accept, daemon=True).start()
        land.fedgate.start()
        document = land.document("six.test", status=FAILED)
        listener.close()
        tcp = step_of(document, "out", "tcp")
        check(tcp["fault"]["name"] == "tcp-some" and len(tcp["seen"]) == 3, tcp)
        check(any(s.startswith("[::1]:5301 ") and s.endswith(" connected") for s in tcp["seen"]),
              tcp)
        check([f["step"] for f in document["failures"]] == ["sasl"], document["failures"])


def chains():
    """Revoked, soon over, without its intermediate; through proxy_fqdn, which takes the place of
    the SRV records."""
    with Lab("diag-chains") as lab:
        land = Land(lab)

        def play(domain, **options):
            context = land.certificate(domain, **options)
            return land.partner(domain, with_features(domain, context, FEATURE_DIALBACK))
        play("revoked.test")
        play("soon.test", days=5)
        play("long.test", ca="inter")
        name = lab.certs.make("short.test", name="short", ca="inter")
        leaf = lab.certs.crt(name).removesuffix(".crt") + ".leaf.crt"
        context = trust_everyone(leaf, lab.certs.key(name), server_side=True)
        land.partner("short.test", with_features("short.test", context, FEATURE_DIALBACK))
        context = land.certificate("proxied.test")
        address = land.partner("proxied.test", with_features("proxied.test", context,
                                                             FEATURE_DIALBACK),
                               srv=False, port=5300, proxy_fqdn="relay.test:5300")
        lab.dns.a("relay.test", address)
        land.fedgate.config["tls"]["crl"] = lab.certs.crl("ca-list", "ca", ["cert-revoked-test"])
        land.fedgate.start()
        land.expect("revoked.test", "out", "certificate", "certificate-revoked")
        land.expect("short.test", "out", "certificate", "certificate-unknown-ca")
        document, text = land.expect("soon.test", "out", "sasl", "external-not-offered")
        result = step_of(document, "out", "certificate")
        check(result["status"] == "warning", text)
        check(result["fault"]["name"] == "certificate-expires-soon", text)
        document, text = land.expect("long.test", "out", "sasl", "external-not-offered")
        check(any(line.startswith("2: ") and "(an authority)" in line
                  for line in step_of(document, "out", "certificate")["seen"]), text)
        document, text = land.expect("proxied.test", "out", "sasl", "external-not-offered")
        check(step_of(document, "out", "srv")["status"] == "skipped", text)
        check(step_of(document, "out", "name")["status"] == "ok", text)


def our_rules():
    """Refusals of ours: block list, maintenance; and an internationalised name, both spellings."""
    with Lab("diag-rules") as lab:
        land = Land(lab)
        land.partner("blocked.test")
        land.partner("worked.test", maintenance="back at noon")
        context = land.certificate("b\u00fccher.test", dns="xn--bcher-kva.test")
        land.partner("xn--bcher-kva.test", with_features("b\u00fccher.test", context, ""))
        land.fedgate.config["blocked"] = ["blocked.test"]
        land.fedgate.start()
        for domain, fault in (("blocked.test", "blocked"), ("worked.test", "maintenance")):
            document, _ = land.expect(domain, "out", "policy", fault)
            check(step_of(document, "in", "policy")["fault"]["is_refusal"] is True, document)
        for domain in ("b\u00fccher.test", "xn--bcher-kva.test"):
            document, text = land.diagnose(domain, status=FAILED)
            check(step_of(document, "out", "name")["status"] == "ok", text)
            check(document["failures"][0]["step"] == "sasl", text)


main(*[case(f"good_prosody_{backend}", good_prosody, backend)
       for backend in ("wolfssl", "mbedtls")],
     *[case(f"good_ejabberd_{backend}", good_ejabberd, backend)
       for backend in ("wolfssl", "mbedtls")],
     policy_of_ejabberd, refusals_of_prosody, next_target, plain_after_tls, both_families, chains,
     our_rules)
