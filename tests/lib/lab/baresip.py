# SPDX-License-Identifier: GPL-2.0-or-later
"""baresip as a SIP user: registers at the pool over TCP, sends and shows instant messages."""
import json
import os
import re
import socket

from . import plan
from .process import HANG_S, Process, port_open, wait_until
from .stage import LabError

CONTROL_PORT = 4444
SCREEN_PORT = 4445

CONFIG = """
poll_method epoll
sip_listen {address}:0
sip_transports tcp
net_interface {address}
module_path {modules}
module_tmp account.so
module_app contact.so
module_app menu.so
{more}module ctrl_tcp.so
module cons.so
ctrl_tcp_listen {address}:{control}
cons_listen {address}:{screen}
audio_player nothing,nothing
audio_source nothing,nothing
audio_alert nothing,nothing
"""


class Baresip:
    """One user with one contact to write to. presence: publishes its own (RFC 3903) and watches
    the contact's; every 10 s, since its first PUBLISH gets lost when the machine is busy."""

    def __init__(self, lab, user, contact, address=plan.PHONES, pool=plan.KAMAILIO,
                 domain=plan.CORP, modules="/usr/lib/baresip/modules", presence=False):
        self.lab = lab
        self.aor = f"sip:{user}@{domain}"
        self.contact = contact
        self.address = address
        self.folder = lab.folder(f"baresip-{user}")
        files = {
            "config": CONFIG.format(address=address, modules=modules, control=CONTROL_PORT,
                                    screen=SCREEN_PORT,
                                    more="module_app presence.so\n" if presence else ""),
            "accounts": f'<{self.aor};transport=tcp>;auth_pass=none;regint=600;'
                        f'{"pubint=10;" if presence else ""}'
                        f'outbound="sip:{pool}:{plan.SIP_TCP};transport=tcp"\n',
            "contacts": f'"{contact}" <sip:{contact}>'
                        f'{";presence=p2p" if presence else ""}\n'}
        for name, text in files.items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
                out.write(text)
        self.process = None
        self.screen = None
        self.shown = b""

    def start(self):
        self.process = Process("baresip", ["baresip", "-f", self.folder, "-v"], self.folder,
                               {"HOME": self.folder})
        self.lab.own(self.process.start())
        self.process.wait_ready(lambda: port_open(self.address, CONTROL_PORT))
        self.process.wait_ready(lambda: "200 OK" in self.process.log_text())
        self.screen = socket.create_connection((self.address, SCREEN_PORT), HANG_S)
        self.screen.settimeout(0.1)
        self.screen.sendall(b"\n")
        return self

    def _screen(self):
        """What baresip showed so far, colours taken out."""
        try:
            self.shown += self.screen.recv(65536)
        except TimeoutError:
            pass
        return re.sub(r"\x1b\[[0-9;]*m", "", self.shown.decode("utf-8", "replace"))

    def command(self, name, params=""):
        """Runs one of baresip's commands; returns its answer."""
        order = json.dumps({"command": name, "params": params, "token": "lab"}).encode()
        with socket.create_connection((self.address, CONTROL_PORT), HANG_S) as control:
            control.sendall(b"%d:%s," % (len(order), order))
            data = b""
            while True:
                data += control.recv(65536)
                for text in re.findall(rb"\d+:(\{.*?\}),", data, re.DOTALL):
                    answer = json.loads(text)
                    if answer.get("response"):
                        if not answer["ok"]:
                            raise LabError(f"baresip refused {name}: {answer}")
                        return answer.get("data", "")

    def say(self, text):
        self.command("contact_next")
        self.command("message", text)

    def hears(self, text, timeout=HANG_S):
        """Waits for the line that baresip prints for an incoming message and returns it."""
        def shown():
            return next((line.strip("\r ") for line in self._screen().splitlines()
                         if f'"{text}"' in line), None)
        return wait_until(f"baresip shows {text!r}", shown, timeout)

    def shows_status(self, *words):
        """Waits until its list of contacts shows the contact as one of these words."""
        def shown():
            listed = re.sub(r"\x1b\[[0-9;]*m", "", self.command("contacts"))
            return any(word in listed for word in words) and listed
        return wait_until(f"baresip shows {self.contact} {words}", shown)
