#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The program as an operator meets it: checking, starting, reloading, stopping, figures, log."""
import ctypes
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, check, main, plan
from lab.fedgate import Fedgate, binary, corp_dns, partner
from lab.peer import Peer
from lab.process import HANG_S, show_time, wait_until
from lab.xmpp import END, Component, local, message, text_of

SCRIPTED = "scripted.test"
JOE = "joe@app.corp.test"
LIZ = "liz@scripted.test"
EX_CONFIG = 78
IO_URING_SETUP = 425


def run(fedgate, *arguments, setup=None):
    return subprocess.run([binary(), "--config", fedgate.config_path, *arguments],
                          capture_output=True, text=True, timeout=2 * HANG_S, preexec_fn=setup)


def check_option():
    """--check: 0 for a good file; 78 and every fault with its place for a bad one."""
    with Lab("check") as lab:
        fedgate = Fedgate(lab, partners=[partner(SCRIPTED)])
        fedgate.write_config()
        good = run(fedgate, "--check")
        check(good.returncode == 0, "good file:", good.returncode, good.stderr)
        folder = fedgate.config["node"]["state_dir"]
        check(not any(name.startswith("fedgate.db") for name in os.listdir(folder)), "made a store")
        fedgate.config["node"]["state_dir"] = os.path.join(folder, "missing")
        fedgate.write_config()
        missing = run(fedgate, "--check")
        check(missing.returncode == EX_CONFIG and "missing/fedgate.db cannot be made: its folder "
              "does not exist" in missing.stderr, "no folder:", missing.returncode, missing.stderr)
        fedgate.config["node"]["state_dir"] = folder
        fedgate.config["tls"]["backend"] = "opensll"
        fedgate.config["partners"].append({"domain": "x..y", "tlss": "required"})
        fedgate.config["domains"][0]["next_hop"] = "nowhere"
        fedgate.write_config()
        bad = run(fedgate, "--check")
        said = bad.stderr + bad.stdout
        check(bad.returncode == EX_CONFIG, "bad file:", bad.returncode, said)
        for path in ("tls.backend", "partners[1].domain", "partners[1].tlss",
                     "domains[0].next_hop"):
            check(re.search(rf"^{re.escape(fedgate.config_path)}:\d+:\d+: {re.escape(path)}: .+",
                            said, re.MULTILINE), f"no line for {path} in", said)
        started = run(fedgate)
        check(started.returncode == EX_CONFIG, "a bad file must not start", started.returncode)


class _Filter(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _forbid_io_uring():
    """seccomp: io_uring_setup fails with EPERM, all else as always."""
    code = b"".join(struct.pack("HBBI", *row) for row in (
        (0x20, 0, 0, 0),  # load the system call's number
        (0x15, 0, 1, IO_URING_SETUP), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)))
    memory = ctypes.create_string_buffer(code)
    program = _Filter(len(code) // 8, ctypes.cast(memory, ctypes.c_void_p).value)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(program), 0, 0) != 0:
        os._exit(99)


def io_uring_forbidden():
    """Where io_uring is forbidden, the start-up error names cause and remedy."""
    with Lab("noring") as lab:
        fedgate = Fedgate(lab)
        fedgate.write_config()
        done = run(fedgate, setup=_forbid_io_uring)
        said = done.stderr + done.stdout + fedgate.log_text()
        check(done.returncode not in (0, 99) and done.returncode > 0, "status", done.returncode)
        check("io_uring" in said, "io_uring is not named:", said)
        check("seccomp" in said and "SystemCallFilter" in said, "cause and remedy missing:", said)
        check("runtime error" not in said and "Sanitizer" not in said, "a sanitizer spoke:", said)


def address_in_use():
    """A second fedgate at the same addresses says which address it could not have, and ends."""
    with Lab("twice") as lab:
        corp_dns(lab)
        Fedgate(lab).start()
        second = Fedgate(lab, name="second")
        second.write_config()
        done = run(second)
        said = done.stderr + done.stdout + second.log_text()
        check(done.returncode > 0, "status", done.returncode)
        check(plan.FEDGATE in said, "the address is not named:", said)


def pages():
    """/healthz, /readyz, /stats and what is not there."""
    with Lab("pages") as lab:
        fedgate = Fedgate(lab, partners=[partner(SCRIPTED)], shards=2).start()
        check(fedgate.get("/healthz")[0] == 200, "/healthz")
        check(fedgate.get("/readyz")[0] == 200, "/readyz")
        check(fedgate.get("/nothing")[0] == 404, "/nothing")
        stats = fedgate.stats()
        check(len(stats["shards"]) == 2 and stats["node"] == "edge.corp.test", "/stats", stats)
        check(stats["tls"]["backend"] == "wolfssl", "/stats tls", stats["tls"])
        status, text = fedgate.get("/metrics")
        check(status == 200 and "fedgate_" in text, "/metrics", status)


def reload_partners():
    """SIGHUP with a new partner: refused before, served after; a bad file changes nothing."""
    with Lab("reload") as lab:
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        fedgate = Fedgate(lab).start()
        peer = Peer(lab).listen()
        joe = lab.own(Component(plan.APP, "inside"))
        joe.say(JOE, LIZ, "too early", ident="e1")
        joe.gets_error("e1")
        fedgate.config["partners"].append(partner(SCRIPTED))
        before = fedgate.stats()["config_generation"]
        fedgate.reload()
        fedgate.wait_stats("new configuration", lambda s: s["config_generation"] > before)
        joe.say(JOE, LIZ, "now")
        check(text_of(peer.inbox.get(timeout=HANG_S), "body") == "now", "wrong message")
        generation = fedgate.stats()["config_generation"]
        fedgate.config["partners"][0]["tls"] = "perhaps"
        fedgate.reload()
        wait_until("the refusal in the log", lambda: "config_refused" in fedgate.log_text())
        check(fedgate.stats()["config_generation"] == generation, "a bad file was taken")
        joe.say(JOE, LIZ, "still")
        check(text_of(peer.inbox.get(timeout=HANG_S), "body") == "still", "wrong message")


def drain_under_traffic():
    """SIGTERM amid messages: each was delivered or answered, then a clean end within the bound."""
    with Lab("drain") as lab:
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        fedgate = Fedgate(lab, partners=[partner(SCRIPTED)], shards=2).start()
        arrived, refused, sent = set(), set(), []
        peer = Peer(lab)
        peer.on_stanza = lambda _, e: arrived.add(text_of(e, "body"))
        peer.listen()
        joe = lab.own(Component(plan.APP, "inside"))
        closed = threading.Event()

        def read():
            while (element := joe.stream.queue.get()) is not END:
                if local(element) == "message" and element.get("type") == "error":
                    refused.add(element.get("id"))
            closed.set()

        def send():
            try:
                for number in range(20_000):
                    joe.say(JOE, LIZ, f"d{number}", ident=f"d{number}")
                    sent.append(f"d{number}")
            except OSError:
                pass  # fedgate has closed the component's stream

        threading.Thread(target=read, daemon=True).start()
        joe.say(JOE, LIZ, "first", ident="first")
        wait_until("stream", lambda: "first" in arrived, 15)
        threading.Thread(target=send, daemon=True).start()
        wait_until("traffic", lambda: len(arrived) > 500, 15)
        begin = time.monotonic()
        process = fedgate.process
        process.send_signal(signal.SIGTERM)
        wait_until("its end", lambda: not process.running(), 40)
        seconds = time.monotonic() - begin
        check(process.popen.returncode == 0, "status", process.popen.returncode, process.tail())
        check(closed.wait(HANG_S), "the component's stream was not closed")
        show_time("stopped after", seconds)
        check(arrived, "nothing arrived")
        # What fedgate had read from the component's socket was settled; bytes that it never read
        # are the component's own to repeat: they come after everything that was settled.
        settled = arrived | refused
        last = max((n for n, text in enumerate(sent) if text in settled), default=-1)
        lost = [text for text in sent[:last + 1] if text not in settled]
        check(not lost, f"{len(lost)} messages neither arrived nor were answered:", lost[:10])
        print(f"arrived {len(arrived)}, answered {len(refused)}, of {len(sent)}; {seconds:.1f} s")


def log_holds_no_bodies():
    """Nothing of a message's text, no component secret and no key in the log, at any level."""
    with Lab("logs") as lab:
        corp_dns(lab)
        lab.dns.xmpp(SCRIPTED, plan.SCRIPTED)
        fedgate = Fedgate(lab, partners=[partner(SCRIPTED)]).start()
        peer = Peer(lab).listen()
        joe = lab.own(Component(plan.APP, "inside"))
        joe.say(JOE, LIZ, "xyzzy-outwards")
        peer.inbox.get(timeout=HANG_S)
        peer.reply(plan.APP, message(JOE, "xyzzy-inwards", sender=LIZ))
        joe.hears("xyzzy-inwards")
        joe.say(JOE, "liz@stranger.test", "xyzzy-refused", ident="r1")
        joe.gets_error("r1")
        fedgate.stop()
        text = fedgate.log_text()
        check("stream_authenticated" in text and "stopped" in text, "the log is not the log")
        check("xyzzy" not in text, "a message's text is in the log")
        check(not re.search(r"\binside\b", text), "the component's secret is in the log")
        check("PRIVATE KEY" not in text, "a key is in the log")


if __name__ == "__main__":
    main(check_option, io_uring_forbidden, address_in_use, pages, reload_partners,
         drain_under_traffic, log_holds_no_bodies)
