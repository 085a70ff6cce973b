# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/negotiation.table, and the ground to try its fields on: fedgate with a partner for each, the
six kinds of servers, a component inside."""
import os
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from . import plan
from .fedgate import TREE, Fedgate, corp_dns, partner
from .negotiator import KINDS, Negotiator
from .process import HANG_S, wait_until
from .stage import check
from .xmpp import END, Component, error_of, text_of

JOE = f"joe@{plan.APP}"
WORKERS = 32
# The table's results -> /stats' names of methods.
METHODS = {"external": "external", "certificate": "certificate", "dialback-tls": "dialback_tls",
           "dialback-tcp": "dialback_plain"}

Row = namedtuple("Row", "number tls sasl dialback verdict reason starttls external offers out in_")
# One field of the table: a row's partner in one direction; result as the table says.
Cell = namedtuple("Cell", "row way kind result domain")


def read_table():
    rows = []
    with open(os.path.join(TREE, "doc", "negotiation.table"), encoding="utf-8") as table:
        for line in table:
            words = [word for word in line.split() if word != "|"]
            if words and not line.startswith("#"):
                rows.append(Row(int(words[0]), *words[1:3], words[3] == "true", *words[4:9],
                                dict(zip(KINDS, words[9:15])), dict(zip(KINDS, words[15:21]))))
    check([row.number for row in rows] == list(range(1, 19)), "rows", rows)
    return rows


def settings(row):
    return {"tls": row.tls, "sasl": row.sasl, "dialback": row.dialback, "acks": "off"}


def cells_of(rows):
    for row in rows:
        for way, results in (("out", row.out), ("in", row.in_)):
            for kind, result in results.items():
                if result != "-":
                    yield Cell(row, way, kind, result, f"r{row.number}-{way}.{kind}.test")


class Inside:
    """The component: who said what to it, and which of its messages came back."""

    def __init__(self, lab):
        self.component = lab.own(Component(plan.APP, "inside"))
        self.lock = threading.Lock()
        self.heard = {}  # body -> from
        self.errors = {}  # id -> (type, condition)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while (element := self.component.stream.queue.get()) is not END:
            if element.get("type") == "error":
                self.errors[element.get("id")] = error_of(element)
            else:
                self.heard[text_of(element, "body")] = element.get("from")

    def say(self, domain, body):
        with self.lock:
            self.component.say(JOE, f"ann@{domain}", body, ident=body)

    def hears(self, body, timeout=HANG_S):
        return wait_until(f"'{body}' inside", lambda: self.heard.get(body), timeout)

    def error(self, body, timeout=HANG_S):
        return wait_until(f"an error for '{body}'", lambda: self.errors.get(body), timeout)


class Ground:
    """fedgate with a partner for each of the domains, and all six kinds of servers."""

    def __init__(self, lab, rows_by_domain, is_direct=False, backend="wolfssl", **limits):
        self.lab = lab
        corp_dns(lab)
        self.servers = {name: Negotiator(lab, kind) for name, kind in KINDS.items()}
        for domain in rows_by_domain:
            self.servers[domain.split(".")[-2]].add(domain, is_direct)
        self.fedgate = Fedgate(lab, shards=2, backend=backend, partners=[
            partner(domain, **settings(row)) for domain, row in rows_by_domain.items()])
        self.fedgate.config["limits"].update(drain_timeout_s=3, **limits)
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.start()
        for server in self.servers.values():
            lab.own(server)  # to be stopped before fedgate, which would wait for their farewell
        self.inside = Inside(lab)

    def reload(self, rows_by_domain):
        """The partners get these rows; waits until they are in force."""
        before = self.fedgate.stats()["config_generation"]
        self.fedgate.config["partners"] = [
            partner(domain, **settings(row)) for domain, row in rows_by_domain.items()]
        self.fedgate.reload()
        self.fedgate.wait_stats("the reload", lambda s: s["config_generation"] != before)

    def reload_refused(self, rows_by_domain):
        """The same with rows that do not load: what was in force stays."""
        before = self.fedgate.stats()["config_generation"]
        self.fedgate.config["partners"] = [
            partner(domain, **settings(row)) for domain, row in rows_by_domain.items()]
        self.fedgate.reload()
        self.fedgate.process.wait_log("config_refused")
        check(self.fedgate.stats()["config_generation"] == before, "taken")


def in_parallel(function, items):
    """Calls function for each; all that went wrong is told together."""
    wrong = []

    def guarded(item):
        try:
            function(item)
        except Exception as error:  # whatever it is, it is of that item
            wrong.append(f"{item}: {type(error).__name__}: {error}")
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(guarded, items))
    check(not wrong, f"{len(wrong)} wrong:\n" + "\n".join(sorted(wrong)))
