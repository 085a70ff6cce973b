#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The gateway's own settings, each with a short value: what it bounds, in both directions, and that
a reload brings another value into force for streams that live."""
import hashlib
import hmac
import os
import queue
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import partner
from lab.hostile import EVIL, EVIL_ADDRESS, JOE, LIZ, PLAIN, Ground, Server, answer_header
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.sip import Phone
from lab.xmpp import local, message, text_of

ANN = f"ann@{EVIL}"
SUB = f"sub.{EVIL}"
HOP = {"kind": "sip", "uri": "sip:pool.corp.test;transport=tcp",
       "trusted_addresses": [plan.PHONES], "options_interval_s": 0}
MANY = [f"m{n}.test" for n in range(4)]


def settings(**values):
    def change(config):
        config["gateway"].update(values)
        config["next_hops"]["pool"] = HOP
    return change


def reload(ground, generation, **values):
    ground.fedgate.config["gateway"].update(values)
    ground.fedgate.reload()
    ground.fedgate.wait_stats("reload", lambda s: s["config_generation"] == generation)


def error_on(stream):
    """The condition of the stream error that comes."""
    return local(stream.wait(lambda e: local(e) == "error")[0])


# --- connections ----------------------------------------------------------------------------------

class Busy:
    """Keeps the stream to an address in use."""

    def __init__(self, ground, to):
        self.ground = ground
        self.to = to
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over.wait(0.3):
            self.ground.component.say(JOE, self.to, "busy")

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def wait_for_room(ground, peers, name):
    """Says it until it is heard: each time it waits for no longer than a queue may."""
    deadline = time.monotonic() + 2 * HANG_S
    while True:
        ground.component.say(JOE, f"x@{name}", "room")
        try:
            check(text_of(peers[name].inbox.get(timeout=2.5), "body") == "room", "another text")
            return
        except queue.Empty:
            check(time.monotonic() < deadline, "no room for", name)


def connection_limit(shards):
    """All partners together, incoming and outgoing: above 8, of which a quarter is kept for either
    direction, incoming ones are refused; outgoing ones wait and what waits for them is answered in
    time; a lowered limit closes the newest of the shard that has most."""
    with Lab("all") as lab:
        def change(config):
            settings(connection_limit=8)(config)
            config["limits"]["queue_age_s_max"] = 2
            for row in config["partners"]:
                row["acks"] = "off"
            config["partners"] += [partner(name, acks="off") for name in MANY]
        ground = Ground(lab, {}, change, shards)  # one stream each way with GOOD
        lab.certs.make(EVIL, *MANY, name="many")
        peers = {}
        for n, name in enumerate(MANY):
            lab.dns.xmpp(name, f"127.77.3.{n + 1}")
            peers[name] = Peer(lab, name, f"127.77.3.{n + 1}", certificate="many").listen()
        evil = Peer(lab, EVIL, EVIL_ADDRESS)
        streams = [evil.dial(plan.APP) for _ in range(5)]  # six of eight, GOOD's included
        check(error_on(evil.dial(plan.APP)) == "resource-constraint", "the seventh incoming one")
        ground.component.say(JOE, f"x@{MANY[0]}", "eighth")
        check(text_of(peers[MANY[0]].inbox.get(timeout=HANG_S), "body") == "eighth", "no way out")
        # While the outgoing streams are used, a ninth connection waits in vain ...
        with Busy(ground, LIZ), Busy(ground, f"x@{MANY[0]}"):
            ground.component.say(JOE, f"x@{MANY[1]}", "ninth", ident="ninth")
            begin = time.monotonic()
            check(ground.component.gets_error("ninth") == ("wait", "remote-server-timeout"),
                  "the ninth was told something else")
            check(time.monotonic() - begin > 1.0, "did not wait")
            check(not peers[MANY[1]].accepted, "the ninth was dialled")
        # ... and one that is not used makes room for it; so does an incoming one that leaves.
        with Busy(ground, LIZ):
            wait_for_room(ground, peers, MANY[1])
        with Busy(ground, LIZ), Busy(ground, f"x@{MANY[1]}"):
            streams.pop().close()
            wait_for_room(ground, peers, MANY[2])
        check(ground.totals()["connection_limit_refused"] == 1, "counted")
        # GOOD has the oldest of both directions, unless this machine stood still for two seconds:
        # then its outgoing one was idle and has made room.
        is_oldest = not ground.good.accepted[0].ended
        reload(ground, 2, connection_limit=4)
        # Two or three of the four incoming and GOOD's stay; on one shard they are the oldest.
        wait_until("the newest to go", lambda: sum(s.ended for s in streams) >= 2
                   and (shards > 1 or streams[-1].ended), 5)
        check(shards > 1 or not streams[0].ended, "the oldest went")
        ground.fedgate.wait_stats("four places", lambda s: sum(
            p[way]["streams"] for p in s["partners"].values() for way in ("in", "out")) <= 4)
        if shards == 1 and is_oldest:
            while not ground.good.inbox.empty():
                ground.good.inbox.get()
            ground.calm()


def partner_connection_limit():
    """What a partner without a limit of its own gets; its own goes before it."""
    with Lab("default") as lab:
        ground = Ground(lab, {"acks": "off"}, settings(partner_connection_limit=3))
        evil = Peer(lab, EVIL, EVIL_ADDRESS).listen()
        streams = [evil.dial(plan.APP) for _ in range(2)]
        check(error_on(evil.dial(plan.APP)) == "resource-constraint", "above the default")
        ground.component.say(JOE, ANN, "out")
        check(text_of(evil.inbox.get(timeout=HANG_S), "body") == "out", "the place that is kept")
        ground.fedgate.config["partners"][1]["connection_limit"] = 10
        reload(ground, 2)
        streams += [evil.dial(plan.APP) for _ in range(3)]
        for n, stream in enumerate(streams):
            stream.send(message(JOE, f"alive {n}", sender=ANN))
            ground.component.hears(f"alive {n}")
        ground.calm()


# --- time -----------------------------------------------------------------------------------------

def closed_after(stream, spaces=None, limit=HANG_S):
    """When the peer's </stream:stream> came, and all it said; a space each `spaces` seconds."""
    stream.socket.settimeout(spaces or limit)
    begin = time.monotonic()
    got = b""
    while b"</stream:stream>" not in got:
        check(time.monotonic() - begin < limit, "still open after", limit, got)
        try:
            data = stream.socket.recv(4096)
            check(data, "cut without a closing tag", got)
            got += data
        except TimeoutError:
            stream.send(" ")
    return time.monotonic(), got


def keepalive_interval():
    """An incoming stream that brings nothing for the interval is closed in order, if its partner's
    row expects keep-alives; spaces are enough. Ours bring a space twice in it."""
    with Lab("keepalive") as lab:
        ground = Ground(lab, {}, lambda config: (
            settings(keepalive_interval_s=2, stream_inactivity_timeout_s=7)(config),
            config["partners"].append(partner("calm.test", keepalive=False))))
        evil = Peer(lab, EVIL, EVIL_ADDRESS)
        times = []
        evil.on_stream = lambda stream: note_spaces(stream, times)
        evil.listen()
        ground.component.say(JOE, ANN, "opens a stream")
        begin = time.monotonic()
        silent = evil.dial(plan.APP, run=False)
        spaced = evil.dial(plan.APP, run=False)
        free = Peer(lab, "calm.test", "127.77.3.1").dial(plan.APP, run=False)
        results = {}

        def watch(name, stream, spaces=None):
            results[name] = closed_after(stream, spaces)
        threads = [threading.Thread(target=watch, args=arguments) for arguments in
                   (("silent", silent), ("spaced", spaced, 1.0), ("free", free))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, least in (("silent", 1.9), ("spaced", 6.9), ("free", 6.9)):
            when, got = results[name]
            check(when - begin > least, name, "was closed after", when - begin)
            show_time(f"{name} was closed after", when - begin)
            check(b"stream:error" not in got, "not in order", got)
        check(results["silent"][0] < min(results["spaced"][0], results["free"][0]),
              "the silent one was not closed first")
        check(len(times) >= 4, "our spaces", times)
        check(ground.totals()["streams_lost"] == 0, "counted as lost")


def note_spaces(stream, times):
    stream.socket.settimeout(HANG_S)
    try:
        while data := stream.socket.recv(65536):
            if not data.strip():  # may come in one piece
                times += [time.monotonic()] * len(data)
            if b"</stream:stream>" in data:
                stream.send("</stream:stream>")
    except OSError:
        pass


def inactivity_of_live_streams():
    """A reload that shortens the time closes, in order and both ways, what has been idle for longer
    than it, and nothing else."""
    with Lab("inactivity") as lab:
        ground = Ground(lab, {}, settings(stream_inactivity_timeout_s=600))
        evil = Peer(lab, EVIL, EVIL_ADDRESS).listen()
        ground.component.say(JOE, ANN, "one")
        evil.inbox.get(timeout=HANG_S)
        idle = evil.dial(plan.APP)
        busy = evil.dial(plan.APP)
        for n in range(8):
            busy.send(message(JOE, f"busy {n}", sender=ANN))
            ground.component.hears(f"busy {n}")
            time.sleep(0.25)
        begin = time.monotonic()
        reload(ground, 2, stream_inactivity_timeout_s=1)
        while not (idle.ended and evil.accepted[0].ended):
            busy.send(message(JOE, "busy", sender=ANN))
            check(time.monotonic() - begin < HANG_S, "idle ones are open", idle.ended)
            time.sleep(0.1)
        check(not busy.ended, "the busy one was closed")
        check(ground.totals()["streams_lost"] == 0, "counted as lost")


def establishment_outwards():
    """A partner that accepts and says no more than a header: the attempt ends in time, is kept as a
    failure of the step, and what waits goes on waiting for the next."""
    with Lab("establish") as lab:
        ground = Ground(lab, {}, settings(stream_establishment_timeout_s=2))

        def script(raw, number):
            answer_header(raw, None)
            raw.until("never", 60)
        server = Server(lab, EVIL_ADDRESS, script)
        ground.component.say(JOE, ANN, "x", ident="x")
        begin = time.monotonic()
        kept = wait_until("a failure", lambda: (ground.fedgate.partner(EVIL) or {"out": {}})["out"]
                          .get("last_failures"), 10)
        took = time.monotonic() - begin
        check(took > 1.5, "given up after", took)
        show_time("given up after", took)
        check("timeout" in kept and "2000 ms" in kept["timeout"]["text"], "kept", kept)
        check(server.heard("<connection-timeout"), "the partner was not told")
        ground.calm()


# --- texts in the log -----------------------------------------------------------------------------

SECRETS = ("grüß dich, inwards", "and \"outwards\"\nin two lines", "by SIP <&>", "L" * 3000)


def log_message_bodies():
    """On: the text of each message that is carried, both ways and for SIP, cleaned, long ones cut
    with their length; off: none of it, at any level, whatever happens to the messages."""
    with Lab("bodies") as lab:
        ground = Ground(lab, {}, settings(log_message_bodies=True))
        phone = lab.own(Phone("sip-user", address=plan.FEDGATE))

        def talk():
            ground.stream.send(message(JOE, SECRETS[0], sender=LIZ))
            ground.component.hears(SECRETS[0])
            for text in (SECRETS[1], SECRETS[3]):
                ground.component.say(JOE, LIZ, text)
                check(text_of(ground.good.inbox.get(timeout=HANG_S), "body") == text, "carried")
            status = phone.say(LIZ, SECRETS[2]).status
            check(status in (200, 202), "SIP", status)
            check(text_of(ground.good.inbox.get(timeout=HANG_S), "body") == SECRETS[2], "SIP")

        def lines():
            return [line for line in ground.fedgate.log_text().splitlines()
                    if " message_body " in line]
        calm = wait_until("what was said first", lambda: len(lines()) == 2 and 2, 5)
        talk()
        new = wait_until("the log", lambda: len(lines()) >= calm + 9 and lines()[calm:], 5)
        for number, (way, sender, to, size, text) in enumerate((
                ("in", LIZ, JOE, len(SECRETS[0].encode()), SECRETS[0]),
                ("out", JOE, LIZ, len(SECRETS[1]), r'and \"outwards\"\x0ain two lines'))):
            wanted = (f'message_body dir={way} from="{sender}" to="{to}" bytes={size} part=1 '
                      f'text="{text}"')
            check(new[number].endswith(wanted), "logged", new[number], wanted)
        cut = new[2:-1]
        check(all(f"bytes=3000 part={n + 1} " in line for n, line in enumerate(cut)), "parts", cut)
        shown = sum(len(re.search(r'text="(L*)"', line).group(1)) for line in cut)
        check(shown == 2048 and "note=cut" in cut[-1], "of the long one", shown, cut[-1])
        check(new[-1].endswith(f'dir=out from="sip-user@{plan.CORP}" to="{LIZ}" bytes=10 part=1 '
                               'text="by SIP <&>"'), "SIP", new[-1])
        # All bodies, in whatever language and namespace.
        at = len(lines())
        ground.stream.send(f"<message from='{LIZ}' to='{JOE}'><body xml:lang='x'>harmless</body>"
                           "<body xmlns='jabber:component:accept'>hidden</body></message>")
        wait_until("both bodies", lambda: [line.split("text=")[1] for line in lines()[at:]]
                   == ['"harmless"', '"hidden"'], 5)
        ground.component.next_message()
        # A message of nothing but bodies does not push everybody's lines out of the log.
        at = len(lines())
        ground.stream.send(f"<message from='{LIZ}' to='{JOE}'>" + "<body>x</body>" * 5000
                           + "</message>")
        ground.component.next_message()
        wait_until("the number", lambda: lines()[at:] and " bodies=5000 note=cut" in lines()[-1], 5)
        check(len(lines()) == at + 17, "lines for one message", len(lines()) - at)
        check(" log_lost " not in ground.fedgate.log_text(), "lines were lost")
        reload(ground, 2, log_message_bodies=False)
        count = len(lines())
        at = len(ground.fedgate.log_text())
        talk()
        ground.component.say(JOE, "x@nowhere.test", "grüß the void", ident="void")
        ground.component.gets_error("void")
        ground.calm()
        time.sleep(0.2)
        check(len(lines()) == count, "logged though off", lines()[count:])
        rest = ground.fedgate.log_text()[at:]
        check(not any(word in rest for word in ("grüß", "outwards", "by SIP", "LLLL", "gr\\xc3")),
              "a text got into the log", rest)


# --- dialback -------------------------------------------------------------------------------------

def dialback_secret():
    """Keys are those of XEP-0185 with the configured secret, another one after a reload."""
    with Lab("secret") as lab:
        ground = Ground(lab, dict(PLAIN, additional_domains=[SUB]),
                        settings(dialback_secret="s3cr3tf0rd14lb4ck"))
        lab.dns.xmpp(SUB, EVIL_ADDRESS)
        seen = {}

        def script(raw, number):
            name = re.search(r" to=.([^'\"]*)", raw.until("xml:lang")).group(1)
            answer_header(raw, "", domain=name, ident=f"id-{number}")
            raw.until("</db:result>")
            seen[name] = (f"id-{number}",
                          re.search(r"<db:result[^>]*>([^<]*)<", raw.text).group(1))
            raw.send(f"<db:result from='{name}' to='{plan.APP}' type='invalid'/></stream:stream>")
        Server(lab, EVIL_ADDRESS, script)

        def key(secret, name, ident):
            text = f"{name} {plan.APP} {ident}"
            return hmac.new(hashlib.sha256(secret.encode()).hexdigest().encode(), text.encode(),
                            hashlib.sha256).hexdigest()

        for generation, name, secret in ((1, EVIL, "s3cr3tf0rd14lb4ck"), (2, SUB, "an0th3rs3cr3t")):
            if generation != 1:
                reload(ground, generation, dialback_secret=secret)
            ground.component.say(JOE, f"ann@{name}", "x")
            ident, got = wait_until("a key", lambda: seen.get(name), 10)
            check(got == key(secret, name, ident), name, "got the key", got)


if __name__ == "__main__":
    main(*(case(f"connection_limit_{n}", connection_limit, n) for n in (1, 2)),
         partner_connection_limit, keepalive_interval,
         inactivity_of_live_streams, establishment_outwards, log_message_bodies, dialback_secret)
