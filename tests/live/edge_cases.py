#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon does besides carrying stanzas: several pairs per stream, timers, bounds of
queues, targets in turn, reload, the home shard, the orderly stop."""
import os
import queue
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hops import HOP, POOLS, Pool, sip_names
from lab.hostile import EVIL, EVIL_ADDRESS, GOOD, JOE, LIZ, PLAIN, Ground, Raw, header, refused
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.sip import SipWire
from lab.xmpp import NS_DIALBACK, NS_SERVER, NS_STREAM, Stream, error_of, local

TWO = "two.corp.test"  # a second domain of the component's
SUB = f"sub.{EVIL}"


# --- several pairs on one stream --------------------------------------------------------------

class Authority:
    """The server of EVIL without TLS: confirms keys, after `slow` seconds those for TWO."""

    def __init__(self, slow):
        self.slow = slow
        self.listener = socket.create_server((EVIL_ADDRESS, plan.XMPP_SERVER))
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
        stream.send(f"<?xml version='1.0'?><stream:stream xmlns='{NS_SERVER}' id='a{id(stream)}' "
                    f"xmlns:stream='{NS_STREAM}' xmlns:db='{NS_DIALBACK}' version='1.0' "
                    f"from='{head.get('to')}' to='{head.get('from')}'><stream:features/>")
        stream.run()
        while hasattr(element := stream.queue.get(), "tag"):
            if local(element) == "verify":
                ours, theirs = element.get("from"), element.get("to")
                threading.Timer(self.slow if ours == TWO else 0, stream.send, [
                    f"<db:verify from='{theirs}' to='{ours}' id='{element.get('id')}' "
                    "type='valid'/>"]).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def pairs(shards):
    """Three pairs asked for at once on one stream, their answers at different times: each is
    proved, and is good for its own stanzas only."""
    def change(config):
        config["domains"].append({"name": TWO, "next_hop": "app"})
    with Lab("pairs") as lab:
        ground = Ground(lab, dict(PLAIN, additional_domains=[SUB]), change, shards=shards)
        lab.dns.xmpp(SUB, EVIL_ADDRESS)
        two = lab.own(type(ground.component)(TWO, "inside"))
        lab.own(Authority(0.4))
        wanted = ((EVIL, plan.APP), (EVIL, TWO), (SUB, plan.APP))
        for n in range(6):  # some are accepted on another shard than their home
            raw = Raw()
            raw.send(header()).until("</stream:features>")
            raw.send("".join(f"<db:result from='{a}' to='{b}'>key{n}</db:result>"
                             for a, b in wanted))
            deadline = time.monotonic() + HANG_S
            while raw.text.count("<db:result") < len(wanted):
                check(time.monotonic() < deadline and not raw.is_ended, "unanswered", raw.text)
                raw.take(deadline - time.monotonic())
            check(raw.text.count("type=\"valid\"") == len(wanted), "refused", raw.text)
            for a, b in wanted:
                raw.send(f"<message from='ann@{a}' to='joe@{b}'><body>{a} {b} {n}</body></message>")
            ground.component.hears(f"{EVIL} {plan.APP} {n}")
            ground.component.hears(f"{SUB} {plan.APP} {n}")
            two.hears(f"{EVIL} {TWO} {n}")
            # Never asked for: SUB to TWO.
            raw.text = ""
            raw.send(f"<message from='ann@{SUB}' to='joe@{TWO}'><body>no</body></message>")
            raw.send(f"<message from='ann@{EVIL}' to='{JOE}'><body>end {n}</body></message>")
            check("no" not in [text for text in bodies(two, 0.3)], "an unproved pair was used")
            raw.close()
        row = ground.fedgate.partner(EVIL)
        check(row["in"]["authenticated"]["dialback_plain"] == 6 * len(wanted), "counted", row["in"])
        ground.calm()


def bodies(component, seconds):
    """Texts of all messages that come within that time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            element = component.stream.queue.get(timeout=left)
        except queue.Empty:
            return
        yield next((child.text for child in element if local(child) == "body"), None)


# --- timers ---------------------------------------------------------------------------------------

def keepalive_and_inactivity():
    """Our streams carry a space twice per interval; unused ones are closed in order, both ways (one
    that brings spaces only, too), and come back when needed."""
    def change(config):
        config["gateway"].update(keepalive_interval_s=1, stream_inactivity_timeout_s=3)
    with Lab("idle") as lab:
        ground = Ground(lab, {}, change)
        evil = Peer(lab, EVIL, EVIL_ADDRESS)
        seen = []

        def record(stream):
            stream.socket.settimeout(HANG_S)
            try:
                while data := stream.socket.recv(65536):
                    seen.append((time.monotonic(), data))
                    if b"</stream:stream>" in data:
                        stream.send("</stream:stream>")
            except OSError:
                pass
        evil.on_stream = record
        evil.listen()
        begin = time.monotonic()
        ground.component.say(JOE, f"ann@{EVIL}", "one")
        quiet = time.monotonic()
        idle = evil.dial(plan.APP, run=False)
        idle.socket.settimeout(0.3)
        got = b""
        while b"</stream:stream>" not in got:
            check(time.monotonic() - quiet < HANG_S, "still open", got)
            try:
                data = idle.socket.recv(4096)
            except TimeoutError:
                idle.send(" ")
                continue
            check(data, "cut without a closing tag", got)
            got += data
        waited = time.monotonic() - quiet
        check(waited > 2.5, "an unused incoming stream was closed after", waited)
        show_time("it was closed after", waited)
        check(b"stream:error" not in got, "an error", got)
        wait_until("the end of the outgoing stream",
                   lambda: any(b"</stream:stream>" in data for _, data in seen), 12)
        # Some may come in one piece. Not more than one each half second.
        spaces = sum(len(data) for _, data in seen if not data.strip())
        check(3 <= spaces <= 2 * (time.monotonic() - begin) + 1, "spaces",
              [(round(when - begin, 2), data) for when, data in seen])
        before = len(evil.accepted)
        ground.component.say(JOE, f"ann@{EVIL}", "two")
        wait_until("a new stream", lambda: len(evil.accepted) > before, 5)
        check(ground.totals()["streams_lost"] == 0, "counted as lost")


def establishment():
    """A stream that is not authenticated in time ends with a stream error, whatever it did last."""
    def change(config):
        config["gateway"]["stream_establishment_timeout_s"] = 2
    with Lab("establish") as lab:
        ground = Ground(lab, {}, change)
        before = ground.totals()
        silent = Raw()
        started = Raw().send(header())
        secured = Raw().starttls(ground.evil_tls()).send(header())
        direct = Raw(plan.XMPPS_SERVER)  # not even a handshake
        begin = time.monotonic()
        for raw in (silent, started, secured):
            refused(raw, "connection-timeout")
        direct.until_end()
        show_time("all have ended after", time.monotonic() - begin)
        ground.grown(before, streams_in_failed=3)
        ground.calm()


# --- queues ---------------------------------------------------------------------------------------

def queue_bounds():
    """A partner that accepts and says nothing: what waits is bounded in count, bytes and age, and
    all beyond is answered and counted by reason, in all and for the partner."""
    def change(config):
        config["limits"].update(queue_count_max=5, queue_bytes_max=20000, stanza_bytes_max=10000,
                                queue_age_s_max=3)
    with Lab("queue") as lab:
        ground = Ground(lab, {}, change)
        mute = socket.create_server((EVIL_ADDRESS, plan.XMPP_SERVER))
        before = ground.totals()
        joe = ground.component

        def say(kind, count, size):
            for n in range(count):
                joe.say(JOE, f"ann@{EVIL}", "x" * size, ident=f"{kind}{n}")
        begin = time.monotonic()
        say("c", 8, 10)
        for n in (5, 6, 7):
            check(joe.gets_error(f"c{n}") == ("wait", "resource-constraint"), "count", n)
        queued = ground.fedgate.partner(EVIL)["queue"]
        check(queued["count"] == 5, "waiting", queued)
        for n in range(5):
            check(joe.gets_error(f"c{n}") == ("wait", "remote-server-timeout"), "age", n)
        check(time.monotonic() - begin > 2.5, "old after", time.monotonic() - begin)
        show_time("old after", time.monotonic() - begin)
        say("b", 4, 8000)
        for n in (2, 3):
            check(joe.gets_error(f"b{n}") == ("wait", "resource-constraint"), "bytes", n)
        for n in range(2):
            joe.gets_error(f"b{n}")
        now = ground.totals()
        full = now["bounced_queue_full"] - before["bounced_queue_full"]
        aged = now["bounced_queue_age"] - before["bounced_queue_age"]
        check(full == 5 and aged >= 5, "counted", full, aged)
        row = ground.fedgate.partner(EVIL)
        check(row["bounced"]["queue_full"] == full and row["bounced"]["queue_age"] == aged,
              "the partner's bounces by reason", row["bounced"])
        check(row["queue"]["count"] == 0, "still waiting", row["queue"])
        ground.calm()
        mute.close()


# --- targets in turn ------------------------------------------------------------------------------

def xmpp_targets():
    """A target that fails in the TLS handshake and a dead IPv6 address are passed over; a domain
    whose SRV target is '.' has no server, which its sender learns at once."""
    with Lab("targets") as lab:
        ground = Ground(lab, {}, lambda config: config["partners"].append(
            dict(config["partners"][1], domain="none.test")))
        lab.dns.srv(f"_xmpps-server._tcp.{EVIL}", (1, 0, plan.XMPPS_SERVER, f"broken.{EVIL}"))
        lab.dns.srv(f"_xmpp-server._tcp.{EVIL}", (2, 0, plan.XMPP_SERVER, f"dead.{EVIL}"),
                    (3, 0, plan.XMPP_SERVER, f"mixed.{EVIL}"))
        lab.dns.a(f"broken.{EVIL}", "127.77.0.11")
        lab.dns.a(f"dead.{EVIL}", plan.NOBODY)
        lab.dns.a(f"mixed.{EVIL}", EVIL_ADDRESS)
        lab.dns.aaaa(f"mixed.{EVIL}", "::1")
        broken = socket.create_server(("127.77.0.11", plan.XMPPS_SERVER))
        tried = []

        def serve():
            while True:
                try:
                    connected, _ = broken.accept()
                except OSError:
                    return
                tried.append(connected.recv(1))
                connected.sendall(b"no TLS here")
                connected.close()
        threading.Thread(target=serve, daemon=True).start()
        evil = Peer(lab, EVIL, EVIL_ADDRESS).listen()
        ground.component.say(JOE, f"ann@{EVIL}", "through")
        check(evil.inbox.get(timeout=HANG_S)[0].text == "through", "another text")
        check(tried == [b"\x16"], "the broken target was met with", tried)
        check(lab.dns.asked(f"dead.{EVIL}"), "the dead target was not looked up")
        for service in ("xmpp", "xmpps"):
            lab.dns.srv(f"_{service}-server._tcp.none.test", (0, 0, 0, "."))
        lab.dns.a("none.test", EVIL_ADDRESS)
        for n in range(20):
            ground.component.say(JOE, "ann@none.test", "x", ident=f"n{n}")
            told = ground.component.gets_error(f"n{n}")
            check(told == ("cancel", "remote-server-not-found"), "told", told)
        check(not lab.dns.asked("none.test"), "fell back to the address of a domain that said no")
        check(len(lab.dns.asked("_xmpp-server._tcp.none.test")) == 1, "the answer was not kept")
        broken.shutdown(socket.SHUT_RDWR)
        broken.close()


# --- configuration, shards, the end ---------------------------------------------------------------

def reload_under_traffic():
    """Twenty snapshots while stanzas flow between two shards: each arrives once and in order; a
    partner taken out is closed, put back it is served; an invalid file changes nothing."""
    with Lab("reload") as lab:
        ground = Ground(lab, {}, shards=2)
        fedgate = ground.fedgate
        evil = Peer(lab, EVIL, EVIL_ADDRESS).listen()
        stream = evil.dial(plan.APP)
        running = threading.Event()
        running.set()
        sent = [0]

        def flood():
            while running.is_set():
                ground.stream.send(f"<message from='{LIZ}' to='{JOE}'><body>{sent[0]}</body>"
                                   "</message>")
                sent[0] += 1
                time.sleep(0.001)
        sender = threading.Thread(target=flood, daemon=True)
        sender.start()
        row = fedgate.config["partners"].pop()
        generation = fedgate.stats()["config_generation"]
        for n in range(20):
            fedgate.config["partners"] = [fedgate.config["partners"][0]] + [
                dict(row, domain=f"new{k}.test") for k in range(n)]
            fedgate.reload()
            wait_until("snapshot", lambda: fedgate.stats()["config_generation"] > generation, 5)
            generation = fedgate.stats()["config_generation"]
        stream.wait(lambda e: local(e) == "error" and e[0].tag.endswith("policy-violation"))
        ground.component.say(JOE, f"ann@{EVIL}", "x", ident="gone")
        running.clear()
        sender.join()
        got = []
        for text in bodies(ground.component, 10):
            got.append(text)
            if len(got) > sent[0]:
                break
        check(None in got, "no error for the partner that is gone", got[-3:])
        numbers = [int(text) for text in got if text and text.isdigit()]
        check(numbers == list(range(sent[0])), "lost or out of order", len(numbers), sent[0])
        fedgate.config["partners"].append(row)
        good, fedgate.config = fedgate.config, dict(fedgate.config, partners=[{"domain": "-bad-"}])
        fedgate.reload()
        wait_until("refusal", lambda: "config_refused" in fedgate.log_text(), 5)
        check(fedgate.stats()["config_generation"] == generation, "an invalid file was published")
        check("need a restart" not in fedgate.log_text(), "told to restart for nothing")
        fedgate.config = good
        good["listen"]["xmpps_server"] = []
        fedgate.reload()
        wait_until("snapshot", lambda: fedgate.stats()["config_generation"] > generation, 5)
        wait_until("word of a change without effect",
                   lambda: "need a restart" in fedgate.log_text(), 5)
        evil.dial(plan.APP).send(f"<message from='ann@{EVIL}' to='{JOE}'><body>again</body>"
                                 "</message>")
        ground.component.hears("again")
        ground.calm()


def home_shard():
    """With two shards a partner's streams, wherever accepted, live on its home shard, and its
    figures are whole."""
    with Lab("home") as lab:
        ground = Ground(lab, {}, shards=2)
        streams = [ground.good.dial(plan.APP) for _ in range(12)]
        for n, stream in enumerate(streams):
            stream.send(f"<message from='{LIZ}' to='{JOE}'><body>s{n}</body></message>")
        heard = sorted(text for text in (next(bodies(ground.component, HANG_S)) for _ in streams))
        check(heard == sorted(f"s{n}" for n in range(12)), heard)
        stats = ground.fedgate.stats()
        open_at = [shard["streams_in"] for shard in stats["shards"]]
        check(sorted(open_at)[0] == 0 and sum(open_at) >= 13, "streams per shard", open_at)
        moved = sum(shard["conn_moved_in"] for shard in stats["shards"])
        accepted = [shard["conn_accepted"] for shard in stats["shards"]]
        check(moved > 0 or 0 in accepted, "none moved", moved, accepted)
        row = stats["partners"][GOOD]
        check(row["in"]["streams"] == sum(open_at) and
              row["in"]["authenticated"]["external"] == sum(open_at), "figures", row["in"])
        check(row["in"]["stanzas"] >= 13 and row["in"]["bytes"] > 500, "figures", row["in"])
        ground.calm()


def bounded_stop():
    """SIGTERM with a partner that answers nothing any more: not ready at once, the senders are
    answered, streams are closed with a reason, and the end comes within the bound, however often
    somebody asks for figures meanwhile."""
    with Lab("stop") as lab:
        ground = Ground(lab, {})
        fedgate = ground.fedgate
        fedgate.config["limits"]["drain_timeout_s"] = 6
        fedgate.reload()
        wait_until("reload", lambda: fedgate.stats()["config_generation"] == 2, 5)
        evil = Peer(lab, EVIL, EVIL_ADDRESS)
        evil.on_stream = lambda stream: time.sleep(2 * HANG_S)
        evil.listen()
        ground.component.say(JOE, f"ann@{EVIL}", "unconfirmed", ident="u")
        wait_until("written",
                   lambda: (fedgate.partner(EVIL) or {"out": {"stanzas": 0}})["out"]["stanzas"], 10)
        process = fedgate.process.popen
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        asked = refused = 0
        while process.poll() is None and time.monotonic() - begin < HANG_S:
            try:
                status, text = fedgate.get("/readyz")
                check(status == 503 or refused == 0, "ready while stopping", status, text)
                asked += 1
                refused += status == 503
            except OSError:
                break
        check(refused > asked / 2, "not ready, so often", refused, "of", asked)
        process.wait(HANG_S)
        took = time.monotonic() - begin
        # Half of the bound is for confirmations.
        check(took > 2.5, "stopped after", took, "asked", asked)
        show_time(f"{asked} pages, stopped after", took)
        kind, condition = ground.component.gets_error("u")
        check(condition == "remote-server-timeout", kind, condition)
        ground.stream.wait(lambda e: local(e) == "error" and e[0].tag.endswith("system-shutdown"))


def pings():
    """An XEP-0199 ping to a domain whose inside is SIP is answered for it, one to a component is
    the component's to answer; what no SIP side can carry is refused with the right error."""
    with Lab("ping") as lab:
        ground = Ground(lab, {})
        corp, answers = ground.good.dial(plan.CORP), ground.good.inbox
        ping = f"<iq type='get' id='%s' from='{GOOD}' to='%s'><ping xmlns='urn:xmpp:ping'/></iq>"
        corp.send(ping % ("p1", plan.CORP))
        got = answers.get(timeout=HANG_S)
        check((got.get("type"), got.get("id"), got.get("from"), got.get("to")) ==
              ("result", "p1", plan.CORP, GOOD), "answer", got.attrib)
        ground.stream.send(ping % ("p2", plan.APP))
        asked = ground.component.stream.wait(lambda e: local(e) == "iq")
        ground.component.send(f"<iq type='result' id='{asked.get('id')}' from='{plan.APP}' "
                              f"to='{asked.get('from')}'/>")
        got = answers.get(timeout=HANG_S)
        check((got.get("type"), got.get("id")) == ("result", "p2"), "answer", got.attrib)
        corp.send(f"<iq type='get' id='v' from='{LIZ}' to='joe@{plan.CORP}'>"
                  "<query xmlns='jabber:iq:version'/></iq>")
        got = answers.get(timeout=HANG_S)
        check((got.get("id"), error_of(got)) == ("v", ("cancel", "service-unavailable")), "refusal",
              got.attrib, error_of(got))
        ground.calm()


def silent_log():
    """The log at its most talkative has no message text and no secret in it."""
    secret = "dialback-secret-of-this-test"

    def change(config):
        config["gateway"]["dialback_secret"] = secret
        config["limits"]["queue_age_s_max"] = 2
        config["next_hops"]["pool"] = dict(HOP)
        config["log"]["level"] = "debug"
    with Lab("log") as lab:
        ground = Ground(lab, {}, change)
        pool = sip_names(lab) or lab.own(Pool(POOLS[0]))
        ground.stream.send(f"<message from='{LIZ}' to='u@{plan.APP}x'><body>PRIVATE-0</body>"
                           "</message>")
        phone = ground.good.dial(plan.CORP)
        phone.send(f"<message from='{LIZ}' to='joe@{plan.CORP}'><body>PRIVATE-6</body></message>")
        check(pool.next_message().text == "PRIVATE-6", "not heard")
        ground.component.say(JOE, f"ann@{EVIL}", "PRIVATE-1", ident="p")  # nobody listens
        ground.component.gets_error("p")
        ground.component.say(JOE, LIZ, "PRIVATE-2")
        check(ground.good.inbox.get(timeout=HANG_S).get("type") == "error", "PRIVATE-0")
        check(ground.good.inbox.get(timeout=HANG_S)[0].text == "PRIVATE-2", "not heard")
        ground.stream.send(f"<message from='{LIZ}' to='{JOE}'><body>PRIVATE-3</body></message>"
                           f"<message from='{LIZ}' to='joe@{plan.APP}'><subject>PRIVATE-4</subject>"
                           "</message>")
        wire = SipWire(Raw(plan.SIP_TCP, plan.PHONES).socket)
        wire.send(f"MESSAGE sip:liz@{GOOD} SIP/2.0\r\nVia: SIP/2.0/TCP {plan.PHONES};branch=z9hG4bK"
                  f"s\r\nMax-Forwards: 70\r\nFrom: <sip:joe@{plan.CORP}>;tag=1\r\nTo: <sip:liz@"
                  f"{GOOD}>\r\nCall-ID: s\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\n"
                  "Content-Length: 9\r\n\r\nPRIVATE-5")
        check(wire.read().status == 202, "SIP")
        check(ground.good.inbox.get(timeout=HANG_S)[0].text == "PRIVATE-5", "not heard")
        ground.calm()
        time.sleep(0.5)
        text = ground.fedgate.log_text()
        check("stream_authenticated" in text and "sip_peer_up" in text
              and "stanza_bounced" in text, "an empty log")
        for word in ("PRIVATE", "calm", secret, "inside", "<body", "<handshake"):
            check(word not in text, "in the log:", word)


def tests():
    for shards in (1, 2):
        yield case(f"pairs_{shards}", pairs, shards)
    yield from (keepalive_and_inactivity, establishment, queue_bounds, xmpp_targets,
                reload_under_traffic, home_shard, bounded_stop, pings, silent_log)


if __name__ == "__main__":
    main(*tests())
