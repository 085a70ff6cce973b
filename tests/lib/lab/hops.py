# SPDX-License-Identifier: GPL-2.0-or-later
"""A next hop with two SRV targets, played by the test, on the ground of the hostile tests."""
import socket
import time

from . import plan
from .hostile import Ground
from .sip import ScriptedPool

POOLS = ("127.77.1.1", "127.77.1.2")
HOP = {"kind": "sip", "uri": "sip:pool.corp.test;transport=tcp",
       "trusted_addresses": [plan.PHONES], "options_interval_s": 0}


def sip_ground(lab, change=None, shards=1):
    def both(config):
        config["next_hops"]["pool"] = dict(HOP)
        if change:
            change(config)
    ground = Ground(lab, None, both, shards=shards)
    sip_names(lab)
    return ground


def sip_names(lab):
    lab.dns.a("one.pool.corp.test", POOLS[0])
    lab.dns.a("two.pool.corp.test", POOLS[1])
    lab.dns.srv("_sip._tcp.pool.corp.test", (1, 0, plan.SIP_TCP, "one.pool.corp.test"),
                (2, 0, plan.SIP_TCP, "two.pool.corp.test"))


class Pool(ScriptedPool):
    """A ScriptedPool that also tells of OPTIONS, and can go away with its connections."""

    def __init__(self, address):
        self.wires = []
        self.options = []
        super().__init__(address)

    def _serve(self, wire):
        self.wires.append(wire)
        read = wire.read

        def watch():
            message = read()
            if message is not None and message.method == "OPTIONS":
                self.options.append((time.monotonic(), message))
            return message
        wire.read = watch
        super()._serve(wire)

    def stop(self):
        super().stop()
        for wire in self.wires:
            try:
                wire.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
