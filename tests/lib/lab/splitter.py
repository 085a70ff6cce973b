# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP proxy that hands every byte on alone: each in a segment of its own."""
import socket
import threading
import time

PAUSE_S = 1e-5


class Splitter:
    """Listens on address:port and passes connections to target, byte by byte in both directions.
    After each byte it waits a little, so that the reader gets it alone."""

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
            while data := source.recv(65536):
                for at in range(0, len(data), self.piece):
                    sink.sendall(data[at:at + self.piece])
                    self.bytes += self.piece
                    time.sleep(PAUSE_S)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
