#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stanzas that wait for their way out when a reload forbids them: nothing of theirs leaves any
more, their senders are told at once what a fresh stanza's sender is told, and what others sent
arrives in order, once."""
import os
import queue
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.process import HANG_S, wait_until
from lab.rules import FEDERATED, VERIFIED, Rules, none, text
from lab.sip import ScriptedPool
from lab.xmpp import END, error_of, local, message, text_of

TRUSTED = "trusted.test"
OTHER = "other.test"
BOB, EVE = f"bob@{TRUSTED}", f"eve@{TRUSTED}"
ANN, JOE = f"ann@{plan.APP}", f"joe@{plan.APP}"
FORBIDDEN = ("auth", "forbidden")
BIG_BYTES = 20_000  # several fit into what waits in a connection
BIG_COUNT = 800  # more than the kernel takes


def row(ground, domain=TRUSTED):
    return next(p for p in ground.config["partners"] if p["domain"] == domain)


def deaf(domain=TRUSTED, **changes):
    """For Rules: a partner whose server is not there."""
    def closed(ground):
        ground.peers[domain].stop()
        return ground
    return {domain: changes, OTHER: {}}, closed


def waits(ground, count, domain=TRUSTED):
    wait_until(f"{count} to wait",
               lambda: ground.fedgate.partner(domain)["queue"]["count"] == count, 5)


def comes_up(ground, domain=TRUSTED, ours=plan.APP):
    """Its server is there, and says so by dialling in: the wait for the next attempt ends."""
    ground.peers[domain].listen()
    ground.peers[domain].reply(ours, f"<message from='x@{domain}' to='nobody@{ours}' "
                                     "type='error'/>")


def arrive(ground, count, domain=TRUSTED):
    """Bodies of the messages that the partner gets, and that there are no more."""
    got = [text_of(ground.peers[domain].inbox.get(timeout=HANG_S), "body") for _ in range(count)]
    ground.component.send(message(f"end@{domain}", "end", sender=f"end@{plan.APP}"))
    end = ground.peers[domain].inbox.get(timeout=HANG_S)
    check(text_of(end, "body") == "end", "one more:", text(end))
    return got


def told(ground, *idents):
    """The errors that the component gets, by id, before anything else of these."""
    got = {}
    while len(got) < len(idents):
        element = ground.component.stream.received()
        check(element is not END, "the component's stream ended")
        if element.get("type") == "error":
            got[element.get("id")] = element
    check(set(got) == set(idents), "told of", sorted(got))
    return got


# --- towards a partner ----------------------------------------------------------------------------

def blocks_eve(config):
    config["blocked"] = [EVE]


def blocks_eve_here(config):
    next(p for p in config["partners"] if p["domain"] == TRUSTED)["blocked"] = [EVE]


def only_ann(config):
    config["access"]["users"] = {"quiet": {"xmpp": False, "members": [JOE, f"joe@{plan.CORP}"]}}


def to_partner(change, victim, kind, shards):
    """Address blocked, by all or by the partner's row, or a user of ours who may no more: his are
    answered while the partner is still away, the others' arrive in order when it comes."""
    partners, closed = deaf()
    with Lab("waiting-out") as lab:
        ground = closed(Rules(lab, partners, shards=shards))
        phone = ground.phone("joe" if victim == JOE else "ann")
        for n in range(10):
            ground.component.send(message(BOB, f"bob{n}", sender=ANN, ident=f"bob{n}"))
            ground.component.send(message(EVE if victim == EVE else BOB, f"lost{n}",
                                          sender=JOE if victim == JOE else ANN,
                                          ident=f"lost{n}"))
        call = phone.request("MESSAGE", f"sip:{EVE}", f"sip:{EVE}", (), "lost",
                             "text/plain;charset=UTF-8")
        waits(ground, 21)
        change(ground.config)
        ground.reload("blocked while it waits")
        for ident, answer in told(ground, *[f"lost{n}" for n in range(10)]).items():
            check(error_of(answer) == FORBIDDEN, ident, "told", text(answer))
            check(kind in text(answer), f"{kind} is not named:", text(answer))
        check(phone.final(call).status == 403, "SIP is told another status")
        check(ground.fedgate.partner(TRUSTED)["queue"]["count"] == 10, "still waiting")
        ground.wait_refusal(f"rule={kind}", "dir=out")
        comes_up(ground)
        got = arrive(ground, 10)
        check(got == [f"bob{n}" for n in range(10)], "arrived", got)


def domain_away(change, wanted):
    """All of a domain: each sender is told what he would be told now."""
    partners, closed = deaf()
    with Lab("waiting-domain") as lab:
        ground = closed(Rules(lab, partners))
        for n in range(3):
            ground.component.send(message(BOB, "lost", sender=ANN, ident=f"lost{n}"))
        waits(ground, 3)
        change(ground)
        ground.reload("the whole domain")
        before = told(ground, "lost0", "lost1", "lost2")
        ground.component.send(message(BOB, "lost", sender=ANN, ident="fresh"))
        fresh = text(told(ground, "fresh")["fresh"])
        for ident, answer in before.items():
            check(error_of(answer) == wanted, ident, "told", text(answer))
            check(text(answer).replace(ident, "fresh") == fresh, "a fresh one is told", fresh)
        ground.peers[TRUSTED].listen()
        ground.component.send(message(f"bob@{OTHER}", "hello", sender=ANN))
        check(text_of(ground.peers[OTHER].inbox.get(timeout=HANG_S), "body") == "hello", "OTHER")
        none(list(drain(ground.peers[TRUSTED].inbox)), "left the house")


def drain(inbox):
    while True:
        try:
            yield inbox.get_nowait()
        except queue.Empty:
            return


def block_domain(ground):
    ground.config["blocked"] = [TRUSTED]


def remove_partner(ground):
    ground.config["partners"].remove(row(ground))


def maintenance(ground):
    row(ground)["maintenance"] = "back at noon"


def notes():
    """A partner that becomes a public one while presence waits for it: without its note."""
    partners, closed = deaf(type=FEDERATED)
    with Lab("waiting-notes") as lab:
        ground = closed(Rules(lab, partners))
        ground.component.send(f"<presence from='{ANN}/desk' to='{BOB}'><show>away</show>"
                              "<status>at the &lt;dentist&gt;</status><priority>1</priority>"
                              "</presence>")
        waits(ground, 1)
        row(ground)["type"] = VERIFIED
        ground.reload("no notes any more")
        comes_up(ground)
        got = ground.peers[TRUSTED].inbox.get(timeout=HANG_S)
        check([local(child) for child in got] == ["show", "priority"], "presence", text(got))
        check((got.get("from"), got.get("to")) == (f"{ANN}/desk", BOB), "of", text(got))


# --- custody --------------------------------------------------------------------------------------

def sent_before():
    """What a stream has carried already, unconfirmed, is never sent again, blocked or not: its
    senders learn that nobody knows."""
    with Lab("waiting-acks") as lab:
        ground = Rules(lab, {TRUSTED: {}, OTHER: {}})
        peer = ground.peers[TRUSTED]
        peer.answer_iq = lambda *args: None  # nothing is confirmed
        for name, to in (("bob", BOB), ("eve", EVE)):
            ground.component.send(message(to, name, sender=ANN, ident=name))
            check(text_of(peer.inbox.get(timeout=HANG_S), "body") == name, "not", name)
        ground.config["blocked"] = [EVE]
        ground.reload("an address")
        peer.accepted[0].drop()
        for ident, answer in told(ground, "bob", "eve").items():
            check(error_of(answer) == ("wait", "remote-server-timeout"), ident, text(answer))
        ground.component.send(message(BOB, "next", sender=ANN))
        check(text_of(peer.inbox.get(timeout=HANG_S), "body") == "next", "something was repeated")


class Stuck:
    """A stream of TRUSTED's that is not read until it is let go."""

    def __init__(self, ground):
        self.peer = ground.peers[TRUSTED]
        self.go = threading.Event()
        self.streams = []
        self.peer.on_stream = self._stream

    def _stream(self, stream):
        self.streams.append(stream)
        if len(self.streams) == 1:
            self.go.wait()
        stream.run()
        while (element := stream.queue.get()) is not END:
            if local(element) == "iq":
                self.peer.answer_iq(element.get("id"), element.get("to"), element.get("from"))
            else:
                self.peer.inbox.put(element)


def is_full(ground):
    """All is in, and for a while nothing more was written to the stream."""
    before = ground.fedgate.totals()
    time.sleep(0.5)
    now = ground.fedgate.totals()
    return (now["stanzas_in_component"] == BIG_COUNT and
            now["stanzas_out_partner"] == before["stanzas_out_partner"])


def big_ones(ground, ident):
    for n in range(BIG_COUNT):
        ground.component.send(message(EVE if n % 2 else BOB, f"{n} " + "y" * BIG_BYTES, sender=ANN,
                                      ident=f"{ident}{n}"))


def stuck(is_lost):
    """A partner that does not read while its user is blocked. The rest of the stream's bytes is not
    written to it however it goes on; what it cannot have is judged again."""
    with Lab("waiting-stuck") as lab:
        def change(config):
            config["limits"].update(queue_bytes_max=1 << 26, queue_age_s_max=600)
        ground = Rules(lab, {TRUSTED: {}, OTHER: {}}, change)
        jam = Stuck(ground)
        big_ones(ground, "big")
        wait_until("the stream to be full", lambda: jam.streams and is_full(ground), HANG_S)
        ground.config["blocked"] = [EVE]
        ground.reload("an address")
        if is_lost:
            jam.streams[0].socket.shutdown(socket.SHUT_RDWR)
        else:
            wait_until("the stream to be given up",
                       lambda: "stream_refused dir=out" in ground.fedgate.log_text(), 10)
        errors = {}
        got = []
        deadline = time.monotonic() + HANG_S
        while len(set(errors) | set(got)) < BIG_COUNT:
            check(time.monotonic() < deadline, "neither arrived nor told:",
                  BIG_COUNT - len(set(errors) | set(got)))
            for element in drain(ground.component.stream.queue):
                errors[int(element.get("id")[3:])] = error_of(element)
            for element in drain(ground.peers[TRUSTED].inbox):
                got.append(int(text_of(element, "body").split(" ")[0]))
            time.sleep(0.02)
        check(not [n for n in got if n % 2], "of the blocked one came", got)
        check(got == sorted(got) and len(got) == len(set(got)), "order", got)
        check(not set(got) & set(errors), "both arrived and told", got, errors)
        refused = [n for n, error in errors.items() if error == FORBIDDEN]
        check(refused and not [n for n in refused if n % 2 == 0], "forbidden to", refused)
        check(all(error == ("wait", "remote-server-timeout") for n, error in errors.items()
                  if n not in refused), "others are told", errors)
        check(len(got) > BIG_COUNT / 8, "only so many arrived", got)
        jam.go.set()


# --- towards SIP ----------------------------------------------------------------------------------

def say_to_ann(ground, count, user="ann"):
    for n in range(count):
        for name, sender in (("bob", BOB), ("lost", EVE)):
            ground.partner_says(TRUSTED, plan.CORP, message(
                f"{user}@{plan.CORP}", f"{name}{n}", sender=sender, ident=f"{name}{n}"))


def back(ground, *idents):
    got = {}
    while len(got) < len(idents):
        element = ground.peers[TRUSTED].inbox.get(timeout=HANG_S)
        got[element.get("id")] = element
    check(set(got) == set(idents), "told of", sorted(got))
    return got


def fresh_answer(ground):
    ground.partner_says(TRUSTED, plan.CORP, message(f"ann@{plan.CORP}", "x", sender=EVE,
                                                    ident="fresh"))
    return text(back(ground, "fresh")["fresh"])


def pool_heard(pool):
    got = []
    while not pool.inbox.empty():
        got.append(pool.inbox.get().text)
    return got


class Deaf(ScriptedPool):
    """Reads nothing until it is let go."""

    def __init__(self):
        self.go = threading.Event()
        super().__init__()

    def _serve(self, wire):
        self.go.wait()
        super()._serve(wire)


def pool_hangs():
    """Messages that wait until their next hop's connection takes more: each to another user."""
    count, wide = 300, "y" * 60_000
    with Lab("waiting-pool") as lab:
        ground = Rules(lab, {TRUSTED: {}, OTHER: {}},
                       lambda config: config["limits"].update(queue_bytes_max=1 << 26))
        ground.pool.stop()
        pool = lab.own(Deaf())
        for n in range(count):
            ground.partner_says(TRUSTED, plan.CORP, message(
                f"u{n}@{plan.CORP}", f"{n} {wide}", sender=EVE if n % 2 else BOB, ident=f"{n}"))
        wait_until("all of them to wait", lambda: any(hop["pending"] == count for hop in
                                                      ground.fedgate.stats()["sip"]), 10)
        ground.config["blocked"] = [EVE]
        ground.reload("an address")
        fresh = fresh_answer(ground)
        lost = {}
        while not lost or time.monotonic() < quiet:
            for element in drain(ground.peers[TRUSTED].inbox):
                lost[int(element.get("id"))] = element
                check(text(element).replace(f'id="{element.get("id")}"', 'id="fresh"').replace(
                    f"u{element.get('id')}@", "ann@") == fresh, "told", text(element), fresh)
            quiet = time.monotonic() + 2 if not lost else quiet
            time.sleep(0.05)
        check(len(lost) > count / 10 and not [n for n in lost if n % 2 == 0], "told", sorted(lost))
        pool.go.set()
        heard = [int(pool.next_message().text.split(" ")[0]) for _ in range(count - len(lost))]
        check(heard == sorted(set(range(count)) - set(lost)), "heard", heard)
        none(list(drain(ground.peers[TRUSTED].inbox)), "told")


def behind_another():
    """Messages that wait behind one that is not answered yet (RFC 3428 section 8)."""
    with Lab("waiting-turn") as lab:
        ground = Rules(lab, {TRUSTED: {}, OTHER: {}})
        ground.pool.stop()
        pool = lab.own(Slow())
        say_to_ann(ground, 40)
        first = pool.next_message()
        check(first.text == "bob0", "first", first.text)
        wait_until("the others to wait", lambda: any(hop["pending"] == 80 for hop in
                                                     ground.fedgate.stats()["sip"]), 5)
        ground.config["blocked"] = [EVE]
        ground.reload("an address")
        lost = back(ground, *[f"lost{n}" for n in range(40)])
        fresh = fresh_answer(ground)
        last = text(lost["lost39"])
        check(last.replace("lost39", "fresh") == fresh, "told", last)
        check(pool.inbox.empty(), "heard", pool_heard(pool))
        pool.go.set()
        heard = [pool.next_message().text for _ in range(39)]
        check(heard == [f"bob{n}" for n in range(1, 40)], "heard", heard)


class Slow(ScriptedPool):
    """Answers nothing until it is let go."""

    def __init__(self):
        self.go = threading.Event()
        super().__init__()

    def _serve(self, wire):
        inner = wire.send

        def send(data):
            self.go.wait()
            inner(data)
        wire.send = send
        super()._serve(wire)


def tests():
    for shards in (1, 2):
        yield case(f"address_{shards}", to_partner, blocks_eve, EVE, "blocked", shards)
    yield case("address_of_partner", to_partner, blocks_eve_here, EVE, "partners.blocked", 1)
    yield case("user_of_ours", to_partner, only_ann, JOE, "access.users", 1)
    yield case("domain_blocked", domain_away, block_domain, FORBIDDEN)
    yield case("partner_removed", domain_away, remove_partner,
               ("cancel", "remote-server-not-found"))
    yield case("partner_in_maintenance", domain_away, maintenance,
               ("wait", "remote-server-timeout"))
    yield from (notes, sent_before)
    yield case("stuck_and_lost", stuck, True)
    yield case("stuck_and_given_up", stuck, False)
    yield from (pool_hangs, behind_another)


if __name__ == "__main__":
    main(*tests())
