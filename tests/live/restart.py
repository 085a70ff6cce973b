#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A partner goes away and comes back under traffic: each message arrives or its sender is told."""
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.fedgate import Fedgate, corp_dns, partner
from lab.process import wait_until
from lab.prosody import Prosody
from lab.ejabberd import Ejabberd
from lab.xmpp import END, Component, local, text_of

JOE = "joe@app.corp.test"
SINK_PORT = 5348
MESSAGES = 1500
PAUSE_S = 0.002


class Sink:
    """The partner's user: a component of the partner's server. What its socket got, arrived."""

    def __init__(self, domain, address):
        self.domain = domain
        self.address = address
        self.arrived = []
        self.component = None

    def connect(self):
        def try_once():
            try:
                return Component(self.domain, "secret", self.address, SINK_PORT)
            except Exception:  # not up yet
                return None
        self.component = wait_until("component on the partner", try_once, 30)
        threading.Thread(target=self._read, args=(self.component,), daemon=True).start()

    def _read(self, component):
        while (element := component.stream.queue.get()) is not END:
            if local(element) == "message" and element.get("type") != "error":
                self.arrived.append(text_of(element, "body"))

    def stop(self):
        self.component.stop()


def start_partner(lab, kind):
    if kind == "prosody":
        domain, address = "sink.fabrikam.test", plan.PROSODY
        lab.certs.make(plan.FABRIKAM, domain, name="both")
        server = Prosody(
            lab, certificate="both", smacks=True,
            extra=f'component_ports = {{ {SINK_PORT} }}\ncomponent_interface = "{address}"',
            host_extra=f'Component "{domain}"\n  component_secret = "secret"\n'
                       '  modules_enabled = { "dialback", "smacks" }')
    else:
        domain, address = "sink.contoso.test", plan.EJABBERD
        lab.certs.make(plan.CONTOSO, domain, name="both")
        server = Ejabberd(lab, certificate="both", service=(SINK_PORT, domain, "secret"))
    lab.dns.xmpp(domain, address)
    return server, domain, address


def under_traffic(kind, how):
    """how: 'stop' (SIGTERM) or 'kill' (SIGKILL) in the middle of the messages."""
    with Lab(f"restart-{kind}-{how}") as lab:
        corp_dns(lab)
        server, domain, address = start_partner(lab, kind)
        server.start()
        fedgate = Fedgate(lab, partners=[partner(domain)]).start()
        joe = lab.own(Component(plan.APP, "inside"))
        sink = lab.own(Sink(domain, address))
        sink.connect()
        refused = set()

        def read_errors():
            while (element := joe.stream.queue.get()) is not END:
                if element.get("type") == "error":
                    refused.add(element.get("id"))

        threading.Thread(target=read_errors, daemon=True).start()

        def send(begin, end):
            for number in range(begin, end):
                joe.say(JOE, f"liz@{domain}", f"m{number}", ident=f"m{number}")
                time.sleep(PAUSE_S)

        send(0, 1)
        wait_until("first message", lambda: sink.arrived, 20)
        sender = threading.Thread(target=send, args=(1, MESSAGES), daemon=True)
        sender.start()
        wait_until("traffic", lambda: len(sink.arrived) > MESSAGES // 5, 20)
        getattr(server, how)()
        time.sleep(1.0)
        server.start()
        sink.connect()
        sender.join(60)
        check(not sender.is_alive(), "the component's stream is stuck")

        def settled():
            return len(set(sink.arrived) | refused) >= MESSAGES
        try:
            wait_until("all messages settled", settled, 90)
        except TimeoutError:
            lost = sorted({f"m{n}" for n in range(MESSAGES)} - set(sink.arrived) - refused)
            check(False, f"{len(lost)} messages neither arrived nor were answered:", lost[:20])
        # The stream comes back by itself: a new message arrives after the restart.
        joe.say(JOE, f"liz@{domain}", "after", ident="after")
        wait_until("a message after the restart", lambda: "after" in sink.arrived, 60)
        numbers = [int(t[1:]) for t in sink.arrived if re.fullmatch(r"m\d+", t)]
        check(numbers == sorted(numbers) or len(numbers) != len(set(numbers)),
              "out of order without a repetition")
        print(f"arrived {len(set(numbers))}, answered with an error {len(refused)}, "
              f"repeated {len(numbers) - len(set(numbers))}, bounced by reason: "
              f"{ {k: v for k, v in fedgate.totals().items() if 'bounced' in k and v} }")


def tests():
    for kind in ("prosody", "ejabberd"):
        for how in ("stop", "kill"):
            yield case(f"{kind}_{how}", under_traffic, kind, how)


if __name__ == "__main__":
    main(*tests())
