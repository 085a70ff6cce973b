# SPDX-License-Identifier: GPL-2.0-or-later
"""Small XMPP clients of our own: c2s user, XEP-0114 component, and a raw stream for scripted peers.

A reader thread parses what arrives and queues elements; received() hands them out in order.
"""
import base64
import hashlib
import queue
import socket
import ssl
import threading
import time
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from . import plan
from .process import HANG_S
from .stage import LabError

NS_STREAM = "http://etherx.jabber.org/streams"
NS_CLIENT = "jabber:client"
NS_SERVER = "jabber:server"
NS_COMPONENT = "jabber:component:accept"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
NS_STANZA_ERROR = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_DIALBACK = "jabber:server:dialback"
END = object()  # what the queue yields after the last element


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def text_of(element, name):
    """Text of the first child with that local name, in whatever namespace, or None."""
    for child in element:
        if local(child) == name:
            return child.text or ""
    return None


def error_of(stanza):
    """(type, condition) of an error stanza."""
    for child in stanza:
        if local(child) == "error":
            for condition in child:
                if NS_STANZA_ERROR in condition.tag and local(condition) != "text":
                    return child.get("type"), local(condition)
    return None, None


class Stream:
    """One XML stream over a socket. TLS with start_tls(); restart() begins a new XML document."""

    def __init__(self, address, port, timeout=HANG_S, source=None):
        self.socket = socket.create_connection((address, port), timeout, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._begin()

    @classmethod
    def over(cls, connected):
        """A stream over a socket that somebody else connected or accepted."""
        self = cls.__new__(cls)
        self.socket = connected
        self._begin()
        return self

    def _begin(self):
        self.queue = queue.SimpleQueue()
        self.header = None
        self.ended = False
        self.thread = None
        self._fresh_parser()

    # -- parsing ---------------------------------------------------------------------------------
    def _fresh_parser(self):
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.builder = None
        self.depth = 0
        self.held = b""
        self.raw = b""  # all of this document, as long as no thread reads

    @staticmethod
    def _name(name):
        return "{" + name if "}" in name else name

    def _start(self, name, attributes):
        attributes = {self._name(k): v for k, v in attributes.items()}
        self.depth += 1
        if self.depth == 1:
            self.header = ElementTree.Element(self._name(name), attributes)
            self.queue.put(self.header)
            return
        if self.depth == 2:
            self.builder = ElementTree.TreeBuilder()
        self.builder.start(self._name(name), attributes)

    def _end(self, name):
        self.depth -= 1
        if self.depth == 0:
            self.ended = True
        elif self.builder is not None:
            self.builder.end(self._name(name))
            if self.depth == 1:
                element = self.builder.close()
                self.builder = None
                self.queue.put(element)

    def _data(self, text):
        if self.builder is not None:
            self.builder.data(text)

    def _take(self):
        """Reads once and parses; False at the end. May raise TimeoutError."""
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise
        except (OSError, ValueError):
            data = b""
        # expat puts off tokens that come in pieces (its answer to CVE-2023-52425) until much more
        # has come: it is given whole tags only.
        self.held += data
        if self.thread is None:
            self.raw += data
        cut = self.held.rfind(b">") + 1
        whole, self.held = self.held[:cut], self.held[cut:]
        try:
            self.parser.Parse(whole)
        except expat.ExpatError as error:
            self.queue.put(ElementTree.Element("unparsable", {"why": str(error)}))
            self.ended = True
        if not data or self.ended:
            self.queue.put(END)
            return False
        return True

    def _run(self):
        try:
            self.socket.settimeout(None)
            while self._take():
                pass
        except OSError:  # dropped by its owner
            self.queue.put(END)
        self.close()

    def run(self):
        """From now on a thread reads. Before (negotiation) received() reads by itself."""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def received(self, timeout=HANG_S):
        """The next element (a Element), or END. Raises LabError when nothing comes in time."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                left = max(0.001, deadline - time.monotonic())
                return self.queue.get(timeout=left) if self.thread else self.queue.get_nowait()
            except queue.Empty:
                if time.monotonic() >= deadline:
                    raise LabError(f"nothing received within {timeout:g} s") from None
                if not self.thread:
                    self.socket.settimeout(max(0.001, deadline - time.monotonic()))
                    try:
                        self._take()
                    except TimeoutError:
                        pass

    def expect(self, *names, timeout=HANG_S):
        """The next element, which must have one of these local names ('end' for END)."""
        element = self.received(timeout)
        name = "end" if element is END else local(element)
        if name not in names:
            shown = name if element is END else ElementTree.tostring(element, "unicode")
            raise LabError(f"expected {'/'.join(names)}, got {shown}")
        return element

    def wait(self, condition, timeout=HANG_S):
        """The first element for which condition(element) holds; others are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            element = self.received(max(0.001, deadline - time.monotonic()))
            if element is END:
                raise LabError("stream ended while waiting for an element")
            if condition(element):
                return element

    # -- sending ---------------------------------------------------------------------------------
    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def open(self, namespace, to=None, sender=None, version="1.0", extra=""):
        attributes = f" to={quoteattr(to)}" if to else ""
        attributes += f" from={quoteattr(sender)}" if sender else ""
        attributes += f" version={quoteattr(version)}" if version else ""
        self.send(f"<?xml version='1.0'?><stream:stream xmlns={quoteattr(namespace)} "
                  f"xmlns:stream='{NS_STREAM}'{attributes}{extra}>")

    def restart(self):
        self._fresh_parser()

    def start_tls(self, context=None, server_side=False, name=None):
        context = context or trust_everyone()
        self.socket.settimeout(HANG_S)
        self.socket = context.wrap_socket(self.socket, server_side=server_side,
                                          server_hostname=None if server_side else name)
        self.restart()

    def close(self):
        try:
            self.send("</stream:stream>")
        except OSError:
            pass
        self.drop()

    def drop(self):
        """Closes the connection without a word."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    stop = drop


def trust_everyone(certificate=None, key=None, server_side=False, alpn=None):
    """A TLS context that checks nothing: for clients of the lab and for scripted peers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key)
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


def message(to, body, sender=None, kind="chat", ident=None, extra=""):
    attributes = f" to={quoteattr(to)}" + (f" from={quoteattr(sender)}" if sender else "")
    attributes += f" type={quoteattr(kind)}" if kind else ""
    attributes += f" id={quoteattr(ident)}" if ident else ""
    return f"<message{attributes}><body>{escape(body)}</body>{extra}</message>"


class User:
    """An XMPP client, logged in to its server over plain loopback TCP with SASL PLAIN."""

    def __init__(self, jid, address, password="secret", resource="lab", register=False):
        self.user, self.domain = jid.split("@")
        self.bare = jid
        self.address = address
        self.stream = Stream(address, plan.XMPP_CLIENT)
        if register:
            self._register(password)
        self._login(password, resource)
        self.stream.run()
        self.counter = 0
        # The server echoes the presence when it is in force: from then on messages are delivered.
        self.stream.send("<presence/>")
        self.stream.wait(lambda e: local(e) == "presence" and e.get("from") == self.jid)

    def _features(self):
        self.stream.open(NS_CLIENT, to=self.domain)
        self.stream.expect("stream")
        return self.stream.expect("features")

    def _register(self, password):
        self._features()
        self.stream.send(f"<iq type='set' id='r1'><query xmlns='jabber:iq:register'><username>"
                         f"{escape(self.user)}</username><password>{escape(password)}</password>"
                         "</query></iq>")
        answer = self.stream.expect("iq")
        if answer.get("type") != "result":
            raise LabError("registration refused: " + ElementTree.tostring(answer, "unicode"))
        self.stream.close()
        self.stream = Stream(self.address, plan.XMPP_CLIENT)

    def _login(self, password, resource):
        self._features()
        secret = base64.b64encode(f"\0{self.user}\0{password}".encode()).decode()
        self.stream.send(f"<auth xmlns='{NS_SASL}' mechanism='PLAIN'>{secret}</auth>")
        self.stream.expect("success")
        self.stream.restart()
        self._features()
        self.stream.send(f"<iq type='set' id='b1'><bind xmlns='{NS_BIND}'><resource>"
                         f"{escape(resource)}</resource></bind></iq>")
        answer = self.stream.wait(lambda e: e.get("id") == "b1")
        self.jid = answer.find(f".//{{{NS_BIND}}}jid").text
        self.stream.send(
            "<iq type='set' id='s1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
        self.stream.wait(lambda e: e.get("id") == "s1")

    def say(self, to, body, **options):
        """Sends a message; returns its id."""
        self.counter += 1
        ident = options.pop("ident", None) or f"{self.user}-{self.counter}"
        self.stream.send(message(to, body, ident=ident, **options))
        return ident

    def next_message(self, timeout=HANG_S):
        return self.stream.wait(lambda e: local(e) == "message", timeout)

    def hears(self, body, timeout=HANG_S):
        """Waits for a message with that body and returns it."""
        return self.stream.wait(
            lambda e: local(e) == "message" and e.get("type") != "error"
            and text_of(e, "body") == body, timeout)

    def gets_error(self, ident, timeout=HANG_S):
        """Waits for the error answer to message `ident`; returns (type, condition)."""
        return error_of(self.stream.wait(
            lambda e: e.get("type") == "error" and e.get("id") == ident, timeout))

    def stop(self):
        self.stream.close()


class Component:
    """The inside of a component next hop: connects, shakes hands, then exchanges stanzas."""

    def __init__(self, domain, secret, address=plan.FEDGATE, port=plan.COMPONENT, run=True):
        self.domain = domain
        self.stream = Stream(address, port)
        self.stream.open(NS_COMPONENT, to=domain, version=None)
        header = self.stream.expect("stream")
        proof = hashlib.sha1((header.get("id") + secret).encode()).hexdigest()
        self.stream.send(f"<handshake>{proof}</handshake>")
        answer = self.stream.expect("handshake", "error")
        if local(answer) != "handshake":
            raise LabError("component refused: " + ElementTree.tostring(answer, "unicode"))
        if run:
            self.stream.run()

    def send(self, text):
        self.stream.send(text)

    def say(self, sender, to, body, **options):
        self.stream.send(message(to, body, sender=sender, **options))

    def next_message(self, timeout=HANG_S):
        return self.stream.wait(lambda e: local(e) == "message", timeout)

    def hears(self, body, timeout=HANG_S):
        return self.stream.wait(
            lambda e: local(e) == "message" and e.get("type") != "error"
            and text_of(e, "body") == body, timeout)

    def gets_error(self, ident, timeout=HANG_S):
        return error_of(self.stream.wait(
            lambda e: e.get("type") == "error" and e.get("id") == ident, timeout))

    def stop(self):
        self.stream.close()
