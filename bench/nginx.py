# SPDX-License-Identifier: GPL-2.0-or-later
"""nginx's stream module as a blind TLS relay, one worker: the second yardstick beside HAProxy."""
import os
import signal

from lab import plan
from lab.process import Process

CONFIG = """
load_module {module};
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 9000; }}
stream {{
    server {{
        listen {address}:{port} ssl backlog=4096;
        ssl_certificate {pem};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        tcp_nodelay on;
        proxy_timeout 120s;
        proxy_pass {sink}:{sink_port};
        {out}
    }}
}}
"""
TLS_OUT = """proxy_ssl on;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;"""


class Nginx:
    """TLS in at target, out to sink: in TLS or, is_plain, in TCP. listening: says when its port is
    there."""

    def __init__(self, lab, target, sink, listening, is_plain):
        self.lab = lab
        address, port = target
        self.ready = lambda: listening(address, port)
        self.folder = lab.folder("nginx")
        self.config = os.path.join(self.folder, "nginx.conf")
        name = lab.certs.need(plan.APP)
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(
                module="/usr/lib/nginx/modules/ngx_stream_module.so", folder=self.folder,
                address=address, port=port, pem=lab.certs.crt(name), key=lab.certs.key(name),
                sink=sink[0], sink_port=sink[1], out="" if is_plain else TLS_OUT))

    def start(self):
        self.process = Process("nginx", ["nginx", "-e", "stderr", "-p", self.folder, "-c",
                                         self.config], self.folder)
        self.lab.own(self.process.start())
        self.process.wait_ready(self.ready)

    def stop(self):
        self.process.stop(signal.SIGTERM)
