#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a partner's type lets its users do: each type x direction x {IM, subscribe, presence, note},
with a component and with SIP inside; what opens and closes the way for an unverified partner's
users (what they are told before: unknown_user)."""
import os
import queue
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.hostile import EVIL_ADDRESS, Raw, header
from lab.process import HANG_S, wait_until
from lab.prosody import Prosody
from lab.rules import DOMAINS, FEDERATED, OPEN, TYPES, UNVERIFIED, VERIFIED, Rules, none, one, text
from lab.xmpp import (NS_COMPONENT, NS_DIALBACK, NS_SERVER, NS_STANZA_ERROR, NS_STREAM, Component,
                      Stream, User, error_of, local, message, text_of)

CAPS = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>"
NOTE = "<show>away</show><status>out for lunch</status><status xml:lang='de'>Mittag</status>"
WITHOUT_NOTE = "<show>away</show>"


def presence(sender, to, kind=None, inside=""):
    kind = f" type='{kind}'" if kind else ""
    return f"<presence from='{sender}' to='{to}'{kind}>{inside}</presence>"


STANZAS = {
    "IM": lambda sender, to: message(to, "hello", sender=sender),
    "subscribe": lambda sender, to: presence(sender, to, "subscribe"),
    "presence": lambda sender, to: presence(sender, to, "probe"),
    "note": lambda sender, to: presence(f"{sender}/home", to, None, NOTE + CAPS),
}
NAMES = {"IM": "message", "subscribe": "presence", "presence": "presence", "note": "presence"}


# --- the table --------------------------------------------------------------------------------

def refused_as_unknown(what, back):
    """What the stranger is told."""
    if what == "IM":
        check(error_of(one(back, "message", type="error")) == ("cancel", "service-unavailable"),
              "IM:", text(back[0]))
    elif what == "subscribe":
        one(back, "presence", type="unsubscribed")
    elif what == "presence":
        one(back, "presence", type="unavailable")
    else:
        none(back, "a note was answered")


def passed(what, elements, with_note=True):
    element = one(elements, NAMES[what])
    if what == "IM":
        check(text_of(element, "body") == "hello", "IM:", text(element))
    elif what == "note":
        notes = [child.text for child in element if local(child) == "status"]
        check(notes == (["out for lunch", "Mittag"] if with_note else []), "notes:", text(element))
        rest = [local(child) for child in element if local(child) != "status"]
        check(rest == ["show", "c"], "the rest was touched:", text(element))
    else:
        check(element.get("type") in ("subscribe", "probe"), "became", text(element))


def cell_in(ground, kind, what):
    domain = DOMAINS[kind]
    to = f"{what.lower()}-in-{kind}@{plan.APP}"
    ground.partner_says(domain, to, STANZAS[what](f"bob@{domain}", to))
    inside, back = ground.settle(domain)
    if kind == UNVERIFIED:
        none(inside, "reached our user")
        refused_as_unknown(what, back)
        # Once ours has added him.
        ground.component.send(presence(to, f"bob@{domain}", "subscribe"))
        one(ground.settle_out(domain)[0], "presence", type="subscribe")
        ground.partner_says(domain, to, STANZAS[what](f"bob@{domain}", to))
        inside, back = ground.settle(domain)
    none(back, "answered")
    passed(what, inside)


def cell_out(ground, kind, what):
    domain = DOMAINS[kind]
    sender = f"{what.lower()}-out-{kind}@{plan.APP}"
    ground.component.send(STANZAS[what](sender, f"ann@{domain}"))
    got, inside = ground.settle_out(domain)
    none(inside, "answered")
    passed(what, got, with_note=kind == FEDERATED)


def last_activity(ground, kind):
    """The note that somebody left with is in the answer to this query, too (XEP-0012)."""
    domain, to = DOMAINS[kind], f"gone-{kind}@{plan.APP}"
    if kind == UNVERIFIED:
        ground.component.send(presence(to, f"bob@{domain}", "subscribed"))
        ground.settle_out(domain)
    ground.partner_says(domain, to, f"<iq type='get' id='last' from='bob@{domain}' to='{to}'>"
                                    "<query xmlns='jabber:iq:last'/></iq>")
    one(ground.settle(domain)[0], "iq", id="last")
    ground.component.send(f"<iq type='result' id='last' from='{to}' to='bob@{domain}'>"
                          "<query xmlns='jabber:iq:last' seconds='90&amp;3'>gone fishing</query>"
                          "</iq>")
    answer = one(ground.settle_out(domain)[0], "iq", id="last", type="result")
    check(answer[0].get("seconds") == "90&3", "seconds:", text(answer))
    check(answer[0].text == ("gone fishing" if kind == FEDERATED else None), "note:", text(answer))


def disguised_notes(ground, kind):
    """A note in the namespace of another stream, or in an error, is one all the same; and what is
    no body where it comes from is none where it arrives."""
    domain, sender = DOMAINS[kind], f"sly-{kind}@{plan.APP}"
    notes = "".join(f"<status xmlns='{ns}'>out</status>" for ns in (NS_SERVER, "jabber:client"))
    plain = "<status>out</status>"
    ground.component.send(presence(sender, f"ann@{domain}", None, notes + "<show>away</show>"))
    ground.component.send(presence(sender, f"ann@{domain}", "error", plain + "<error type='cancel'>"
                                   f"<gone xmlns='{NS_STANZA_ERROR}'/></error>"))
    available, error = ground.settle_out(domain)[0]
    statuses = [child.tag for child in available if local(child) == "status"]
    check(statuses == (["{jabber:client}status"] if kind == FEDERATED else []), text(available))
    check("show" in [local(child) for child in available], text(available))
    check(("status" in [local(child) for child in error]) == (kind == FEDERATED), text(error))
    ground.component.send(message(f"bob@{domain}", "hi", sender=sender))
    one(ground.settle_out(domain)[0], "message")
    ground.partner_says(domain, sender, f"<message from='bob@{domain}' to='{sender}'><body xmlns="
                        f"'{NS_COMPONENT}'>hidden</body><subject>seen</subject></message>")
    arrived = one(ground.settle(domain)[0], "message")
    check([local(child) for child in arrived] == ["subject"], text(arrived))


def component_cells(shards):
    """All 24 cells with a component inside."""
    with Lab("types") as lab:
        ground = Rules(lab, TYPES, shards=shards)
        for kind in DOMAINS:
            for what in STANZAS:
                for direction, cell in (("in", cell_in), ("out", cell_out)):
                    print(f"     {kind} {direction} {what}", flush=True)
                    cell(ground, kind, what)
            last_activity(ground, kind)
            disguised_notes(ground, kind)
        totals = ground.fedgate.totals()
        check(totals["notes_removed"] == 8, "notes removed:", totals["notes_removed"])
        check(totals["refused_unreachable"] == 4, "refused:", totals["refused_unreachable"])
        ground.wait_refusal('rule=partners.type["open.test"]', "reason=not-reachable",
                            "act=message", "dir=in", 'from="bob@open.test"')


def sip_cells():
    """With SIP inside: IM both ways, and who may watch: strangers of unverified partners are told
    what watchers of unknown users are; the others' requests go to the pool, a note is nobody's."""
    with Lab("types-sip") as lab:
        ground = Rules(lab, TYPES)
        for kind, domain in DOMAINS.items():
            to = f"in-{kind}@{plan.CORP}"
            ground.partner_says(domain, to, message(to, f"to {kind}", sender=f"bob@{domain}"))
            back = ground.settle(domain, plan.CORP)[1]
            if kind == UNVERIFIED:
                check(error_of(one(back, "message", type="error")) == ("cancel", "item-not-found"),
                      "IM:", text(back[0]))
                check(ground.phone(f"in-{kind}").say(f"bob@{domain}", "first").status == 202, "out")
                first = ground.peers[domain].inbox.get(timeout=HANG_S)
                check(text_of(first, "body") == "first", "out")
                ground.partner_says(domain, to, message(to, f"to {kind}", sender=f"bob@{domain}"))
                back = ground.settle(domain, plan.CORP)[1]
            none(back, "answered")
            heard = ground.pool.next_message()
            check(heard.text == f"to {kind}", "the pool heard", heard.text)
            sender = ground.phone(f"out-{kind}")
            check(sender.say(f"ann@{domain}", "out").status == 202, "refused")
            check(text_of(ground.peers[domain].inbox.get(timeout=HANG_S), "body") == "out", "body")
            watch_sip(ground, kind, domain, to)


def watch_sip(ground, kind, domain, to):
    asked = ground.fedgate.stats()["presence"]["subscribe_sent"]
    for what, answer in (("note", None), ("presence", "unavailable"),
                         ("subscribe", "unsubscribed")):
        ground.partner_says(domain, to, STANZAS[what](f"eve-{what}@{domain}", to))
        back = ground.settle(domain, plan.CORP)[1]
        if answer and kind == UNVERIFIED:
            one(back, "presence", type=answer)
        else:
            none(back, "answered before anybody was asked")
    wanted = asked + (0 if kind == UNVERIFIED else 2)
    ground.fedgate.wait_stats("SUBSCRIBE", lambda s: s["presence"]["subscribe_sent"] == wanted)


# --- what opens and closes the way ----------------------------------------------------------------

def reaches(ground, user, sender=f"bob@{OPEN}"):
    """Whether the sender's message comes to the user inside; else he was answered."""
    to = f"{user}@{plan.APP}"
    ground.partner_says(OPEN, to, message(to, "knock", sender=sender))
    inside, back = ground.settle(OPEN)
    check(len(inside) + len(back) == 1, "neither or both",
          [text(e) for e in inside], [text(e) for e in back])
    return len(inside) == 1


def acts(ground, user, *stanzas):
    for xml in stanzas:
        ground.component.send(xml.replace("ME", f"from='{user}@{plan.APP}/desk' to='bob@{OPEN}"))
    ground.settle_out(OPEN)


QUERY = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
OPENERS = {
    "text": ("<message ME/phone' type='chat'><body>hi</body></message>", True),
    "normal": ("<message ME'><body>hi</body></message>", True),
    "typing": ("<message ME' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/>"
               "</message>", False),
    "received": ("<message ME'><received xmlns='urn:xmpp:receipts' id='1'/></message>", False),
    "error": ("<message ME' type='error'><body>hi</body><error type='cancel'>"
              f"<gone xmlns='{NS_STANZA_ERROR}'/></error></message>", False),
    "available": ("<presence ME'/>", False),
    "enters": ("<presence ME/nick'><x xmlns='http://jabber.org/protocol/muc'/></presence>", True),
    "leaves": ("<presence ME/nick' type='unavailable'>"
               "<x xmlns='http://jabber.org/protocol/muc'/></presence>", False),
    "subscribe": ("<presence ME' type='subscribe'/>", True),
    "probe": ("<presence ME' type='probe'/>", True),
    "subscribed": ("<presence ME' type='subscribed'/>", True),
    "unsubscribed": ("<presence ME' type='unsubscribed'/>", False),
    "query": ("<iq ME/phone' type='get' id='q'>" + QUERY + "</iq>", False),
}


def explained(ground, user, opens):
    """What fedgatectl is told by the node agrees with what stanzas meet."""
    said = ground.fedgate.ctl("why", "--json", f"bob@{OPEN}/x", f"{user}@{plan.APP}")["there"]
    got = said["allowed"], said["is_reachable"], said["reason"]
    check(got == (opens, opens, "allowed" if opens else "not-reachable"), f"why {user}:", said)


def openers():
    """What of ours lets an unverified partner's user answer, and whom; what ends it."""
    with Lab("openers") as lab:
        ground = Rules(lab, {OPEN: {"type": UNVERIFIED}})
        for name, (stanza, opens) in OPENERS.items():
            check(not reaches(ground, name), f"{name}: before")
            acts(ground, name, stanza)
            check(reaches(ground, name) == opens, f"{name}: expected {opens}")
            check(reaches(ground, name, f"bob@{OPEN}/else") == opens, f"{name}: his other client")
            check(not reaches(ground, name, f"eve@{OPEN}"), f"{name}: somebody else came in")
            explained(ground, name, opens)
        check(not reaches(ground, "other"), "for another user of ours")
        acts(ground, "subscribe", "<presence ME' type='unsubscribe'/>")
        check(not reaches(ground, "subscribe"), "after unsubscribe")
        acts(ground, "text", "<presence ME' type='unsubscribe'/>")
        check(not reaches(ground, "text"), "unsubscribe leaves the window open")
        acts(ground, "subscribed", "<presence ME' type='unsubscribed'/>")
        check(not reaches(ground, "subscribed"), "after unsubscribed")
        acts(ground, "normal", "<presence ME' type='unsubscribed'/>")
        check(reaches(ground, "normal"), "declining a request closed the window")
        ground.config["gateway"]["reply_window_s"] = 0
        ground.reload("no window")
        check(not reaches(ground, "normal"), "the window of before the reload is still open")
        acts(ground, "later", OPENERS["text"][0])
        check(not reaches(ground, "later"), "a window of 0 opened")
        check(reaches(ground, "probe"), "contacts need no window")
        acts(ground, "later", OPENERS["subscribe"][0])
        check(reaches(ground, "later"), "adding opened nothing")
        for kind, opens in ((VERIFIED, True), (UNVERIFIED, False)):
            ground.config["partners"][0]["type"] = kind
            ground.reload(f"type {kind}")
            check(reaches(ground, "other") == opens, f"{kind}: expected {opens}")


def errors_carry_no_text():
    """An error that answers nothing of ours is consumed; one that may answer something passes to
    whoever did not write with nothing but its condition; inside the window as it is. Pings of our
    domains come through whatever the type."""
    smuggled = ("<message type='error' from='bob@{0}' to='{1}' id='7' xml:lang='en'>"
                "<body>buy</body><subject>buy</subject><error type='wait' by='buy'>"
                "<gone xmlns='{2}'>xmpp:buy</gone><text xmlns='{2}'>buy</text><buy xmlns='buy'/>"
                "</error></message>")
    with Lab("errors") as lab:
        ground = Rules(lab, {OPEN: {"type": UNVERIFIED}})
        to = f"joe@{plan.APP}"
        xml = smuggled.format(OPEN, to, NS_STANZA_ERROR)

        def errors():
            ground.partner_says(OPEN, to, xml)
            ground.partner_says(OPEN, to, xml.replace("message", "presence"))
            inside, back = ground.settle(OPEN)
            none(back, "an error was answered")
            return inside
        refused = ground.fedgate.totals()["refused_unreachable"]
        none(errors(), "an error that nobody caused")
        check(ground.fedgate.totals()["refused_unreachable"] == refused + 2, "counted")
        acts(ground, "joe", OPENERS["query"][0])
        none(errors(), "a question lets no message pass")
        acts(ground, "ann", OPENERS["available"][0])
        none(errors(), "somebody else's")
        acts(ground, "joe", OPENERS["typing"][0])
        inside = errors()
        check([local(e) for e in inside] == ["message", "presence"], "lost:", inside)
        for element in inside:
            check("buy" not in text(element), "smuggled:", text(element))
            check(error_of(element) == ("wait", "gone") and element.get("id") == "7",
                  "not the error:", text(element))
        check(ground.fedgate.totals()["errors_emptied"] == 2, "counted")
        acts(ground, "joe", OPENERS["text"][0])
        ground.partner_says(OPEN, to, xml)
        inside = ground.settle(OPEN)[0]
        check(text(one(inside, "message")).count("buy") >= 5, "a true answer:", text(inside[0]))
        none(ground.settle(OPEN, plan.CORP)[1], "beside the ping's answer")


def roster(user):
    """jid -> subscription, of a user of Prosody's."""
    user.stream.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
    answer = user.stream.wait(lambda e: e.get("id") == "roster")
    return {item.get("jid"): item.get("subscription") for item in answer[0]}


def contacts_outlive_a_restart():
    """Prosody as the unverified partner: who were contacts stay contacts, and reach each other at
    once: the store knows who added whom."""
    ann, bob = f"ann@{plan.APP}", f"ann@{plan.FABRIKAM}"
    with Lab("contacts") as lab:
        corp_dns(lab)
        lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY)
        fedgate = Fedgate(lab, partners=[partner(plan.FABRIKAM, type=UNVERIFIED)]).start()
        Prosody(lab).start()
        component = lab.own(Component(plan.APP, "inside"))
        user = lab.own(User(bob, plan.PROSODY))
        component.send(presence(ann, bob, "subscribe"))
        user.stream.wait(lambda e: e.get("type") == "subscribe")
        user.stream.send(f"<presence to='{ann}' type='subscribed'/>"
                         f"<presence to='{ann}' type='subscribe'/>")
        component.stream.wait(lambda e: e.get("type") == "subscribe")
        component.send(presence(ann, bob, "subscribed"))
        wait_until("contacts", lambda: roster(user) == {ann: "both"}, 10)
        user.stop()
        component.stop()
        fedgate.stop()
        fedgate.start()
        component = lab.own(Component(plan.APP, "inside"))
        user = lab.own(User(bob, plan.PROSODY))  # Prosody probes his contacts
        component.stream.wait(lambda e: e.get("from", "").startswith(bob))
        check(roster(user) == {ann: "both"}, "roster after the restart", roster(user))
        user.say(ann, "now")
        component.hears("now")


# --- shards ---------------------------------------------------------------------------------------

MANY = [f"open{n}.test" for n in range(5)]


def shards():
    """Answers that come the moment our stanza is there find the way open, on two shards, from
    components and phones on either; with the answer's stream new each few rounds."""
    with Lab("shards") as lab:
        ground = Rules(lab, {domain: {"type": UNVERIFIED} for domain in MANY}, shards=2)
        lost = []
        for domain in MANY:
            ground.settle(domain)
            ground.settle(domain, plan.CORP)
        for n in range(12):
            for domain in MANY:
                if n % 4 == 0:
                    ground.peers[domain].replies.clear()  # the answer comes on a new stream
                bob = f"bob{n}@{domain}"
                ground.component.say(f"joe@{plan.APP}", bob, "hi")
                ground.peers[domain].inbox.get(timeout=HANG_S)
                ground.partner_says(domain, plan.APP, message(f"joe@{plan.APP}", "at once",
                                                              sender=bob))
                inside, back = ground.settle(domain)
                lost += [text(e) for e in back]
                check(len(inside) + len(back) == 1, "answers", len(inside), len(back))
        for n in range(6):
            phone = lab.own(type(ground.phone("liz"))("liz", plan.FEDGATE))
            for domain in MANY:
                bob = f"tom{n}@{domain}"
                call = phone.request("MESSAGE", f"sip:{bob}", f"sip:{bob}", (), "hi", "text/plain")
                ground.peers[domain].inbox.get(timeout=HANG_S)
                ground.partner_says(domain, plan.CORP, message(f"liz@{plan.CORP}", bob, sender=bob))
                check(phone.final(call).status == 202, "phone")
                check(ground.pool.next_message().text == bob, "another text")
        check(not lost, "answers refused:", lost)
        check(ground.fedgate.totals()["refused_unreachable"] == 0, "refused")


class Easy:
    """The server of all of MANY, without TLS: believes and confirms every key, tells when a message
    comes."""

    def __init__(self, address):
        self.heard = queue.SimpleQueue()
        self.listener = socket.create_server((address, plan.XMPP_SERVER))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected):
        stream = Stream.over(connected)
        head = stream.expect("stream")
        stream.send(f"<?xml version='1.0'?><stream:stream xmlns='{NS_SERVER}' id='e{id(stream)}' "
                    f"xmlns:stream='{NS_STREAM}' xmlns:db='{NS_DIALBACK}' version='1.0' "
                    f"from='{head.get('to')}' to='{head.get('from')}'><stream:features>"
                    "<dialback xmlns='urn:xmpp:features:dialback'/></stream:features>")
        stream.run()
        while hasattr(element := stream.queue.get(), "tag"):
            if local(element) in ("verify", "result"):
                ident = f" id='{element.get('id')}'" if local(element) == "verify" else ""
                stream.send(f"<db:{local(element)} from='{element.get('to')}' "
                            f"to='{element.get('from')}'{ident} type='valid'/>")
            elif local(element) == "message":
                self.heard.put(element)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def one_stream():
    """One incoming stream carries several partners, so it lives on another shard than some of them:
    what that shard heard of is enough for an answer that comes at once."""
    plain = {"type": UNVERIFIED, "acks": "off", "tls": "not_supported", "sasl": "not_supported",
             "dialback": True}
    with Lab("one-stream") as lab:
        corp_dns(lab)
        for domain in MANY:
            lab.dns.xmpp(domain, EVIL_ADDRESS)
        fedgate = Fedgate(lab, partners=[partner(domain, **plain) for domain in MANY], shards=3)
        fedgate.start()
        component = lab.own(Component(plan.APP, "inside"))
        easy = lab.own(Easy(EVIL_ADDRESS))
        raw = Raw().send(header(sender=MANY[0]))
        raw.until("</stream:features>")
        for domain in MANY:
            raw.send(f"<db:result from='{domain}' to='{plan.APP}'>key</db:result>")
            raw.until(f"to=\"{domain}\" type=\"valid\"")
        for n in range(40):
            for domain in MANY:
                bob = f"bob{n}@{domain}"
                component.say(f"joe@{plan.APP}", bob, "hi")
                check(easy.heard.get(timeout=HANG_S).get("to") == bob, "to another")
                raw.send(message(f"joe@{plan.APP}", "at once", sender=bob))
                got = component.stream.received()
                said = got.get("from"), text_of(got, "body")
                check(said == (bob, "at once"), "got", text(got))
        check(fedgate.totals()["refused_unreachable"] == 0, "refused")
        raw.close()


# --- many strangers -------------------------------------------------------------------------------

KNOCKS = 20000


def knocks(shards):
    """A stranger who knocks without a pause is answered each time, no answer is lost, nobody inside
    hears of it, and another partner is not held up; nor does it hide in the log what that one is
    refused, and how many of its own lines are left out is told."""
    friend, refused = DOMAINS[FEDERATED], []
    with Lab("knocks") as lab:
        types = TYPES | {friend: TYPES[friend] | {"blocked": [f"mallory@{friend}"]}}
        ground = Rules(lab, types, shards=shards)
        peer = ground.peers[OPEN]
        ground.settle(OPEN)
        ground.settle(friend)
        before = ground.fedgate.totals()
        writer = threading.Thread(target=lambda: [
            peer.reply(plan.APP, "".join(
                message(f"u{m}@{plan.APP}", "knock " * 40, sender=f"eve{m}@{OPEN}", ident=f"k{m}")
                for m in range(n, n + 100))) for n in range(0, KNOCKS, 100)], daemon=True)
        writer.start()
        waits = []
        while writer.is_alive() or len(waits) < 3:
            begin = time.monotonic()
            none(ground.settle(friend)[1], "for the friend")
            waits.append(time.monotonic() - begin)
            if len(refused) < 12:
                refused.append(f"user{len(refused)}@{plan.APP}")
                ground.partner_says(friend, refused[-1], message(
                    refused[-1], "x", sender=f"mallory@{friend}", ident=f"m{len(refused)}"))
                check(len(ground.settle(friend)[1]) == 1, "the blocked one is not answered")
        answered = {peer.inbox.get(timeout=HANG_S).get("id") for _ in range(KNOCKS)}
        check(len(answered) == KNOCKS, "answered", len(answered))
        none(ground.settle(OPEN)[0], "came inside")
        now = ground.fedgate.totals()
        check(now["refused_unreachable"] - before["refused_unreachable"] == KNOCKS, "counted")
        check(now["dropped_error"] == before["dropped_error"], "answers dropped",
              now["dropped_error"] - before["dropped_error"])
        print(f"     a friend waited {max(waits):.3f} s at most")
        check(max(waits) < 2, "a friend waited", max(waits))
        ground.fedgate.stop()
        lines = ground.refusals()
        for user in refused:
            check([line for line in lines if "mallory" in line and f'"{user}"' in line],
                  "hidden by the knocks:", user)
        hidden = sum(int(n) for line in lines for n in re.findall(r" withheld=(\d+)", line))
        shown = sum("@open.test" in line for line in lines)
        print(f"     {shown} of {KNOCKS} knocks are lines, {hidden} are told")
        check(0 < shown < 200 and shown + hidden == KNOCKS, "not told:", KNOCKS - shown - hidden)


if __name__ == "__main__":
    main(case("component_cells", component_cells, 1),
         case("component_cells_two_shards", component_cells, 2), sip_cells,
         openers, errors_carry_no_text, contacts_outlive_a_restart, shards, one_stream,
         case("knocks", knocks, 1),
         case("knocks_two_shards", knocks, 2))
