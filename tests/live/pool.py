#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The SIP side against Kamailio and SIPp: messages, names, error tables, floods."""
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, case, check, long_run, main, plan
from lab.ejabberd import Ejabberd
from lab.fedgate import Fedgate, corp_dns, partner, sip_hop
from lab.kamailio import Kamailio
from lab.peer import Peer
from lab.process import wait_until
from lab.prosody import Prosody
from lab.sip import Phone, ScriptedPool
from lab.sipp import Sipp
from lab.xmpp import NS_STANZA_ERROR, User, error_of, local, message, text_of

JOE = "joe@corp.test"
ANN = "ann@fabrikam.test"
TEXT = "\u00e9\u4e2d\U0001f600 <&> \"'\nsecond line"
FLOOD = 20_000
SCRIPTED = "scripted.test"
SIPP_HOP = {"kind": "sip", "uri": f"sip:{plan.SIPP}:{plan.SIP_TCP};transport=tcp",
            "trusted_addresses": ["127.0.0.0/8"], "options_interval_s": 0}

# SIP status -> (error type, condition), sip.md 2.7 with our choices.
STATUS_ROWS = {
    300: ("wait", "recipient-unavailable"), 301: ("cancel", "gone"),
    302: ("wait", "recipient-unavailable"), 305: ("wait", "recipient-unavailable"),
    380: ("modify", "not-acceptable"), 400: ("modify", "bad-request"),
    401: ("auth", "not-authorized"), 402: ("modify", "bad-request"), 403: ("auth", "forbidden"),
    404: ("cancel", "item-not-found"), 405: ("cancel", "feature-not-implemented"),
    406: ("modify", "not-acceptable"), 407: ("auth", "registration-required"),
    408: ("wait", "remote-server-timeout"), 409: ("cancel", "conflict"), 410: ("cancel", "gone"),
    412: ("modify", "bad-request"), 413: ("modify", "policy-violation"),
    414: ("modify", "policy-violation"), 415: ("modify", "not-acceptable"),
    416: ("modify", "not-acceptable"), 417: ("modify", "bad-request"),
    420: ("cancel", "feature-not-implemented"), 421: ("modify", "not-acceptable"),
    422: ("modify", "bad-request"), 423: ("wait", "resource-constraint"),
    424: ("modify", "bad-request"), 425: ("modify", "bad-request"), 428: ("auth", "not-authorized"),
    429: ("auth", "not-authorized"), 430: ("wait", "recipient-unavailable"),
    433: ("cancel", "not-allowed"), 436: ("auth", "not-authorized"),
    437: ("auth", "not-authorized"), 438: ("auth", "not-authorized"),
    439: ("cancel", "feature-not-implemented"), 440: ("wait", "policy-violation"),
    469: ("modify", "bad-request"), 470: ("auth", "forbidden"),
    480: ("wait", "recipient-unavailable"), 481: ("cancel", "item-not-found"),
    482: ("cancel", "not-acceptable"), 483: ("cancel", "not-acceptable"),
    484: ("cancel", "item-not-found"), 485: ("cancel", "item-not-found"),
    486: ("wait", "recipient-unavailable"), 487: ("wait", "recipient-unavailable"),
    488: ("modify", "not-acceptable"), 489: ("cancel", "policy-violation"),
    491: ("wait", "unexpected-request"), 493: ("modify", "bad-request"),
    494: ("modify", "bad-request"), 500: ("cancel", "internal-server-error"),
    501: ("cancel", "feature-not-implemented"), 502: ("cancel", "remote-server-not-found"),
    503: ("wait", "remote-server-timeout"), 504: ("wait", "remote-server-timeout"),
    505: ("cancel", "not-acceptable"), 513: ("modify", "policy-violation"),
    555: ("cancel", "internal-server-error"), 580: ("cancel", "internal-server-error"),
    600: ("wait", "recipient-unavailable"), 603: ("cancel", "recipient-unavailable"),
    604: ("cancel", "item-not-found"), 606: ("modify", "not-acceptable"),
    607: ("cancel", "policy-violation"), 608: ("cancel", "policy-violation"),
    499: ("modify", "bad-request"), 599: ("cancel", "internal-server-error"),
    699: ("wait", "recipient-unavailable"),
}
# Stanza error condition -> SIP status to a MESSAGE from a bare address, likewise.
CONDITION_ROWS = {
    "bad-request": 400, "conflict": 400, "feature-not-implemented": 501, "forbidden": 403,
    "gone": 410, "internal-server-error": 500, "item-not-found": 404, "jid-malformed": 400,
    "not-acceptable": 606, "not-allowed": 403, "not-authorized": 403, "policy-violation": 403,
    "recipient-unavailable": 480, "redirect": 480, "registration-required": 403,
    "remote-server-not-found": 404, "remote-server-timeout": 504, "resource-constraint": 480,
    "service-unavailable": 480, "subscription-required": 403, "undefined-condition": 500,
    "unexpected-request": 400,
}


def pool_stage(lab, tls=True, partners=None, **kamailio):
    """Kamailio and fedgate, their DNS; not the partner."""
    corp_dns(lab)
    Kamailio(lab, tls=tls, **kamailio).start()
    fedgate = Fedgate(lab, partners=partners or [partner(plan.FABRIKAM)], hop=sip_hop(tls))
    return fedgate.start()


def both_ways(kind, tls, backend="wolfssl"):
    """A user of a real partner and a phone at the pool: text both ways."""
    with Lab(f"pool-{kind}") as lab:
        corp_dns(lab)
        domain, address = ((plan.FABRIKAM, plan.PROSODY) if kind == "prosody"
                           else (plan.CONTOSO, plan.EJABBERD))
        lab.dns.xmpp(domain, address)
        Kamailio(lab, tls=tls).start()
        fedgate = Fedgate(lab, partners=[partner(domain)], hop=sip_hop(tls), backend=backend)
        fedgate.start()
        server = (Prosody if kind == "prosody" else Ejabberd)(lab).start()
        ann = lab.own(User(f"ann@{domain}", address) if kind == "prosody" else server.user())
        joe = lab.own(Phone("joe")).register()
        ann.say(JOE, TEXT, extra="<subject>Re: lunch</subject><thread>t-1</thread>")
        heard = joe.next_message(20)
        check(heard.text == TEXT, "wrong text", heard.text)
        check(heard.get("content-type").lower().replace(" ", "").startswith(
            "text/plain;charset=utf-8"), "wrong type", heard.get("content-type"))
        check(f"sip:{ann.bare}" in heard.get("from"), "wrong From", heard.get("from"))
        check(f"sip:{JOE}" in heard.get("to"), "wrong To", heard.get("to"))
        answer = joe.say(ann.bare, "and back " + TEXT)
        check(answer.status == 202, "expected 202, got", answer.start)
        got = ann.hears("and back " + TEXT)
        check(got.get("from").split("/")[0] == JOE and got.get("type") == "chat", "wrong stanza",
              got.attrib)
        totals = fedgate.totals()
        check(totals["sip_delivered"] == 1 and totals["sip_answered_ok"] >= 1, "figures", totals)


def names():
    """Local parts that mean different characters to both sides (sip.md 1.4). The pool is played by
    the test, since Kamailio's registrar refuses some of these names."""
    rows = [("o'hara", "o\\27hara"), ("gr%C3%BCn", "gr\u00fcn"),
            ("joe%20smith", "joe\\20smith"), ("r/d", "r\\2fd"), ("%23ops", "#ops"),
            ("50%25off", "50%off"), ("+15551234567", "+15551234567"),
            ("a%40b", "a\\40b"), ("x%5C27y", "x\\5c27y")]
    with Lab("names") as lab:
        corp_dns(lab)
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        pool = lab.own(ScriptedPool())
        hop = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp",
               "trusted_addresses": ["127.0.0.0/8"]}
        Fedgate(lab, partners=[partner(plan.FABRIKAM)], hop=hop).start()
        Prosody(lab, users=[xmpp for _, xmpp in rows] + ["ann"]).start()
        ann = lab.own(User(ANN, plan.PROSODY))
        for sip, xmpp in rows:
            ann.say(f"{xmpp}@corp.test", f"to {xmpp}")
            got = pool.next_message(20)
            check(got.start == f"MESSAGE sip:{sip}@corp.test SIP/2.0", f"{xmpp} became", got.start)
            phone = lab.own(Phone(sip, plan.FEDGATE))
            check(phone.say(ANN, f"from {xmpp}").status == 202, "not accepted", xmpp)
            got = ann.hears(f"from {xmpp}")
            sender = got.get("from").split("/")[0]
            check(sender == f"{xmpp}@corp.test", f"{sip} became", sender)
            user = lab.own(User(f"{xmpp}@fabrikam.test", plan.PROSODY))
            answer = phone.say(f"{sip}@fabrikam.test", f"for {xmpp}")
            check(answer.status == 202, f"for {sip}:", answer.start)
            user.hears(f"for {xmpp}")


def statuses():
    """Every row SIP status -> stanza error, through Kamailio."""
    with Lab("statuses") as lab:
        pool_stage(lab, tls=False)
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        Prosody(lab).start()
        ann = lab.own(User(ANN, plan.PROSODY))
        # 503 speaks of the whole next hop and has its own test.
        asked = {ann.say(f"status-{status}@corp.test", "hello"): status for status in STATUS_ROWS
                 if status != 503}
        asked[ann.say("9none@corp.test", "hello")] = 404
        asked[ann.say("absent@corp.test", "hello")] = 480
        wrong = []
        while asked:
            stanza = ann.stream.wait(lambda e: e.get("id") in asked)
            status = asked.pop(stanza.get("id"))
            got = error_of(stanza)
            if got != STATUS_ROWS[status]:
                wrong.append(f"{status}: expected {STATUS_ROWS[status]}, got {got}")
        check(not wrong, "; ".join(wrong))


def status_503():
    """503 for one message: its sender gets the row of the table, messages under way at the same
    time get their own answers, later ones too."""
    with Lab("503") as lab:
        pool_stage(lab, tls=False)
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        Prosody(lab).start()
        ann = lab.own(User(ANN, plan.PROSODY))
        asked = {}
        for status in (486, 503, 404, 603, 503, 480):
            asked[ann.say(f"status-{status}@corp.test", "hello")] = status
        wrong = []
        while asked:
            stanza = ann.stream.wait(lambda e: e.get("id") in asked)
            status = asked.pop(stanza.get("id"))
            if error_of(stanza) != STATUS_ROWS[status]:
                wrong.append(f"{status}: expected {STATUS_ROWS[status]}, got {error_of(stanza)}")
        check(not wrong, "; ".join(wrong))
        later = ann.gets_error(ann.say("status-486@corp.test", "later"))
        check(later == STATUS_ROWS[486], "after 503:", later)


def conditions():
    """Every row stanza error -> SIP status: the partner's server refuses at once."""
    with Lab("conditions") as lab:
        pool_stage(lab, tls=False, partners=[partner(SCRIPTED)])
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        peer = Peer(lab).listen()

        def refuse(_, stanza):
            condition = stanza.get("to").split("@")[0]
            peer.reply(
                plan.CORP,
                f"<message type='error' id='{stanza.get('id')}' from='{stanza.get('to')}' "
                f"to='{stanza.get('from')}'><error type='cancel'><{condition} "
                f"xmlns='{NS_STANZA_ERROR}'/></error></message>")

        peer.on_stanza = lambda stream, e: local(e) == "message" and refuse(stream, e)
        joe = lab.own(Phone("joe")).register()
        wrong = []
        for condition, status in CONDITION_ROWS.items():
            answer = joe.say(f"{condition}@{SCRIPTED}", "hello")
            if answer.status != status:
                wrong.append(f"{condition}: expected {status}, got {answer.start}")
            if condition == "resource-constraint" and not answer.get("retry-after"):
                wrong.append("resource-constraint: no Retry-After")
        check(not wrong, "; ".join(wrong))


def unreachable():
    """SIP sender towards partners that cannot be had: the right status each, none hangs."""
    rows = [partner("gone.test"), partner("dead.test"), partner(plan.FABRIKAM)]
    with Lab("unreachable") as lab:
        pool_stage(lab, tls=False, partners=rows)
        lab.dns.xmpp("dead.test", plan.NOBODY)
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        lab.certs.make(plan.FABRIKAM, name="selfie", ca="self")
        Prosody(lab, certificate="selfie").start()
        joe = lab.own(Phone("joe")).register()
        for domain, statuses_ok in (("gone.test", {404}), ("dead.test", {504}),
                                    ("fabrikam.test", {403, 504}), ("stranger.test", {403})):
            answer = joe.say(f"ann@{domain}", "hello")
            check(answer.status in statuses_ok, f"{domain}: expected {statuses_ok}, got",
                  answer.start)


def spoofed_source():
    """A host that is not the next hop, and a next hop that lies about the domain."""
    with Lab("spoof") as lab:
        fedgate = pool_stage(lab, tls=False)
        liar = lab.own(Phone("joe", plan.FEDGATE, plan.SIP_TCP, domain="elsewhere.test"))
        answer = liar.say(ANN, "hello")
        check(answer.status == 403, "From of a foreign domain: expected 403, got", answer.start)
        fedgate.stop()
        fedgate.config["next_hops"]["pool"]["trusted_addresses"] = ["192.0.2.1/32"]
        fedgate.start()
        try:
            answer = lab.own(Phone("joe", plan.FEDGATE, plan.SIP_TCP)).say(ANN, "hello", timeout=3)
            check(answer.status == 403, "untrusted address: expected 403, got", answer.start)
        except (LabError, OSError):
            pass  # hung up on at once, as good an answer
        check(fedgate.totals()["sip_refused_source"] >= 1, "not counted", fedgate.totals())
        check(fedgate.totals()["stanzas_in_sip"] == 0, "was accepted", fedgate.totals())


def flood_to_sip(backend="wolfssl", shards=2, count=FLOOD):
    """count messages from a partner's stream to SIPp: every one answered 200."""
    with Lab("flood-sip") as lab:
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        fedgate = Fedgate(lab, partners=[partner(SCRIPTED)], hop=SIPP_HOP, preset="release",
                          shards=shards, backend=backend)
        fedgate.config["log"]["level"] = "info"
        # What does not go out at once waits at the next hop's queue, not in the sender's.
        fedgate.start()
        sipp = Sipp.answerer(lab, count)
        peer = Peer(lab).listen()
        refused = []
        peer.on_stanza = lambda stream, e: e.get("type") == "error" and refused.append(error_of(e))
        stream = peer.dial(plan.CORP)
        begin = time.monotonic()
        for first in range(0, count, 100):
            stream.send("".join(message(f"joe{n % 50}@corp.test", f"n{n}", ident=f"n{n}",
                                        sender=f"u{n % 50}@{SCRIPTED}/x")
                                for n in range(first, min(first + 100, count))))
        fedgate.wait_stats("all answered", lambda s: s["totals"]["sip_delivered"] >= count
                           or refused, 120)
        seconds = time.monotonic() - begin
        check(not refused, f"{len(refused)} answered with errors, the first:", refused[:3])
        totals = fedgate.totals()
        check(totals["sip_delivered"] == count and totals["sip_rejected"] == 0
              and totals["sip_unreachable"] == 0, "figures", totals)
        sipp.finish(30)
        print(f"XMPP -> SIP: {count} in {seconds:.1f} s, {count / seconds:.0f}/s")


def flood_from_sip(backend="wolfssl", shards=2, count=FLOOD):
    """count messages from SIPp: every one answered 2xx and at the partner exactly once."""
    with Lab("flood-xmpp") as lab:
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        fedgate = Fedgate(lab, partners=[partner(SCRIPTED)], hop=SIPP_HOP, preset="release",
                          shards=shards, backend=backend)
        fedgate.config["log"]["level"] = "info"
        fedgate.start()
        peer = Peer(lab).listen()
        arrived = []
        lock = threading.Lock()

        def note(_, stanza):
            with lock:
                arrived.append(text_of(stanza, "body"))

        peer.on_stanza = note
        begin = time.monotonic()
        sipp = Sipp.sender(lab, count, rate=3000, parallel=1000)
        sipp.finish(180)
        seconds = time.monotonic() - begin
        wait_until("all at the partner", lambda: len(arrived) >= count, 30)
        check(len(arrived) == count, f"{count} sent, arrived", len(arrived))
        check(set(arrived) == {f"n{n}" for n in range(1, count + 1)}, "not each exactly once")
        numbers = [int(re.sub(r"\D", "", text)) for text in arrived]
        check(numbers == sorted(numbers), "out of order for one pair")
        check(fedgate.totals()["sip_answered_ok"] == count, "figures", fedgate.totals())
        print(f"SIP -> XMPP: {count} in {seconds:.1f} s, {count / seconds:.0f}/s")


def tests():
    count = 5 * FLOOD if long_run() else FLOOD
    yield case("prosody_kamailio_tls", both_ways, "prosody", True)
    yield case("prosody_kamailio_tls_mbedtls", both_ways, "prosody", True, "mbedtls")
    yield case("prosody_kamailio_tcp", both_ways, "prosody", False)
    yield case("ejabberd_kamailio_tls", both_ways, "ejabberd", True)
    for test in (names, statuses, status_503, conditions, unreachable, spoofed_source):
        yield test
    yield case("flood_to_sip", flood_to_sip, count=count)
    yield case("flood_from_sip", flood_from_sip, count=count)


if __name__ == "__main__":
    main(*tests())
