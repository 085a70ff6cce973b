# SPDX-License-Identifier: GPL-2.0-or-later
"""GnuTLS's library (that of gnutls-serv, which cannot be made to speak XMPP) as the server end of a
connection that somebody accepted: enough of a socket for lab.hostile.Raw."""
import ctypes
import select

from .stage import LabError, Skip

SERVER, NO_SIGNAL = 1, 1 << 6
CERTIFICATE, PEM, REQUEST = 1, 1, 1
SHUT_WR = 1
AGAIN, INTERRUPTED, WARNING, FATAL, REHANDSHAKE, PREMATURE = -28, -52, -16, -12, -37, -110
PEER_TOO = 1  # of key updates
NORMAL = "NORMAL"


class _Datum(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_uint)]


def _library():
    try:
        library = ctypes.CDLL("libgnutls.so.30")
    except OSError:
        raise Skip("no libgnutls here (deploy/packages/test.txt: gnutls-bin)") from None
    library.gnutls_strerror.restype = ctypes.c_char_p
    library.gnutls_session_get_desc.restype = ctypes.c_char_p
    library.gnutls_record_recv.restype = ctypes.c_ssize_t
    library.gnutls_record_send.restype = ctypes.c_ssize_t
    library.gnutls_record_recv.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    library.gnutls_record_send.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    return library


class GnutlsError(OSError):
    """The library's words."""


class GnutlsServer:
    """Shakes hands at once. alerts: numbers of what came; is_cut: no close_notify came. All share
    the key of their tickets, as the connections of one server do."""

    ticket_key = _Datum()

    def __init__(self, connected, certificate, key, trust, priority=NORMAL, record_max=0):
        self.library = _library()
        self.connected = connected
        connected.settimeout(None)
        self.timeout = 10.0
        self.alerts = []
        self.is_cut = False
        self.credentials = ctypes.c_void_p()
        self.session = ctypes.c_void_p()
        call = self._call
        call("certificate_allocate_credentials", ctypes.byref(self.credentials))
        call("certificate_set_x509_key_file", self.credentials, certificate.encode(), key.encode(),
             PEM)
        call("certificate_set_x509_trust_file", self.credentials, trust.encode(), PEM)
        call("init", ctypes.byref(self.session), SERVER | NO_SIGNAL)
        call("priority_set_direct", self.session, priority.encode(), None)
        call("credentials_set", self.session, CERTIFICATE, self.credentials)
        if not self.ticket_key.size:
            call("session_ticket_key_generate", ctypes.byref(self.ticket_key))
        call("session_ticket_enable_server", self.session, ctypes.byref(self.ticket_key))
        self.library.gnutls_certificate_server_set_request(self.session, REQUEST)
        self.library.gnutls_transport_set_int2(self.session, connected.fileno(),
                                               connected.fileno())
        self.library.gnutls_handshake_set_timeout(self.session, 10000)
        if record_max:
            self.record_max(record_max)
        self.handshake()

    def _call(self, name, *arguments):
        """Calls gnutls_NAME; again where the library wants that."""
        while True:
            result = getattr(self.library, f"gnutls_{name}")(*arguments)
            if result in (AGAIN, INTERRUPTED):
                continue
            if result in (WARNING, FATAL):
                self.alerts.append(self.library.gnutls_alert_get(self.session))
            if result == WARNING:
                continue
            if result < 0:
                self.is_cut = self.is_cut or result == PREMATURE
                said = self.library.gnutls_strerror(result).decode()
                raise GnutlsError(f"{name}: {said} ({result})")
            return result

    # -- what sockets have -------------------------------------------------------------------------
    def settimeout(self, seconds):
        self.timeout = seconds

    def recv(self, room):
        if not self.library.gnutls_record_check_pending(self.session):
            if not select.select([self.connected], [], [], self.timeout)[0]:
                raise TimeoutError
        got = ctypes.create_string_buffer(room)
        count = self._call("record_recv", self.session, got, room)
        return got.raw[:count]

    def sendall(self, data):
        while data:
            data = data[self._call("record_send", self.session, data, len(data)):]

    def close(self):
        self.connected.close()

    # -- and what they have not --------------------------------------------------------------------
    def handshake(self):
        self._call("handshake", self.session)

    def description(self):
        """As gnutls-serv prints it: (TLS1.3-X.509)-(ECDHE-X25519)-(...)-(AES-128-GCM)."""
        return self.library.gnutls_session_get_desc(self.session).decode()

    def is_resumed(self):
        return bool(self.library.gnutls_session_is_resumed(self.session))

    def update_keys(self, peer_too):
        self._call("session_key_update", self.session, PEER_TOO if peer_too else 0)

    def ask_again(self):
        """TLS 1.2: a HelloRequest."""
        self._call("rehandshake", self.session)

    def tickets(self, count):
        self._call("session_ticket_send", self.session, count, 0)

    def record_max(self, count):
        self._call("record_set_max_size", self.session, ctypes.c_size_t(count))

    def bye(self):
        self._call("bye", self.session, SHUT_WR)


def described(text, *parts):
    """Whether each part stands in a description; raises LabError."""
    for part in parts:
        if part not in text:
            raise LabError(f"{part} is not in {text}")
