#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The program's own life under load: signals, new and bad configurations, a component that is
killed, a kernel that refuses io_uring."""
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
from lab import Lab, LabError, Skip, check, main
from lab.fedgate import binary
from lab.hostile import (EVIL, EVIL_ADDRESS, JOE, LIZ, Ground, Raw, Server, answer_header,
                         component_or_none, condition_of, header)
from lab.process import HANG_S, show_time, wait_until
from lab.xmpp import END, NS_SASL, local

ANN = f"ann@{EVIL}"
IO_URING_SETUP = {"x86_64": 425, "aarch64": 425}


def component_killed():
    """The component vanishes under traffic: every message arrived or was answered, and it comes
    back at once."""
    count = 3000
    with Lab("killed") as lab:
        on = Ground(lab, None)
        told, got = set(), set()

        def send():
            for n in range(count):
                on.stream.send(f"<message from='{LIZ}' to='{JOE}' id='k{n}'><body>k{n}</body>"
                               "</message>")
                if n % 20 == 0:
                    time.sleep(0.02)
        sender = threading.Thread(target=send, daemon=True)
        sender.start()

        def read(component, until):
            while not until():
                try:
                    element = component.stream.received(0.2)
                except LabError:
                    continue
                if element is END:
                    return
                if local(element) == "message":
                    got.add(element[0].text)
        read(on.component, lambda: len(got) > 300)
        on.component.stream.drop()
        read(on.component, lambda: False)
        time.sleep(0.5)
        on.component = lab.own(wait_until("back", lambda: component_or_none(), 10))

        def settled():
            while not on.good.inbox.empty():
                element = on.good.inbox.get()
                if element.get("type") == "error":
                    told.add(element.get("id"))
            return len(got | told) >= count
        deadline = time.monotonic() + 2 * HANG_S
        while not settled() and time.monotonic() < deadline:
            read(on.component, lambda: on.component.stream.queue.empty())
        lost = {f"k{n}" for n in range(count)} - got - told
        # XEP-0114 confirms nothing: what the kernel took when the component died is gone.
        check(len(lost) < 1500, "lost", len(lost), "arrived", len(got), "answered", len(told))
        check(told, "nobody was told")
        on.calm()


def drain_answers():
    """SIGTERM while messages wait for a partner that does not come about: each is answered, the
    exit is clean and in time."""
    count = 300
    with Lab("drain") as lab:
        on = Ground(lab, {})
        Server(lab, EVIL_ADDRESS, lambda raw, n: answer_header(raw, None))
        for n in range(count):
            on.component.say(JOE, ANN, "wait", ident=f"d{n}")
        on.fedgate.wait_stats("taken", lambda s: s["totals"]["stanzas_in_component"] >= count, 10)
        begin = time.monotonic()
        on.fedgate.process.send_signal(signal.SIGTERM)
        told = set()
        while len(told) < count:
            element = on.component.stream.received()
            check(element is not END, "ended before all were answered", len(told))
            if element.get("type") == "error":
                told.add(element.get("id"))
        on.fedgate.process.popen.wait(HANG_S)
        show_time("stopped after", time.monotonic() - begin)


def drain_under_load():
    """SIGTERM in the middle of traffic both ways: exit 0 within the bound."""
    with Lab("term") as lab:
        on = Ground(lab, {}, shards=2)
        stop = threading.Event()

        def pump(send):
            n = 0
            try:
                while not stop.is_set():
                    n += 1
                    send(n)
            except OSError:
                pass
        for send in (lambda n: on.component.say(JOE, LIZ, f"o{n}", ident=f"o{n}"),
                     lambda n: on.component.say(JOE, ANN, f"e{n}", ident=f"e{n}"),
                     lambda n: on.stream.send(f"<message from='{LIZ}' to='{JOE}'><body>i{n}</body>"
                                              "</message>")):
            threading.Thread(target=pump, args=(send,), daemon=True).start()
        time.sleep(1.0)
        begin = time.monotonic()
        on.fedgate.process.send_signal(signal.SIGTERM)
        status = on.fedgate.process.popen.wait(HANG_S)
        stop.set()
        check(status == 0, "exit status", status)
        show_time("stopped after", time.monotonic() - begin)


def reload_under_load():
    """SIGHUP with good and bad files under traffic: each message once, in order; a partner taken
    out has its waiting messages answered and its stream closed."""
    with Lab("hup") as lab:
        on = Ground(lab, {}, shards=2)
        Server(lab, EVIL_ADDRESS, lambda raw, n: answer_header(raw, None))
        evil = Raw().starttls(on.evil_tls())
        evil.send(header()).until("</stream:features>")
        evil.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
        evil.text = ""
        evil.send(header()).until("</stream:features>")
        waiting = 50
        for n in range(waiting):
            on.component.say(JOE, ANN, "wait", ident=f"w{n}")
        good_config = dict(on.fedgate.config)
        count = 2000

        def send():
            for n in range(count):
                on.stream.send(f"<message from='{LIZ}' to='{JOE}'><body>r{n}</body></message>")
                if n % 50 == 0:
                    time.sleep(0.05)
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        for n in range(12):
            on.fedgate.config = dict(good_config)
            if n % 3 == 1:
                on.fedgate.config["nonsense"] = 1
            elif n % 3 == 2:
                on.fedgate.config["partners"] = []
                on.fedgate.config["domains"] = "none"
            on.fedgate.reload()
            time.sleep(0.1)
        on.fedgate.config = dict(good_config, partners=good_config["partners"][:1])
        on.fedgate.reload()
        told, due = set(), 0
        deadline = time.monotonic() + 2 * HANG_S
        while (due < count or len(told) < waiting) and time.monotonic() < deadline:
            element = on.component.stream.received()
            check(element is not END, "the component was cut off")
            if element.get("type") == "error":
                told.add(element.get("id"))
            else:
                check(element[0].text == f"r{due}", "order", element[0].text, due)
                due += 1
        check(due == count and len(told) == waiting, "missing", due, len(told))
        check(condition_of(evil.until_end()) == "policy-violation", "evil's stream", evil.text)
        on.calm()


def check_statuses():
    """fedgate --check and wrong usage."""
    with Lab("check") as lab:
        on = Ground(lab, None)
        program = binary()

        def status(*arguments):
            return subprocess.run([program, *arguments], capture_output=True, text=True,
                                  timeout=2 * HANG_S, check=False)
        path = on.fedgate.config_path
        check(status("--config", path, "--check").returncode == 0, "valid")
        for text in ("", "{", "[]", "{}", '{"node": {"name": 5}}', "\xff", "{" * 100):
            bad = os.path.join(lab.root, "bad.conf")
            with open(bad, "w", encoding="latin-1") as out:
                out.write(text)
            done = status("--config", bad, "--check")
            check(done.returncode == 78, text, done.returncode)
            check("bad.conf" in done.stderr + done.stdout, "no reason", done.stderr)
            check(status("--config", bad).returncode == 78, "started with", text)
        check(status("--config", "/nonexistent", "--check").returncode == 78, "missing file")
        check(status().returncode == 64, "no argument")
        check(status("--nonsense").returncode == 64, "unknown argument")
        done = status("--config", path)  # the addresses are taken by the one that runs
        check(done.returncode == 69 and "5269" in done.stderr + done.stdout
              + on.fedgate.log_text(), "taken address", done.returncode, done.stderr[-300:])
        on.calm()


def forbid_io_uring():
    """In the child, before exec: io_uring_setup gets EPERM."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = IO_URING_SETUP[os.uname().machine]
    program = struct.pack("<HBBI", 0x20, 0, 0, 0)            # load the call's number
    program += struct.pack("<HBBI", 0x15, 0, 1, number)      # is it that one?
    program += struct.pack("<HBBI", 0x06, 0, 0, 0x00050001)  # EPERM
    program += struct.pack("<HBBI", 0x06, 0, 0, 0x7fff0000)  # else allowed
    mem = ctypes.create_string_buffer(program)
    fprog = struct.pack("<HxxxxxxQ", 4, ctypes.addressof(mem))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(fprog)):
        os._exit(125)


def io_uring_forbidden():
    """Where seccomp forbids io_uring the start fails with status 71 and says why and what to do."""
    if os.uname().machine not in IO_URING_SETUP:
        raise Skip("system call number of this machine is not known here")
    with Lab("no-uring") as lab:
        on = Ground(lab, None)
        on.fedgate.stop()
        done = subprocess.run([binary(), "--config", on.fedgate.config_path], capture_output=True,
                              text=True, timeout=2 * HANG_S, check=False,
                              preexec_fn=forbid_io_uring)
        said = done.stderr + done.stdout + on.fedgate.log_text()
        check(done.returncode == 71, "status", done.returncode, said[-400:])
        check(re.search("seccomp", said) and "SystemCallFilter" in said, "message", said[-600:])


if __name__ == "__main__":
    main(component_killed, drain_answers, drain_under_load, reload_under_load, check_statuses,
         io_uring_forbidden)
