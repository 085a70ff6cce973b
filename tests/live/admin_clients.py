#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The admin socket's place, and clients that flood it, are slow, talk nonsense or do not end."""
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.admin_socket import ask, dial, hear, node
from lab.fedgate import Fedgate, binary
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.xmpp import Component

REQUEST_S = 5.0  # edge/admin.h
EX_UNAVAILABLE = 69


# -- place ----------------------------------------------------------------------------------------
def place():
    """A socket left by a crash is replaced; one that answers, or a file, is not; none is left."""
    with Lab("admin-place") as lab:
        fedgate = node(lab).start()
        mode = os.stat(fedgate.admin_path).st_mode
        check(stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660, "mode", oct(mode))
        second = Fedgate(lab, name="second", address="127.77.0.99")
        second.config["listen"]["admin"] = fedgate.admin_path
        second.write_config()

        def refused(text):
            done = subprocess.run([binary(), "--config", second.config_path], timeout=HANG_S,
                                  capture_output=True, text=True)
            check(done.returncode == EX_UNAVAILABLE and text in done.stderr, "not refused", done)
        refused("another process answers on")
        check(ask(fedgate, command="status")["ok"], "the first one's socket is gone")
        fedgate.kill()
        check(os.path.exists(fedgate.admin_path), "a crash cleans nothing")
        fedgate.start()
        check(ask(fedgate, command="status")["ok"], "not replaced")
        fedgate.stop()
        check(not os.path.exists(fedgate.admin_path), "left behind")
        with open(fedgate.admin_path, "w", encoding="ascii") as file:
            file.write("somebody's")
        refused("is there and is no socket")
        check(os.path.getsize(fedgate.admin_path) > 0, "touched")
        os.unlink(fedgate.admin_path)
        os.symlink("/etc/passwd", fedgate.admin_path)
        refused("is there and is no socket")
        second.config["listen"]["admin"] = "/nowhere/at/all.sock"
        second.write_config()
        refused("its folder must be there")


# -- hostile clients ------------------------------------------------------------------------------
class Prompt:
    """Asks all the time, and remembers how long the slowest answer took."""

    def __init__(self, fedgate):
        self.fedgate = fedgate
        self.slowest_s = 0.0
        self.count = 0
        self.trouble = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.is_over.is_set():
            begin = time.monotonic()
            try:
                check(self.status()["ok"], "status")
                check(self.fedgate.get("/healthz")[0] == 200, "healthz")
            except Exception as error:  # shown at the end
                self.trouble.append(repr(error))
            self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            self.count += 1
            self.is_over.wait(0.02)

    def status(self):
        """Who is displaced by a crowd of newcomers before the line was read asks once more."""
        try:
            return ask(self.fedgate, command="status")
        except (BrokenPipeError, ConnectionResetError):
            return ask(self.fedgate, command="status")

    def __enter__(self):
        self.thread.start()
        wait_until("first answers", lambda: self.count >= 5)
        return self

    def __exit__(self, kind, value, trace):
        self.is_over.set()
        self.thread.join()
        if kind is None:
            check(not self.trouble, "asked in vain", len(self.trouble), self.trouble[:3])
            check(self.count >= 5, "answers", self.count)
            show_time(f"{self.count} answers meanwhile, the slowest after", self.slowest_s)


def thousand():
    """A thousand connections that say nothing or half a line keep nobody out, and all end."""
    with Lab("admin-thousand") as lab:
        fedgate = node(lab).start()
        with Prompt(fedgate):
            clients = []
            for number in range(1000):
                client = dial(fedgate)
                if number % 3:
                    client.sendall(b'{"command": "sta'[:number % 17])
                clients.append(client)
            begin = time.monotonic()
            for client in clients:
                client.settimeout(HANG_S)
                check(hear(client) == b"", "an answer to half a line")
            show_time("all have ended after", time.monotonic() - begin)
        check(open_sockets(fedgate) == 1, "sockets are left", open_sockets(fedgate))


def open_sockets(fedgate):
    """How many of the process's descriptors are Unix sockets on that path: the listener alone."""
    with open(f"/proc/{fedgate.process.pid}/net/unix", encoding="ascii") as table:
        return sum(1 for line in table if line.rstrip().endswith(fedgate.admin_path))


def slow():
    """A request byte by byte within its time is answered; beyond it the connection is closed."""
    with Lab("admin-slow") as lab:
        fedgate = node(lab).start()
        with Prompt(fedgate):
            client = dial(fedgate)
            for byte in b'{"command": "status"}\n':
                client.sendall(bytes([byte]))
                time.sleep(0.05)
            check(json.loads(hear(client))["ok"], "byte by byte")
            begin = time.monotonic()
            client = dial(fedgate)
            try:
                while True:
                    check(time.monotonic() - begin < HANG_S, "it stays")
                    client.sendall(b" ")
                    time.sleep(0.1)
            except (BrokenPipeError, ConnectionResetError):
                pass
            took = time.monotonic() - begin
            check(took > REQUEST_S - 0.5, "closed too early", took)
            show_time("closed after", took)


def garbage():
    """Lines that are no requests get an error each; floods of them stop nobody."""
    lines = [b"", b"\0", b"\xff\xfe", b"GET / HTTP/1.1\r", b"[" * 60000, b'{"command": "status"',
             b'{"command": "' + b"x" * 60000 + b'"}', b'{"a":' * 9000, b'{"command": "status"}{}',
             b'{"command": ["reload"]}', b'{"command": "why", "from": "\\u0000", "to": "b@c", '
             b'"act": "message"}', b'{"command": "partner", "domain": "' + b"a." * 30000 + b'"}',
             b'{"command": "partner", "domain": "\\ud800"}', b"// a comment", b"\xef\xbb\xbf{}",
             b'{"command": "why", "from": "a@b/\xe2\x80\xae", "to": "c", "act": "message"}']
    with Lab("admin-garbage") as lab:
        fedgate = node(lab).start()
        with Prompt(fedgate):
            for line in lines * 3:
                client = dial(fedgate)
                client.sendall(line + b"\n")
                got = hear(client)
                check(json.loads(got)["ok"] is False and got.count(b"\n") == 1, "", line[:40], got)
            for size in (65536, 65537, 100000, 5000000):
                client = dial(fedgate)
                try:
                    client.sendall(b" " * size)
                    client.sendall(b"\n")
                except (BrokenPipeError, ConnectionResetError):
                    pass
                got = hear(client)
                check(b"has at most 65536 bytes" in got or b"no JSON" in got, "large", size, got)
            threads = [threading.Thread(target=flood, args=(fedgate,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def flood(fedgate):
    """Many short connections: asking, leaving at once, leaving with an answer on its way."""
    for number in range(150):
        try:
            client = dial(fedgate)
            if number % 3:
                client.sendall(b'{"command": "status"}\n' * (number % 5))
            if number % 4 == 0 and number % 3 and number % 5:
                client.recv(1)
            client.close()
        except OSError:
            pass  # made room for another one


def stopping():
    """While the node drains it still answers, refuses reloads, and takes its socket away."""
    with Lab("admin-stopping") as lab:
        fedgate = node(lab)
        fedgate.config["limits"]["drain_timeout_s"] = 4
        fedgate.start()
        lab.own(Component(plan.APP, "inside"))
        peer = Peer(lab)
        stream = peer.dial(plan.APP, run=False)  # does not answer the end of its stream
        held = dial(fedgate)
        process = fedgate.process
        process.send_signal(signal.SIGTERM)
        try:
            wait_until("draining", lambda: ask(fedgate, command="status")["state"] == "draining", 2)
            check("is stopping" in ask(fedgate, command="reload")["error"], "a reload is taken")
        finally:
            stream.drop()
        fedgate.stop()
        check(not os.path.exists(fedgate.admin_path), "left behind")
        check(hear(held) == b"", "held")


if __name__ == "__main__":
    main(place, thousand, slow, garbage, stopping)
