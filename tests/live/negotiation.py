#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The negotiation table, cell by cell (doc/negotiation.table): every row that loads, with partners
of six kinds, dialled and dialling; what a row forbids, tried anyway; rows that do not load; a row
that is tightened under live streams."""
import os
import subprocess
import sys
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import TREE, Fedgate, binary, corp_dns, partner
from lab.negotiator import KINDS, Negotiator
from lab.process import wait_until
from lab.xmpp import END, Component, error_of, local, message, text_of

JOE = f"joe@{plan.APP}"
WORKERS = 12
METHODS = {"external": "external", "certificate": "certificate", "dialback-tls": "dialback_tls",
           "dialback-tcp": "dialback_plain"}
# What a stanza's sender may be told when no stream comes about.
UNREACHABLE = {"remote-server-timeout", "remote-server-not-found"}

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

    def hears(self, body, timeout=20):
        return wait_until(f"'{body}' inside", lambda: self.heard.get(body), timeout)

    def error(self, body, timeout=30):
        return wait_until(f"an error for '{body}'", lambda: self.errors.get(body), timeout)


class Ground:
    """fedgate with a partner for each of the domains, and all six kinds of servers."""

    def __init__(self, lab, rows_by_domain):
        self.lab = lab
        corp_dns(lab)
        self.servers = {name: Negotiator(lab, kind) for name, kind in KINDS.items()}
        for domain in rows_by_domain:
            self.servers[domain.split(".")[-2]].add(domain)
        self.fedgate = Fedgate(lab, shards=2, partners=[
            partner(domain, **settings(row)) for domain, row in rows_by_domain.items()])
        self.fedgate.config["limits"].update(drain_timeout_s=3, queue_age_s_max=3)
        self.fedgate.config["log"]["level"] = "info"
        self.fedgate.start()
        self.inside = Inside(lab)

    def reload(self, **row_by_domain):
        """Takes the configuration as it was changed; waits until it is in force."""
        before = self.fedgate.stats()["config_generation"]
        self.fedgate.reload()
        self.fedgate.wait_stats("the reload", lambda s: s["config_generation"] != before)


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


# --- what is offered ------------------------------------------------------------------------------

def check_namespace(cell, seen):
    """fedgate's headers advertise dialback where it is used."""
    check(seen.plain.declared == (cell.row.offers in ("tcp", "both"))
          and (not seen.tls or seen.tls.declared == (cell.row.offers in ("tls", "both"))),
          f"{cell.domain}: namespace", seen)


def check_offers(cell, seen):
    """The first features and those inside TLS, as the row's columns say."""
    row, kind = cell.row, KINDS[cell.kind]
    starttls = None if row.starttls == "no" else row.starttls
    check(seen.plain.starttls == starttls, f"{cell.domain}: STARTTLS", seen)
    check(seen.plain.external is None, f"{cell.domain}: mechanisms without TLS", seen)
    check(bool(seen.plain.dialback) == (row.offers in ("tcp", "both")),
          f"{cell.domain}: dialback without TLS", seen)
    check_namespace(cell, seen)
    if seen.tls:
        external = row.external == "valid" and kind.certificate == "good"
        check(seen.tls.external == (["EXTERNAL"] if external else None),
              f"{cell.domain}: mechanisms", seen)
        check(bool(seen.tls.dialback) == (row.offers in ("tls", "both")),
              f"{cell.domain}: dialback over TLS", seen)
        check(seen.tls.starttls is None, f"{cell.domain}: STARTTLS inside TLS", seen)


def check_asked(cell, seen):
    """What fedgate asked for on the stream that it opened, and said of itself."""
    row, kind = cell.row, KINDS[cell.kind]
    wanted = []
    if row.starttls == "required" or (row.starttls == "offered" and kind.tls):
        wanted.append("starttls")
    if not cell.result.startswith("!"):
        wanted.append("auth" if cell.result == "external" else "result")
    check(seen.steps == wanted, f"{cell.domain}: fedgate asked for", seen, wanted)
    check_namespace(cell, seen)


# --- one cell -------------------------------------------------------------------------------------

def they_dial(on, cell):
    server = on.servers[cell.kind]
    stream, seen = server.dial(cell.domain)
    check_offers(cell, seen)
    if cell.result.startswith("!"):
        wanted = "not-authorized" if cell.result == "!certificate" else None
        check(seen.error == wanted and stream is None and seen.is_over,
              f"{cell.domain}: not refused as it should be", seen)
        return
    check(stream, f"{cell.domain}: refused", seen)
    wanted = "dialback-tls" if cell.result == "certificate" else cell.result
    check(seen.authenticated == wanted, f"{cell.domain}: authenticated", seen)
    stream.send(message(JOE, cell.domain, f"ann@{cell.domain}"))
    check(on.inside.hears(cell.domain) == f"ann@{cell.domain}", f"{cell.domain}: sender")


def we_dial(on, cell):
    server = on.servers[cell.kind]
    on.inside.say(cell.domain, cell.domain)
    if cell.result.startswith("!"):
        kind, condition = on.inside.error(cell.domain)
        check(condition in UNREACHABLE, f"{cell.domain}: the sender is told", kind, condition)
        streams = server.served[cell.domain]
        wait_until("the end", lambda: all(seen.is_over for seen in streams), 10)
        for seen in streams:
            check(seen.error == "policy-violation" and seen.authenticated is None
                  and not seen.stanzas, f"{cell.domain}: not refused as it should be", seen)
    else:
        streams = wait_until("a stream", lambda: server.served.get(cell.domain), 20)
        wait_until(f"the message of {cell.domain}: {streams}", lambda: streams[0].stanzas, 20)
        check(len(streams) == 1 and streams[0].authenticated == cell.result
              and [method for method, _ in streams[0].stanzas] == [cell.result],
              f"{cell.domain}: authenticated", streams)
    for seen in streams:
        check_asked(cell, seen)


def wrong_figures(cell, row):
    """Why the partner's figures are not those of the cell, or None."""
    figures = row[cell.way]
    methods = {name: count for name, count in figures["authenticated"].items() if count}
    failures = {name: count for name, count in figures["failures"].items() if count}
    if cell.result.startswith("!"):
        is_right = not methods and set(failures) == {cell.result[1:]}
        is_right = is_right and (cell.way == "out" or failures[cell.result[1:]] == 1)
    else:
        is_right = methods == {METHODS[cell.result]: 1} and not failures
    return None if is_right else f"{cell.domain}: {cell.result}, but {methods} {failures}"


def check_figures(on, cells):
    def wrong(stats):
        rows = stats["partners"]
        return [text for cell in cells if cell.domain not in rows
                or (text := wrong_figures(cell, rows[cell.domain]))]
    try:
        on.fedgate.wait_stats("the figures", lambda stats: not wrong(stats), 5)
    except TimeoutError:
        check(False, "figures:\n" + "\n".join(map(str, wrong(on.fedgate.stats()))))


def cells():
    """Every field of the table: authenticated as it says by fedgate's figures and by what the
    partner saw, the stanza passes; or the step counted, the sender told, nothing passed."""
    rows = read_table()
    table = list(cells_of(rows))
    check(len(table) == 132, "cells", len(table))
    with Lab("cells") as lab:
        on = Ground(lab, {cell.domain: cell.row for cell in table})
        in_parallel(lambda cell: (we_dial if cell.way == "out" else they_dial)(on, cell), table)
        check_figures(on, table)
        check(set(on.inside.heard) == {cell.domain for cell in table if cell.way == "in"
                                       and not cell.result.startswith("!")}, "the inside heard")


if __name__ == "__main__":
    main(cells)
