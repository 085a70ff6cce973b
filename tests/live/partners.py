#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams to real XMPP servers, both directions: how they authenticate, and when they must not.

The inside is a component, so that a stanza's whole way is seen; pool.py has the SIP side.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, case, check, main, plan
from lab.ejabberd import Ejabberd
from lab.fedgate import Fedgate, corp_dns, partner
from lab.jabberd2 import Jabberd2
from lab.prosody import Prosody
from lab.xmpp import Component, User

JOE = "joe@app.corp.test"
TEXT = "\u00e9\u4e2d\U0001f600 <&> \"'"
DIALBACK = {"sasl": "not_supported", "dialback": True}
NO_TLS = {"tls": "not_supported", "sasl": "not_supported", "dialback": True}
# What a sender may be told when its partner's domain cannot be reached or proved.
UNREACHABLE = {"remote-server-not-found", "remote-server-timeout", "service-unavailable",
               "internal-server-error", "not-authorized", "forbidden", "policy-violation",
               "not-allowed", "recipient-unavailable", "resource-constraint"}


class Stage:
    """fedgate with a component inside, and one partner server with a user."""

    def __init__(self, lab, kind, row, *, dns=None, with_row=True, **server):
        self.lab = lab
        self.kind = kind
        corp_dns(lab)
        if kind == "prosody":
            self.domain, address = plan.FABRIKAM, plan.PROSODY
            self.server = Prosody(lab, **server)
        else:
            self.domain, address = plan.CONTOSO, plan.EJABBERD
            self.server = Ejabberd(lab, **server)
        lab.dns.xmpp(self.domain, address)
        if dns:
            dns(lab.dns, self.domain)
        rows = [partner(self.domain, **row)] if with_row else []
        self.fedgate = Fedgate(lab, partners=rows)
        self.ann = self.joe = None

    def start(self):
        self.server.start()
        self.fedgate.start()
        self.log_in()
        self.joe = self.lab.own(Component(plan.APP, "inside"))
        return self

    def log_in(self):
        if self.kind == "prosody":
            self.ann = self.lab.own(User(f"ann@{self.domain}", plan.PROSODY))
        else:
            self.ann = self.lab.own(self.server.user("ann"))

    def both_ways(self):
        """From the partner first: fedgate has to dial back for the answer."""
        self.ann.say(JOE, TEXT)
        heard = self.joe.hears(TEXT)
        check(heard.get("from") == self.ann.jid, "wrong sender", heard.get("from"))
        self.joe.say(JOE, self.ann.bare, "and back " + TEXT)
        heard = self.ann.hears("and back " + TEXT)
        check(heard.get("from") == JOE, "wrong sender", heard.get("from"))

    def authenticated_by(self, method):
        ways = self.fedgate.authenticated(self.domain)
        for way in ("in", "out"):
            check(set(ways[way]) == {method}, f"{way}: expected {method} alone, got", ways[way])

    def nothing_crosses(self):
        """Both senders get an error and no stream is authenticated in the way that must fail."""
        self.joe.say(JOE, self.ann.bare, "must not arrive", ident="in-1")
        kind, condition = self.joe.gets_error("in-1")
        check(condition in UNREACHABLE, "inside sender got", kind, condition)
        ident = self.ann.say(JOE, "must not arrive")
        kind, condition = self.ann.gets_error(ident)
        check(condition in UNREACHABLE, "partner's sender got", kind, condition)
        try:
            self.joe.stream.wait(lambda e: e.tag.endswith("message"), 0.5)
            raise LabError("a message crossed")
        except LabError as nothing:
            check("nothing received" in str(nothing), str(nothing))


def external_starttls(kind):
    with Lab(f"ext-{kind}") as lab:
        stage = Stage(lab, kind, {}).start()
        stage.both_ways()
        stage.authenticated_by("external")


def external_direct_tls():
    """Only _xmpps-server is announced, both ways; the plain ports lead nowhere."""
    def direct_only(dns, domain):
        for name, address in ((domain, plan.PROSODY), (plan.APP, plan.FEDGATE)):
            dns.a(name, plan.NOBODY)
            dns.a(f"xmpp.{name}", address)
            dns.srv(f"_xmpp-server._tcp.{name}", (0, 0, 0, "."))
            dns.srv(f"_xmpps-server._tcp.{name}", (5, 5, plan.XMPPS_SERVER, f"xmpp.{name}"))
    with Lab("direct") as lab:
        stage = Stage(lab, "prosody", {}, dns=direct_only).start()
        stage.both_ways()
        stage.authenticated_by("external")
        check("Proceeding with TLS on s2sout" not in stage.server.log_text(), "STARTTLS was used")


def dialback_tls(kind):
    options = {"prosody": {"secure_auth": False}, "ejabberd": {"starttls": "required"}}[kind]
    with Lab(f"dbtls-{kind}") as lab:
        stage = Stage(lab, kind, DIALBACK, **options).start()
        stage.both_ways()
        stage.authenticated_by("dialback_tls")


def dialback_tls_untrusted(kind):
    """The partner's certificate proves nothing; dialback does."""
    options = {"prosody": {"secure_auth": False}, "ejabberd": {"starttls": "optional"}}[kind]
    domain = {"prosody": plan.FABRIKAM, "ejabberd": plan.CONTOSO}[kind]
    with Lab(f"dbself-{kind}") as lab:
        lab.certs.make(domain, name="selfie", ca="self")
        stage = Stage(lab, kind, {"sasl": "optional", "dialback": True}, certificate="selfie",
                      **options).start()
        stage.both_ways()
        stage.authenticated_by("dialback_tls")


def dialback_plain(kind):
    options = {"prosody": {"secure_auth": False, "encryption": False, "tls": False},
               "ejabberd": {"starttls": "false"}}[kind]
    with Lab(f"dbplain-{kind}") as lab:
        stage = Stage(lab, kind, NO_TLS, **options).start()
        stage.both_ways()
        stage.authenticated_by("dialback_plain")


def first_target_dead(kind):
    """The best SRV target refuses connections; the second one serves. In both directions."""
    def dead_first(dns, domain):
        for name in (domain, plan.APP):
            dns.a(f"dead.{name}", plan.NOBODY)
            dns.srv(f"_xmpp-server._tcp.{name}", (1, 0, plan.XMPP_SERVER, f"dead.{name}"),
                    (10, 0, plan.XMPP_SERVER, f"xmpp.{name}"))
    with Lab(f"dead-{kind}") as lab:
        stage = Stage(lab, kind, {}, dns=dead_first).start()
        stage.both_ways()
        stage.authenticated_by("external")
        check(lab.dns.asked(f"dead.{stage.domain}"), "the dead target was never looked up")


def unknown_partner(kind):
    """Reachable, good certificate, but no row in the configuration."""
    with Lab(f"unknown-{kind}") as lab:
        stage = Stage(lab, kind, {}, with_row=False).start()
        stage.nothing_crosses()
        check(stage.fedgate.partner(stage.domain) is None, "an unknown partner has figures")
        totals = stage.fedgate.totals()
        check(totals["streams_in_external"] == 0 and totals["streams_out_external"] == 0,
              "an unknown partner was authenticated", totals)


BAD_CERTIFICATES = {
    "wrong_name": {"dns": ("other.test",)},
    "expired": {"days": -1},
    "self_signed": {"ca": "self"},
    "unknown_ca": {"ca": "other"},
}


def bad_certificate(kind, fault):
    """EXTERNAL is demanded and the partner's certificate does not prove its domain: refused both
    ways, with errors to both senders and a counter."""
    domain = {"prosody": plan.FABRIKAM, "ejabberd": plan.CONTOSO}[kind]
    options = dict(BAD_CERTIFICATES[fault])
    names = options.pop("dns", (domain,))
    with Lab(f"{fault}-{kind}") as lab:
        lab.certs.make(*names, name="bad", **options)
        stage = Stage(lab, kind, {}, certificate="bad").start()
        stage.nothing_crosses()
        ways = stage.fedgate.authenticated(domain)
        check(ways == {"in": {}, "out": {}}, "authenticated with a bad certificate", ways)
        failures = stage.fedgate.partner(domain)["out"]["failures"]
        check(failures, "no failure counted outwards", failures)
        check(set(failures) & {"tls", "certificate", "sasl"}, "failed for another reason", failures)


def jabberd2(tls):
    """Dialback from headers without from, to and version."""
    row = DIALBACK if tls else NO_TLS
    with Lab("jabberd2") as lab:
        corp_dns(lab)
        lab.dns.xmpp(plan.LITWARE, plan.JABBERD2)
        outside = Jabberd2(lab, tls=tls).start().user()
        fedgate = Fedgate(lab, partners=[partner(plan.LITWARE, **row)]).start()
        joe = lab.own(Component(plan.APP, "inside"))
        outside.say("liz@litware.test", JOE, TEXT)
        joe.hears(TEXT)
        joe.say(JOE, "liz@litware.test", "and back")
        outside.hears("and back")
        ways = fedgate.authenticated(plan.LITWARE)
        wanted = "dialback_tls" if tls else "dialback_plain"
        for way in ("in", "out"):
            check(set(ways[way]) == {wanted}, f"{way}: expected {wanted}, got", ways[way])


def tests():
    for kind in ("prosody", "ejabberd"):
        yield case(f"{kind}_external", external_starttls, kind)
        yield case(f"{kind}_dialback_tls", dialback_tls, kind)
        yield case(f"{kind}_dialback_untrusted", dialback_tls_untrusted, kind)
        yield case(f"{kind}_dialback_plain", dialback_plain, kind)
        yield case(f"{kind}_first_target_dead", first_target_dead, kind)
        yield case(f"{kind}_unknown_partner", unknown_partner, kind)
        for fault in BAD_CERTIFICATES:
            yield case(f"{kind}_{fault}", bad_certificate, kind, fault)
    yield case("prosody_external_direct_tls", external_direct_tls)
    yield case("jabberd2_dialback_tls", jabberd2, True)
    yield case("jabberd2_dialback_plain", jabberd2, False)


if __name__ == "__main__":
    main(*tests())
