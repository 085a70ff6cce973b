# SPDX-License-Identifier: GPL-2.0-or-later
"""The ground of the hostile tests: fedgate, a component, a good partner whose streams must not be
disturbed, and raw connections that say what no server would."""
import re
import socket
import threading
import time
from xml.etree import ElementTree

from . import plan
from .fedgate import Fedgate, corp_dns, partner
from .peer import Peer
from .process import HANG_S, own_memory, wait_until
from .stage import LabError, check
from .xmpp import END, NS_SASL, NS_SERVER, NS_STREAM, Component, text_of, trust_everyone

GOOD = "good.test"
EVIL = "evil.test"
EVIL_ADDRESS = "127.77.0.10"
JOE = f"joe@{plan.APP}"
LIZ = f"liz@{GOOD}"
DIALBACK = {"sasl": "not_supported", "dialback": True}
PLAIN = {"tls": "not_supported", "sasl": "not_supported", "dialback": True}
CONDITION = re.compile(r"<stream:error><([a-z-]+) xmlns=.urn:ietf:params:xml:ns:xmpp-streams.")
DB = " xmlns:db='jabber:server:dialback'"
MEGABYTE = 1 << 20


def header(to=plan.APP, sender=EVIL, version="1.0", extra=DB):
    attributes = "".join(f" {name}='{value}'" for name, value in
                         (("to", to), ("from", sender), ("version", version)) if value is not None)
    return (f"<?xml version='1.0'?><stream:stream xmlns='{NS_SERVER}' "
            f"xmlns:stream='{NS_STREAM}'{attributes}{extra}>")


class Raw:
    """A connection without manners: bytes out, text in."""

    def __init__(self, port=plan.XMPP_SERVER, source=EVIL_ADDRESS, address=plan.FEDGATE):
        self.socket = socket.create_connection((address, port), HANG_S, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.text = ""
        self.is_ended = False

    @classmethod
    def over(cls, connected):
        """The same over a connection that was accepted."""
        self = cls.__new__(cls)
        self.socket = connected
        self.text = ""
        self.is_ended = False
        return self

    def send(self, data):
        """Sends as much as the other side takes; it may have hung up."""
        try:
            self.socket.sendall(data.encode() if isinstance(data, str) else data)
        except OSError:
            pass
        return self

    def take(self, timeout):
        """Reads once; False at the end or when nothing came."""
        self.socket.settimeout(max(0.01, timeout))
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        self.text += data.decode("utf-8", "replace")
        self.is_ended = not data
        return bool(data)

    def until(self, token, timeout=HANG_S):
        deadline = time.monotonic() + timeout
        while token not in self.text:
            check(time.monotonic() < deadline and not self.is_ended, f"no {token!r} in", self.text)
            self.take(deadline - time.monotonic())
        return self.text

    def until_end(self, timeout=HANG_S):
        """All text up to the end of the connection, which must come in time."""
        deadline = time.monotonic() + timeout
        while not self.is_ended:
            check(time.monotonic() < deadline, "still open after", timeout, self.text[-500:])
            self.take(deadline - time.monotonic())
        self.socket.close()
        return self.text

    def hears_nothing_of(self, token, seconds=0.3):
        deadline = time.monotonic() + seconds
        while not self.is_ended and time.monotonic() < deadline:
            self.take(deadline - time.monotonic())
        check(token not in self.text, f"{token!r} was said:", self.text)

    def tls(self, context, name=plan.APP):
        self.socket.settimeout(HANG_S)
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.text = ""
        return self

    def starttls(self, context, name=plan.APP, **options):
        self.send(header(**options)).until("</stream:features>")
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").until("<proceed")
        return self.tls(context, name)

    def close(self):
        self.socket.close()


def authenticated(context, port=plan.XMPP_SERVER):
    """A raw stream of EVIL, authenticated."""
    raw = Raw(port)
    if port == plan.XMPP_SERVER:
        raw.starttls(context)
    else:
        raw.tls(context)
    raw.send(header()).until("</stream:features>")
    raw.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>=</auth>").until("<success")
    raw.text = ""
    raw.send(header()).until("</stream:features>")
    raw.head = raw.text
    return raw


class Server:
    """Accepts connections and hands each as a Raw to script(raw, number), on a thread of its own.
    What a script reads stays in raws, for the test to look at."""

    def __init__(self, lab, address, script, port=plan.XMPP_SERVER):
        self.script = script
        self.raws = []
        self.listener = socket.create_server((address, port), backlog=100)
        threading.Thread(target=self._accept, daemon=True).start()
        lab.own(self)

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            self.raws.append(Raw.over(connected))
            threading.Thread(target=self._serve, args=(self.raws[-1], len(self.raws)),
                             daemon=True).start()

    def _serve(self, raw, number):
        try:
            self.script(raw, number)
            while not raw.is_ended:
                raw.take(1.0)
        except (OSError, AssertionError, ValueError):
            pass
        raw.close()

    def heard(self, token):
        return any(token in raw.text for raw in self.raws)

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for raw in self.raws:
            raw.close()


def answer_header(raw, features="", domain=EVIL, ident=None, version="1.0", to=plan.APP):
    """Waits for a stream header and answers it; features None: none."""
    raw.until("<stream:stream")
    raw.until(">")
    version = f" version='{version}'" if version else ""
    raw.send(f"<?xml version='1.0'?><stream:stream xmlns='{NS_SERVER}' xmlns:stream='{NS_STREAM}'"
             f"{DB} id='{ident or id(raw)}' from='{domain}' to='{to}'{version}>"
             + (f"<stream:features>{features}</stream:features>" if features is not None else ""))


FEATURE_TLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
FEATURE_DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
FEATURE_EXTERNAL = ("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL"
                    "</mechanism></mechanisms>")


def serve_tls(raw, context, features=FEATURE_EXTERNAL, domain=EVIL):
    """Server side up to the features inside TLS."""
    answer_header(raw, FEATURE_TLS, domain)
    raw.until("<starttls")
    raw.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    raw.socket.settimeout(HANG_S)
    raw.socket = context.wrap_socket(raw.socket, server_side=True)
    raw.text = ""
    answer_header(raw, features, domain)


def serve_external(raw, context, domain=EVIL, features=""):
    """Server side up to the authenticated stream."""
    serve_tls(raw, context, domain=domain)
    raw.until("</auth>")
    raw.text = ""
    raw.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
    answer_header(raw, features, domain)


def condition_of(text):
    found = CONDITION.search(text)
    return found.group(1) if found else None


def closed_with(raw, condition):
    text = raw.until_end()
    check(condition_of(text) == condition, f"expected {condition}, got", text[-400:])


def refused(raw, *conditions, timeout=HANG_S):
    """The connection ends as RFC 6120 says: header, stream error, closing tag, end."""
    text = raw.until_end(timeout)
    check(condition_of(text) in conditions, f"expected {conditions}, got", text[-600:])
    check(0 <= text.find("<stream:stream") < text.find("<stream:error"), "no header first:", text)
    check(text.rstrip().endswith("</stream:stream>"), "no closing tag:", text[-200:])
    return text


class Ground:
    """fedgate with rows for GOOD and EVIL, a component, and an open stream to and from GOOD."""

    def __init__(self, lab, evil=None, change=None, shards=1, evil_at=EVIL_ADDRESS):
        self.lab = lab
        corp_dns(lab)
        lab.dns.xmpp(GOOD, plan.SCRIPTED)
        if evil_at:
            lab.dns.xmpp(EVIL, evil_at)
        rows = [partner(GOOD)] + ([partner(EVIL, **evil)] if evil is not None else [])
        self.fedgate = Fedgate(lab, partners=rows, shards=shards)
        # What hostile peers leave open is not waited for.
        self.fedgate.config["limits"]["drain_timeout_s"] = 3
        self.fedgate.asan_more = ":quarantine_size_mb=8"
        if change:
            change(self.fedgate.config)
        self.fedgate.start()
        self.component = lab.own(Component(plan.APP, "inside"))
        self.good = Peer(lab, GOOD).listen()
        # Nobody reads from it: a TLS object of Python is not for two threads under load.
        self.stream = self.good.dial(plan.APP, run=False)
        self.number = 0
        self.strange = []
        self.calm()

    def evil_tls(self, domain=EVIL, **options):
        """A TLS context with a good certificate of that domain."""
        name = self.lab.certs.need(domain)
        return trust_everyone(self.lab.certs.crt(name), self.lab.certs.key(name), **options)

    def calm(self, timeout=HANG_S):
        """GOOD's two streams carry, and are the same as ever."""
        self.number += 1
        text = f"calm {self.number}"
        self.stream.send(f"<message from='{LIZ}' to='{JOE}' type='chat'><body>{text}</body>"
                         "</message>")
        self.hears(text, timeout)
        self.component.say(JOE, LIZ, text)
        heard = self.good.inbox.get(timeout=timeout)
        while heard.get("type") == "error":
            heard = self.good.inbox.get(timeout=timeout)  # told of what the test itself sent
        check(heard[0].text == text, "out of order:", heard[0].text, text)
        first = self.good.accepted[0]
        check(first.thread.is_alive() and not first.ended, "the good partner's stream was lost",
              self.good.trouble)

    def hears(self, text, timeout=HANG_S):
        """The component gets that text; what comes before it is kept as strange."""
        deadline = time.monotonic() + timeout
        while True:
            element = self.component.stream.received(max(0.01, deadline - time.monotonic()))
            check(element is not END, "the component's stream ended")
            if text_of(element, "body") == text and element.get("type") != "error":
                return
            self.strange.append(element)

    def totals(self):
        return self.fedgate.totals()

    def grown(self, before, **least):
        """Waits until each counter is higher than before by that much at least."""
        def enough():
            now = self.totals()
            return all(now[name] - before[name] >= by for name, by in least.items())
        try:
            wait_until("counters", enough)
        except TimeoutError:
            now = self.totals()
            check(False, "counters did not rise:",
                  {name: now[name] - before[name] for name in least}, least)

    def untouched(self, before, *names):
        now = self.totals()
        check(all(now[name] == before[name] for name in names), "counters rose:",
              {name: (before[name], now[name]) for name in names})

    def rss(self):
        """Bytes of memory of its own: pages of files come and go as the system likes."""
        return own_memory(self.fedgate.process)

    def inside_hears_nothing(self):
        """The component has received nothing but what the test waited for."""
        self.calm()
        check(not self.strange, "the inside got",
              [ElementTree.tostring(element, "unicode") for element in self.strange])


def component_or_none(**options):
    """The inside, or None while it is not let in."""
    try:
        return Component(plan.APP, "inside", **options)
    except (LabError, OSError):
        return None


def short(config):
    """For Ground(change=): whoever gets no further within seconds is given up."""
    config["gateway"]["stream_establishment_timeout_s"] = 4


def tls_context(**options):
    """Checks nothing, shows no certificate."""
    context = trust_everyone()
    for name, value in options.items():
        setattr(context, name, value)
    return context
