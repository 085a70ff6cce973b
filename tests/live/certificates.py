#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which certificate the daemon shows to whom, and what it says of one that ran out."""
import os
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, case, check, main, plan
from lab.hostile import EVIL, EVIL_ADDRESS, JOE, Ground, Raw, tls_context
from lab.peer import Peer
from lab.process import HANG_S

TWO = "two.corp.test"  # a second domain of the component's


def der(lab, name):
    with open(lab.certs.crt(name), encoding="ascii") as pem:
        text = pem.read()
    return ssl.PEM_cert_to_DER_cert(text[:text.index("-----END CERTIFICATE-----") + 25] + "\n")


def certificates(backend):
    """Each domain's own certificate by SNI, over STARTTLS, direct TLS and towards partners; without
    one, and for other names, the node's. ALPN is xmpp-server, and asked for when dialling."""
    with Lab("sni") as lab:
        lab.certs.make(plan.APP, name="app-own")
        lab.certs.make(TWO, name="two-own")

        def change(config):
            config["tls"]["backend"] = backend
            config["domains"][1].update(certificate=lab.certs.crt("app-own"),
                                        key=lab.certs.key("app-own"))
            config["domains"].append({"name": TWO, "next_hop": "app",
                                      "certificate": lab.certs.crt("two-own"),
                                      "key": lab.certs.key("two-own")})
        ground = Ground(lab, {}, change)
        for name, sni, wanted in ((plan.APP, plan.APP, "app-own"), (TWO, TWO, "two-own"),
                                  (TWO, TWO.upper(), "two-own"), (plan.CORP, plan.CORP, "edge"),
                                  (plan.APP, "edge.corp.test", "edge"), (plan.APP, None, "edge")):
            raw = Raw().starttls(tls_context(), name=sni, to=name)
            got = raw.socket.getpeercert(True)
            check(got == der(lab, wanted), "STARTTLS: another certificate for", sni)
            raw.close()
            context = tls_context()
            context.set_alpn_protocols(["h2", "xmpp-server"])
            raw = Raw(plan.XMPPS_SERVER).tls(context, name=sni)
            check(raw.socket.getpeercert(True) == der(lab, wanted), "direct: another one for", sni)
            check(raw.socket.selected_alpn_protocol() == "xmpp-server", "ALPN")
            raw.close()
        evil = Peer(lab, EVIL, EVIL_ADDRESS)
        evil.server_tls.set_alpn_protocols(["xmpp-server"])
        asked = []
        evil.server_tls.sni_callback = lambda sock, name, context: asked.append(name)
        evil.listen()
        two = lab.own(type(ground.component)(TWO, "inside"))
        for component, sender, wanted in ((ground.component, JOE, "app-own"),
                                          (two, f"joe@{TWO}", "two-own")):
            component.say(sender, f"ann@{EVIL}", "shown")
            evil.inbox.get(timeout=HANG_S)
            shown = evil.accepted[-1].socket
            check(shown.getpeercert(True) == der(lab, wanted), "shown to the partner for", sender)
            check(shown.selected_alpn_protocol() == "xmpp-server", "no ALPN when dialling")
        check(asked == [EVIL, EVIL], "names asked for", asked)


def expired_certificate():
    """The program starts with an expired certificate of its own and says so."""
    with Lab("expired") as lab:
        lab.certs.make(plan.CORP, name="old", days=-1)

        def change(config):
            config["domains"][0].update(certificate=lab.certs.crt("old"), key=lab.certs.key("old"))
        ground = Ground(lab, {}, change)
        lines = [line for line in ground.fedgate.log_text().splitlines()
                 if "certificate_expires" in line]
        check(len(lines) == 1 and lab.certs.crt("old") in lines[0] and "hours_left=-" in lines[0],
              "warnings", lines)


def tests():
    for backend in ("wolfssl", "mbedtls"):
        yield case(f"by_name_{backend}", certificates, backend)
    yield expired_certificate


if __name__ == "__main__":
    main(*tests())
