# SPDX-License-Identifier: GPL-2.0-or-later
"""A scripted XMPP server: one domain, STARTTLS or direct TLS and SASL EXTERNAL, both directions.

For floods and for what no real server would do. It checks no certificate of the other side.
"""
import base64
import queue
import socket
import ssl
import threading

from . import plan
from .stage import LabError
from .xmpp import (END, NS_SASL, NS_SERVER, NS_STREAM, NS_TLS, Stream, local, trust_everyone)

DIALBACK_PREFIX = " xmlns:db='jabber:server:dialback'"


class Peer:
    """dial() opens streams to fedgate; listen() accepts its streams. Stanzas of accepted streams
    come to on_stanza(stream, element), called on the stream's thread, or else to inbox; on_stream
    (stream), where given, takes over the whole stream after negotiation."""

    def __init__(self, lab, domain="scripted.test", address=plan.SCRIPTED, certificate=None):
        self.lab = lab
        self.domain = domain
        self.address = address
        name = certificate or lab.certs.need(domain)
        self.client_tls = trust_everyone(lab.certs.crt(name), lab.certs.key(name))
        self.server_tls = trust_everyone(lab.certs.crt(name), lab.certs.key(name), True)
        # Ask for a certificate as servers do; what comes is accepted (trust as CA, no failure).
        self.server_tls.load_verify_locations(lab.certs.trust)
        self.server_tls.verify_mode = ssl.CERT_OPTIONAL
        self.inbox = queue.SimpleQueue()
        self.on_stanza = None
        self.on_stream = None
        self.accepted = []
        self.replies = {}
        self.reply_lock = threading.Lock()
        self.trouble = []
        self.listener = None

    # -- outgoing ----------------------------------------------------------------------------------
    def dial(self, to, address=plan.FEDGATE, port=plan.XMPP_SERVER, run=True):
        """An authenticated stream to the domain `to`, its reader thread running if run."""
        stream = Stream(address, port)
        self._header(stream, to)
        stream.expect("features")
        stream.send(f"<starttls xmlns='{NS_TLS}'/>")
        stream.expect("proceed")
        stream.start_tls(self.client_tls, name=to)
        self._header(stream, to)
        self.external(stream, to)
        return self.lab.own(stream.run() if run else stream)

    def _header(self, stream, to):
        stream.open(NS_SERVER, to=to, sender=self.domain, extra=DIALBACK_PREFIX)
        return stream.expect("stream")

    def external(self, stream, to):
        stream.expect("features")
        proof = base64.b64encode(self.domain.encode()).decode()
        stream.send(f"<auth xmlns='{NS_SASL}' mechanism='EXTERNAL'>{proof}</auth>")
        stream.expect("success")
        stream.restart()
        self._header(stream, to)
        return stream.expect("features")

    # -- incoming ----------------------------------------------------------------------------------
    def listen(self, port=plan.XMPP_SERVER):
        self.listener = socket.create_server((self.address, port))
        threading.Thread(target=self._accept, daemon=True).start()
        self.lab.own(self)
        return self

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected):
        stream = Stream.over(connected)
        try:
            self._negotiate(stream)
        except (LabError, OSError) as error:
            self.trouble.append(str(error))
            stream.drop()
            return
        self.accepted.append(stream)
        if self.on_stream:
            self.on_stream(stream)
            return
        stream.run()
        while (element := stream.queue.get()) is not END:
            if local(element) == "iq" and element.get("type") == "get":
                try:
                    self.answer_iq(element.get("id"), element.get("to"), element.get("from"))
                except (OSError, LabError) as error:  # fedgate is stopping
                    self.trouble.append(str(error))
            elif self.on_stanza:
                self.on_stanza(stream, element)
            else:
                self.inbox.put(element)

    def _answer(self, stream, features):
        header = stream.expect("stream")
        stream.send(f"<?xml version='1.0'?><stream:stream xmlns='{NS_SERVER}' "
                    f"xmlns:stream='{NS_STREAM}'{DIALBACK_PREFIX} id='lab-{id(stream)}' "
                    f"from='{header.get('to')}' to='{header.get('from')}' version='1.0'>"
                    f"<stream:features>{features}</stream:features>")

    def _negotiate(self, stream):
        self._answer(stream, f"<starttls xmlns='{NS_TLS}'><required/></starttls>")
        stream.expect("starttls")
        stream.send(f"<proceed xmlns='{NS_TLS}'/>")
        stream.start_tls(self.server_tls, server_side=True)
        self._answer(stream, f"<mechanisms xmlns='{NS_SASL}'><mechanism>EXTERNAL</mechanism>"
                             "</mechanisms>")
        stream.expect("auth")
        stream.send(f"<success xmlns='{NS_SASL}'/>")
        stream.restart()
        self._answer(stream, "")

    def reply(self, to, text):
        """Sends to fedgate's domain on the peer's own stream (streams go one way), opened when
        first needed."""
        with self.reply_lock:
            if to not in self.replies:
                self.replies[to] = self.dial(to)
            self.replies[to].send(text)

    def answer_iq(self, ident, sender, to):
        self.reply(to.split("/")[0].split("@")[-1],
                   f"<iq type='result' id='{ident}' from='{sender}' to='{to}'/>")

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for stream in self.accepted:
            stream.drop()
