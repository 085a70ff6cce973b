# SPDX-License-Identifier: GPL-2.0-or-later
"""slixmpp as a user of an XMPP partner: roster, subscriptions, presence; on a thread of its own."""
import asyncio
import logging
import threading

from . import plan
from .process import HANG_S, wait_until
from .stage import LabError

# It warns on import about a missing speed-up.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
import slixmpp  # noqa: E402


class _Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password, owner):
        super().__init__(jid, password)
        self.owner = owner
        self.auto_authorize = None  # the test decides
        self.auto_subscribe = False
        self.add_event_handler("session_start", self._started)
        self.add_event_handler("failed_auth", lambda _: owner.fail("login refused"))
        self.add_event_handler("presence", owner.note)

    async def _started(self, _):
        await self.get_roster()
        self.send_presence()
        self.owner.ready.set()


class Slix:
    """A logged-in user. approves: answers subscription requests with yes, at once."""

    def __init__(self, jid, address, password="secret", approves=False):
        self.bare = jid
        self.approves = approves
        self.ready = threading.Event()
        self.trouble = None
        self.presences = []  # (from, type, status, show), oldest first
        self.asked = []      # bare addresses whose requests came
        self.lock = threading.Lock()
        made = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(jid, password, address, made),
                                       daemon=True)
        self.thread.start()
        made.wait(HANG_S)
        if not self.ready.wait(HANG_S) or self.trouble:
            raise LabError(f"{jid} cannot log in: {self.trouble}")

    def _run(self, jid, password, address, made):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.client = _Client(jid, password, self)
        made.set()
        self.client.connect((address, plan.XMPP_CLIENT), disable_starttls=True, use_ssl=False)
        self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.close()

    def fail(self, why):
        self.trouble = why
        self.ready.set()

    def note(self, presence):
        kind = presence["type"]
        bare = presence["from"].bare
        with self.lock:
            self.presences.append((presence["from"].full, kind, presence["status"],
                                   presence["show"]))
        if kind == "subscribe":
            self.asked.append(bare)
            if self.approves:
                self.client.send_presence(pto=bare, ptype="subscribed")

    def call(self, function, *arguments, **named):
        """Runs it on the client's thread and waits."""
        done = threading.Event()

        def run():
            function(*arguments, **named)
            done.set()
        self.loop.call_soon_threadsafe(run)
        if not done.wait(HANG_S):
            raise LabError(f"{self.bare}: its client hangs")

    # -- contacts ----------------------------------------------------------------------------------
    def add(self, whom):
        self.call(self.client.send_presence, pto=whom, ptype="subscribe")

    def approve(self, whom):
        self.call(self.client.send_presence, pto=whom, ptype="subscribed")

    def refuse(self, whom):
        self.call(self.client.send_presence, pto=whom, ptype="unsubscribed")

    def remove(self, whom):
        """Takes it off the roster: the server cancels both ways (RFC 6121 2.5)."""
        self.call(lambda: asyncio.ensure_future(self.client.del_roster_item(whom),
                                                loop=self.loop))

    def subscription(self, whom):
        """"none", "to", "from", "both", as the server last said."""
        roster = self.client.client_roster
        return roster[whom]["subscription"] if roster.has_jid(whom) else "none"

    def waits_for_subscription(self, whom, *states, timeout=HANG_S):
        wait_until(f"{self.bare}'s roster has {whom} {states}",
                   lambda: self.subscription(whom) in states, timeout)

    # -- presence ----------------------------------------------------------------------------------
    def show(self, show="available", note=""):
        if show == "unavailable":
            self.call(self.client.send_presence, ptype="unavailable", pstatus=note)
        else:
            self.call(self.client.send_presence, pshow=None if show == "available" else show,
                      pstatus=note)

    def view(self, whom):
        """(show, note) of the best resource of whom, as the presences so far say."""
        resources = {}
        with self.lock:
            for sender, kind, note, show in self.presences:
                bare, _, resource = sender.partition("/")
                if bare != whom or kind in ("subscribe", "subscribed", "unsubscribe",
                                            "unsubscribed", "probe", "error"):
                    continue
                if kind == "unavailable":
                    if resource:
                        resources.pop(resource, None)
                    else:
                        resources.clear()
                else:
                    resources[resource] = (show or "available", note)
        order = ("chat", "available", "dnd", "away", "xa")
        return min(resources.values(), key=lambda seen: order.index(seen[0]),
                   default=("unavailable", ""))

    def sees(self, whom, show, note=None, timeout=HANG_S):
        """Waits until whom is shown so. note: "" must be none, None is anything."""
        try:
            wait_until("presence", lambda: self.view(whom)[0] == show
                       and (note is None or self.view(whom)[1] == note), timeout)
        except TimeoutError:
            raise LabError(f"{self.bare} sees {whom} {self.view(whom)}, not {show} {note!r}; "
                           f"last: {self.presences[-6:]}") from None

    def count(self, whom, kind):
        """How many stanzas of that type came from whom."""
        with self.lock:
            return sum(1 for sender, got, _, _ in self.presences
                       if sender.split("/")[0] == whom and got == kind)

    def is_connected(self):
        return self.client.is_connected()

    def stop(self):
        def end():
            self.client.abort()
            self.loop.call_later(0.2, self.loop.stop)
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(end)
            self.thread.join(HANG_S)
