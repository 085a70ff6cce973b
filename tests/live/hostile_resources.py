#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that take: connections, memory, time. What they get is bounded, others go on; and the
program's own life (signals, configurations, refused io_uring) under load."""
import ctypes
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, LabError, Skip, check, main, plan
from lab.fedgate import binary
from lab.hostile import (EVIL, EVIL_ADDRESS, GOOD, JOE, LIZ, Ground, Raw, Server, answer_header,
                         condition_of, header, serve_external)
from lab.process import wait_until
from lab.xmpp import END, NS_COMPONENT, NS_SASL, Component, Stream, local, trust_everyone

MEGA = 1 << 20
ANN = f"ann@{EVIL}"
IO_URING_SETUP = {"x86_64": 425, "aarch64": 425}


def connections_per_address():
    """The cap on unauthenticated connections: per address, freed by leaving and by proving."""
    def change(config):
        config["limits"]["connections_per_address_max"] = 8
        config["gateway"]["partner_connection_limit"] = 50
    with Lab("per-address") as lab:
        on = Ground(lab, {}, change)

        def open_of(count):
            raws = []
            for _ in range(count):
                try:
                    raws.append(Raw())
                except OSError:
                    pass
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline:
                for raw in raws:
                    raw.take(0.01)
            return raws, sum(not raw.is_ended for raw in raws)
        raws, alive = open_of(30)
        check(alive == 8, "expected 8 to stay, did", alive)
        on.calm()
        Raw(source="127.77.0.12").send(header(to="x.test")).until_end()
        for raw in raws:
            raw.close()
        time.sleep(0.5)
        context = on.evil_tls()
        authenticated = []
        for _ in range(12):  # one after the other, each leaves the count when proved
            raw = Raw().starttls(context)
            raw.send(header()).until("</stream:features>")
            raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
            authenticated.append(raw)
        on.calm()


def idle_thousands():
    """2,000 connections that say nothing, half of them on the TLS port: a good one is served, the
    memory is bounded, and all are gone after the deadline."""
    count = 2000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, most))

    def change(config):
        config["gateway"]["stream_establishment_timeout_s"] = 6
    with Lab("idle") as lab:
        on = Ground(lab, {}, change)
        begin = on.rss()
        raws = [Raw((plan.XMPP_SERVER, plan.XMPPS_SERVER)[n % 2], f"127.77.3.{n % 200 + 1}")
                for n in range(count)]
        on.calm()
        check(on.rss() - begin < count * 64 * 1024, "kB each:", (on.rss() - begin) / count / 1024)
        raw = Raw().starttls(on.evil_tls())
        raw.send(header()).until("EXTERNAL")
        deadline = time.monotonic() + 14
        left = raws
        while left and time.monotonic() < deadline:
            for raw in left:
                raw.take(0.0)
            left = [raw for raw in left if not raw.is_ended]
        check(not left, "still connected", len(left))
        on.calm()


def slow_reader():
    """SEC-71: EVIL's server accepts our stream and reads nothing while the component floods it:
    what waits is bounded, GOOD is served by the same component within seconds."""
    def change(config):
        config["limits"]["queue_bytes_max"] = 2 * MEGA
    with Lab("slow-reader") as lab:
        on = Ground(lab, {}, change)
        name = lab.certs.need(EVIL)
        context = trust_everyone(lab.certs.crt(name), lab.certs.key(name), True)
        stop = threading.Event()

        def script(raw, n):
            serve_external(raw, context)
            stop.wait(40)
            raw.close()
        Server(lab, EVIL_ADDRESS, script)
        begin = on.rss()
        body = "x" * 4000
        sent = [0]

        def flood():
            try:
                for n in range(5000):
                    on.component.say(JOE, ANN, body, ident=f"f{n}")
                    sent[0] = n + 1
            except OSError:
                pass
        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        worst = 0.0
        while thread.is_alive() or worst == 0.0:
            mark = time.monotonic()
            on.stream.send(f"<message from='{LIZ}' to='{JOE}'><body>in</body></message>")
            on.hears("in", 10)
            worst = max(worst, time.monotonic() - mark)
            check(time.monotonic() - mark < 8, "GOOD waited")
            if sent[0] >= 5000:
                break
            time.sleep(0.2)
        thread.join(25)
        check(not thread.is_alive(), "the component is stuck behind one partner", sent[0])
        on.component.say(JOE, LIZ, "out")
        check(on.good.inbox.get(timeout=10)[0].text == "out", "another text")
        check(on.rss() - begin < 80 * MEGA, "memory grew by MB", (on.rss() - begin) // MEGA)
        on.fedgate.wait_stats("refusals", lambda s: s["totals"]["bounced_queue_full"] > 1000, 10)
        stop.set()
        on.calm()


def reader_of_answers():
    """EVIL asks for many answers by another stream than it reads: bounded too."""
    def change(config):
        config["limits"]["queue_bytes_max"] = MEGA
    with Lab("answers") as lab:
        on = Ground(lab, {}, change)
        name = lab.certs.need(EVIL)
        context = trust_everyone(lab.certs.crt(name), lab.certs.key(name), True)
        Server(lab, EVIL_ADDRESS, lambda raw, n: (serve_external(raw, context), time.sleep(30)))
        raw = Raw().starttls(on.evil_tls())
        raw.send(header(to=plan.APP)).until("</stream:features>")
        raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
        raw.text = ""
        raw.send(header(to=plan.APP)).until("</stream:features>")
        begin = on.rss()
        ask = (f"<iq type='get' id='{'i' * 500}' from='{ANN}' to='joe@nobody.test'>"
               "<query xmlns='jabber:iq:version'/></iq>"
               f"<message from='{ANN}' to='{JOE}'><body>x</body></message>")
        raw.socket.settimeout(20)
        for _ in range(150):
            raw.socket.sendall(ask.encode() * 100)
        check(on.rss() - begin < 48 * MEGA, "memory grew by MB", (on.rss() - begin) // MEGA)
        heard = 0
        while heard < 15000:
            on.hears("x")
            heard += 1
        on.calm()


def deaf_component():
    """The component reads nothing while EVIL floods it: what waits is bounded, a second component
    cannot take the domain, and all arrives in order when the first one reads again."""
    count = 6000
    with Lab("deaf") as lab:
        on = Ground(lab, {})
        on.component.stop()
        on.component = lab.own(wait_until("deaf", lambda: component_or_none(run=False), 10))
        raw = Raw().starttls(on.evil_tls())
        raw.send(header()).until("</stream:features>")
        raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
        raw.text = ""
        raw.send(header()).until("</stream:features>")
        begin = on.rss()
        body = "y" * 2000

        def flood():
            raw.socket.settimeout(60)
            for n in range(count):
                raw.send(f"<message from='{ANN}' to='{JOE}'><body>{n}:{body}</body></message>")
        threading.Thread(target=flood, daemon=True).start()
        time.sleep(3)
        try:
            Component(plan.APP, "inside")
            check(False, "a second component took the domain")
        except LabError as refused:
            check("conflict" in str(refused), str(refused))
        check(on.rss() - begin < 64 * MEGA, "memory grew by MB", (on.rss() - begin) // MEGA)
        for n in range(count):
            element = on.component.stream.received(20)
            check(element is not END and element[0].text.startswith(f"{n}:"), "order or loss at", n)
        on.calm()


def components():
    """What a component may not do."""
    with Lab("components") as lab:
        on = Ground(lab, {})
        before = on.totals()

        def opened(domain):
            stream = Stream(plan.FEDGATE, plan.COMPONENT)
            stream.open(NS_COMPONENT, to=domain, version=None)
            return stream
        for domain, secret in ((plan.APP, "wrong"), (plan.APP, ""), ("x.test", "inside"),
                               (plan.CORP, "inside"), (GOOD, "inside")):
            try:
                Component(domain, secret, run=False)
                check(False, "accepted", domain, secret)
            except LabError as error:
                check("expected stream" in str(error) or "component refused" in str(error), error)
        for data in (b"\x00", b"<?xml version='1.0'?><a>", b"<stream:stream>" * 5,
                     b"<handshake>x</handshake>", b"x" * 100000):
            raw = Raw(plan.COMPONENT, "127.77.0.13")
            raw.send(data).until_end()
        stream = opened(plan.APP)
        stream.expect("stream")
        stream.send(f"<message from='{JOE}' to='{LIZ}'><body>early</body></message>")
        stream.expect("error")
        on.grown(before, components_refused=6)
        on.component.send(f"<message from='joe@{plan.CORP}' to='{LIZ}' id='s1'><body>spoof</body>"
                          "</message>")
        time.sleep(0.3)
        ended = not on.component.stream.thread.is_alive()
        check(on.good.inbox.empty(), "a spoofed stanza went out")
        if ended:  # hung up on for it: comes back
            on.component = lab.own(Component(plan.APP, "inside"))
        on.calm()


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
        deadline = time.monotonic() + 20
        while not settled() and time.monotonic() < deadline:
            read(on.component, lambda: on.component.stream.queue.empty())
        lost = {f"k{n}" for n in range(count)} - got - told
        # XEP-0114 confirms nothing: what the kernel took when the component died is gone.
        check(len(lost) < 1500, "lost", len(lost), "arrived", len(got), "answered", len(told))
        check(told, "nobody was told")
        on.calm()


def component_or_none(**options):
    try:
        return Component(plan.APP, "inside", **options)
    except (LabError, OSError):
        return None


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
            element = on.component.stream.received(6)
            check(element is not END, "ended before all were answered", len(told))
            if element.get("type") == "error":
                told.add(element.get("id"))
        on.fedgate.process.popen.wait(10)
        check(time.monotonic() - begin < 6, "took", time.monotonic() - begin)


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
        status = on.fedgate.process.popen.wait(12)
        stop.set()
        check(status == 0, "exit status", status)
        check(time.monotonic() - begin < 8, "took", time.monotonic() - begin)


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
        deadline = time.monotonic() + 20
        while (due < count or len(told) < waiting) and time.monotonic() < deadline:
            element = on.component.stream.received(10)
            check(element is not END, "the component was cut off")
            if element.get("type") == "error":
                told.add(element.get("id"))
            else:
                check(element[0].text == f"r{due}", "order", element[0].text, due)
                due += 1
        check(due == count and len(told) == waiting, "missing", due, len(told))
        check(condition_of(evil.until_end(8)) == "policy-violation", "evil's stream", evil.text)
        on.calm()


def check_statuses():
    """fedgate --check and wrong usage."""
    with Lab("check") as lab:
        on = Ground(lab, None)
        program = binary()

        def status(*arguments):
            return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20,
                                  check=False)
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
                              text=True, timeout=20, check=False, preexec_fn=forbid_io_uring)
        said = done.stderr + done.stdout + on.fedgate.log_text()
        check(done.returncode == 71, "status", done.returncode, said[-400:])
        check(re.search("seccomp", said) and "SystemCallFilter" in said, "message", said[-600:])


if __name__ == "__main__":
    main(connections_per_address, idle_thousands, slow_reader, reader_of_answers, deaf_component,
         components, component_killed, drain_answers, drain_under_load, reload_under_load,
         check_statuses, io_uring_forbidden)
