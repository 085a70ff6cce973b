# SPDX-License-Identifier: GPL-2.0-or-later
"""The land that `fedgatectl diagnose` walks through in tests: fedgate, partners at addresses of
their own, and servers that fail in one particular way each (scripts for hostile.Server)."""
import json
import os
import time

from . import plan
from .fedgate import Fedgate, corp_dns, partner, run_ctl
from .hostile import (FEATURE_DIALBACK, FEATURE_EXTERNAL, FEATURE_TLS, Server, answer_header,
                      serve_tls)
from .process import HANG_S
from .stage import check
from .xmpp import trust_everyone

FAILED, NO_SUCH, USAGE, BAD_CONFIG = 69, 66, 64, 78
ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
DIALBACK_TLS = {"sasl": "not_supported", "dialback": True}
PLAIN = {"tls": "not_supported", "sasl": "not_supported", "dialback": True}


class Land:
    """fedgate without an inside, and partners whom the tests play, each at its own address."""

    def __init__(self, lab, backend="wolfssl"):
        self.lab = lab
        corp_dns(lab)
        self.fedgate = Fedgate(lab, backend=backend)
        self.fedgate.config["limits"]["drain_timeout_s"] = 1
        self.count = 0

    def partner(self, domain, serve=None, srv=True, port=plan.XMPP_SERVER, **row):
        """A row; serve(raw, number) plays its server; srv: with records of the usual kind."""
        self.count += 1
        address = f"127.77.1.{self.count}"
        self.fedgate.config["partners"].append(partner(domain, **row))
        if srv:
            self.lab.dns.xmpp(domain, address)
        if serve:
            Server(self.lab, address, serve, port)
        return address

    def certificate(self, domain, **options):
        """A context that shows a certificate made so (dns=, ca=, days=, eku=, ...)."""
        names = options.pop("dns", domain)
        name = self.lab.certs.make(names, name=f"cert-{self.lab_name(domain)}", **options)
        return trust_everyone(self.lab.certs.crt(name), self.lab.certs.key(name), server_side=True)

    @staticmethod
    def lab_name(domain):
        return domain.replace(".", "-")

    def diagnose(self, domain, *more, status=None, timeout=15, kinds=(("--json",), ())):
        """(document, text) of both kinds of output; each must end with that status, and in time."""
        both = []
        for extra in kinds:
            begin = time.monotonic()
            done = run_ctl("--config", self.fedgate.config_path, "diagnose", domain, "--timeout",
                           str(timeout), *more, *extra, folder=self.fedgate.folder)
            took = time.monotonic() - begin
            check(took < timeout + HANG_S, "took", took)
            check(status is None or done.returncode == status, domain, done.returncode, done.stdout,
                  done.stderr)
            both.append(done.stdout)
        return json.loads(both[0]), both[-1]

    def document(self, domain, **options):
        """Only the document: where a walk takes its time."""
        return self.diagnose(domain, kinds=(("--json",),), **options)[0]

    def expect(self, domain, direction, step, fault, **options):
        """The first failure of that direction is this one, and the last line says so."""
        document, text = self.diagnose(domain, status=FAILED, **options)
        found = [(f["direction"], f["step"], f["fault"]) for f in document["failures"]]
        check((direction, step, fault) in found, domain, "expected", (direction, step, fault),
              "found", found, text)
        check(document["ok"] is False, "ok in spite of", found)
        last = text.rstrip().splitlines()[-1]
        check(f"{direction} fails at step {step} ({fault})" in last, "last line:", last)
        result = step_of(document, direction, step)
        check(result["fault"]["remedy"] and result["fault"]["who"], "no remedy", result)
        check(result["fault"]["remedy"] in text, "the text does not say what to do", text)
        check(result["seen"], "nothing seen", result)
        return document, text


def step_of(document, direction, step, local=None):
    return next(s for s in document["steps"] if s["direction"] == direction and s["step"] == step
                and local in (None, s["local"]))


# -- servers ---------------------------------------------------------------------------------------
def stream_error(domain, condition, text="not with you", features=None):
    def serve(raw, _):
        answer_header(raw, features, domain, to=plan.CORP)
        raw.send(f"<stream:error><{condition} xmlns='{ERRORS}'/><text xmlns='{ERRORS}'>{text}"
                 "</text></stream:error></stream:stream>")
        raw.until_end()
    return serve


def no_tls(domain):
    """Hangs up when asked for TLS, which it did not offer."""
    def serve(raw, _):
        answer_header(raw, FEATURE_DIALBACK, domain, to=plan.CORP)
        raw.until("<starttls")
        raw.close()
    return serve


def refuses_tls(domain):
    def serve(raw, _):
        answer_header(raw, FEATURE_TLS, domain, to=plan.CORP)
        raw.until("<starttls")
        raw.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>")
    return serve


def with_features(domain, context, features):
    return lambda raw, _: serve_tls(raw, context, features, domain)


def refuses_external(domain, context, after=""):
    def serve(raw, _):
        serve_tls(raw, context, FEATURE_EXTERNAL, domain)
        raw.until("</auth>")
        raw.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>"
                 f"<text>who are you</text></failure>{after}")
    return serve


def answers_dialback(domain, context, answer):
    """answer: type='...' and what stands inside."""
    def serve(raw, _):
        if context:
            serve_tls(raw, context, FEATURE_DIALBACK, domain)
        else:
            answer_header(raw, FEATURE_DIALBACK, domain, to=plan.CORP)
        raw.until("</db:result>")
        kind, inside = answer
        raw.send(f"<db:result from='{domain}' to='{plan.CORP}' type='{kind}'>{inside}</db:result>")
    return serve


def dialback_error(condition):
    return ("error", f"<error type='auth'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
                     "/></error>")


def without_dialback(domain, context):
    """As serve_tls, with nothing of dialback in header or features."""
    def header(raw, features):
        raw.until("<stream:stream")
        raw.until(">")
        raw.send("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/"
                 f"streams' id='1' from='{domain}' to='{plan.CORP}' version='1.0'>"
                 f"<stream:features>{features}</stream:features>")

    def serve(raw, _):
        header(raw, FEATURE_TLS)
        raw.until("<starttls")
        raw.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        raw.socket = context.wrap_socket(raw.socket, server_side=True)
        raw.text = ""
        header(raw, "")
    return serve


def late_error(domain, context, text):
    def serve(raw, _):
        serve_tls(raw, context, None, domain)
        raw.send(f"<stream:error><policy-violation xmlns='{ERRORS}'/><text xmlns='{ERRORS}'>{text}"
                 "</text></stream:error></stream:stream>")
    return serve


def slow(text, pause=0.2):
    def serve(raw, _):
        for letter in text * 1000:
            raw.send(letter)
            time.sleep(pause)
    return serve


def endless(domain, piece):
    def serve(raw, _):
        answer_header(raw, None, domain, to=plan.CORP)
        raw.send("<stream:features>")
        for _ in range(200000):
            raw.socket.sendall(piece)
    return serve


def garbage_tls(domain):
    def serve(raw, _):
        answer_header(raw, FEATURE_TLS, domain, to=plan.CORP)
        raw.until("<starttls")
        raw.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        raw.take(1)
        raw.send(b"\x16\x03\x03\x40\x00" + os.urandom(0x4000) * 4)
    return serve


def stuck_tls(domain):
    def serve(raw, _):
        answer_header(raw, FEATURE_TLS, domain, to=plan.CORP)
        raw.until("<starttls")
        raw.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        time.sleep(30)
    return serve


def shouting(domain, context):
    """Behind TLS: an error whose text would move the cursor and goes on for long."""
    def serve(raw, _):
        serve_tls(raw, context, None, domain)
        raw.send(f"<stream:error><undefined-condition xmlns='{ERRORS}'/><text xmlns='{ERRORS}'>"
                 + "\u202egnp.exe \u2028" + "&#x9;A" * 300 + "</text></stream:error>")
    return serve
