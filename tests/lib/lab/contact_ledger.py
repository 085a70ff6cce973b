# SPDX-License-Identifier: GPL-2.0-or-later
"""What was given and what was answered of each contact, as those outside saw it: the measure for
what a node may know after a crash. Threads: any."""
import threading


class Entry:
    """given: somebody has said yes. answered: the node has told the asker so. taking: somebody has
    begun to withdraw it, taken: the node has told so. blocked: an administrator's order that was
    answered."""

    def __init__(self, fate):
        self.fate = fate
        self.given = self.answered = self.taking = self.taken = self.blocked = False

    def wrong(self, state):
        """What is wrong with a node that has it in this state; None: nothing."""
        if state == "granted" and not self.given:
            return "granted by nobody"
        if self.blocked:
            return None if state == "blocked" else "a block is lost"
        if self.answered and not self.taking and state != "granted":
            return "a grant is lost"
        return None


class Ledger:
    """Entries by (direction, local user, remote user). check() holds them against a node's."""

    def __init__(self):
        self.entries = {}
        self.lock = threading.Lock()

    def add(self, direction, ours, theirs, fate):
        with self.lock:
            self.entries[direction, ours, theirs] = Entry(fate)

    def get(self, direction, ours, theirs):
        return self.entries.get((direction, ours, theirs))

    def count(self, what):
        with self.lock:
            return sum(getattr(entry, what) for entry in self.entries.values())

    def standing(self):
        """How many grants were answered and nobody has touched since."""
        with self.lock:
            return sum(e.answered and not e.taking for e in self.entries.values())

    def check(self, contacts):
        """contacts: rows as the admin socket lists them, of a node that was just started, with
        what was noted until it was killed. Returns texts of what is wrong, and the keys of
        grants that are back although their end was told."""
        states = {(row["direction"], row["local"].split("@")[0], row["remote"].split("@")[0]):
                  row["state"] for row in contacts}
        with self.lock:
            wrong = [f"{key} ({entry.fate}): {text}, it is {states.get(key, 'none')}"
                     for key, entry in self.entries.items()
                     if (text := entry.wrong(states.get(key, "none")))]
            wrong += [f"{key}: nobody asked" for key in states if key not in self.entries]
            back = [key for key, entry in self.entries.items()
                    if entry.taken and states.get(key) == "granted"]
        return wrong, back
