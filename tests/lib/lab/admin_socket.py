# SPDX-License-Identifier: GPL-2.0-or-later
"""A node with an admin socket, and clients of that socket without fedgatectl."""
import json
import socket
import struct

from . import plan
from .fedgate import Fedgate, corp_dns, partner
from .process import HANG_S
from .stage import check

SECRET = "a secret of the whole organisation"


def node(lab, **changes):
    corp_dns(lab)
    fedgate = Fedgate(lab, shards=2, partners=[
        partner("scripted.test"), partner("other.test", additional_domains=["more.test"]),
        partner("shy.test", type="public_unverified")])
    fedgate.config["gateway"]["dialback_secret"] = SECRET
    fedgate.config["access"]["users"] = {"interns": {"xmpp": False,
                                                     "members": [f"tim@{plan.APP}"]}}
    fedgate.config.update(changes)
    return fedgate


def dial(fedgate, timeout=HANG_S):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(timeout), 0))
    client.connect(fedgate.admin_path)  # blocks while the queue is full: not so with a time-out
    client.settimeout(timeout)
    return client


def hear(client):
    """What comes until the other side closes."""
    got = b""
    try:
        while chunk := client.recv(65536):
            got += chunk
    except ConnectionResetError:
        pass  # closed with something of ours unread
    client.close()
    return got


def ask(fedgate, timeout=HANG_S, **request):
    client = dial(fedgate, timeout)
    client.sendall(json.dumps(request).encode() + b"\n")
    got = hear(client)
    check(got.endswith(b"\n") and got.count(b"\n") == 1, "not one line", got[:200])
    return json.loads(got)
