#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS with OpenSSL's programs, in both roles, on the port of direct TLS and through STARTTLS: every
suite, what is refused, key updates, fragments, groups, certificates, and how a session ends."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hostile import EVIL, EVIL_ADDRESS, GOOD, Ground
from lab.process import wait_until
from lab.splitter import Splitter
from lab.tls_tools import (Partners, StarttlsOut, farewell, follows_key_updates, log_in, message_of,
                           opening, s_client, s_server, say, stream_of, take_message, take_stream)

CUT = "TLS: closed without close_notify"
PORTS = (plan.XMPPS_SERVER, plan.XMPP_SERVER)
SUITES_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
# OpenSSL's names and IANA's.
SUITES_12 = (("AES128-GCM-SHA256", "AES_128_GCM_SHA256"),
             ("AES256-GCM-SHA384", "AES_256_GCM_SHA384"),
             ("CHACHA20-POLY1305", "CHACHA20_POLY1305_SHA256"))
OLD = "DEFAULT@SECLEVEL=0"
PROTOCOL_VERSION, HANDSHAKE_FAILURE, NO_APPLICATION_PROTOCOL = 70, 40, 120
# Both programs are told what they may speak; the other side has to find its way.
REFUSED = (
    (("-tls1", "-cipher", OLD), PROTOCOL_VERSION),
    (("-tls1_1", "-cipher", OLD), PROTOCOL_VERSION),
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), HANDSHAKE_FAILURE),
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-CCM"), HANDSHAKE_FAILURE),
    (("-tls1_2", "-cipher", "AES128-GCM-SHA256"), HANDSHAKE_FAILURE),
    (("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), HANDSHAKE_FAILURE),
    (("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"), HANDSHAKE_FAILURE),
)


def suites(backend, key):
    """(OpenSSL's name, IANA's, options for it) for each suite of a server with such a key."""
    kind = {"ec": "ECDSA", "rsa": "RSA"}[key]
    for suite in SUITES_13 if backend == "wolfssl" else ():
        yield suite, suite, ("-tls1_3", "-ciphersuites", suite)
    for suite, iana in SUITES_12:
        suite = f"ECDHE-{kind}-{suite}"
        yield suite, f"TLS_ECDHE_{kind}_WITH_{iana}", ("-tls1_2", "-cipher", suite)


def chosen(backend, more=None):
    def change(config):
        config["tls"]["backend"] = backend
        if more:
            config["tls"].update(more)
    return change


def ground(lab, backend, key="ec", **more):
    """fedgate with a key of that kind, and a partner with an EC key."""
    lab.certs.make(plan.CORP, plan.APP, "edge.corp.test", name="edge", key=key)
    lab.certs.need(EVIL)
    return Ground(lab, {}, chosen(backend, more))


def in_order(tool, *wanted):
    """The session ended with close_notify from fedgate, and each text stands in the messages."""
    messages = tool.messages()
    for text in ("close_notify", *wanted):
        check(any(line.startswith("<<<") and text in line for line in messages),
              f"no {text!r} came in", messages)
    check("unexpected eof" not in tool.text, "cut off:", tool.text[-500:])


def protected(on, remote, direction, suite):
    """/stats says which suite protects the stream, and that the library is out of it."""
    row = stream_of(on, remote, direction)
    check(row["cipher"] == suite and row["records"] in ("user", "kernel"), "/stats has", row)


def accepts(on, *options, certificate=EVIL, text="hello", more=None, **where):
    """A whole stream from s_client with a message; returns what s_client said of the session.
    more() is called in the middle."""
    tool = s_client(on.lab, *options, certificate=certificate, **where)
    log_in(tool)
    said = tool.said
    say(on, tool, text)
    if more:
        more()
    farewell(tool)
    in_order(tool)
    return said


# -- fedgate is the server ------------------------------------------------------------------------
def server_suites(backend, key):
    with Lab("s-suites") as lab:
        on = ground(lab, backend, key)
        for port in PORTS:
            for suite, iana, options in suites(backend, key):
                said = accepts(on, *options, port=port, text=f"{suite} {port}",
                               more=lambda iana=iana: protected(on, EVIL, "in", iana))
                check(f"Cipher is {suite}" in said, "not with", suite, said[-600:])
        on.calm()


def server_refuses(backend):
    with Lab("s-refuses") as lab:
        on = ground(lab, backend)
        failures = on.fedgate.stats()["shards"][0]["tls_failures"]
        rows = [*REFUSED, (("-alpn", "http/1.1"), NO_APPLICATION_PROTOCOL),
                (("-sigalgs", "RSA-PSS+SHA256"), HANDSHAKE_FAILURE)]
        if backend == "mbedtls":
            rows.append((("-tls1_3",), HANDSHAKE_FAILURE))
        tools = [(options, alert, s_client(lab, *options)) for options, alert in rows]
        for options, alert, tool in tools:
            tool.until_end()
            check(tool.alerts() == [alert], "alerts with", options, tool.alerts(), tool.text[-500:])
            check("<stream" not in tool.text, "answered with", options, tool.text)
        now = on.fedgate.stats()["shards"][0]["tls_failures"]
        check(now == failures + len(tools), "failures counted", now - failures, len(tools))
        on.calm()


def server_certificates(backend):
    """Keys of every kind prove a partner, also below an intermediate and without ALPN or SNI."""
    kinds = {"rsa": {"key": "rsa"}, "rsa3072": {"key": "rsa3072"}, "p384": {"key": "ec384"},
             "below": {"ca": "inter"}}
    with Lab("s-certs") as lab:
        on = ground(lab, backend)
        for name, options in kinds.items():
            lab.certs.make(EVIL, name=name, **options)
            chain = ("-cert_chain", lab.certs.crt("inter"))
            for version in ("-tls1_2", "-tls1_3")[:2 if backend == "wolfssl" else 1]:
                accepts(on, version, *(chain if name == "below" else ()), certificate=name,
                        text=name + version)
        said = accepts(on, "-alpn", "xmpp-server", text="alpn")
        check("ALPN protocol: xmpp-server" in said, "ALPN", said[-500:])
        said = accepts(on, "-alpn", "http/1.1,xmpp-server", text="one of two")
        check("ALPN protocol: xmpp-server" in said, "ALPN", said[-500:])
        accepts(on, name=None, text="no name")
        accepts(on, name="elsewhere.test", text="another name")
        on.calm()


def server_fragments(backend):
    """Records of 512 bytes and segments of one byte, in the handshake and after it."""
    with Lab("s-frag") as lab:
        on = ground(lab, backend, "rsa")
        lab.own(Splitter(EVIL_ADDRESS, 7001, plan.FEDGATE, plan.XMPPS_SERVER))
        StarttlsOut(lab, 7002, piece=1)
        long = "x" * 5000
        for version in ("-tls1_2", "-tls1_3")[:2 if backend == "wolfssl" else 1]:
            accepts(on, version, "-max_send_frag", "512", text=long + version)
            # mbedTLS agrees to any length, but never splits a message of the handshake.
            length = "512" if backend == "wolfssl" else "2048"
            accepts(on, version, "-maxfraglen", length, text=long + "mfl" + version)
            for port in (7001, 7002):
                accepts(on, version, port=port, address=EVIL_ADDRESS, text=f"by bytes{version}")
        if backend == "wolfssl":
            accepts(on, "-tls1_3", "-record_padding", "1000", text="padded")
        on.calm()


def server_groups():
    """Another group than the one offered first: another round, and the same stream."""
    with Lab("s-groups") as lab:
        on = ground(lab, "wolfssl")
        for groups in ("X25519", "P-256", "P-384", "P-521:P-256", "ffdhe8192:P-256"):
            tool = s_client(lab, "-groups", groups, certificate=EVIL)
            log_in(tool)
            say(on, tool, groups)
            farewell(tool)
            in_order(tool)
            hellos = [line for line in tool.messages() if "ClientHello" in line]
            check(len(hellos) == 1 + groups.startswith("ffdhe8192"), groups, hellos)


def server_key_updates():
    """s_client renews its keys, with and without asking for ours."""
    with Lab("s-keys") as lab:
        on = ground(lab, "wolfssl")
        if not follows_key_updates(on):
            before = on.totals()
            tool = s_client(lab, "-tls1_3", certificate=EVIL)
            log_in(tool).send("k\n").until("</stream:stream>")
            tool.until_end()
            in_order(tool)
            on.grown(before, tls_rekey_closes=1)
            return
        for command in "kK":
            tool = s_client(lab, "-tls1_3", certificate=EVIL)
            log_in(tool)
            for number in range(3):
                tool.send(f"{command}\n")
                say(on, tool, f"{command} {number}")
            farewell(tool)
            in_order(tool)
            got = [line for line in tool.messages() if "<<<" in line and "KeyUpdate" in line]
            # One does for several wishes while fedgate itself says nothing.
            check(bool(got) == (command == "K"), f"answers to {command}:", got)
        on.calm()


def server_renegotiation(backend):
    """TLS 1.2 renegotiation is refused, whatever becomes of the stream."""
    with Lab("s-reneg") as lab:
        on = ground(lab, backend)
        tool = s_client(lab, "-tls1_2", "-legacy_renegotiation", certificate=EVIL)
        log_in(tool)
        tool.send("R\n")
        tool.until_end()
        messages = tool.messages()
        check(any("<<<" in line and "no_renegotiation" in line for line in messages), "no alert",
              messages)
        check(sum("ServerHello [" in line or line.endswith("ServerHello") for line in messages)
              == 1, "a second handshake", messages)
        on.inside_hears_nothing()


def continued(on, *options, certificate=EVIL, text="again", **more):
    """A stream that may continue the session in the file; returns whether it did, which both sides
    must say."""
    tool = s_client(on.lab, *options, certificate=certificate, **more)
    log_in(tool)
    say(on, tool, text)
    row = stream_of(on, EVIL, "in")
    farewell(tool)
    in_order(tool)
    is_resumed = "Reused, TLS" in tool.said
    check(row["resumed"] == is_resumed, "the sides disagree", row, tool.said[-600:])
    check("Early Data:" not in tool.said or "Max Early Data: 0" in tool.said, "early data is taken")
    return is_resumed


def server_resumption(backend):
    """A ticket continues a session, with the identity that was proved when it began; for another
    name, after a reload or where tickets are off it is a full handshake."""
    with Lab("s-resume") as lab:
        on = ground(lab, backend)
        for version in ("-tls1_2", "-tls1_3")[:2 if backend == "wolfssl" else 1]:
            new, again = (version, "-sess_out", "ticket"), (version, "-sess_in", "ticket")
            check(not continued(on, *new, text=version), "continued what?", version)
            check(continued(on, *again), "not continued", version)
            check(continued(on, *again, certificate=None), "identity lost", version)
            check(continued(on, *again, port=plan.XMPP_SERVER), "not by STARTTLS", version)
            check(not continued(on, *again, name=plan.CORP), "for another name", version)
            tool = s_client(lab, *again)  # no more than it was: EVIL's session is not GOOD's
            tool.send(opening(sender=GOOD)).until("not-authorized")
            tool.until_end()
            generation = on.fedgate.stats()["config_generation"]
            on.fedgate.reload()
            on.fedgate.wait_stats("reload", lambda s, was=generation: s["config_generation"] > was)
            check(not continued(on, *again), "continued after a reload", version)
        on.fedgate.config["tls"]["resumption"] = "off"
        on.fedgate.reload()
        wait_until("tickets off", lambda: not continued(on, *new) and not continued(on, *again))
        on.calm()


def server_ends(backend):
    """A stream that ends with TLS's farewell only, one with XML's and TLS's, one that is cut."""
    with Lab("s-ends") as lab:
        on = ground(lab, backend)
        before = on.totals()
        tool = log_in_and_say(on, "notified")
        tool.send("Q\n")
        tool.until_end()
        on.grown(before, streams_lost=1)
        check(CUT not in on.fedgate.log_text(), "close_notify was not seen")
        tool = log_in_and_say(on, "cut")
        tool.popen.kill()
        on.grown(before, streams_lost=2, streams_truncated=1)
        wait_until("the cut in the log", lambda: CUT in on.fedgate.log_text())
        tool = log_in_and_say(on, "in order")
        farewell(tool)
        in_order(tool)
        on.calm()
        now = on.totals()
        check(now["streams_lost"] == before["streams_lost"] + 2, "counted as lost")
        check(now["streams_truncated"] == before["streams_truncated"] + 1, "counted as cut")


def log_in_and_say(on, text, *options):
    tool = s_client(on.lab, *options, certificate=EVIL)
    log_in(tool)
    say(on, tool, text)
    return tool


# -- fedgate is the client ------------------------------------------------------------------------
def served(on, *options, starttls=False, piece=1 << 16, more=None):
    """A whole stream to s_server; more(tool) happens in the middle. Returns the tool."""
    tool, domain = on.dial(lambda port, certificate: s_server(
        on.lab, port, certificate, "-Verify", "3", "-naccept", "1", *options), starttls, piece)
    take_stream(tool, domain)
    take_message(tool, f"to {domain}")
    if more:
        more(tool, domain)
    farewell(tool)
    in_order(tool)
    return tool


def client_suites(backend, key):
    with Lab("c-suites") as lab:
        on = Partners(lab, 12, {"key": key}, chosen(backend))
        for starttls in (False, True):
            for suite, iana, options in suites(backend, key):
                tool = served(on, *options, starttls=starttls, more=lambda _, domain, iana=iana:
                              protected(on, domain, "out", iana))
                check(f"CIPHER is {suite}" in tool.said, "not with", suite, tool.said[-600:])
        on.inside_hears_nothing()


def alerts_between(on, tool, domain):
    """Numbers of the alerts that ended attempts, whichever side saw first that nothing fits."""
    tool.take(0.02)
    row = (on.fedgate.partner(domain) or {"out": {}})["out"].get("last_failure")
    said = re.findall(r"alert \w+ \((\d+)\)", str(row))
    return {*tool.alerts(), *map(int, said)}


def client_refuses(backend):
    """Servers that speak too little: the handshake fails, the sender is told."""
    with Lab("c-refuses") as lab:
        on = Partners(lab, 10, {"key": "ec"}, chosen(backend))
        rows = [*REFUSED, (("-alpn", "http/1.1"), NO_APPLICATION_PROTOCOL)]
        tools = [(options, *on.dial(lambda port, certificate, options=options: s_server(
            lab, port, certificate, *options))) for options, _ in rows]
        for (options, tool, domain), (_, alert) in zip(tools, rows, strict=True):
            # With one version on each side, suites and versions are two names for one trouble.
            right = {PROTOCOL_VERSION, HANDSHAKE_FAILURE} if backend == "mbedtls" else {alert}
            right.add(alert)
            wait_until(f"alert {alert} with {options}",
                       lambda tool=tool, domain=domain, right=right:
                       right & alerts_between(on, tool, domain), 60)
            check("<stream" not in tool.text, "data came with", options, tool.text[-300:])
        on.inside_hears_nothing()


def client_certificates(backend):
    """Servers with keys of other kinds, with names of authorities in their request, and those that
    demand ALPN or read SNI."""
    with Lab("c-certs") as lab:
        lab.certs.need(EVIL)
        on = Partners(lab, 8, {"key": "rsa3072"}, chosen(backend))
        tool = served(on, "-alpn", "xmpp-server", "-servername", "nobody.test", "-cert2",
                      lab.certs.crt(EVIL), "-key2", lab.certs.key(EVIL), "-CAfile",
                      lab.certs.trust, "-verify_return_error")
        for text in ("ALPN protocols selected: xmpp-server",
                     "Hostname in TLS extension: \"p7.test"):
            check(text in tool.said, "no", text, tool.said[-800:])
        served(on)
        on.make_certificates(key="ec384")
        served(on, starttls=True)
        on.inside_hears_nothing()


def client_fragments(backend):
    with Lab("c-frag") as lab:
        on = Partners(lab, 8, {"key": "rsa"}, chosen(backend))
        for version in ("-tls1_2", "-tls1_3")[:2 if backend == "wolfssl" else 1]:
            if backend == "wolfssl":  # mbedTLS 2.28 takes no message of the handshake in pieces
                served(on, version, "-max_send_frag", "512")
            served(on, version, piece=1)
            served(on, version, starttls=True, piece=1)
        if backend == "wolfssl":
            served(on, "-tls1_3", "-record_padding", "1000")
        on.inside_hears_nothing()


def client_more_rounds():
    """Another group than ours, a cookie, many tickets; key updates from the server."""
    def updates(tool, domain):
        for number, command in enumerate("kKkK"):
            tool.send(f"{command}\n")
            on.component.say("joe@app.corp.test", f"ann@{domain}", f"after {number}")
            take_message(tool, f"after {number}", number + 2)
    with Lab("c-rounds") as lab:
        on = Partners(lab, 8, {}, chosen("wolfssl"))
        for options in (("-groups", "P-384"), ("-groups", "P-521"), ("-stateless",),
                        ("-num_tickets", "50"), ("-num_tickets", "0")):
            served(on, "-tls1_3", *options)
        if not follows_key_updates(on):
            before = on.totals()
            served(on, "-tls1_3", more=lambda tool, domain: tool.send("k\n"))
            on.grown(before, tls_rekey_closes=1)
            return
        tool = served(on, "-tls1_3", more=updates)
        got = [line for line in tool.messages() if "<<<" in line and "KeyUpdate" in line]
        check(len(got) == 2, "answers to key updates", got)
        on.inside_hears_nothing()


def client_resumption(backend):
    """tls.resumption on: the second stream to a partner continues the first one's session."""
    with Lab("c-resume") as lab:
        on = Partners(lab, 4, {}, chosen(backend, {"resumption": "on"}))
        for version in ("-tls1_2", "-tls1_3")[:2 if backend == "wolfssl" else 1]:
            tool, domain = on.dial(lambda port, certificate, version=version: s_server(
                lab, port, certificate, version, "-naccept", "2", "-Verify", "3"))
            for number, text in enumerate((f"to {domain}", "again")):
                if number:
                    on.component.say("joe@app.corp.test", f"ann@{domain}", text)
                take_stream(tool, domain)
                take_message(tool, text)
                row = stream_of(on, domain, "out")
                # wolfSSL as a client of TLS 1.2 is not let: it breaks off when a server declines.
                is_due = number == 1 and (backend, version) != ("wolfssl", "-tls1_2")
                check(row["resumed"] == is_due, f"{version} {number}: resumed", row)
                tool.text = ""
                tool.send("</stream:stream>").until("</stream:stream>")
                wait_until("its end", lambda domain=domain: not stream_of(on, domain, "out"))
            tool.until_end()
            check(("Reused session-id" in tool.said) == is_due, "s_server says", tool.said[-600:])
        on.inside_hears_nothing()


def client_renegotiation(backend):
    """The server asks for another handshake in the middle: it gets none."""
    with Lab("c-reneg") as lab:
        on = Partners(lab, 2, {}, chosen(backend))
        tool, domain = on.dial(lambda port, certificate: s_server(
            lab, port, certificate, "-tls1_2", "-naccept", "1"))
        take_stream(tool, domain)
        take_message(tool, f"to {domain}")
        tool.send("r\n")
        tool.send(message_of("too late", f"ann@{domain}"))
        tool.send("q\n")
        tool.until_end()
        hellos = [line for line in tool.messages() if "<<<" in line and "ClientHello" in line]
        check(len(hellos) == 1, "another handshake", tool.messages())
        on.inside_hears_nothing()


def tests():
    for backend in ("wolfssl", "mbedtls"):
        for key in ("ec", "rsa"):
            yield case(f"server_suites_{key}_{backend}", server_suites, backend, key)
            yield case(f"client_suites_{key}_{backend}", client_suites, backend, key)
        for function in (server_refuses, server_certificates, server_fragments,
                         server_renegotiation, server_ends, client_refuses, client_certificates,
                         client_fragments, client_renegotiation, server_resumption,
                         client_resumption):
            yield case(f"{function.__name__}_{backend}", function, backend)
    yield server_groups
    yield server_key_updates
    yield client_more_rounds


if __name__ == "__main__":
    main(*tests())
