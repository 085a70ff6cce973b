# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw SIP for hostile tests: requests with any fault, and a next hop that reacts as it likes."""
import socket
import threading
import uuid

from . import plan
from .hostile import LIZ, Ground, Raw
from .process import HANG_S
from .sip import SipWire

HOP = {"kind": "sip", "uri": f"sip:{plan.PHONES}:{plan.SIP_TCP};transport=tcp",
       "trusted_addresses": [plan.PHONES], "options_interval_s": 0}


def ground(lab, change=None, evil=None, shards=1):
    def both(config):
        config["next_hops"]["pool"] = dict(HOP)
        if change:
            change(config)
    return Ground(lab, evil, both, shards)


def request(method="MESSAGE", body=b"hello", **changes):
    """A good request as bytes; changes: header values by name with _ for -, None leaves one out;
    uri and version change the first line."""
    fields = {"Via": f"SIP/2.0/TCP {plan.PHONES}:5060;branch=z9hG4bK{uuid.uuid4().hex}",
              "Max-Forwards": "70", "From": f"<sip:joe@{plan.CORP}>;tag=1",
              "To": f"<sip:{LIZ}>", "Call-ID": uuid.uuid4().hex, "CSeq": f"1 {method}",
              "Content-Type": "text/plain", "Content-Length": str(len(body))}
    uri = changes.pop("uri", f"sip:{LIZ}")
    version = changes.pop("version", "SIP/2.0")
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    head = f"{method} {uri} {version}\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + body


def dial(source=plan.PHONES, port=plan.SIP_TCP):
    raw = Raw(port, source)
    raw.socket.settimeout(HANG_S)
    return SipWire(raw.socket)


class HostilePool:
    """Listens on address and hands each request to react(wire, request, n)."""

    def __init__(self, address, react):
        self.react = react
        self.count = 0
        self.listener = socket.create_server((address, plan.SIP_TCP))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(SipWire(connected),), daemon=True).start()

    def _serve(self, wire):
        try:
            while (message := wire.read()) is not None:
                if message.method:
                    self.count += 1
                    self.react(wire, message, self.count)
        except (OSError, AttributeError):
            pass

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def hang_up(wire):
    wire.socket.shutdown(socket.SHUT_RDWR)
