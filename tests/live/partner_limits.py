#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is agreed with one partner: how fast and how large it sends, how many connections there are
with it, its maintenance switch; and how reloads of these reach live streams."""
import os
import socket
import sys
import threading
import time
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import partner
from lab.hostile import EVIL, EVIL_ADDRESS, JOE, Ground, Raw, header, refused, tls_context
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.sip import Phone
from lab.xmpp import END, NS_STREAM, error_of, local, message, text_of

ANN = f"ann@{EVIL}"
SUB = f"sub.{EVIL}"


class Rows(Ground):
    """The ground whose second row is changed and reloaded."""

    def __init__(self, lab, evil=None, change=None, shards=1, **options):
        super().__init__(lab, {} if evil is None else evil, change, shards, **options)
        lab.certs.make(EVIL, SUB, name="evil-both")
        self.peer = Peer(lab, EVIL, EVIL_ADDRESS, certificate="evil-both").listen()
        self.generation = 1

    def row(self, **changes):
        """Changes EVIL's row and reloads; None takes a key away."""
        row = self.fedgate.config["partners"][1]
        for key, value in changes.items():
            row.pop(key, None)
            if value is not None:
                row[key] = value
        self.reload()

    def reload(self):
        self.fedgate.reload()
        self.generation += 1
        self.fedgate.wait_stats("reload", lambda s: s["config_generation"] == self.generation)

    def peer_hears(self, text, timeout=HANG_S):
        heard = self.peer.inbox.get(timeout=timeout)
        while heard.tag == f"{{{NS_STREAM}}}error":  # why the last stream ended
            heard = self.peer.inbox.get(timeout=timeout)
        check(text_of(heard, "body") == text, "expected", text, "got",
              ElementTree.tostring(heard, "unicode"))

    def figures(self):
        return self.fedgate.partner(EVIL)

    def last_failures(self, way):
        return self.figures()[way]["last_failures"]


def arrivals(ground, count, timeout=HANG_S):
    """Times at which the component got the messages 0, 1, ... of EVIL, in order."""
    times = []
    while len(times) < count:
        element = ground.component.stream.received(timeout)
        check(element is not END, "the component's stream ended")
        if local(element) == "message" and element.get("from", "").startswith("ann@"):
            check(text_of(element, "body").split()[0] == str(len(times)), "out of order",
                  text_of(element, "body")[:20], len(times))
            times.append(time.monotonic())
    return times


def send_numbers(stream, count, pad=0):
    for n in range(count):
        stream.send(message(JOE, f"{n} " + "x" * pad, sender=ANN))


# --- rate -----------------------------------------------------------------------------------------

def stanza_rate():
    """20 a second with 10 at once: the burst passes, the rest comes at that pace, nothing is lost
    or overtaken, other partners' streams do not wait; two streams of the partner share the rate."""
    with Lab("rate") as lab:
        ground = Rows(lab, {"stanza_rate_max": 20, "stanza_burst": 10})
        stream = ground.peer.dial(plan.APP)
        send_numbers(stream, 9)  # behind the tenth it waits
        arrivals(ground, 9)
        check(ground.totals()["rate_waits"] == 0, "the burst waited")
        time.sleep(0.6)  # the next burst may be whole
        begin = time.monotonic()
        threading.Thread(target=send_numbers, args=(stream, 50), daemon=True).start()
        arrivals(ground, 12)
        ground.calm()  # another partner, meanwhile
        took = [t for t in more(ground, 12, 50)][-1] - begin
        check(took > 1.8, "40 above the burst at 20 a second took", took)
        show_time("40 above the burst at 20 a second", took)
        check(ground.totals()["rate_waits"] >= 20, "waits", ground.totals()["rate_waits"])
        # Two streams: together as fast as one.
        second = ground.peer.dial(plan.APP)
        time.sleep(0.6)
        begin = time.monotonic()
        for one in (stream, second):
            threading.Thread(target=lambda s=one: [s.send(message(JOE, f"p {n}", sender=ANN))
                                                   for n in range(25)], daemon=True).start()
        count = 0
        while count < 50:
            element = ground.component.stream.received()
            count += text_of(element, "body").startswith("p ")
        took = time.monotonic() - begin
        check(took > 1.7, "two streams took", took)
        show_time("two streams", took)


def more(ground, first, last):
    """As arrivals(), going on at a number."""
    for n in range(first, last):
        while True:
            element = ground.component.stream.received()
            check(element is not END, "the component's stream ended")
            if element.get("from", "").startswith("ann@"):
                break
        check(text_of(element, "body").split()[0] == str(n), "out of order")
        yield time.monotonic()


def byte_rate():
    """100 kB a second with 20 kB at once; and a reload that takes the bound away is felt at the
    next stanza."""
    with Lab("bytes") as lab:
        ground = Rows(lab, {"byte_rate_max": 100000, "byte_burst": 20000,
                            "stanza_bytes_max": 10000})
        stream = ground.peer.dial(plan.APP)
        begin = time.monotonic()
        threading.Thread(target=send_numbers, args=(stream, 30, 9000), daemon=True).start()
        took = arrivals(ground, 30)[-1] - begin
        check(took > 2.0, "270 kB at 100 kB a second took", took)
        show_time("270 kB at 100 kB a second", took)
        waits = ground.totals()["rate_waits"]
        check(waits > 0, "waits")
        ground.row(byte_rate_max=None, byte_burst=None)
        time.sleep(0.3)
        send_numbers(stream, 30, 9000)
        arrivals(ground, 30)
        check(ground.totals()["rate_waits"] == waits, "it waits without a bound")
        ground.calm()


# --- size -----------------------------------------------------------------------------------------

def stanza_size():
    """Larger than agreed: answered policy-violation, both ways, SIP with 413; streams live on."""
    with Lab("size") as lab:
        hop = {"kind": "sip", "uri": "sip:pool.corp.test;transport=tcp",
               "trusted_addresses": [plan.PHONES], "options_interval_s": 0}

        def change(config):
            config["next_hops"]["pool"] = hop
        ground = Rows(lab, {"stanza_bytes_max": 10000}, change)
        stream = ground.peer.dial(plan.APP)
        large = "y" * 11000
        stream.send(message(JOE, large, sender=ANN, ident="in1"))
        stream.send(message(JOE, "small", sender=ANN))
        ground.component.hears("small")
        answer = ground.peer.inbox.get(timeout=HANG_S)
        check((answer.get("id"), *error_of(answer)) == ("in1", "modify", "policy-violation"),
              "answered", answer.attrib, error_of(answer))
        ground.component.say(JOE, ANN, large, ident="out1")
        check(ground.component.gets_error("out1") == ("modify", "policy-violation"), "outwards")
        ground.component.say(JOE, ANN, "fits")
        check(text_of(ground.peer.inbox.get(timeout=HANG_S), "body") == "fits", "outwards, small")
        phone = Phone("sip-user", address=plan.FEDGATE)
        lab.own(phone)
        got = phone.say(ANN, large)
        check(got.status == 413, "a SIP user is told", got.start)
        check(ground.figures()["bounced"]["size"] == 3, "counted", ground.figures()["bounced"])
        check(not stream.ended, "the stream was closed")
        # Without the bound limits.stanza_bytes_max alone counts, also for what came before.
        ground.row(stanza_bytes_max=None)
        stream.send(message(JOE, large, sender=ANN))
        ground.component.hears(large)
        ground.component.say(JOE, ANN, large)
        check(text_of(ground.peer.inbox.get(timeout=HANG_S), "body") == large, "outwards, large")


# --- maintenance ----------------------------------------------------------------------------------

TEXT = "bis 14 Uhr – wir ziehen um"


def maintenance():
    """Switched on: both streams close with the administrator's text, new ones are
    refused with it, nothing is dialled, what waits or comes is answered with it (SIP: 480 with
    Retry-After). Switched off: all as before, at once."""
    with Lab("maintenance") as lab:
        hop = {"kind": "sip", "uri": "sip:pool.corp.test;transport=tcp",
               "trusted_addresses": [plan.PHONES], "options_interval_s": 0}
        ground = Rows(lab, {}, lambda c: c["next_hops"].update(pool=hop))
        phone = lab.own(Phone("sip-user", address=plan.FEDGATE))
        stream = ground.peer.dial(plan.APP)
        ground.component.say(JOE, ANN, "one")
        check(text_of(ground.peer.inbox.get(timeout=HANG_S), "body") == "one", "before")
        outward = ground.peer.accepted[0]
        begin = time.monotonic()
        ground.row(maintenance=TEXT)
        error = stream.wait(lambda e: local(e) == "error")
        check(TEXT in [child.text for child in error], "told", [child.text for child in error])
        check(local(error[0]) == "resource-constraint", "condition", error[0].tag)
        wait_until("the end of both streams", lambda: stream.ended and outward.ended, 5)
        show_time("closed after", time.monotonic() - begin)
        dialled = len(ground.peer.accepted)
        raw = Raw()
        raw.send(header())
        check(TEXT in refused(raw, "resource-constraint"), "a new stream was told", raw.text)
        ground.component.say(JOE, ANN, "two", ident="two")
        told = ground.component.stream.wait(lambda e: e.get("id") == "two")
        check(error_of(told)[0] == "wait", "a component's message", error_of(told))
        check(TEXT in [t.text for t in told.iter()], "its text", [t.text for t in told.iter()])
        got = phone.say(ANN, "hello")
        check(got.status == 480 and got.get("retry-after"), "a SIP user", got.start, got.headers)
        ground.calm()
        check(len(ground.peer.accepted) == dialled, "dialled while in maintenance")
        ground.row(maintenance=None)
        ground.component.say(JOE, ANN, "three")
        ground.peer_hears("three")
        ground.peer.dial(plan.APP).send(message(JOE, "four", sender=ANN))
        ground.component.hears("four")


def wishes_are_answered():
    """Stanzas that wait for a stream that does not come about (dialling, back-off) are answered at
    once when the reload refuses the partner."""
    with Lab("wishes") as lab:
        mute_name, mute_at = f"mute.{EVIL}", "127.77.3.9"
        ground = Rows(lab, {"additional_domains": [SUB, mute_name]})
        lab.dns.xmpp(SUB, plan.NOBODY)
        lab.dns.xmpp(mute_name, mute_at)
        mute = [socket.create_server((mute_at, port))
                for port in (plan.XMPP_SERVER, plan.XMPPS_SERVER)]
        ground.component.say(JOE, f"ann@{mute_name}", "z", ident="dialling")
        ground.component.say(JOE, f"ann@{SUB}", "x", ident="first")
        wait_until("a back-off", lambda: ground.fedgate.partner(EVIL)["out"]["failures"], 10)
        ground.component.say(JOE, f"ann@{SUB}", "y", ident="second")
        begin = time.monotonic()
        ground.row(maintenance="soon")
        for ident in ("dialling", "first", "second"):
            check(ground.component.gets_error(ident)[0] == "wait", "answered", ident)
        show_time("answered after", time.monotonic() - begin)
        ground.row(maintenance=None)
        ground.component.say(JOE, ANN, "again")
        check(text_of(ground.peer.inbox.get(timeout=HANG_S), "body") == "again", "afterwards")
        for listener in mute:
            listener.close()


# --- connections ----------------------------------------------------------------------------------

def connection_limit():
    """Both directions count together, a place is kept for each; what is above is refused
    resource-constraint, what waits goes out when a place comes free, and a lowered limit closes
    the newest."""
    with Lab("connections") as lab:
        # Nothing is confirmed: no streams of the peer for that.
        ground = Rows(lab, {"connection_limit": 4, "acks": "off"})
        streams = [ground.peer.dial(plan.APP) for _ in range(3)]
        fourth = ground.peer.dial(plan.APP)  # three of four is what one direction may have
        error = fourth.wait(lambda e: local(e) == "error")
        check(local(error[0]) == "resource-constraint", "refused with", error[0].tag)
        check("policy" in ground.last_failures("in"), "kept", ground.last_failures("in"))
        for n, stream in enumerate(streams):
            stream.send(message(JOE, f"alive {n}", sender=ANN))
            ground.component.hears(f"alive {n}")
        ground.component.say(JOE, ANN, "out")  # the kept place
        check(text_of(ground.peer.inbox.get(timeout=HANG_S), "body") == "out", "no way out")
        # A second pair would be the fifth: it waits, and goes when one has left.
        lab.dns.xmpp(SUB, EVIL_ADDRESS)
        ground.row(additional_domains=[SUB])
        ground.component.say(JOE, f"ann@{SUB}", "waits")
        ground.fedgate.wait_stats("a wait", lambda s: s["totals"]["connection_limit_waits"] == 1)
        check("limit" in ground.last_failures("out")["policy"]["text"], "kept")
        time.sleep(0.5)
        check(ground.peer.inbox.empty(), "dialled above the limit")
        streams.pop(0).close()
        ground.peer_hears("waits")
        # Lowered: the newest go, the oldest stay. There are two incoming and two outgoing.
        ground.row(connection_limit=2)
        wait_until("the newest to go", lambda: streams[1].ended, 5)
        figures = ground.fedgate.wait_stats(
            "two left", lambda s: (lambda p: p["in"]["streams"] == p["out"]["streams"] == 1 and p)(
                s["partners"][EVIL]))
        check(not streams[0].ended and figures, "the oldest went")
        streams[0].send(message(JOE, "still", sender=ANN))
        ground.component.hears("still")
        check(ground.totals()["connection_limit_closed"] == 2, "counted")
        ground.calm()


def pairs_share_one_place():
    """Two pairs, one place outwards: the stream that nobody uses makes room for the other, again
    and again."""
    with Lab("shared") as lab:
        ground = Rows(lab, {"connection_limit": 2, "acks": "off", "additional_domains": [SUB]})
        lab.dns.xmpp(SUB, EVIL_ADDRESS)
        for n in range(2):
            for name in (EVIL, SUB):
                begin = time.monotonic()
                ground.component.say(JOE, f"ann@{name}", f"{name} {n}")
                ground.peer_hears(f"{name} {n}")
                show_time("waited", time.monotonic() - begin)
        check(ground.figures()["out"]["streams"] == 1, "streams", ground.figures())
        check(ground.totals()["streams_lost"] == 0, "lost")


def multiplexed_pairs():
    """Several pairs on one stream: the one that a reload refuses goes, the other carries on; when
    the last one is refused the stream closes."""
    with Lab("pairs") as lab:
        ground = Rows(lab, {"sasl": "optional", "dialback": True, "additional_domains": [SUB]})
        stream = ground.peer.dial(plan.APP)
        stream.send(f"<db:result from='{SUB}' to='{plan.APP}'>key</db:result>")
        answer = stream.wait(lambda e: local(e) == "result")
        check(answer.get("type") == "valid", "the second pair", answer.attrib)
        for name in (EVIL, SUB):
            stream.send(message(JOE, f"from {name}", sender=f"x@{name}"))
            ground.component.hears(f"from {name}")
        ground.row(additional_domains=None)
        stream.send(message(JOE, "refused", sender=f"x@{SUB}"))
        stream.send(message(JOE, "goes on", sender=ANN))
        heard = ground.component.next_message()
        check(text_of(heard, "body") == "goes on", "the refused pair still carries")
        check(not stream.ended, "the stream was closed for one of its pairs")
        ground.fedgate.config["partners"].pop()
        begin = time.monotonic()
        ground.reload()
        error = stream.wait(lambda e: local(e) == "error")
        check(local(error[0]) == "policy-violation", "closed with", error[0].tag)
        show_time("closed after", time.monotonic() - begin)
        ground.calm()


def pairs_of_several_partners():
    """A partner with a rate is taken on another partner's stream only where that lives on its own
    home shard: elsewhere its stanzas would not be counted with the others."""
    others = [f"o{n}.test" for n in range(6)]
    with Lab("several") as lab:
        lab.certs.make(EVIL, *others, name="several")
        ground = Rows(lab, {"sasl": "optional", "dialback": True, "stanza_rate_max": 1000},
                      lambda config: config["partners"].extend(partner(name) for name in others),
                      shards=3)

        def ask():
            answers = {}
            for name in others:
                stream = Peer(lab, name, EVIL_ADDRESS, certificate="several").dial(plan.APP)
                stream.send(f"<db:result from='{EVIL}' to='{plan.APP}'>key</db:result>")
                answers[name] = stream.wait(lambda e: local(e) == "result").get("type")
                stream.send(message(JOE, f"own {name}", sender=f"x@{name}"))
                ground.component.hears(f"own {name}")
            return answers
        first = ask()
        check(set(first.values()) == {"valid", "error"}, "with a rate", first)
        ground.row(stanza_rate_max=None)
        free = ask()
        check(set(free.values()) == {"valid"}, "without", free)


def blocked_domain():
    """A domain that a reload blocks loses its streams like one that is removed, and its place in
    the list gives them back."""
    with Lab("blocked") as lab:
        ground = Rows(lab, {})
        stream = ground.peer.dial(plan.APP)
        ground.component.say(JOE, ANN, "one")
        ground.peer_hears("one")
        ground.fedgate.config["blocked"] = [EVIL]
        begin = time.monotonic()
        ground.reload()
        wait_until("the end of both", lambda: stream.ended and ground.peer.accepted[0].ended, 3)
        show_time("closed after", time.monotonic() - begin)
        raw = Raw()
        raw.send(header())
        refused(raw, "policy-violation")
        kept = ground.last_failures("in")["policy"]["text"]
        check('by blocked["evil.test"]' in kept and EVIL_ADDRESS in kept, "kept", kept)
        ground.fedgate.process.wait_log('rule=blocked["evil.test"] text=')
        ground.component.say(JOE, ANN, "two", ident="two")
        check(ground.component.gets_error("two")[0] in ("auth", "cancel"), "answered")
        ground.fedgate.config["blocked"] = []
        ground.reload()
        ground.component.say(JOE, ANN, "three")
        ground.peer_hears("three")


def changed_row():
    """A stream that ends because the partner's entry changed names that entry, whatever users may
    do; with the pair of domains refused it names what refuses it."""
    with Lab("changed") as lab:
        ground = Rows(lab, {}, lambda config: config.update(access={
            "global": {"xmpp": False}, "users": {"a": {"xmpp": True, "members": [JOE]}}}))
        stream = ground.peer.dial(plan.APP)
        stream.send(message(JOE, "one", sender=ANN))
        ground.component.hears("one")
        for changes, rule in (({"sasl": "not_supported", "dialback": True}, "partners"),
                              ({"maintenance": "later"}, "partners.maintenance")):
            ground.row(**changes)
            wait_until("the end", lambda: stream.ended, 3)
            kept = ground.last_failures("in")["policy"]["text"]
            check(f'by {rule}["evil.test"]: ' in kept, "kept", kept)
            ground.fedgate.process.wait_log(f'why=reload rule={rule}["evil.test"] ')
            check("rule=access" not in ground.fedgate.log_text(), "access.global is named")
            ground.row(sasl="required", dialback=False, maintenance=None)
            stream = ground.peer.dial(plan.APP)
            stream.send(message(JOE, f"after {rule}", sender=ANN))
            ground.component.hears(f"after {rule}")


def stubborn_partner():
    """A partner that neither answers our close nor ends its connections is out all the same."""
    with Lab("stubborn") as lab:
        ground = Rows(lab, {})
        ends = []

        def listen_only(stream):
            stream.socket.settimeout(HANG_S)
            while stream.socket.recv(4096):
                pass
            ends.append(time.monotonic())
        ground.peer.on_stream = listen_only
        ground.component.say(JOE, ANN, "one")
        wait_until("a stream", lambda: ground.peer.accepted, 5)
        stream = ground.peer.dial(plan.APP, run=False)
        ground.fedgate.config["partners"].pop()
        begin = time.monotonic()
        ground.reload()
        listen_only(stream)
        wait_until("the end of both", lambda: len(ends) == 2, 5)
        show_time("out after", max(ends) - begin)
        ground.calm()


def rate_and_close():
    """A stream that is not read for a long time is closed in order all the same, and by a stop."""
    with Lab("slow") as lab:
        ground = Rows(lab, {"stanza_rate_max": 1, "stanza_burst": 1})
        stream = ground.peer.dial(plan.APP)
        send_numbers(stream, 30)
        arrivals(ground, 2)
        begin = time.monotonic()
        ground.row(maintenance="now")
        stream.wait(lambda e: local(e) == "error")
        stream.close()
        ground.fedgate.wait_stats("no streams", lambda s: s["partners"][EVIL]["in"]["streams"] == 0,
                                  4)
        show_time("its end was heard after", time.monotonic() - begin)


def method_no_longer_allowed():
    """A row that no longer allows how live streams were authenticated closes them, both ways; what
    waits goes out on a new one by the new row."""
    with Lab("method") as lab:
        ground = Rows(lab, {"sasl": "optional", "dialback": True})
        stream = ground.peer.dial(plan.APP)
        ground.component.say(JOE, ANN, "one")
        check(text_of(ground.peer.inbox.get(timeout=HANG_S), "body") == "one", "before")
        outward = ground.peer.accepted[0]
        ground.row(sasl="not_supported")
        wait_until("the end of both", lambda: stream.ended and outward.ended, 3)
        check("policy" in ground.last_failures("in") and "policy" in ground.last_failures("out"),
              "kept", ground.figures())
        ground.row(sasl="optional")
        ground.component.say(JOE, ANN, "two")
        ground.peer_hears("two")
        ground.calm()


def claimed_names():
    """Strangers that claim one partner's name after the other make figures for the last 500 only,
    and push out nobody who proved to be one."""
    with Lab("claims") as lab:
        names = [f"c{n}.test" for n in range(560)]
        ground = Rows(lab, {}, lambda config: config["partners"].extend(map(partner, names)))
        ground.peer.dial(plan.APP).send(message(JOE, "proved", sender=ANN))
        ground.component.hears("proved")
        raw = Raw()
        raw.send(header(sender=names[0]))  # a claim whose figures are pushed out while it lasts
        for name in names + names[-2:]:
            stranger = Raw()
            stranger.send(header(sender=name) + "<a")
            stranger.close()

        def those(stats):
            return [name for name in names if name in stats["partners"]]
        ground.fedgate.wait_stats("the last", lambda s: names[-1] in s["partners"])
        raw.send("<a/>")
        raw.close()
        found = ground.fedgate.wait_stats("all of them", lambda s: names[0] in s["partners"]
                                          and those(s))
        check(found == names[:1] + names[-499:], "kept", len(found), found[:3])
        check(ground.figures()["in"]["stanzas"] == 1, "who proved it", ground.figures())
        ground.calm()


def failures_are_kept():
    """The last failure of each step and direction stays to be seen, also when others follow."""
    with Lab("failures") as lab:
        ground = Rows(lab, {})
        ground.peer.stop()
        lab.dns.srv(f"_xmpps-server._tcp.{EVIL}", (0, 0, 0, "."))
        lab.dns.srv(f"_xmpp-server._tcp.{EVIL}", (0, 0, plan.XMPP_SERVER, f"host.{EVIL}"))
        lab.dns.a(f"host.{EVIL}", plan.NOBODY)
        ground.component.say(JOE, ANN, "x", ident="tcp")
        wait_until("step tcp", lambda: "tcp" in ground.last_failures("out"), 10)
        raw = Raw()
        raw.starttls(tls_context(), sender=EVIL).send(header())  # shows no certificate
        raw.until_end()
        shown = ground.figures()
        for way, step in (("out", "tcp"), ("in", "certificate")):
            kept = shown[way]["last_failures"]
            check(step in kept, way, "has", kept)
            check(abs(kept[step]["at"] - time.time()) < 30 and kept[step]["text"], "kept", kept)
            check(shown[way]["last_failure"]["text"].startswith(step), "last", shown[way])
        ground.calm()


def a_removed_partner_is_forgotten():
    """Figures, failures and memory of a partner go with its row and its last connection; when the
    row comes back it begins anew."""
    with Lab("forgotten") as lab:
        ground = Rows(lab, {})
        row = ground.fedgate.config["partners"].pop()
        stream = ground.peer.dial(plan.APP)
        stream.send(message(JOE, "one", sender=ANN))
        ground.component.hears("one")
        check(ground.figures()["in"]["stanzas"] == 1, "figures", ground.figures())
        ground.reload()
        stream.wait(lambda e: local(e) == "error")
        ground.fedgate.wait_stats("no trace", lambda s: EVIL not in s["partners"], 10)
        ground.fedgate.config["partners"].append(row)
        ground.reload()
        ground.peer.dial(plan.APP).send(message(JOE, "two", sender=ANN))
        ground.component.hears("two")
        check(ground.figures()["in"]["stanzas"] == 1, "figures", ground.figures())
        ground.calm()


if __name__ == "__main__":
    main(stanza_rate, byte_rate, stanza_size, maintenance, wishes_are_answered, connection_limit,
         pairs_share_one_place, multiplexed_pairs, pairs_of_several_partners, blocked_domain,
         changed_row, stubborn_partner, rate_and_close, method_no_longer_allowed, failures_are_kept,
         claimed_names, a_removed_partner_is_forgotten)
