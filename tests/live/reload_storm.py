#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storm of reloads under traffic with 64 partners on two shards: valid and invalid ones mixed,
which add, change and remove other partners. Every message arrives once and in order, no stream of
the 64 closes, memory stays as it is, and a partner that is removed is put out by the reload that
removes it. How soon, and how long reloads take, is shown and decides nothing (bench/reload
measures it). What goes through at most is found out first, half of that is the load.
"""
import copy
import json
import multiprocessing
import os
import random
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.hostile import JOE
from lab.numbered import CERTIFICATE, PARTNERS, TICK_S, WINDOW, Books, Inside, address_of, work
from lab.peer import Peer
from lab.process import HANG_S, own_memory, wait_until
from lab.xmpp import message, text_of

WORKERS = 4
SHARDS = 2
CALIBRATION_S = 2.0
VICTIMS = ["v0.storm.test", "v1.storm.test"]
SEED = 20261121
PAUSE_S = 0.025  # between reloads, on average: streams carry in between, and some come in a row
MEGA = 1 << 20
# What shards may hold more of when all is delivered: of 64 partners' streams, queues and buffers.
POOLS_GROWTH_MAX = 2 * MEGA
# The thousand reloads would leave 230 MB behind if each configuration were kept. Free lists and
# what the heap cannot join grow by up to 11 MB when queues are deeper than before.
HEAP_GROWTH_MAX = 48 * MEGA


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
            asked.settimeout(HANG_S)
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
            wait_until("a reload by signal", lambda: self.in_force() > self.generation)
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
        self.peer = Peer(stage.lab, name, address_of(name, VICTIMS))
        self.peer.listen()
        self.times = []

    def cycle(self, reloads):
        stream = self.peer.dial(plan.APP)
        self.peer.replies[plan.APP] = stream
        self.stage.inside.write(message(f"x@{self.name}", "are you there", sender=JOE))
        heard = self.peer.inbox.get(timeout=HANG_S)
        while text_of(heard, "body") != "are you there":  # why its last stream ended
            heard = self.peer.inbox.get(timeout=HANG_S)
        outward = self.peer.accepted[-1]
        begin = time.monotonic()
        reloads.reload(without=[self.name])
        while not (stream.ended and outward.ended):
            check(time.monotonic() - begin < HANG_S, "a removed partner is still there", self.name,
                  stream.ended, outward.ended)
            time.sleep(0.002)
        self.times.append(time.monotonic() - begin)
        reloads.reload()


class Stage:
    def __init__(self, lab, preset):
        self.lab = lab
        self.is_release = preset == "release"
        corp_dns(lab)
        lab.certs.make(*PARTNERS, name=CERTIFICATE)
        for name in PARTNERS + VICTIMS:
            lab.dns.xmpp(name, address_of(name, VICTIMS))
        self.fedgate = Fedgate(lab, shards=SHARDS, preset=preset, partners=[
            partner(name) for name in PARTNERS + VICTIMS])
        self.fedgate.config["log"]["level"] = "info"
        # The partners here may get no processor for a while: that is no fault of theirs.
        self.fedgate.config["gateway"]["stream_establishment_timeout_s"] = 600
        self.fedgate.config["limits"]["queue_age_s_max"] = 600
        self.fedgate.asan_more = ":quarantine_size_mb=8"
        self.fedgate.start()
        self.books = Books()
        self.inside = Inside(self.books)
        lab.own(self.inside.component)
        self.workers = []
        for n in range(WORKERS):
            here, there = multiprocessing.Pipe()
            process = multiprocessing.get_context("fork").Process(
                target=work, args=(lab, PARTNERS[n::WORKERS], self.books, there), daemon=True)
            process.start()
            self.workers.append((process, here))
        for _, pipe in self.workers:
            check(pipe.poll(2 * HANG_S) and pipe.recv() == "ready", "a worker did not start")

    def tell(self, what):
        for _, pipe in self.workers:
            pipe.send(what)

    def ask_all(self):
        answers = {}
        for _, pipe in self.workers:
            check(pipe.poll(2 * HANG_S), "a worker is silent")
            answers.update(pipe.recv())
        return answers

    def start(self):
        """Begins, finds out how many messages per second go through at most, and pauses."""
        self.books.quota.value = 1.0
        self.tell("go")
        self.inside.thread.start()
        wait_until("traffic on every stream", lambda: min(self.books.heard_in) > 3
                   and min(self.books.heard_out) > 3, 2 * HANG_S)
        self.books.quota.value = WINDOW
        time.sleep(0.5)
        begin, before = time.monotonic(), self.books.heard()
        time.sleep(CALIBRATION_S)
        most = (self.books.heard() - before) / (time.monotonic() - begin)
        self.pause()
        return most

    def go_on(self, per_s):
        """So many messages per second in all."""
        self.books.quota.value = per_s * TICK_S / (2 * len(PARTNERS))
        time.sleep(1.0)

    def pause(self):
        """No message is sent, and what was sent has arrived."""
        self.books.quota.value = 0.0
        settled = [0]

        def is_quiet():
            sent = sum(self.books.sent_in) + sum(self.books.sent_out)
            settled[:] = [*settled, sent][-10:]
            return settled == [sent] * 10 and sent == self.books.heard()
        wait_until("the last messages", is_quiet)

    def finish(self):
        """Ends the traffic and adds up; returns how many messages there were."""
        books = self.books
        self.tell("stop")
        self.ask_all()
        self.inside.is_over.set()
        self.inside.thread.join(HANG_S)
        check(not self.inside.thread.is_alive(), "the component is still sending")
        for way, sent, heard in (("inwards", books.sent_in, books.heard_in),
                                 ("outwards", books.sent_out, books.heard_out)):
            try:
                wait_until("the last messages", lambda: list(sent) == list(heard))
            except TimeoutError:
                check(False, way, [(PARTNERS[n], sent[n], heard[n]) for n in range(len(PARTNERS))
                                   if sent[n] != heard[n]], self.inside.trouble[:5])
        self.tell("add up")
        trouble = self.inside.trouble + [f"{name}: {text}" for name, texts
                                         in self.ask_all().items() for text in texts]
        check(not trouble, "trouble:", len(trouble), trouble[:8])
        return sum(books.sent_in) + sum(books.sent_out)

    def busy_s(self):
        """Processor time of the shards: of all threads but the first."""
        pid = self.fedgate.process.popen.pid
        ticks = 0
        for thread in os.listdir(f"/proc/{pid}/task"):
            if int(thread) != pid:
                with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as stat:
                    ticks += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def held(self):
        """What the shards hold: bytes of their pools; descriptors."""
        shards = self.fedgate.stats()["shards"]
        return (sum(shard["pool_bytes"] for shard in shards),
                len(os.listdir(f"/proc/{self.fedgate.process.popen.pid}/fd")))


class Growth:
    """What is held at a moment when all is delivered, against a later one."""

    def __init__(self, stage):
        self.stage = stage
        self.pools, self.descriptors = stage.held()
        self.heaps = [own_memory(stage.fedgate.process)]

    def look(self):
        self.heaps.append(own_memory(self.stage.fedgate.process))

    def check(self):
        """Connections that were closed may take a while to go."""
        def is_back():
            pools, descriptors = self.stage.held()
            return pools <= self.pools + POOLS_GROWTH_MAX and descriptors <= self.descriptors + 4
        try:
            wait_until("what was held before", is_back)
        except TimeoutError:
            check(False, "bytes of pools, descriptors:", self.stage.held(), "before:", self.pools,
                  self.descriptors)
        self.look()
        if self.stage.is_release:  # sanitizers keep what is freed, and look for leaks themselves
            growth = self.heaps[-1] - self.heaps[0]
            check(growth < HEAP_GROWTH_MAX, "memory grew by", growth, self.heaps)

    def __str__(self):
        return (f"pools {self.pools / MEGA:.1f} and {self.stage.held()[0] / MEGA:.1f} MB, heap "
                f"{' '.join(f'{heap / MEGA:.0f}' for heap in self.heaps)} MB")


def storm(count, preset):
    with Lab("storm") as lab:
        stage = Stage(lab, preset)
        victims = [Victim(stage, name) for name in VICTIMS]
        most = stage.start()
        reloads = Reloads(stage.fedgate, count)
        # What is allocated once and then used again is there after these.
        for n in range(30):
            reloads.mutate()
            reloads.reload(broken=BROKEN[n % len(BROKEN)] if n % 3 == 2 else None)
        for victim in victims:
            victim.cycle(reloads)
        totals = stage.fedgate.totals()
        growth = Growth(stage)
        stage.go_on(most / 2)
        begin, heard, busy = time.monotonic(), stage.books.heard(), stage.busy_s()

        def at_each(n):
            if n % (count // 12) == 5:
                victims[n % 2].cycle(reloads)
            if n % (count // 10) == 0:
                growth.look()
        reloads.run(at_each)
        took = time.monotonic() - begin
        rate, busy = (stage.books.heard() - heard) / took, (stage.busy_s() - busy) / took / SHARDS
        carried = stage.finish()
        out = [seconds for victim in victims for seconds in victim.times]
        print(f"     {reloads.valid} valid and {reloads.invalid} invalid reloads in {took:.1f} s "
              f"(median {1000 * statistics.median(reloads.took):.0f} ms, longest "
              f"{1000 * max(reloads.took):.0f} ms); {carried} messages; {rate:.0f}/s meanwhile, at "
              f"most {most:.0f}/s went through, shards busy {100 * busy:.0f} %; removed partners "
              f"out after {1000 * statistics.median(out):.0f} ms, at most "
              f"{1000 * max(out):.0f} ms ({len(out)}); {growth}")
        check_figures(stage, totals)
        growth.check()
        stage.tell("end")


def check_figures(stage, totals):
    """Nothing was lost, by fedgate's own account. Attempts to reach those who come and go may fail
    (their DNS is a thread here, which traffic keeps waiting); of the 64, none."""
    after = stage.fedgate.stats()
    moved = {name: after["totals"][name] - totals[name] for name in totals
             if after["totals"][name] != totals[name]}
    for name in ("streams_lost", "spoofed", "bounced_queue_full", "bounced_no_stream",
                 "dropped_memory", "bounced_memory"):
        check(name not in moved, name, moved)
    rows = after["partners"]
    wrong = {name: rows[name] for name in PARTNERS if rows[name]["bounced"]
             or rows[name]["in"]["failures"] or rows[name]["out"]["failures"]}
    check(not wrong, "figures of partners that were left alone:", wrong)


if __name__ == "__main__":
    main(case("hundred", storm, 120, None), case("thousand", storm, 1000, "release"))
