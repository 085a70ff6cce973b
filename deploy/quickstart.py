# SPDX-License-Identifier: GPL-2.0-or-later
"""The running part of deploy/quickstart: servers, two clients, a message each way, and how it got
through."""
import asyncio
import logging
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
# It warns on import about a missing speed-up.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
import slixmpp  # noqa: E402

from lab import Lab, check, plan  # noqa: E402
from lab.baresip import Baresip  # noqa: E402
from lab.fedgate import Fedgate, corp_dns, ctl_binary, partner  # noqa: E402
from lab.kamailio import Kamailio  # noqa: E402
from lab.process import wait_until  # noqa: E402
from lab.prosody import Prosody  # noqa: E402

ANN = "ann@fabrikam.test"
JOE = "joe@corp.test"
MESSAGE_S = 20.0
METHODS = {"external": "SASL EXTERNAL (certificate)", "dialback_tls": "Server Dialback over TLS",
           "dialback_plain": "Server Dialback without TLS",
           "certificate": "Server Dialback answered from the certificate (XEP-0344)"}


class Ann(slixmpp.ClientXMPP):
    """The XMPP client: slixmpp on a thread of its own."""

    def __init__(self, jid, password, trust):
        super().__init__(jid, password)
        self.ca_certs = trust
        self.heard = []
        self.ready = threading.Event()
        self.trouble = None
        self.add_event_handler("session_start", self._started)
        self.add_event_handler("failed_auth", lambda _: self._failed("login refused"))
        self.add_event_handler("message", self._message)

    def _started(self, _):
        self.send_presence()
        self.ready.set()

    def _failed(self, why):
        self.trouble = why
        self.ready.set()

    def _message(self, stanza):
        self.heard.append((str(stanza["from"]), stanza["body"], stanza["type"]))


def start_ann(trust):
    """Logs ann in at Prosody (STARTTLS, checked certificate); returns (client, stop)."""
    made = threading.Event()
    box = {}

    def run():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        box["loop"] = loop
        box["ann"] = Ann(ANN, "secret", trust)
        made.set()
        box["ann"].connect((plan.PROSODY, plan.XMPP_CLIENT))
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    made.wait(10)
    ann = box["ann"]
    check(ann.ready.wait(20) and not ann.trouble, f"{ANN} cannot log in:", ann.trouble)
    return ann, box["loop"]


class Steps:
    """Names the step that is under way, and how long it took."""

    def __init__(self):
        self.name = ""
        self.begin = 0.0

    def start(self, name):
        self.name = name
        self.begin = time.monotonic()
        print(name, flush=True)

    def say(self, text):
        print(f"      {text}", flush=True)

    def done(self):
        self.say(f"done in {time.monotonic() - self.begin:.1f} s")


def start_servers(lab, steps):
    corp_dns(lab)
    lab.dns.xmpp(plan.FABRIKAM, plan.PROSODY, direct=plan.XMPPS_SERVER)
    steps.say(f"DNS       {plan.DNS}:53          zones *.test")
    prosody = Prosody(lab, users=("ann",)).start()
    steps.say(f"Prosody   {plan.PROSODY}:5269         XMPP partner {plan.FABRIKAM}")
    kamailio = Kamailio(lab).start()
    steps.say(f"Kamailio  {plan.KAMAILIO}:5061         SIP pool of {plan.CORP}")
    fedgate = Fedgate(lab, partners=[partner(plan.FABRIKAM)])
    # The component of the tests has no place here.
    del fedgate.config["domains"][1], fedgate.config["next_hops"]["app"]
    fedgate.config["listen"].pop("component")
    fedgate.start()
    steps.say(f"fedgate   {plan.FEDGATE}:5269, :5270  XMPP side; :5061 SIP side; :{plan.HTTP} HTTP")
    return prosody, kamailio, fedgate


def exchange(ann, loop, joe, steps):
    """One message each way, and what each side saw."""
    text = "Hello Joe, this is Ann at fabrikam.test."
    begin = time.monotonic()
    loop.call_soon_threadsafe(
        lambda: ann.send_message(mto=JOE, mbody=text, mtype="chat", mfrom=ann.boundjid.full))
    line = joe.hears(text, MESSAGE_S)
    steps.say(f"XMPP -> SIP  {ANN} wrote; baresip shows:  {line}"
              f"  ({(time.monotonic() - begin) * 1000:.0f} ms)")
    text = "Hello Ann, Joe here, on the SIP phone."
    begin = time.monotonic()
    joe.say(text)
    heard = wait_until("Joe's message at Ann's client",
                       lambda: next((h for h in ann.heard if h[1] == text), None), MESSAGE_S)
    check(heard[0].split("/")[0] == JOE, "wrong sender", heard)
    steps.say(f"SIP -> XMPP  {JOE} wrote; slixmpp shows: {heard[0]}: \"{heard[1]}\""
              f"  ({(time.monotonic() - begin) * 1000:.0f} ms)")


def show_streams(fedgate, prosody, steps):
    steps.say(f"as fedgate counts it (http://{plan.FEDGATE}:{plan.HTTP}/stats):")
    ways = fedgate.authenticated(plan.FABRIKAM)
    for way, arrow in (("in", f"{plan.FABRIKAM} -> {plan.CORP}"),
                       ("out", f"{plan.CORP} -> {plan.FABRIKAM}")):
        check(ways[way], f"no authenticated stream {arrow}")
        for method, count in ways[way].items():
            steps.say(f"  {arrow:34} {METHODS.get(method, method)}, {count} stream(s)")
    for hop in fedgate.stats()["sip"]:
        steps.say(f"  SIP {hop['next_hop']}: {hop['state']}, mutual TLS with {hop['peer']}")
    steps.say(f"as an administrator sees it (fedgatectl --config {fedgate.config_path} status):")
    for line in fedgate.ctl("status").splitlines():
        steps.say(f"  {line}")
    steps.say("as Prosody logs it:")
    wanted = re.compile(r"(Stream encrypted .*|(Incoming|Outgoing) s2s connection \S+ complete"
                        r"|certificate (chain|identity) validation result: \w+"
                        r"|connection \S+ is now authenticated for \S+)")
    seen = dict.fromkeys(m.group(0) for m in map(wanted.search, prosody.log_text().splitlines())
                         if m and "c2s" not in m.string)
    for line in seen:
        steps.say(f"  {line}")


def wait_for_end():
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1.0):
        pass


def demonstrate(steps, once):
    steps.start("[3/5] certificates, DNS, servers")
    with Lab("quickstart") as lab:
        prosody, _, fedgate = start_servers(lab, steps)
        steps.done()
        steps.start("[4/5] one message each way")
        ann, loop = start_ann(lab.certs.trust)
        steps.say(f"{ANN} logged in at Prosody with slixmpp")
        joe = Baresip(lab, "joe", ANN).start()
        steps.say(f"{JOE} registered at Kamailio with baresip")
        exchange(ann, loop, joe, steps)
        steps.done()
        steps.start("[5/5] how the streams were authenticated")
        show_streams(fedgate, prosody, steps)
        total = time.time() - int(os.environ.get("QUICKSTART_BEGIN", time.time()))
        steps.say(f"all of it took {total:.0f} s")
        if not once:
            print(f"\nRunning. Figures: curl http://{plan.FEDGATE}:{plan.HTTP}/stats   "
                  f"Configurations and logs: {lab.root}\nFrom another shell: {ctl_binary()} "
                  f"--config {fedgate.config_path} status\nCtrl-C ends it.", flush=True)
            wait_for_end()
            print("\nstopping", flush=True)
        loop.call_soon_threadsafe(ann.disconnect)
        steps.name = "stopping"
    print("stopped everything" if not once else "quickstart: ok", flush=True)


def main():
    steps = Steps()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        demonstrate(steps, "--once" in sys.argv[1:])
    except KeyboardInterrupt:
        print(f"quickstart: interrupted at step {steps.name}", file=sys.stderr)
        return 130
    except Exception as error:
        print(f"quickstart: failed at step {steps.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
