# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP proxy that hands every byte on alone: the next one follows when the reader has taken it."""
import socket
import struct
import threading
import time

PAUSE_S = 1e-5
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
ANY = 0xffffffff
RQUEUE_AT = 72  # struct nlmsghdr, then idiag_rqueue of struct inet_diag_msg


class Reader:
    """The other end of a connection over loopback: what it has not read yet, by sock_diag(7)."""

    def __init__(self, connected):
        there, here = connected.getpeername(), connected.getsockname()
        address = [socket.inet_aton(end[0]).ljust(16, b"\0") for end in (there, here)]
        body = (struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ANY)
                + struct.pack("!HH", there[1], here[1]) + address[0] + address[1]
                + struct.pack("=III", 0, ANY, ANY))
        self.request = struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST,
                                   0, 0) + body
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)

    def unread(self):
        """0, too, when the connection is no more."""
        self.netlink.send(self.request)
        answer = self.netlink.recv(4096)
        is_there = struct.unpack_from("=H", answer, 4)[0] == SOCK_DIAG_BY_FAMILY
        return struct.unpack_from("=I", answer, RQUEUE_AT)[0] if is_there else 0

    def wait(self):
        while self.unread():
            time.sleep(PAUSE_S)


class Splitter:
    """Listens on address:port and passes connections to target, byte by byte (or in pieces of that
    size) in both directions."""

    def __init__(self, address, port, target, target_port, piece=1):
        self.target = (target, target_port)
        self.piece = piece
        self.bytes = 0
        self.listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
                other = socket.create_connection(self.target)
            except OSError:
                return
            for end in (one, other):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._join, args=(one, other), daemon=True).start()

    def begin(self, one, other):
        """For heirs: may speak with both ends before they are joined."""

    def _join(self, one, other):
        try:
            self.begin(one, other)
        except (OSError, AssertionError):
            for end in (one, other):
                end.close()
            return
        threading.Thread(target=self._pass, args=(other, one), daemon=True).start()
        self._pass(one, other)

    def _pass(self, source, sink):
        try:
            reader = Reader(sink)
        except OSError:  # it has gone already
            source.close()
            return
        try:
            while data := source.recv(65536):
                for at in range(0, len(data), self.piece):
                    sink.sendall(data[at:at + self.piece])
                    self.bytes += self.piece
                    reader.wait()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()
        reader.netlink.close()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
