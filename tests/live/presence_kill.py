#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole daemon is killed (SIGKILL) at random moments while contacts come and go: no grant that
was answered is lost, none appears that nobody gave, the database opens every time, and dialogs go
on with their identifiers and higher numbers. Seeded: the moments and who asks whom."""
import itertools
import json
import os
import queue
import random
import re
import shutil
import socket
import sqlite3
import sys
import threading
import time
import uuid
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, Skip, case, check, long_run, main, plan
from lab.contact_ledger import Ledger
from lab.fedgate import Fedgate, corp_dns, partner
from lab.peer import Peer
from lab.presence import pidf
from lab.presence_pool import PresencePool, Subscription
from lab.process import HANG_S, wait_until
from lab.sip import SipWire, answer_to, compose
from lab.xmpp import local

DOMAIN = "scripted.test"
HOP = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp",
       "trusted_addresses": [plan.PHONES], "options_interval_s": 0, "subscribe_rate_max": 2000}
SEED = 20261121
PAUSE_S = 0.002  # between two acts
ELDERS = 3       # of each direction: asked for at the begin, their dialogs are in the store
IN_FATES = ("active", "pending", "rejected", "revoked", "left")
OUT_FATES = ("approve", "silent", "deny", "withdraw")
ADMIN_FATES = ("allow", "block")


class Pool(PresencePool):
    """Answers SUBSCRIBE as the fate in the presentity's name says, and notes it. Its own watchers'
    NOTIFYs are looked at and answered."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.wrong = []
        self.refreshed = {}  # Call-ID -> number of the last SUBSCRIBE
        self.notified = {}   # Call-ID -> (number of the last NOTIFY, its dialog's tags)
        self.watched = {}    # Call-ID of a watcher of ours -> (his name, whom)
        super().__init__()

    def _take(self, wire, message):
        if message.method == "NOTIFY":
            wire.send(answer_to(message, 200, "OK"))
            self._notified(message)
        else:
            super()._take(wire, message)

    def _subscribe(self, wire, message):
        call_id, number = message.get("call-id"), int(message.get("cseq").split()[0])
        dialog = self.dialogs.get(call_id)
        if dialog is None:
            if ";tag=" in message.get("to"):
                wire.send(answer_to(message, 481))
                return
            dialog = self.dialogs[call_id] = Subscription(self, wire, message)
        else:
            self._same_dialog(message, number > self.refreshed[call_id], (
                message.get("from"), message.get("to")) == (
                dialog.request.get("from"), f"{dialog.request.get('to')};tag={dialog.tag}"))
        self.refreshed[call_id] = number
        dialog.wire = wire
        expires = int(message.get("expires") or 3600)
        wire.send(answer_to(message, 200, "OK", dialog.tag, [
            ("Contact", f"<sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp>"),
            ("Expires", str(expires))]))
        self._tell(dialog, "terminated;reason=timeout" if expires == 0 else None)

    def _same_dialog(self, message, is_higher, has_tags):
        """No number comes twice, however soon after a start the node dies."""
        if not has_tags or not is_higher:
            self.wrong.append(message.headers)

    def _tell(self, dialog, state):
        ours, theirs = dialog.whom.split("@")[0], dialog.watcher.split("@")[0]
        entry = self.ledger.get("in", ours, theirs)
        if state is None:
            # Who takes it back after a crash once more, or never gave it.
            state = ("pending" if not entry or entry.fate in ("pending", "allow", "block") else
                     "terminated;reason=rejected" if entry.fate == "rejected" or
                     (entry.fate == "revoked" and entry.taking) else "active")
        if state == "active" and entry:
            entry.given = True
        self.say(dialog, state)

    def say(self, dialog, state):
        """NOTIFY, whose answer nobody waits for."""
        dialog.cseq += 1
        value = state if ";" in state else f"{state};expires=3600"
        target = re.search(r"<([^>]+)>", dialog.request.get("contact")).group(1)
        body = pidf(f"sip:{dialog.whom}") if state == "active" else b""
        dialog.wire.send(compose(f"NOTIFY {target} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {plan.PHONES}:{plan.SIP_TCP};branch=z9hG4bK{uuid.uuid4().hex}"),
            ("Max-Forwards", "70"), ("From", f"<sip:{dialog.whom}>;tag={dialog.tag}"),
            ("To", dialog.request.get("from")), ("Call-ID", dialog.call_id),
            ("CSeq", f"{dialog.cseq} NOTIFY"),
            ("Contact", f"<sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp>"),
            ("Event", "presence"), ("Subscription-State", value)], body,
            "application/pidf+xml" if body else None))

    def _notified(self, message):
        call_id, number = message.get("call-id"), int(message.get("cseq").split()[0])
        last, tags = self.notified.get(call_id, (0, (message.get("from"), message.get("to"))))
        self._same_dialog(message, number > last, tags == (message.get("from"), message.get("to")))
        self.notified[call_id] = (number, tags)
        entry = self.ledger.get("out", *self.watched[call_id])
        state = message.get("subscription-state")
        if state.startswith("active"):
            entry.answered = True
        elif "rejected" in state and entry.taking:
            entry.taken = True


class Watchers:
    """SIP users that subscribe to the partner's: over one connection, answers unread."""

    def __init__(self, pool):
        self.pool = pool
        self.wire = None

    def subscribe(self, ours, theirs):
        wire = self.wire  # drop() comes from another thread
        if wire is None:
            wire = self.wire = SipWire(socket.create_connection(
                (plan.FEDGATE, plan.SIP_TCP), HANG_S, (plan.PHONES, 0)))
            threading.Thread(target=self._drain, args=(wire,), daemon=True).start()
        call_id = uuid.uuid4().hex
        self.pool.watched[call_id] = (ours, theirs)
        here = "%s:%d" % wire.socket.getsockname()[:2]
        wire.send(compose(f"SUBSCRIBE sip:{theirs}@{DOMAIN} SIP/2.0", [
            ("Via", f"SIP/2.0/TCP {here};branch=z9hG4bK{uuid.uuid4().hex}"),
            ("Max-Forwards", "70"), ("From", f"<sip:{ours}@{plan.CORP}>;tag={call_id[:8]}"),
            ("To", f"<sip:{theirs}@{DOMAIN}>"), ("Call-ID", call_id), ("CSeq", "1 SUBSCRIBE"),
            ("Event", "presence"), ("Contact", f"<sip:{ours}@{here};transport=tcp>"),
            ("Accept", "application/pidf+xml"), ("Expires", "3600")]))
        return call_id

    @staticmethod
    def _drain(wire):
        try:
            while wire.read() is not None:
                pass
        except OSError:
            pass

    def drop(self):
        wire, self.wire = self.wire, None
        if wire:
            wire.socket.close()


class World:
    """The node, its partner, its pool, an administrator, and what all of them noted."""

    def __init__(self, lab, seed, preset):
        corp_dns(lab)
        lab.dns.xmpp(DOMAIN, plan.SCRIPTED)
        self.lab = lab
        self.random = random.Random(seed)
        self.ledger = Ledger()
        self.pool = lab.own(Pool(self.ledger))
        self.watchers = Watchers(self.pool)
        self.fedgate = Fedgate(lab, partners=[partner(DOMAIN)], hop=HOP, preset=preset)
        self.fedgate.config["log"]["level"] = "warn"
        self.numbers = itertools.count()
        self.undo = queue.SimpleQueue()  # acts that take back what was given
        self.orders = queue.SimpleQueue()
        self.runs = threading.Event()
        self.shown = 0
        self.kills = 0
        self.back = set()
        self.fedgate.start()
        self.peer = Peer(lab)
        self.peer.on_stanza = self.heard
        self.peer.listen()
        for work in (self.load, self.administer):
            threading.Thread(target=work, daemon=True).start()

    # -- the partner -------------------------------------------------------------------------------
    def says(self, kind, theirs, ours, inner=""):
        """Presence from the partner; lost when the node is away, as its streams' queues are."""
        kind = f" type='{kind}'" if kind else ""
        try:
            self.peer.reply(plan.CORP, f"<presence{kind} from='{theirs}@{DOMAIN}' "
                                       f"to='{ours}@{plan.CORP}'>{inner}</presence>")
        except (OSError, LabError):
            self.peer.replies.clear()

    def heard(self, _, element):
        if local(element) != "presence":
            return
        kind = element.get("type")
        ours, theirs = (element.get(key).split("@")[0] for key in ("from", "to"))
        entry = self.ledger.get("in", ours, theirs)
        if kind == "subscribed" and entry:
            entry.answered = True
            if entry.fate in ("revoked", "left"):
                self.undo.put((entry, ours, theirs))
        elif kind == "unsubscribed" and entry and entry.taking:
            entry.taken = True
        elif kind in ("subscribe", "probe"):
            self.asked(kind, ours, theirs)

    def asked(self, kind, ours, theirs):
        """Our user asks: as his fate says."""
        entry = self.ledger.get("out", ours, theirs)
        if entry is None or entry.fate == "silent":
            return
        if entry.fate == "deny" or entry.taking:
            self.says("unsubscribed", theirs, ours)
            return
        if kind == "subscribe":
            entry.given = True
            self.says("subscribed", theirs, ours)
            if entry.fate == "withdraw":
                self.undo.put((entry, ours, theirs))
        self.says(None, theirs, ours, f"<status>{self.shown}</status>")

    # -- the load ----------------------------------------------------------------------------------
    def load(self):
        """One act after the other while it runs."""
        while True:
            self.runs.wait()
            try:
                if self.undo.qsize() > 20 or (self.undo.qsize() and self.random.random() < 0.3):
                    self.take_back(*self.undo.get())
                else:
                    self.begin()
            except (OSError, LabError):  # killed meanwhile
                self.watchers.drop()
            time.sleep(PAUSE_S)

    def begin(self):
        ours, theirs = (f"{side}{next(self.numbers)}" for side in "uw")
        direction, fates = self.random.choices(
            (("in", IN_FATES), ("out", OUT_FATES), ("admin", ADMIN_FATES)), (10, 10, 1))[0]
        fate = self.random.choice(fates)
        if direction == "in":
            self.ledger.add("in", ours, theirs, fate)
            self.says("subscribe", theirs, ours)
        elif direction == "out":
            self.ledger.add("out", ours, theirs, fate)
            self.watchers.subscribe(ours, theirs)
        else:
            self.ledger.add("in", ours, theirs, fate)
            self.orders.put((fate, ours, theirs))

    def take_back(self, entry, ours, theirs):
        entry.taking = True
        if entry.fate == "left":
            self.says("unsubscribe", theirs, ours)
        elif entry.fate == "withdraw":
            self.says("unsubscribed", theirs, ours)
        else:
            for dialog in list(self.pool.dialogs.values()):
                if dialog.whom.split("@")[0] == ours:
                    self.pool.say(dialog, "terminated;reason=rejected")

    def administer(self):
        """contact allow and block, each waited for."""
        while True:
            fate, ours, theirs = self.orders.get()
            entry = self.ledger.get("in", ours, theirs)
            entry.given = fate == "allow"
            try:
                done = self.ask(command="contact", act=fate, direction="in",
                                local=f"{ours}@{plan.CORP}", remote=f"{theirs}@{DOMAIN}")
            except (OSError, ValueError):  # killed: no answer
                continue
            if done.get("ok"):
                entry.answered, entry.blocked = fate == "allow", fate == "block"

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(HANG_S)
            asked.connect(self.fedgate.admin_path)
            asked.sendall(json.dumps(request).encode() + b"\n")
            with asked.makefile() as reply:
                return json.loads(reply.readline())

    def contacts(self):
        """All of them, page by page."""
        rows, cursor = [], {}
        while True:
            page = self.ask(command="contacts", limit="1000", **cursor)
            check(page["ok"], "contacts", page)
            rows += page["contacts"]
            if page["cursor"] is None:
                return rows
            cursor = {"cursor": page["cursor"]}

    # -- elders ------------------------------------------------------------------------------------
    def settle_elders(self):
        """Contacts of both directions whose dialogs are in the store before the first kill."""
        for _ in range(ELDERS):
            ours, theirs = (f"{side}{next(self.numbers)}" for side in "uw")
            self.ledger.add("in", ours, theirs, "active")
            self.ledger.add("out", ours, theirs, "approve")
            self.says("subscribe", theirs, ours)
            self.watchers.subscribe(ours, theirs)
        wait_until("elders", lambda: self.ledger.count("answered") == 2 * ELDERS)
        self.elders_in = list(self.pool.dialogs)
        self.elders_out = list(self.pool.watched)
        self.wait_written()

    def wait_written(self):
        wait_until("written", lambda: (s := self.fedgate.stats())["presence"]["dirty"] == 0
                   and s["store"]["queue_items"] == 0)

    def dialogs_go_on(self, before):
        """Each elder's dialog is refreshed, or carries the presence that the partner tells."""
        subscribes, notifies = before
        wait_until("refreshes in the same dialogs", lambda: all(
            self.pool.refreshed[i] > subscribes[i] for i in self.elders_in))
        wait_until("NOTIFYs in the same dialogs", lambda: all(
            self.pool.notified[i][0] > notifies[i] for i in self.elders_out))

    def wait_withdrawn(self):
        """What was withdrawn within the last commit before the kill may be there again: those who
        decide are asked after a start, and say no."""
        for direction, ours, theirs in self.back:
            if self.ledger.get(direction, ours, theirs).fate == "left":
                continue  # only the partner's user would know
            wait_until(f"the end of {direction} {ours} {theirs}", lambda: "granted" not in [
                row["state"] for row in self.ask(
                    command="contact", act="show", direction=direction,
                    local=f"{ours}@{plan.CORP}", remote=f"{theirs}@{DOMAIN}")["contacts"]])

    # -- death and life ----------------------------------------------------------------------------
    def kill(self):
        self.fedgate.kill()
        self.runs.clear()
        self.kills += 1
        self.watchers.drop()
        self.peer.replies.clear()
        self.look_at_database()

    def look_at_database(self):
        """A copy, as the disk has it, is whole."""
        folder = self.lab.folder("copy")
        for name in os.listdir(self.fedgate.folder):
            if name.startswith("fedgate.db"):
                shutil.copy(os.path.join(self.fedgate.folder, name), folder)
        with sqlite3.connect(os.path.join(folder, "fedgate.db")) as copy:
            said = copy.execute("PRAGMA integrity_check").fetchone()[0]
            check(said == "ok", "integrity_check", said)
            check(copy.execute("SELECT count(*) FROM damaged").fetchone()[0] == 0, "damaged rows")
        copy.close()
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))

    def die_once(self, is_last):
        """Load, death, at times a second one while starting, life, comparison. is_last: of a
        process that had the time to reserve numbers; its dialogs must go on with higher ones."""
        if is_last:
            self.wait_written()
        self.runs.set()
        time.sleep(self.random.uniform(0.05, 0.6))
        self.kill()
        self.shown += 1
        before = ({i: self.pool.refreshed[i] for i in self.elders_in},
                  {i: self.pool.notified[i][0] for i in self.elders_out})
        if self.random.random() < 0.25 and not is_last:
            self.fedgate.launch()
            time.sleep(self.random.uniform(0, 0.4))
            self.kill()
        self.fedgate.start()
        wrong, back = self.ledger.check(self.contacts())
        check(not wrong, f"after kill {self.kills}", len(wrong), wrong[:5])
        self.back.update(back)
        if is_last:
            self.dialogs_go_on(before)
            self.wait_withdrawn()
        check(not self.pool.wrong, f"dialogs after kill {self.kills}", self.pool.wrong[:2])

    def report(self):
        rows = self.contacts()
        print(f"     {self.kills} kills, {len(rows)} contacts, "
              f"{sum(row['state'] == 'granted' for row in rows)} granted; answered "
              f"{self.ledger.count('answered')}, withdrawn and answered "
              f"{self.ledger.count('taken')}, blocked {self.ledger.count('blocked')}; lost 0, "
              "granted by nobody 0, there again after their end was told "
              f"{len(self.back)}{self.back_by_fate()}", flush=True)

    def back_by_fate(self):
        fates = Counter(self.ledger.get(*key).fate for key in self.back)
        return " (" + ", ".join(f"{n} {fate}" for fate, n in fates.items()) + ")" if fates else ""


def killed(kills, seed, preset=None):
    with Lab(f"presence-kill-{seed}") as lab:
        world = World(lab, seed, preset)
        world.settle_elders()
        while world.kills < kills:
            world.die_once(is_last=world.kills + 1 >= kills)
        check(world.ledger.standing() > kills, "too little was granted", world.ledger.standing())
        world.report()


def two_hundred():
    """Ten nodes after each other, twenty kills each, in the build that is shipped."""
    if not long_run():
        raise Skip("with --long only")
    for number in range(10):
        killed(20, SEED + 1 + number, "release")


CASES = [case("a_dozen", killed, 12, SEED), two_hundred]

if __name__ == "__main__":
    main(*CASES)
