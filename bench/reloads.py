# SPDX-License-Identifier: GPL-2.0-or-later
"""Reloads while something else is measured: others are added, changed and removed, every fourth
file is invalid."""
import copy
import json
import random
import socket
import threading
import time

from measure import resident_kib

SEED = 20261121
REPLY_S = 30


def ask_reload(path):
    """The node's answer."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(REPLY_S)
        asked.connect(path)
        asked.sendall(b'{"command":"reload"}\n')
        with asked.makefile() as reply:
            return json.loads(reply.readline())


class Reloads(threading.Thread):
    """Exchanges the configuration every period_s, `count` times, or until end()."""

    def __init__(self, fedgate, period_s, count=None):
        super().__init__(daemon=True)
        self.fedgate = fedgate
        self.period_s = period_s
        self.count = count
        self.ending = threading.Event()
        self.done = self.refused = 0
        self.wrong = []
        self.kib_early = 0  # resident after a tenth of them
        self.ended = None   # when all were done, time.monotonic()

    def run(self):
        from lab.fedgate import partner
        chance = random.Random(SEED)
        base = copy.deepcopy(self.fedgate.config)
        while not self.ending.is_set() and (self.count is None or self.done < self.count):
            others = [partner(f"o{n}.other.test", connection_limit=chance.randint(1, 50))
                      for n in chance.sample(range(200), 50)]
            config = {**base, "partners": base["partners"] + others}
            is_bad = self.done % 4 == 3
            if is_bad:
                config["partners"] = config["partners"] + [{"domain": "no such name"}]
            self.fedgate.config = config
            self.fedgate.write_config()
            reply = ask_reload(self.fedgate.admin_path)
            if reply["ok"] == is_bad:
                self.wrong.append(reply)
            self.refused += is_bad
            self.done += 1
            if self.count and self.done == max(1, self.count // 10):
                self.kib_early = resident_kib(self.fedgate.process.pid)[0]
            self.ending.wait(self.period_s)
        self.ended = time.monotonic()

    def end(self):
        self.ending.set()
        self.join(2 * REPLY_S)
