#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storm of reloads under traffic with 64 partners on two shards: valid and invalid ones mixed,
which add, change and remove other partners. Every message arrives once and in order, no stream of
the 64 closes, memory stays as it is, and a partner that is removed is out within a second.

The partners are played by processes of their own; messages are numbered per partner and direction.
What goes through at most is found out first, half of that is the load.
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
from lab.xmpp import Component, message, text_of

PARTNERS = [f"p{n:02}.storm.test" for n in range(64)]
WORKERS = 4
SHARDS = 2
WINDOW = 200  # messages under way per partner and direction
CALIBRATION_S = 2.0
VICTIMS = ["v0.storm.test", "v1.storm.test"]
CERTIFICATE = "storm"
OUT_WITHIN_S = 1.0
SEED = 20261121
PAUSE_S = 0.025  # between reloads, on average: streams carry in between, and some come in a row


def address_of(name):
    """Each partner has an address of its own."""
    return f"127.77.2.{(PARTNERS + VICTIMS).index(name) + 1}"


# --- traffic --------------------------------------------------------------------------------------

BODY_OUT = re.compile(rb"<body>(\d+)</body>")
BODY_IN = re.compile(rb'from="x@p(\d\d)\.storm\.test[^"]*"[^<]*<body>(\d+)</body>')
ERROR = re.compile(rb"""<(?:message|presence|iq)[^>]*type=["']error[^>]*>.{0,300}""", re.DOTALL)
IQ_GET = re.compile(rb"<iq\b[^>]*>")
ATTRIBUTE = re.compile(rb"""\b(id|from|to|type)=["']([^"']*)["']""")
TICK_S = 0.02


class Books:
    """What all processes know: per partner the numbers sent and heard, each written by one of them;
    how many messages per tick, partner and direction are wanted."""

    def __init__(self):
        self.sent_in, self.heard_in, self.sent_out, self.heard_out = (
            multiprocessing.Array("q", len(PARTNERS), lock=False) for _ in range(4))
        self.quota = multiprocessing.Value("d", 0.0, lock=False)

    def room(self, sent, heard, n, wanted):
        """So many more of `wanted` may be under way with partner n: nothing is overrun."""
        return max(0, min(int(wanted), WINDOW - (sent[n] - heard[n])))

    def heard(self):
        return sum(self.heard_in) + sum(self.heard_out)


def whole_stanzas(held, data):
    """Splits what came into whole stanzas and the rest."""
    held += data
    cut = max((held.rfind(end) + len(end) for end in (b"</message>", b"</iq>", b"/>")
               if end in held), default=0)
    return held[:cut], held[cut:]


class Guest:
    """One partner: sends numbers on a stream, counts those it is sent."""

    def __init__(self, lab, name, books):
        self.name = name
        self.number = PARTNERS.index(name)
        self.books = books
        self.peer = Peer(lab, name, address_of(name), certificate=CERTIFICATE)
        self.peer.on_stream = self.take
        self.peer.listen()
        self.trouble = []
        self.ended = False
        self.is_over = threading.Event()
        self.stream = self.peer.dial(plan.APP, run=False)
        self.peer.replies[plan.APP] = self.stream  # pings are answered on it, too
        self.thread = threading.Thread(target=self.send, daemon=True)

    def take(self, stream):
        stream.socket.settimeout(None)
        held, data = b"", stream.raw
        try:
            while data or (data := stream.socket.recv(1 << 18)):
                whole, held = whole_stanzas(held, data)
                data = b""
                self.count(whole)
        except OSError as error:
            self.trouble.append(str(error))
        self.ended = True

    def count(self, whole):
        if ERROR.search(whole):
            self.trouble.append(f"an error: {ERROR.search(whole).group(0)[:400]}")
        heard = self.books.heard_out
        numbers = [int(number) for number in BODY_OUT.findall(whole)]
        if numbers != list(range(heard[self.number], heard[self.number] + len(numbers))):
            self.trouble.append(f"{numbers[:3]}... instead of {heard[self.number]}")
        heard[self.number] += len(numbers)
        for match in IQ_GET.finditer(whole):
            values = {k: v.decode() for k, v in ATTRIBUTE.findall(match.group(0))}
            if values.get(b"type") == "get":
                self.peer.answer_iq(values[b"id"], values[b"to"], values[b"from"])

    def send(self):
        sent, books, wanted = self.books.sent_in, self.books, 0.0
        try:
            while not self.is_over.is_set():
                wanted = min(wanted + books.quota.value, WINDOW)
                count = books.room(sent, books.heard_in, self.number, wanted)
                first = sent[self.number]
                if count:
                    self.peer.reply(plan.APP, "".join(
                        message(JOE, str(n), sender=f"x@{self.name}")
                        for n in range(first, first + count)))
                    sent[self.number] += count
                    wanted -= count
                time.sleep(TICK_S)
        except OSError as error:
            self.trouble.append(str(error))

    def result(self):
        """What went wrong."""
        self.stream.socket.settimeout(0.01)
        try:  # anything but silence on the stream that we opened is its end
            self.trouble.append(f"our stream said {self.stream.socket.recv(4096)!r}")
        except TimeoutError:
            pass
        except OSError as error:
            self.trouble.append(f"our stream: {error}")
        if len(self.peer.accepted) != 1 or self.ended:
            self.trouble.append(f"{len(self.peer.accepted)} streams from fedgate, ended: "
                                f"{self.ended}")
        return self.trouble + self.peer.trouble


def work(lab, names, books, pipe):
    """A process with some of the partners. Says "ready"; "stop" ends its sending; "add up" -> what
    went wrong."""
    guests = [Guest(lab, name, books) for name in names]
    pipe.send("ready")
    pipe.recv()
    for guest in guests:
        guest.thread.start()
    pipe.recv()
    for guest in guests:
        guest.is_over.set()
    for guest in guests:
        guest.thread.join(20)
    pipe.send({})
    pipe.recv()
    pipe.send({guest.name: guest.result() for guest in guests})
    pipe.recv()


# --- inside ---------------------------------------------------------------------------------------

class Inside:
    """The component: sends numbers to each partner, checks the numbers of each."""

    def __init__(self, books):
        self.component = Component(plan.APP, "inside", run=False)
        self.books = books
        self.lock = threading.Lock()
        self.trouble = []
        self.is_over = threading.Event()
        threading.Thread(target=self.hear, daemon=True).start()
        self.thread = threading.Thread(target=self.send, daemon=True)

    def write(self, text):
        with self.lock:
            self.component.send(text)

    def hear(self):
        connected = self.component.stream.socket
        connected.settimeout(None)
        held = b""
        heard = self.books.heard_in
        try:
            while data := connected.recv(1 << 18):
                whole, held = whole_stanzas(held, data)
                for match in ERROR.finditer(whole):
                    if b"@v" not in match.group(0):  # told of a victim that is out
                        self.trouble.append(f"an error: {match.group(0)[:400]}")
                for name, number in BODY_IN.findall(whole):
                    if int(number) != heard[int(name)]:
                        self.trouble.append(f"p{int(name)}: {int(number)} instead of "
                                            f"{heard[int(name)]}")
                    heard[int(name)] += 1
        except OSError as error:
            self.trouble.append(str(error))

    def send(self):
        sent, books, wanted = self.books.sent_out, self.books, [0.0] * len(PARTNERS)
        while not self.is_over.is_set():
            batch = []
            for n, name in enumerate(PARTNERS):
                wanted[n] = min(wanted[n] + books.quota.value, WINDOW)
                count = books.room(sent, books.heard_out, n, wanted[n])
                batch += [message(f"x@{name}", str(number), sender=JOE)
                          for number in range(sent[n], sent[n] + count)]
                sent[n] += count
                wanted[n] -= count
            if batch:
                self.write("".join(batch))
            time.sleep(TICK_S)


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
        self.stage.inside.write(message(f"x@{self.name}", "are you there", sender=JOE))
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
    def __init__(self, lab, preset):
        self.lab = lab
        corp_dns(lab)
        lab.certs.make(*PARTNERS, name=CERTIFICATE)
        for name in PARTNERS + VICTIMS:
            lab.dns.xmpp(name, address_of(name))
        self.fedgate = Fedgate(lab, shards=SHARDS, preset=preset, partners=[
            partner(name) for name in PARTNERS + VICTIMS])
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.config["gateway"]["stream_establishment_timeout_s"] = 60
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
        """Begins, finds out what goes through at most, and goes on with half of it; returns what
        goes through, in messages per second."""
        self.books.quota.value = 1.0
        self.tell("go")
        self.inside.thread.start()
        wait_until("traffic on every stream", lambda: min(self.books.heard_in) > 3
                   and min(self.books.heard_out) > 3, 60)
        self.books.quota.value = WINDOW
        time.sleep(0.5)
        begin, before = time.monotonic(), self.books.heard()
        time.sleep(CALIBRATION_S)
        most = (self.books.heard() - before) / (time.monotonic() - begin)
        self.books.quota.value = most / 2 * TICK_S / (2 * len(PARTNERS))
        time.sleep(1.0)
        return most

    def finish(self):
        """Ends the traffic and adds up; returns how many messages there were."""
        books = self.books
        self.tell("stop")
        self.ask_all()
        self.inside.is_over.set()
        self.inside.thread.join(20)
        for way, sent, heard in (("inwards", books.sent_in, books.heard_in),
                                 ("outwards", books.sent_out, books.heard_out)):
            try:
                wait_until("the last messages", lambda: list(sent) == list(heard), 30)
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

    def rss(self):
        with open(f"/proc/{self.fedgate.process.popen.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.fedgate.process.popen.pid}/fd"))


def storm(count, preset, rss_mb):
    """rss_mb: growth that is none."""
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
        memory = [stage.rss()]
        descriptors = stage.descriptors()
        begin, heard, busy = time.monotonic(), stage.books.heard(), stage.busy_s()

        def at_each(n):
            if n % (count // 12) == 5:
                victims[n % 2].cycle(reloads)
            if n % (count // 10) == 0:
                memory.append(stage.rss())
        reloads.run(at_each)
        took = time.monotonic() - begin
        rate, busy = (stage.books.heard() - heard) / took, (stage.busy_s() - busy) / took / SHARDS
        carried = stage.finish()
        memory.append(stage.rss())
        check_figures(stage, totals)
        check(stage.descriptors() <= descriptors + 4, "descriptors", descriptors,
              stage.descriptors())
        out = [seconds for victim in victims for seconds in victim.times]
        print(f"     {reloads.valid} valid and {reloads.invalid} invalid reloads in {took:.1f} s "
              f"(median {1000 * statistics.median(reloads.took):.0f} ms, longest "
              f"{1000 * max(reloads.took):.0f} ms); {carried} messages; {rate:.0f}/s meanwhile, at "
              f"most {most:.0f}/s went through, shards busy {100 * busy:.0f} %; removed partners "
              f"out after {1000 * statistics.median(out):.0f} ms, at most "
              f"{1000 * max(out):.0f} ms ({len(out)}); RSS "
              f"{' '.join(f'{m:.0f}' for m in memory)} MB")
        check(max(out) < OUT_WITHIN_S, "a removed partner was out only after", max(out))
        growth = memory[-1] - memory[1]
        check(growth < rss_mb, "memory grew by", growth, memory)
        stage.tell("end")


def check_figures(stage, totals):
    """Nothing was lost, by fedgate's own account."""
    after = stage.fedgate.stats()
    moved = {name: after["totals"][name] - totals[name] for name in totals
             if after["totals"][name] != totals[name]}
    for name in ("streams_lost", "streams_out_failed", "spoofed", "bounced_queue_full",
                 "bounced_no_stream", "dropped_memory", "bounced_memory"):
        check(name not in moved, name, moved)
    rows = after["partners"]
    wrong = {name: rows[name] for name in PARTNERS if rows[name]["bounced"]
             or rows[name]["in"]["failures"] or rows[name]["out"]["failures"]}
    check(not wrong, "figures of partners that were left alone:", wrong)


if __name__ == "__main__":
    main(case("hundred", storm, 120, None, 60), case("thousand", storm, 1000, "release", 8))
