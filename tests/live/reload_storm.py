#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storm of reloads under traffic with 64 partners on two shards: valid and invalid ones mixed,
which add, change and remove other partners. Every message arrives once and in order, no stream of
the 64 closes, memory stays as it is, and a partner that is removed is out within a second.

The partners are played by processes of their own; messages are numbered per partner and direction.
"""
import copy
import json
import multiprocessing
import os
import random
import re
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.hostile import JOE
from lab.peer import Peer
from lab.process import wait_until
from lab.xmpp import END, Component, local, message, text_of

PARTNERS = [f"p{n:02}.storm.test" for n in range(64)]
WORKERS = 4
VICTIMS = ["v0.storm.test", "v1.storm.test"]
CERTIFICATE = "storm"
OUT_WITHIN_S = 1.0
SEED = 20261121
PAUSE_S = 0.025  # between reloads, on average: streams carry in between, and some come in a row


def address_of(name):
    """Each partner has an address of its own."""
    return f"127.77.2.{(PARTNERS + VICTIMS).index(name) + 1}"


# --- partners -------------------------------------------------------------------------------------

class Guest:
    """One partner: sends numbers on a stream, counts those it is sent."""

    def __init__(self, lab, name, pause):
        self.name = name
        self.pause = pause
        self.peer = Peer(lab, name, address_of(name), certificate=CERTIFICATE)
        self.peer.on_stanza = self.take
        self.peer.listen()
        self.sent = 0
        self.heard = 0
        self.trouble = []
        self.is_over = threading.Event()
        self.stream = self.peer.dial(plan.APP, run=False)
        self.peer.replies[plan.APP] = self.stream  # pings are answered on it, too
        self.thread = threading.Thread(target=self.send, daemon=True)

    def take(self, stream, element):
        if local(element) != "message" or element.get("type") == "error":
            self.trouble.append(f"{local(element)} {element.attrib}")
        elif int(text_of(element, "body")) != self.heard:
            self.trouble.append(f"{text_of(element, 'body')} instead of {self.heard}")
        self.heard += 1

    def send(self):
        try:
            while not self.is_over.is_set():
                self.peer.reply(plan.APP, message(JOE, str(self.sent), sender=f"x@{self.name}"))
                self.sent += 1
                time.sleep(self.pause)
        except OSError as error:
            self.trouble.append(str(error))

    def is_closed(self):
        """Anything but silence on the stream that we opened is its end."""
        self.stream.socket.settimeout(0.01)
        try:
            return f"said {self.stream.socket.recv(4096)!r}"
        except TimeoutError:
            return None
        except OSError as error:
            return str(error)

    def result(self):
        closed = self.is_closed()
        accepted = self.peer.accepted
        if closed:
            self.trouble.append(f"our stream: {closed}")
        if len(accepted) != 1 or accepted[0].ended:
            self.trouble.append(f"{len(accepted)} streams from fedgate, ended: "
                                f"{[one.ended for one in accepted]}")
        return self.heard, self.trouble + self.peer.trouble


def work(lab, names, pause, pipe):
    """A process with some of the partners. Says "ready"; "stop" -> numbers sent; numbers to expect
    -> what was heard and what went wrong."""
    guests = {name: Guest(lab, name, pause) for name in names}
    pipe.send("ready")
    pipe.recv()
    for guest in guests.values():
        guest.thread.start()
    pipe.recv()
    for guest in guests.values():
        guest.is_over.set()
    for guest in guests.values():
        guest.thread.join(20)
    pipe.send({name: guest.sent for name, guest in guests.items()})
    wanted = pipe.recv()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(
            guests[name].heard < wanted[name] for name in names):
        time.sleep(0.05)
    pipe.send({name: guest.result() for name, guest in guests.items()})
    pipe.recv()


# --- inside ---------------------------------------------------------------------------------------

class Inside:
    """The component: sends numbers to each partner, checks the numbers of each."""

    def __init__(self, pause):
        self.component = Component(plan.APP, "inside")
        self.pause = pause
        self.sent = dict.fromkeys(PARTNERS, 0)
        self.heard = dict.fromkeys(PARTNERS, 0)
        self.others = []
        self.trouble = []
        self.is_over = threading.Event()
        threading.Thread(target=self.hear, daemon=True).start()
        self.thread = threading.Thread(target=self.send, daemon=True)

    def hear(self):
        while (element := self.component.stream.queue.get()) is not END:
            name = str(element.get("from")).split("/")[0].split("@")[-1]
            if name not in self.heard:
                self.others.append(element)
            elif element.get("type") == "error" or local(element) != "message":
                self.trouble.append(f"{name}: {local(element)} {element.attrib}")
            else:
                if int(text_of(element, "body")) != self.heard[name]:
                    self.trouble.append(f"{name}: {text_of(element, 'body')} instead of "
                                        f"{self.heard[name]}")
                self.heard[name] += 1

    def send(self):
        while not self.is_over.is_set():
            for name in PARTNERS:
                self.component.say(JOE, f"x@{name}", str(self.sent[name]))
                self.sent[name] += 1
            time.sleep(self.pause)


# --- reloads --------------------------------------------------------------------------------------

def break_text(text, kind):
    """An invalid configuration of this kind, from a valid one."""
    config = json.loads(text)
    if kind == "half":
        return text[:len(text) // 2]
    if kind == "not-utf-8":
        return text.replace("storm.test", "storm\udcff.test", 1)
    if kind == "unknown":
        config["partners"][3]["dialbakc"] = True
    elif kind == "duplicate":
        config["partners"].append(config["partners"][1])
    elif kind == "type":
        config["gateway"]["connection_limit"] = "many"
    elif kind == "row":
        config["partners"][0].update(tls="not_supported", sasl="required", dialback=False)
    elif kind == "ours":
        config["partners"].append(partner(plan.APP))
    elif kind == "certificate":
        config["tls"]["certificate"] += ".gone"
    return json.dumps(config)


BROKEN = ("half", "not-utf-8", "unknown", "duplicate", "type", "row", "ours", "certificate")


class Reloads:
    """Changes everything but the 64, and reloads by signal and by the admin socket in turn."""

    def __init__(self, fedgate, count):
        self.fedgate = fedgate
        self.random = random.Random(SEED)
        self.fixed = copy.deepcopy(fedgate.config["partners"])
        self.extra = {}
        self.number = 0
        self.generation = 1
        self.count = count
        self.valid = self.invalid = 0
        self.took = []

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(20)
            asked.connect(self.fedgate.admin_path)
            asked.sendall(json.dumps(request).encode() + b"\n")
            answer = b""
            while data := asked.recv(65536):
                answer += data
        return json.loads(answer)

    def in_force(self):
        return self.ask({"command": "status"})["config"]["generation"]

    def mutate(self):
        """Adds, changes and removes other partners; changes what does not concern streams."""
        for _ in range(self.random.randrange(1, 6)):
            kind = self.random.randrange(3)
            if kind == 0 or len(self.extra) < 10:
                self.number += 1
                name = f"x{self.number}.other.test"
                self.extra[name] = partner(name)
            elif kind == 1:
                row = self.extra[self.random.choice(list(self.extra))]
                row.update(self.random.choice((
                    {"connection_limit": self.random.randrange(1, 50)}, {"type": "public_verified"},
                    {"sasl": "optional", "dialback": True}, {"maintenance": "later"},
                    {"suffix_match": True}, {"stanza_rate_max": 10}, {"acks": "ping"},
                    {"blocked": ["bad@" + row["domain"]]}, {"allowed_users": [JOE]})))
            else:
                del self.extra[self.random.choice(list(self.extra))]
        if len(self.extra) > 300:
            self.extra.pop(next(iter(self.extra)))
        config = self.fedgate.config
        config["gateway"]["connection_limit"] = self.random.choice((1000, 1500, 2000))
        config["gateway"]["log_message_bodies"] = False
        config["blocked"] = [f"nobody{self.random.randrange(9)}@x.test"]

    def write(self, without=(), broken=None):
        config = self.fedgate.config
        rows = [row for row in self.fixed if row["domain"] not in without]
        config["partners"] = rows + list(self.extra.values())
        text = json.dumps(config)
        if broken:
            text = break_text(text, broken)
        with open(self.fedgate.config_path, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(text)

    def reload(self, without=(), broken=None):
        """Returns when it is in force, or refused."""
        self.write(without, broken)
        begin = time.monotonic()
        by_signal = not broken and self.valid % 2
        if by_signal:
            self.fedgate.process.send_signal(1)
            wait_until("a reload by signal", lambda: self.in_force() > self.generation, 20)
        else:
            answer = self.ask({"command": "reload"})
            check(answer["ok"] != bool(broken), "a reload answered", answer, broken)
            check(not broken or answer["problems"] or answer.get("error"), "no reason", answer)
        self.took.append(time.monotonic() - begin)
        if broken:
            self.invalid += 1
        else:
            self.valid += 1
            self.generation += 1

    def run(self, at_each):
        for n in range(self.count):
            broken = BROKEN[self.invalid % len(BROKEN)] if n % 3 == 2 else None
            if not broken:
                self.mutate()
            self.reload(broken=broken)
            time.sleep(self.random.random() * 2 * PAUSE_S)
            at_each(n)


class Victim:
    """A partner that is removed and comes back, again and again, with a stream each way."""

    def __init__(self, stage, name):
        self.stage = stage
        self.name = name
        self.peer = Peer(stage.lab, name, address_of(name))
        self.peer.listen()
        self.times = []

    def cycle(self, reloads):
        stream = self.peer.dial(plan.APP)
        self.peer.replies[plan.APP] = stream
        self.stage.inside.component.say(JOE, f"x@{self.name}", "are you there")
        heard = self.peer.inbox.get(timeout=20)
        while text_of(heard, "body") != "are you there":  # why its last stream ended
            heard = self.peer.inbox.get(timeout=20)
        outward = self.peer.accepted[-1]
        begin = time.monotonic()
        reloads.reload(without=[self.name])
        while not (stream.ended and outward.ended):
            check(time.monotonic() - begin < 10, "a removed partner is still there", self.name,
                  stream.ended, outward.ended)
            time.sleep(0.002)
        self.times.append(time.monotonic() - begin)
        reloads.reload()


class Stage:
    def __init__(self, lab, preset, pause):
        self.lab = lab
        corp_dns(lab)
        lab.certs.make(*PARTNERS, name=CERTIFICATE)
        for name in PARTNERS + VICTIMS:
            lab.dns.xmpp(name, address_of(name))
        self.fedgate = Fedgate(lab, shards=2, preset=preset, partners=[
            partner(name) for name in PARTNERS + VICTIMS])
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.config["gateway"]["stream_establishment_timeout_s"] = 60
        self.fedgate.asan_more = ":quarantine_size_mb=8"
        self.fedgate.start()
        self.inside = Inside(pause)
        lab.own(self.inside.component)
        self.workers = []
        for n in range(WORKERS):
            here, there = multiprocessing.Pipe()
            process = multiprocessing.get_context("fork").Process(
                target=work, args=(lab, PARTNERS[n::WORKERS], pause, there), daemon=True)
            process.start()
            self.workers.append((process, here))
        for _, pipe in self.workers:
            check(pipe.poll(60) and pipe.recv() == "ready", "a worker did not start")

    def tell(self, what):
        for _, pipe in self.workers:
            pipe.send(what)

    def ask_all(self, timeout=60):
        answers = {}
        for _, pipe in self.workers:
            check(pipe.poll(timeout), "a worker is silent")
            answers.update(pipe.recv())
        return answers

    def start(self):
        self.tell("go")
        self.inside.thread.start()
        wait_until("traffic on every stream", lambda: min(self.inside.heard.values()) > 3, 60)

    def finish(self):
        """Ends the traffic and adds up; returns how many messages there were."""
        inside = self.inside
        self.tell("stop")
        sent = self.ask_all()
        inside.is_over.set()
        inside.thread.join(20)
        try:
            wait_until("the last messages", lambda: inside.heard == sent, 30)
        except TimeoutError:
            check(False, "inwards:", {name: (sent[name], inside.heard[name]) for name in sent
                                      if sent[name] != inside.heard[name]}, inside.trouble[:5])
        self.tell(inside.sent)
        results = self.ask_all()
        trouble = inside.trouble + [f"{name}: {text}" for name, (_, texts) in results.items()
                                    for text in texts]
        check(not trouble, "trouble:", len(trouble), trouble[:8])
        short = {name: (inside.sent[name], heard) for name, (heard, _) in results.items()
                 if heard != inside.sent[name]}
        check(not short, "outwards:", short)
        return sum(sent.values()) + sum(inside.sent.values())

    def rss(self):
        with open(f"/proc/{self.fedgate.process.popen.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.fedgate.process.popen.pid}/fd"))


def storm(count, preset, pause, rss_mb):
    """pause: seconds between two messages of a partner. rss_mb: growth that is none."""
    with Lab("storm") as lab:
        stage = Stage(lab, preset, pause)
        victims = [Victim(stage, name) for name in VICTIMS]
        stage.start()
        reloads = Reloads(stage.fedgate, count)
        # What is allocated once and then used again is there after these.
        for n in range(30):
            reloads.mutate()
            reloads.reload(broken=BROKEN[n % len(BROKEN)] if n % 3 == 2 else None)
        for victim in victims:
            victim.cycle(reloads)
        totals = stage.fedgate.totals()
        memory = [stage.rss()]
        descriptors = stage.descriptors()
        begin = time.monotonic()

        def at_each(n):
            if n % (count // 12) == 5:
                victims[n % 2].cycle(reloads)
            if n % (count // 10) == 0:
                memory.append(stage.rss())
        reloads.run(at_each)
        took = time.monotonic() - begin
        carried = stage.finish()
        memory.append(stage.rss())
        after = stage.fedgate.totals()
        moved = {name: after[name] - totals[name] for name in after if after[name] != totals[name]}
        for name in ("streams_lost", "streams_out_failed", "spoofed", "bounced_queue_full",
                     "bounced_no_stream", "dropped_memory", "bounced_memory"):
            check(name not in moved, name, moved)
        rows = stage.fedgate.stats()["partners"]
        wrong = {name: rows[name] for name in PARTNERS if rows[name]["bounced"]
                 or rows[name]["in"]["failures"] or rows[name]["out"]["failures"]}
        check(not wrong, "figures of partners that were left alone:", wrong)
        check(stage.descriptors() <= descriptors + 4, "descriptors", descriptors,
              stage.descriptors())
        out = [seconds for victim in victims for seconds in victim.times]
        print(f"     {reloads.valid} valid and {reloads.invalid} invalid reloads in {took:.1f} s "
              f"(median {1000 * statistics.median(reloads.took):.0f} ms, longest "
              f"{1000 * max(reloads.took):.0f} ms), {carried} messages, "
              f"{carried / took:.0f}/s; removed partners out after "
              f"{1000 * statistics.median(out):.0f} ms, at most {1000 * max(out):.0f} ms "
              f"({len(out)}); RSS {' '.join(f'{m:.0f}' for m in memory)} MB")
        check(max(out) < OUT_WITHIN_S, "a removed partner was out only after", max(out))
        growth = memory[-1] - memory[1]
        check(growth < rss_mb, "memory grew by", growth, memory)
        stage.tell("end")


if __name__ == "__main__":
    main(case("hundred", storm, 120, None, 0.1, 60),
         case("thousand", storm, 1000, "release", 0.05, 6))
