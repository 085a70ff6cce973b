#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`fedgatectl diagnose`: for each thing that can be wrong it names the right step, in the right
direction, in text and JSON; with real servers all holds; hostile ones neither hang nor crash it."""
import os
import re
import ssl
import sys
import threading
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.diagnosis import (BAD_CONFIG, DIALBACK_TLS, FAILED, NO_SUCH, PLAIN, USAGE, Land,
                           answers_dialback, dialback_error, endless, garbage_tls, late_error,
                           no_tls, refuses_external, refuses_tls, shouting, slow, step_of,
                           stream_error, stuck_tls, with_features, without_dialback)
from lab.fedgate import TREE, corp_dns, partner, run_ctl
from lab.hostile import FEATURE_DIALBACK, FEATURE_EXTERNAL, FEATURE_TLS, Server
from lab.hostile import answer_header, serve_tls


# -- every way to fail -----------------------------------------------------------------------------
def dns_cases(land):
    dns = land.lab.dns
    land.partner("nosrv.test", srv=False)
    yield "nosrv.test", "out", "srv", "srv-missing"

    # A name and an address, no SRV record, and nothing at 5269 there.
    bare = land.partner("onlya.test", srv=False)
    dns.a("onlya.test", bare)
    yield "onlya.test", "out", "srv", "srv-missing"

    land.partner("noaddress.test", srv=False)
    dns.srv("_xmpp-server._tcp.noaddress.test", (5, 5, 5269, "nobody.noaddress.test"))
    yield "noaddress.test", "out", "address", "address-missing"

    land.partner("refusing.test", srv=False)
    dns.srv("_xmpp-server._tcp.refusing.test", (0, 0, 0, "."))
    yield "refusing.test", "out", "srv", "srv-refused"

    land.partner("closed.test")
    yield "closed.test", "out", "tcp", "tcp-closed"


def stream_cases(land):
    def play(domain, serve, direction, step, fault, **row):
        land.partner(domain, serve, **row)
        return domain, direction, step, fault

    good = {d: land.certificate(d) for d in (
        "noexternal.test", "refext.test", "invalid.test", "forbidden.test", "unverified.test",
        "latepolicy.test", "nodialback.test")}
    yield play("notls.test", no_tls("notls.test"), "out", "starttls", "tls-not-offered")
    yield play("reftls.test", refuses_tls("reftls.test"), "out", "starttls", "tls-not-offered")
    required = FEATURE_TLS.replace("/>", "><required/></starttls>")
    yield play("demands.test", lambda raw, _: answer_header(raw, required, "demands.test",
                                                            to=plan.CORP),
               "out", "starttls", "tls-demanded", **PLAIN)
    for domain, step, fault, options in (
            ("expired.test", "certificate", "certificate-expired", {"days": -3}),
            ("early.test", "certificate", "certificate-early", {"start": 3}),
            ("unknownca.test", "certificate", "certificate-unknown-ca", {"ca": "other"}),
            ("selfsigned.test", "certificate", "certificate-self-signed", {"ca": "self"}),
            ("wrongname.test", "name", "name-wrong", {"dns": "elsewhere.test"}),
            ("critical.test", "certificate", "certificate-bad", {"critical": "1"}),
            ("clientonly.test", "purpose", "not-for-servers", {"eku": "client"})):
        yield play(domain, with_features(domain, land.certificate(domain, **options),
                                         FEATURE_EXTERNAL), "out", step, fault)
    yield play("noexternal.test", with_features("noexternal.test", good["noexternal.test"],
                                                FEATURE_DIALBACK),
               "out", "sasl", "external-not-offered")
    yield play("refext.test", refuses_external("refext.test", good["refext.test"]), "out", "sasl",
               "external-refused")
    versions = [ssl.TLSVersion.TLSv1_2]
    if land.fedgate.config["tls"]["backend"] == "wolfssl":  # mbedTLS 2.28 is no client of 1.3
        versions.append(ssl.TLSVersion.TLSv1_3)
    for version in versions:
        domain = f"distrusts-{version.name[-1]}.test"
        context = land.certificate(domain)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(land.lab.certs.crt("other"))
        context.minimum_version = context.maximum_version = version
        yield play(domain, with_features(domain, context, FEATURE_EXTERNAL), "out",
                   "tls" if version == ssl.TLSVersion.TLSv1_2 else "features",
                   "tls-certificate-refused")
    old = land.certificate("old.test")
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    yield play("old.test", with_features("old.test", old, FEATURE_EXTERNAL), "out", "tls",
               "tls-failed")
    yield play("nodialback.test", without_dialback("nodialback.test", good["nodialback.test"]),
               "out", "dialback", "dialback-not-offered", **DIALBACK_TLS)
    yield play("invalid.test", answers_dialback("invalid.test", good["invalid.test"],
                                                ("invalid", "")),
               "out", "dialback", "dialback-invalid", **DIALBACK_TLS)
    yield play("forbidden.test", answers_dialback("forbidden.test", good["forbidden.test"],
                                                  dialback_error("forbidden")),
               "out", "dialback", "dialback-refused", **DIALBACK_TLS)
    yield play("unverified.test", answers_dialback("unverified.test", good["unverified.test"],
                                                   dialback_error("remote-connection-failed")),
               "out", "dialback", "dialback-unverified", **DIALBACK_TLS)
    yield play("plainref.test", answers_dialback("plainref.test", None,
                                                 dialback_error("item-not-found")),
               "out", "dialback", "dialback-refused", **PLAIN)
    for condition in ("policy-violation", "host-unknown", "not-authorized"):
        domain = f"{condition}.test"
        yield play(domain, stream_error(domain, condition), "out", "header", "refused")
    yield play("busy.test", stream_error("busy.test", "resource-constraint"), "out", "header",
               "peer-error")
    yield play("redirect.test", stream_error("redirect.test", "see-other-host"), "out", "header",
               "peer-error")
    yield play("latepolicy.test", late_error("latepolicy.test", good["latepolicy.test"],
                                             "we do not know you"), "out", "features", "refused")


def every_failure(cases, backend):
    with Lab(f"diag-{cases.__name__}-{backend}") as lab:
        land = Land(lab, backend)
        wanted = list(cases(land))
        land.fedgate.start()
        failures = []

        def one(domain, direction, step, fault):
            try:
                document, _ = land.expect(domain, direction, step, fault)
                check(all(f["direction"] != "in" for f in document["failures"]), "in fails, too:",
                      document["failures"])
                later_untried(document, step)
            except AssertionError as error:
                failures.append(error)
        for begin in range(0, len(wanted), 4):
            threads = [threading.Thread(target=one, args=w) for w in wanted[begin:begin + 4]]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        check(not failures, "\n".join(map(str, failures)))


def later_untried(document, step):
    """What comes behind the failure was not tried, and so says no good of it."""
    order = [s["step"] for s in document["steps"] if s["direction"] == "out"]
    for name in ("sasl", "dialback", "acks"):
        if order.index(name) > order.index(step):
            check(step_of(document, "out", name)["status"] in ("not tried", "skipped"), "behind",
                  step, step_of(document, "out", name))


def refusals_differ():
    """A refusal by policy is told apart from what is out of order; the peer's text is shown."""
    with Lab("diag-refusal") as lab:
        land = Land(lab)
        land.partner("policy.test", stream_error("policy.test", "policy-violation",
                                                 "ask our boss"))
        land.partner("busy.test", stream_error("busy.test", "resource-constraint"))
        land.fedgate.start()
        document, text = land.expect("policy.test", "out", "header", "refused")
        result = step_of(document, "out", "header")
        check(result["fault"]["is_refusal"] is True, "not called a refusal", result)
        check(result["fault"]["who"] == "the partner", "who must act", result)
        check("ask our boss" in text and "policy-violation" in text, "its words are missing", text)
        document, _ = land.expect("busy.test", "out", "header", "peer-error")
        check(step_of(document, "out", "header")["fault"]["is_refusal"] is False, "a refusal")


# -- our side --------------------------------------------------------------------------------------
def our_side():
    """What partners need of us."""
    with Lab("diag-ours") as lab:
        land = Land(lab)
        land.partner("quiet.test")  # nothing answers: only the way in is looked at
        land.fedgate.start()
        dns = lab.dns

        def expect(step, fault, *more):
            document, text = land.diagnose("quiet.test", *more, status=FAILED)
            found = [(f["local"], f["step"], f["fault"]) for f in document["failures"]
                     if f["direction"] == "in"]
            check((plan.CORP, step, fault) in found, "expected", step, fault, "found", found, text)
            check(f"in fails at step {step} ({fault}) for {plan.CORP}" in text.splitlines()[-1],
                  text.splitlines()[-1])
            return document, text

        def restore():
            corp_dns(lab)

        dns.srv(f"_xmpp-server._tcp.{plan.CORP}")
        document, _ = expect("srv", "srv-missing")
        check([f["local"] for f in document["failures"] if f["direction"] == "in"] == [plan.CORP],
              "the other domain is well", document["failures"])
        check(step_of(document, "in", "srv", plan.APP)["status"] == "ok", "the other domain")
        expect("srv", "srv-missing", "--from", plan.CORP)
        dns.srv(f"_xmpp-server._tcp.{plan.CORP}", (0, 0, 0, "."))
        expect("srv", "srv-refused")
        dns.srv(f"_xmpps-server._tcp.{plan.CORP}", (1, 1, plan.XMPPS_SERVER, f"xmpp.{plan.CORP}"))
        document, text = land.diagnose("quiet.test", "--from", plan.CORP)
        result = step_of(document, "in", "srv")
        check(result["fault"]["name"] == "srv-direct-only", text)
        check(step_of(document, "in", "header")["status"] == "skipped", text)
        check(step_of(document, "in", "features")["status"] == "ok", text)
        dns.srv(f"_xmpps-server._tcp.{plan.CORP}")
        dns.srv(f"_xmpp-server._tcp.{plan.CORP}", (1, 1, 5269, f"nothing.{plan.CORP}"))
        expect("address", "address-missing")
        dns.srv(f"_xmpp-server._tcp.{plan.CORP}", (1, 1, 5271, f"xmpp.{plan.CORP}"))
        expect("listen", "listener-missing")
        dns.srv(f"_xmpp-server._tcp.{plan.CORP}", (1, 1, plan.XMPPS_SERVER, f"xmpp.{plan.CORP}"))
        expect("listen", "listener-kind")
        restore()

        def renew(*names, **options):
            lab.certs.make(*names, name="edge", **options)
            land.fedgate.ctl("reload")

        renew(plan.APP)  # no longer for CORP
        expect("name", "name-wrong")
        renew(plan.CORP, plan.APP, days=-1)
        expect("certificate", "certificate-expired")
        renew(plan.CORP, plan.APP, eku="server")
        document, text = land.diagnose("quiet.test", status=FAILED)
        result = step_of(document, "in", "purpose", plan.CORP)
        check(result["status"] == "warning" and result["fault"]["name"] == "not-for-clients", text)


def no_node():
    """Without the node: its listeners do not answer, its keys cannot be had; both are said."""
    with Lab("diag-alone") as lab:
        land = Land(lab)
        context = land.certificate("alone.test")
        land.partner("alone.test", with_features("alone.test", context, FEATURE_DIALBACK),
                     **DIALBACK_TLS)
        land.fedgate.write_config()
        document, text = land.expect("alone.test", "in", "tcp", "tcp-closed")
        result = step_of(document, "out", "dialback")
        check(result["status"] == "not tried" and result["fault"]["name"] == "no-key", result)
        check("listen.admin" in result["fault"]["remedy"], result)
        result = step_of(document, "in", "node")
        check(result["status"] == "warning" and result["fault"]["name"] == "node-silent", result)
        check(step_of(document, "out", "tls")["status"] == "ok", text)


def unknown_partner():
    """Not a partner: said so, the walk is gone all the same, and the status is 66."""
    with Lab("diag-unknown") as lab:
        land = Land(lab)
        land.partner("known.test")
        lab.dns.xmpp("stranger.test", "127.77.1.50")
        context = land.certificate("stranger.test")
        Server(lab, "127.77.1.50", with_features("stranger.test", context, FEATURE_DIALBACK))
        land.fedgate.start()
        document, text = land.diagnose("stranger.test", status=NO_SUCH)
        check(document["is_partner"] is False and document["row"] == 1, document)
        found = {(f["direction"], f["step"], f["fault"]) for f in document["failures"]}
        check(("out", "policy", "not-a-partner") in found, found)
        check(("in", "policy", "not-a-partner") in found, found)
        check("fedgatectl partner add stranger.test" in text, text)
        check(step_of(document, "out", "sasl")["fault"]["name"] == "external-not-offered", text)
        document, _ = land.diagnose(plan.APP, status=NO_SUCH)
        check(document["failures"][0]["fault"] == "own-domain", document["failures"])


def usage():
    with Lab("diag-usage") as lab:
        land = Land(lab)
        land.fedgate.write_config()
        for words, status in ((["diagnose"], USAGE), (["diagnose", "a.test", "b.test"], USAGE),
                              (["diagnose", "a b"], USAGE), (["diagnose", "127.0.0.1"], USAGE),
                              (["diagnose", "a.test", "--timeout", "0"], USAGE),
                              (["diagnose", "a.test", "--timeout", "601"], USAGE),
                              (["diagnose", "a.test", "--from", "b.test"], USAGE),
                              (["diagnose", "a.test", "--what"], USAGE),
                              (["diagnose", "--help"], 0)):
            done = run_ctl("--config", land.fedgate.config_path, *words)
            check(done.returncode == status, words, done.returncode, done.stderr)
        done = run_ctl("--config", "/nonexistent", "diagnose", "a.test", "--json")
        check(done.returncode == BAD_CONFIG and '"error"' in done.stdout, done.stdout, done.stderr)


def remedies():
    """Commands that remedies name are taken as they stand."""
    with open(os.path.join(TREE, "core", "ctl", "diagnose.def"), encoding="utf-8") as source:
        text = re.sub(r'"\s*\n\s*"', "", source.read())
    words = set(re.findall(r"fedgatectl ((?:partner|policy) \w+ \{partner\}(?: \w+=\w*)*)", text))
    check(len(words) >= 6, "too few commands found", words)
    with Lab("diag-remedies") as lab:
        land = Land(lab)
        land.fedgate.config["partners"] = [partner("known.test", maintenance="later")]
        land.fedgate.config["blocked"] = ["known.test"]
        land.fedgate.write_config()
        for command in sorted(words):
            name = "new.test" if " add " in command else "known.test"
            kind, act, *more = command.replace("{partner}", name).split()
            done = run_ctl("--config", land.fedgate.config_path, kind, act, "--dry-run", *more)
            check(done.returncode == 0, command, done.returncode, done.stdout, done.stderr)


# -- hostile servers -------------------------------------------------------------------------------
def hostile():
    with Lab("diag-hostile") as lab:
        land = Land(lab)
        contexts = {d: land.certificate(d) for d in ("shout.test", "names.test")}
        many = ",".join(f"n{i}.names.test" for i in range(300))
        names = land.certificate("names.test", dns=many)
        land.partner("slow.test", slow(" "))
        land.partner("slowxml.test", slow("<?xml version='1.0'?><stream:stream a='"))
        land.partner("silent.test", lambda raw, _: time.sleep(30))
        land.partner("hangup.test", lambda raw, _: raw.close())
        land.partner("http.test", lambda raw, _: raw.send("HTTP/1.1 400 Bad Request\r\n\r\n"))
        land.partner("endless.test", endless("endless.test", b"<a xmlns='b'>" + b"x" * 4000))
        land.partner("elements.test", endless("elements.test", b"<a/>" * 1000))
        land.partner("garbage.test", garbage_tls("garbage.test"))
        land.partner("stuck.test", stuck_tls("stuck.test"))
        land.partner("shout.test", shouting("shout.test", contexts["shout.test"]))
        land.partner("names.test", with_features("names.test", names, FEATURE_EXTERNAL))
        land.partner("srvs.test", srv=False)
        lab.dns.srv("_xmpp-server._tcp.srvs.test",
                    *[(i, i, 5269, f"{'h' * 40}{i}.srvs.test") for i in range(500)])
        for i in range(500):
            lab.dns.a(f"{'h' * 40}{i}.srvs.test", *[f"127.77.2.{a}" for a in range(1, 30)])
        land.fedgate.start()
        wanted = [("slow.test", "header", {"silent", "not-xmpp", "out-of-time"}),
                  ("slowxml.test", "header", {"silent", "not-xmpp", "out-of-time"}),
                  ("silent.test", "header", {"silent", "out-of-time"}),
                  ("hangup.test", "header", {"closed"}),
                  ("http.test", "header", {"not-xmpp"}),
                  ("endless.test", "header", {"not-xmpp", "peer-error"}),
                  ("elements.test", "header", {"not-xmpp", "peer-error"}),
                  ("garbage.test", "tls", {"tls-failed", "tls-not-tls"}),
                  ("stuck.test", "tls", {"silent", "out-of-time"}),
                  ("shout.test", "features", {"peer-error"}),
                  ("names.test", "name", {"name-wrong"}),
                  ("srvs.test", "tcp", {"tcp-closed"})]
        failures = []

        def one(domain, step, faults):
            try:
                document, text = land.diagnose(domain, status=FAILED, timeout=4)
                found = [(f["step"], f["fault"]) for f in document["failures"]
                         if f["direction"] == "out"]
                check(found and found[0][0] == step and found[0][1] in faults, domain, found, text)
                check(len(text) < 100000, domain, "says too much:", len(text))
                check(all(c == "\n" or c.isprintable() for c in text), domain, "moves the cursor",
                      text)
            except AssertionError as error:
                failures.append(error)
        threads = [threading.Thread(target=one, args=w) for w in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(not failures, "\n".join(map(str, failures)))


def endless_afterwards():
    """A server that is friendly until authentication and then never stops sending."""
    with Lab("diag-endless") as lab:
        land = Land(lab)
        context = land.certificate("stream.test")

        def serve(raw, _):
            serve_tls(raw, context, FEATURE_EXTERNAL, "stream.test")
            raw.until("</auth>")
            raw.text = ""
            raw.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
            answer_header(raw, "<sm xmlns='urn:xmpp:sm:3'/>", "stream.test", to=plan.CORP)
            while True:
                raw.socket.sendall(b" " * 16000)
        land.partner("stream.test", serve)
        land.fedgate.start()
        document = land.document("stream.test", status=0)
        check(step_of(document, "out", "sasl")["status"] == "ok", document)
        check(step_of(document, "out", "acks")["fault"]["name"] == "acks-refused", document)


def lying_dialback():
    """A server that calls a made-up key its own is found out."""
    with Lab("diag-lies") as lab:
        land = Land(lab)
        context = land.certificate("liar.test")

        def serve(raw, _):
            serve_tls(raw, context, FEATURE_DIALBACK, "liar.test")
            raw.until("</db:result>")
            raw.send(f"<db:result from='liar.test' to='{plan.CORP}' type='valid'/>")
            text = raw.until("</db:verify>")
            ident = text.split("<db:verify")[1].split("id=")[1][1:17]
            raw.send(f"<db:verify from='liar.test' to='{plan.CORP}' id='{ident}' type='valid'/>")
            raw.until("</stream:stream>")
        land.partner("liar.test", serve, **DIALBACK_TLS)
        land.fedgate.start()
        document = land.document("liar.test", status=FAILED)
        check([(f["direction"], f["step"], f["fault"]) for f in document["failures"]]
              == [("in", "dialback", "verify-lies")], document["failures"])
        check(step_of(document, "out", "dialback")["status"] == "ok", document)


main(*[case(f"{cases.__name__}_{backend}", every_failure, cases, backend)
       for backend in ("wolfssl", "mbedtls") for cases in (dns_cases, stream_cases)],
     refusals_differ, our_side, no_node, unknown_partner, usage, remedies, hostile,
     endless_afterwards, lying_dialback)
