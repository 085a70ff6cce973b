#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS with GnuTLS: gnutls-cli as the client, gnutls-serv and its library as the server, on the port
of direct TLS and through STARTTLS. gnutls-serv only shakes hands: it echoes lines, and fedgate
waits for a stream header; whole streams are played over the library."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.gnutls import GnutlsServer, described
from lab.hostile import EVIL, EVIL_ADDRESS, Ground, Raw
from lab.process import wait_until
from lab.splitter import Splitter
from lab.tls_tools import (Partners, StarttlsOut, accept_for, farewell, follows_key_updates,
                           gnutls_cli, gnutls_serv, log_in, say, stream_of, take_message,
                           take_stream)

CIPHERS = ("AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305")
TLS_13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
TLS_12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2"
PROTOCOL_VERSION, HANDSHAKE_FAILURE, NO_APPLICATION_PROTOCOL, NO_RENEGOTIATION = 70, 40, 120, 100
GOODBYE = "Peer has closed the GnuTLS connection"
REFUSED = (
    ("NORMAL:-VERS-ALL:+VERS-TLS1.0", PROTOCOL_VERSION),
    ("NORMAL:-VERS-ALL:+VERS-TLS1.1", PROTOCOL_VERSION),
    (TLS_12 + ":-CIPHER-ALL:+AES-128-CBC:+SHA256", HANDSHAKE_FAILURE),
    (TLS_12 + ":-CIPHER-ALL:+AES-256-CCM", HANDSHAKE_FAILURE),
    (TLS_12 + ":-KX-ALL:+RSA", HANDSHAKE_FAILURE),
    (TLS_12 + ":-KX-ALL:+DHE-RSA", HANDSHAKE_FAILURE),
    (TLS_13 + ":-CIPHER-ALL:+AES-128-CCM", HANDSHAKE_FAILURE),
)


def suites(backend, key):
    """(priorities, parts of GnuTLS's description) for each suite with such a key."""
    for cipher in CIPHERS:
        only = f":-CIPHER-ALL:+{cipher}"
        if backend == "wolfssl":
            yield TLS_13 + only, ("TLS1.3", f"({cipher})")
        kind = {"ec": "ECDSA", "rsa": "RSA"}[key]
        yield f"{TLS_12}:-KX-ALL:+ECDHE-{kind}{only}", ("TLS1.2", "ECDHE", kind, f"({cipher})")


def chosen(backend, **more):
    def change(config):
        config["tls"].update(backend=backend, **more)
    return change


def ground(lab, backend, key="ec"):
    lab.certs.make(plan.CORP, plan.APP, "edge.corp.test", name="edge", key=key)
    lab.certs.need(EVIL)
    StarttlsOut(lab, 7002)
    return Ground(lab, {}, chosen(backend))


def accepts(on, *options, port=plan.XMPPS_SERVER, text="hello", more=None, **who):
    """A whole stream from gnutls-cli with a message; returns all it said."""
    address = plan.FEDGATE if port == plan.XMPPS_SERVER else EVIL_ADDRESS
    who = {"certificate": EVIL, **who}
    tool = gnutls_cli(on.lab, *options, port=port, address=address, **who)
    log_in(tool)
    say(on, tool, text)
    if more:
        more(tool)
    farewell(tool)
    check(GOODBYE in tool.text, "no close_notify:", tool.text[-300:])
    return tool.said


# -- fedgate is the server ------------------------------------------------------------------------
def server_suites(backend, key):
    with Lab("gs-suites") as lab:
        on = ground(lab, backend, key)
        for port in (plan.XMPPS_SERVER, 7002):
            for priority, parts in suites(backend, key):
                said = accepts(on, "--priority", priority, port=port, text=f"{priority} {port}")
                described(said, *parts)
        on.calm()


def server_refuses(backend):
    with Lab("gs-refuses") as lab:
        on = ground(lab, backend)
        rows = [(("--priority", priority), alert) for priority, alert in REFUSED]
        rows.append((("--alpn", "http/1.1"), NO_APPLICATION_PROTOCOL))
        if backend == "mbedtls":
            rows.append((("--priority", TLS_13), HANDSHAKE_FAILURE))
        tools = [(options, alert, gnutls_cli(lab, *options)) for options, alert in rows]
        for options, alert, tool in tools:
            tool.until_end()
            check(tool.alerts() == [alert], "alerts with", options, tool.alerts(), tool.text[-300:])
        on.calm()


def server_more(backend):
    """Names, protocols, keys, groups, record sizes, bytes one by one."""
    with Lab("gs-more") as lab:
        on = ground(lab, backend)
        for name in ("rsa", "ec384"):
            lab.certs.make(EVIL, name=name, key=name)
            accepts(on, certificate=name, text=name)
        said = accepts(on, "--alpn", "xmpp-server", text="alpn")
        check("Application protocol: xmpp-server" in said, "ALPN", said[-500:])
        accepts(on, name=None, text="no name")
        accepts(on, "--heartbeat", text="heartbeat")
        accepts(on, "--noticket", text="no ticket")
        if backend == "wolfssl":
            # One record is all that gnutls-cli sends of a line; ours come in several.
            accepts(on, "--recordsize", "512", text="small records")
            accepts(on, "--single-key-share", "--priority", TLS_13 + ":-GROUP-ALL:+GROUP-FFDHE8192"
                    ":+GROUP-SECP256R1", text="groups")
        lab.own(Splitter(EVIL_ADDRESS, 7001, plan.FEDGATE, plan.XMPPS_SERVER))
        accepts(on, port=7001, text="by bytes")
        on.calm()


def server_key_updates():
    def rekey(tool):
        for number, command in enumerate(("^rekey1^", "^rekey^", "^rekey^", "^rekey1^")):
            tool.send(f"{command}\n").until("Rekey was completed")
            tool.text = ""
            say(on, tool, f"after {number}")
    with Lab("gs-keys") as lab:
        on = ground(lab, "wolfssl")
        if not follows_key_updates(on):
            before = on.totals()
            tool = gnutls_cli(lab, "--inline-commands", "--priority", TLS_13, certificate=EVIL)
            log_in(tool).send("^rekey1^\n").until("</stream:stream>")
            check(GOODBYE in tool.until_end(), "no close_notify:", tool.text[-300:])
            on.grown(before, tls_rekey_closes=1)
            return
        accepts(on, "--inline-commands", "--priority", TLS_13, more=rekey)
        on.calm()


# -- fedgate is the client ------------------------------------------------------------------------
class Played(Partners):
    """Partners whose servers are GnuTLS's library, played by the test."""

    def __init__(self, lab, count, key, backend, **more):
        super().__init__(lab, count, {"key": key}, chosen(backend, **more))
        self.listener = socket.create_server((EVIL_ADDRESS, 6999), backlog=50)

    def played(self, priority="NORMAL", starttls=False, record_max=0):
        """(stream with acknowledgements after the first message, the partner's domain)"""
        def listens(port, certificate):
            self.now = certificate
            return Splitter(EVIL_ADDRESS, port, EVIL_ADDRESS, 6999)
        splitter, domain = self.dial(listens, starttls)
        splitter.piece = 1 << 16
        self.lab.own(splitter)
        return self.accepted(domain, f"to {domain}", priority, record_max), domain

    def accepted(self, domain, text, priority, record_max=0):
        """The stream that fedgate opens for a message."""
        connected = accept_for(self.listener, domain)
        end = GnutlsServer(connected, self.lab.certs.crt(self.now), self.lab.certs.key(self.now),
                           self.lab.certs.trust, priority, record_max)
        raw = Raw.over(end)
        take_stream(raw, domain)
        take_message(raw, text)
        return raw

    def bye(self, raw):
        """Both farewells, of XML and of TLS."""
        raw.text = ""
        raw.send("</stream:stream>").until("</stream:stream>")
        while raw.take(5):
            pass
        check(raw.is_ended and not raw.socket.is_cut, "no close_notify")
        raw.socket.bye()
        raw.close()


def client_suites(backend, key):
    with Lab("gc-suites") as lab:
        on = Played(lab, 14, key, backend)
        for starttls in (False, True):
            for priority, parts in suites(backend, key):
                raw, _ = on.played(priority, starttls)
                described(raw.socket.description(), *parts)
                on.bye(raw)
        on.inside_hears_nothing()


def client_handshakes(backend, key):
    """gnutls-serv itself, which wants our certificate and believes it."""
    with Lab("gc-serv") as lab:
        on = Partners(lab, 14, {"key": key}, chosen(backend))
        tools = []
        for starttls in (False, True):
            for priority, parts in suites(backend, key):
                tool, domain = on.dial(lambda port, certificate, priority=priority: gnutls_serv(
                    lab, port, certificate, "--priority", priority, "--x509cafile",
                    lab.certs.trust, "--require-client-cert", "--verify-client-cert", "--alpn",
                    "xmpp-server"), starttls)
                tools.append((tool, domain, parts))
        for tool, domain, parts in tools:
            tool.until("- Description:")
            tool.until("- Cipher:")
            described(tool.said, "The certificate is trusted", f"Given server name[1]: {domain}",
                      *parts)
        on.calm()


def client_refuses(backend):
    with Lab("gc-refuses") as lab:
        on = Partners(lab, 10, {"key": "ec"}, chosen(backend))
        tools = [(priority, *on.dial(lambda port, certificate, priority=priority: gnutls_serv(
            lab, port, certificate, "--priority", priority))) for priority, _ in REFUSED]
        for priority, tool, domain in tools:
            row = wait_until(f"failure with {priority}", lambda domain=domain: (
                on.fedgate.partner(domain) or {"out": {}})["out"].get("last_failure"))
            check("tls" in str(row), "failed otherwise with", priority, row)
            tool.take(0.05)
            check("Description" not in tool.said, "agreed on", priority, tool.said)
        on.inside_hears_nothing()


def client_resumption(backend):
    """tls.resumption on: the second session continues the first."""
    with Lab("gc-resume") as lab:
        on = Played(lab, 2, "ec", backend, resumption="on")
        version = TLS_13 if backend == "wolfssl" else TLS_12
        raw, domain = on.played(version)
        check(not raw.socket.is_resumed(), "continued what?")
        on.bye(raw)
        wait_until("its end", lambda: not stream_of(on, domain, "out"))
        on.component.say("joe@app.corp.test", f"ann@{domain}", "again")
        raw = on.accepted(domain, "again", version)
        check(raw.socket.is_resumed() and stream_of(on, domain, "out")["resumed"], "not continued")
        on.bye(raw)
        on.inside_hears_nothing()


def server_resumption():
    """gnutls-cli --resume: one handshake for the ticket, a stream that continues the session. Its
    hello of TLS 1.2 has the name behind the ticket: that is a full handshake."""
    with Lab("gs-resume") as lab:
        on = ground(lab, "wolfssl")
        for priority in (TLS_13, TLS_12):
            def resumed(tool, is_due=priority == TLS_13):
                is_there = "This is a resumed session" in tool.said
                check(is_there == is_due and stream_of(on, EVIL, "in")["resumed"] == is_due,
                      "resumed", is_there, is_due)
            accepts(on, "--resume", "--waitresumption", "--priority", priority, text=priority,
                    more=resumed)
        on.calm()


def client_more(backend):
    """Key updates, tickets, small records, a wish to begin anew, an end without notice."""
    with Lab("gc-more") as lab:
        on = Played(lab, 6, "rsa", backend)
        raw, domain = on.played(TLS_12 if backend == "mbedtls" else TLS_13)
        number = 1
        can_renew = backend == "wolfssl" and follows_key_updates(on)
        for step in (False, True, True) if can_renew else ():
            raw.socket.tickets(10)
            raw.socket.update_keys(step)
            number += 1
            on.component.say("joe@app.corp.test", f"ann@{domain}", f"after {number}")
            take_message(raw, f"after {number}", number)
        if backend == "wolfssl" and not can_renew:
            raw.socket.update_keys(False)
        on.bye(raw)
        if backend == "wolfssl":  # mbedTLS takes no message of the handshake in pieces
            raw, domain = on.played(TLS_13, record_max=512)
            on.component.say("joe@app.corp.test", f"ann@{domain}", "z" * 5000)
            take_message(raw, "z" * 5000, 2)
            on.bye(raw)
        raw, domain = on.played(TLS_12)
        raw.socket.ask_again()
        on.component.say("joe@app.corp.test", f"ann@{domain}", "meanwhile")
        wait_until("an answer", lambda: not raw.take(0.2) and (raw.socket.alerts or raw.is_ended)
                   or "meanwhile" in raw.text)
        check(set(raw.socket.alerts) <= {NO_RENEGOTIATION}, "alerts", raw.socket.alerts)
        raw.close()
        lost = on.totals()["streams_lost"]
        raw, domain = on.played()
        raw.close()
        wait_until("lost", lambda: on.totals()["streams_lost"] > lost)
        on.calm()


def tests():
    for backend in ("wolfssl", "mbedtls"):
        for key in ("ec", "rsa"):
            for function in (server_suites, client_suites, client_handshakes):
                yield case(f"{function.__name__}_{key}_{backend}", function, backend, key)
        for function in (server_refuses, server_more, client_refuses, client_more,
                         client_resumption):
            yield case(f"{function.__name__}_{backend}", function, backend)
    yield server_key_updates
    yield server_resumption


if __name__ == "__main__":
    main(*tests())
