# SPDX-License-Identifier: GPL-2.0-or-later
"""Partners of six kinds (doc/negotiation.table), scripted: each kind has an address, any number of
domains, both roles. Dialback is real: keys are made, asked about and checked. What they see of
fedgate is kept in a Seen."""
import base64
import hashlib
import re
import socket
import ssl
import threading
from collections import namedtuple
from xml.etree import ElementTree

from . import plan
from .stage import LabError, check
from .xmpp import (END, NS_DIALBACK, NS_SASL, NS_SERVER, NS_STREAM, NS_TLS, Stream, local, message,
                   trust_everyone)

NS_FEATURE = "urn:xmpp:features:dialback"
HEAD = re.compile(rb"<stream:stream\b[^>]*>")
SILENCE_S = 15.0

Kind = namedtuple("Kind", "name address tls certificate external dialback")
KINDS = {kind.name: kind for kind in (
    Kind("no-tls", "127.77.4.1", False, None, False, True),
    Kind("valid", "127.77.4.2", True, "good", True, True),
    Kind("invalid", "127.77.4.3", True, "bad", True, True),
    Kind("no-external", "127.77.4.4", True, "good", False, True),
    Kind("no-dialback", "127.77.4.5", True, "good", True, False),
    Kind("neither", "127.77.4.6", True, "good", False, False))}
# Certificates that are not valid, in turn.
BAD = ("self", "other")


class Offer:
    """What one header with its features, of fedgate, offers."""

    def __init__(self, declared, features):
        self.starttls = self.external = self.dialback = None
        self.declared = declared  # the namespace of dialback in the header
        for feature in features if features is not None else ():
            if feature.tag == f"{{{NS_TLS}}}starttls":
                is_required = feature.find(f"{{{NS_TLS}}}required") is not None
                self.starttls = "required" if is_required else "offered"
            elif feature.tag == f"{{{NS_SASL}}}mechanisms":
                self.external = [mechanism.text for mechanism in feature]
            elif feature.tag == f"{{{NS_FEATURE}}}dialback":
                self.dialback = True

    def __repr__(self):
        return str(self.__dict__)


class Seen:
    """One connection as the partner saw it."""

    def __init__(self):
        self.plain = None  # Offer before TLS and inside; as server: declared alone
        self.tls = None
        self.steps = []  # what fedgate asked for, in order: starttls, auth, result
        self.authenticated = None  # external, dialback-tls, dialback-tcp
        self.ident = None  # of the latest stream
        self.error = None  # condition of fedgate's stream error
        self.stanzas = []  # (authenticated then, element)
        self.is_over = False  # fedgate ended it

    def __repr__(self):
        return str(self.__dict__)


def condition_of(element):
    """The defined condition in a stream error, a dialback error or a SASL failure."""
    names = [local(child) for child in element.iter() if child is not element
             and local(child) not in ("error", "text")]
    return names[0] if names else None


def read_head(stream):
    """fedgate's header; also says whether it advertises dialback by namespace."""
    head = stream.expect("stream", timeout=SILENCE_S)
    text = HEAD.search(stream.raw).group(0)
    return head, NS_DIALBACK.encode() in text


def header(kind, **attributes):
    attributes = {name: value for name, value in attributes.items() if value}
    extra = f" xmlns:db='{NS_DIALBACK}'" if kind.dialback else ""
    return (f"<?xml version='1.0'?><stream:stream xmlns='{NS_SERVER}' xmlns:stream='{NS_STREAM}'"
            + extra + "".join(f" {name}='{value}'" for name, value in attributes.items())
            + " version='1.0'>")


def key_for(domain, ident):
    """The dialback key of a domain of ours for that stream."""
    return hashlib.sha256(f"{domain} {ident} negotiator".encode()).hexdigest()


class Negotiator:
    """All servers of one kind. mischief(stream, place, domain), where a test gives one for a domain
    in `mischief`, is called with place plain, tls or late: before the features are acted upon,
    inside TLS, behind fedgate's stream error."""

    def __init__(self, lab, kind):
        self.lab = lab
        self.kind = kind
        self.lock = threading.Lock()
        self.served = {}  # domain -> [Seen], of streams that fedgate opened
        self.mischief = {}
        self.asked = {}  # domain -> Event: set when its key is asked about
        self.held = {}  # domain -> Event: the answer to that waits for it
        self.streams = []
        self.contexts = {}
        for which in (("good",) if kind.certificate == "good" else BAD if kind.tls else ()):
            name = f"{kind.name}-{which}"
            lab.certs.make(f"*.{kind.name}.test", name=name, **({} if which == "good" else
                                                                {"ca": which}))
            for is_server in (False, True):
                context = trust_everyone(lab.certs.crt(name), lab.certs.key(name), is_server)
                if is_server:
                    context.load_verify_locations(lab.certs.trust)
                    context.verify_mode = ssl.CERT_OPTIONAL
                self.contexts[which, is_server] = context
        self.listeners = [self._listen(port) for port in (plan.XMPP_SERVER, plan.XMPPS_SERVER)[
            :2 if kind.tls else 1]]
        lab.own(self)

    def add(self, domain, is_direct=False):
        """is_direct: only direct TLS is announced (XEP-0368)."""
        self.lab.dns.a(domain, self.kind.address)
        service, port = (("_xmpps-server", plan.XMPPS_SERVER) if is_direct else
                         ("_xmpp-server", plan.XMPP_SERVER))
        self.lab.dns.srv(f"{service}._tcp.{domain}", (10, 5, port, domain))

    def stop(self):
        for listener in self.listeners:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        for stream in self.streams:
            stream.drop()
        self.streams = []

    def _secure(self, stream, domain, is_server, name=None):
        which = "good"
        if self.kind.certificate != "good":
            which = BAD[sum((domain or "").encode()) % len(BAD)]
        stream.start_tls(self.contexts[which, is_server], server_side=is_server, name=name)

    # -- as server ---------------------------------------------------------------------------------
    def _listen(self, port):
        listener = socket.create_server((self.kind.address, port), backlog=400)
        threading.Thread(target=self._accept, args=(listener, port == plan.XMPPS_SERVER),
                         daemon=True).start()
        return listener

    def _accept(self, listener, is_direct):
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connected, is_direct), daemon=True).start()

    def _features(self, is_secured):
        kind = self.kind
        text = ""
        if kind.tls and not is_secured:
            text += (f"<starttls xmlns='{NS_TLS}'/>" if kind.dialback else
                     f"<starttls xmlns='{NS_TLS}'><required/></starttls>")
        if kind.external and is_secured:
            text += (f"<mechanisms xmlns='{NS_SASL}'><mechanism>EXTERNAL</mechanism>"
                     "</mechanisms>")
        if kind.dialback:
            text += f"<dialback xmlns='{NS_FEATURE}'><errors/></dialback>"
        return f"<stream:features>{text}</stream:features>"

    def _answer(self, stream, head, features):
        stream.ident = f"n{id(stream)}-{id(head)}"
        stream.send(header(self.kind, **{"id": stream.ident, "from": head.get("to"),
                                         "to": head.get("from")}) + features)

    def _serve(self, connected, is_direct):
        stream = Stream.over(connected)
        seen = Seen()
        with self.lock:
            self.streams.append(stream)
        try:
            if is_direct:
                self._secure(stream, "", True)
            head, declared = read_head(stream)
            if is_direct:
                seen.tls = Offer(declared, None)
            else:
                seen.plain = Offer(declared, None)
            with self.lock:
                self.served.setdefault(head.get("to"), []).append(seen)
            self._converse(stream, head, seen)
        except (LabError, OSError, ValueError, AttributeError) as error:
            seen.steps.append(f"trouble: {error}")
        stream.drop()

    def _mischief(self, stream, place, domain):
        does = self.mischief.get(domain)
        if does:
            does(stream, place, domain)

    def _converse(self, stream, head, seen):
        domain = head.get("to")
        is_secured = seen.tls is not None
        self._answer(stream, head, self._features(is_secured))
        self._mischief(stream, "tls" if is_secured else "plain", domain)
        while (element := stream.received(60)) is not END:
            name = local(element)
            if name in ("starttls", "auth", "result"):
                seen.steps.append(name)
            if name == "starttls" and self.kind.tls and not is_secured:
                stream.send(f"<proceed xmlns='{NS_TLS}'/>")
                self._secure(stream, domain, True)
                is_secured = True
                head, declared = read_head(stream)
                seen.tls = Offer(declared, None)
                self._answer(stream, head, self._features(True))
                self._mischief(stream, "tls", domain)
            elif name == "starttls":
                stream.send(f"<failure xmlns='{NS_TLS}'/>")
            elif name == "auth" and is_secured and self.kind.external \
                    and stream.socket.getpeercert():
                stream.send(f"<success xmlns='{NS_SASL}'/>")
                stream.restart()
                head, _ = read_head(stream)
                self._answer(stream, head, "<stream:features/>")
                seen.authenticated = "external"
            elif name == "auth":
                stream.send(f"<failure xmlns='{NS_SASL}'><invalid-mechanism/></failure>")
            elif name == "result" and self.kind.dialback:
                self._settle(stream, element, is_secured, seen)
            elif name == "verify":
                self._confirm(stream, element)
            elif name == "error":
                seen.error = condition_of(element)
                self._mischief(stream, "late", domain)
            elif name in ("message", "presence", "iq"):
                seen.stanzas.append((seen.authenticated, element))
        seen.is_over = True

    def _confirm(self, stream, element):
        """As authoritative server: did we make that key?"""
        domain, asker, ident = (element.get(name) for name in ("to", "from", "id"))
        is_ours = (element.text or "").strip() == key_for(domain, ident)
        if domain in self.held:
            self.asked[domain].set()
            self.held[domain].wait(SILENCE_S)
        stream.send(f"<db:verify from='{domain}' to='{asker}' id='{ident}' "
                    f"type='{'valid' if is_ours else 'invalid'}'/>")

    def _settle(self, stream, element, is_secured, seen):
        """As receiving server: fedgate, its domain's authority, is asked about its key."""
        theirs, ours = element.get("from"), element.get("to")
        verdict = self._ask(ours, theirs, stream.ident, element.text)
        stream.send(f"<db:result from='{ours}' to='{theirs}' type='{verdict}'/>")
        if verdict == "valid":
            seen.authenticated = "dialback-tls" if is_secured else "dialback-tcp"

    def _ask(self, ours, theirs, ident, key):
        stream, seen, _ = self.connect(ours, theirs)
        if self.kind.tls and seen.plain.starttls:
            self.secure(stream, seen, ours, theirs)
        stream.send(f"<db:verify from='{ours}' to='{theirs}' id='{ident}'>{key}</db:verify>")
        verdict = stream.wait(lambda e: local(e) == "verify", SILENCE_S).get("type")
        stream.close()
        return verdict

    # -- as client ---------------------------------------------------------------------------------
    def connect(self, domain, to=plan.APP):
        """(stream, seen, id), fedgate's first header and features read. domain None: a header that
        does not say who it is from."""
        stream = Stream(plan.FEDGATE, plan.XMPP_SERVER, source=self.kind.address)
        seen = Seen()
        stream.send(header(self.kind, **{"from": domain, "to": to}))
        head, declared = read_head(stream)
        seen.plain = Offer(declared, stream.expect("features"))
        seen.ident = head.get("id")
        return stream, seen, seen.ident

    def connect_directly(self, domain, to=plan.APP):
        """(stream, seen, id): the same over direct TLS; id None when fedgate ends it."""
        stream = Stream(plan.FEDGATE, plan.XMPPS_SERVER, source=self.kind.address)
        seen = Seen()
        return stream, seen, self._open_secured(stream, seen, domain, to)

    def secure(self, stream, seen, domain, to=plan.APP):
        """STARTTLS and the second header; the id, or None when fedgate ends the stream instead."""
        stream.send(f"<starttls xmlns='{NS_TLS}'/>")
        stream.expect("proceed")
        return self._open_secured(stream, seen, domain, to)

    def _open_secured(self, stream, seen, domain, to):
        self._secure(stream, domain, False, to)
        stream.send(header(self.kind, **{"from": domain, "to": to}))
        head, declared = read_head(stream)
        element = stream.expect("features", "error")
        if local(element) == "error":
            seen.error = condition_of(element)
            return None
        seen.tls = Offer(declared, element)
        seen.ident = head.get("id")
        return seen.ident

    def send_auth(self, stream, domain):
        proof = base64.b64encode(domain.encode()).decode()
        stream.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{proof}</auth>")

    def send_result(self, stream, domain, ident, to=plan.APP):
        stream.send(f"<db:result xmlns:db='{NS_DIALBACK}' from='{domain}' to='{to}'>"
                    f"{key_for(domain, ident)}</db:result>")

    def dial(self, domain, to=plan.APP, is_direct=False):
        """(stream, seen): as far as what fedgate offers lets a partner of this kind come; stream is
        None when there was nothing it could do: then it has left."""
        stream, seen, ident = (self.connect_directly if is_direct else self.connect)(domain, to)
        if not is_direct and self.kind.tls and seen.plain.starttls:
            ident = self.secure(stream, seen, domain, to)
        if seen.error:
            self._hear_out(stream, seen)
            return None, seen
        offer = seen.tls or seen.plain
        if self.kind.external and offer.external == ["EXTERNAL"]:
            self.send_auth(stream, domain)
            stream.expect("success")
            stream.restart()
            stream.send(header(self.kind, **{"from": domain, "to": to}))
            seen.ident = read_head(stream)[0].get("id")
            stream.expect("features")
            seen.authenticated = "external"
        elif self.kind.dialback and (offer.dialback or offer.declared):
            self.send_result(stream, domain, ident, to)
            result = stream.expect("result", timeout=SILENCE_S)
            check(result.get("type") == "valid", f"{domain}: dialback was answered",
                  ElementTree.tostring(result, "unicode"))
            seen.authenticated = "dialback-tls" if seen.tls else "dialback-tcp"
        else:
            stream.send("</stream:stream>")
            self._hear_out(stream, seen)
            return None, seen
        with self.lock:
            self.streams.append(stream)
        return stream, seen

    def _hear_out(self, stream, seen):
        stream.expect("end", timeout=SILENCE_S)
        seen.is_over = True
        stream.drop()

    def attempt(self, domain, how, stanza, to=plan.APP):
        """What a row forbids, then a stanza: how is [nameless-][tls-]bare, auth or result. Returns
        names of all that fedgate answered; it must end the connection by itself."""
        name = None if how.startswith("nameless-") else domain
        stream, seen, ident = self.connect(name, to)
        answers = []
        if "tls-" in how and seen.plain.starttls:
            ident = self.secure(stream, seen, name, to)
        elif "tls-" in how:
            stream.send(f"<starttls xmlns='{NS_TLS}'/>")
        if seen.error:
            answers.append(seen.error)
        try:
            if how.endswith("auth"):
                self.send_auth(stream, domain)
            elif how.endswith("result"):
                self.send_result(stream, domain, ident or "none", to)
            if how.endswith(("auth", "result")) and not seen.error:
                answers += self._name(stream.received(SILENCE_S))
            stream.send(message(stanza["to"], stanza["body"], stanza["from"]))
        except OSError:  # fedgate has ended it already
            pass
        while (element := stream.received(SILENCE_S)) is not END:
            answers += self._name(element)
        stream.drop()
        return answers

    def _name(self, element):
        if element is END:
            return ["end"]
        return [local(element), condition_of(element), element.get("type")]
