/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alert: descriptions of TLS alerts that this room sends or tells apart. RFC 8446 6, 5246 7.2. */
#ifndef FG_TLS_ALERT_H
#define FG_TLS_ALERT_H

enum tls_alert {
    TLS_ALERT_CLOSE_NOTIFY = 0,
    TLS_ALERT_UNEXPECTED_MESSAGE = 10,
    TLS_ALERT_BAD_RECORD_MAC = 20,
    TLS_ALERT_RECORD_OVERFLOW = 22,
    TLS_ALERT_HANDSHAKE_FAILURE = 40,
    TLS_ALERT_ILLEGAL_PARAMETER = 47,
    TLS_ALERT_DECODE_ERROR = 50,
    TLS_ALERT_PROTOCOL_VERSION = 70,
    TLS_ALERT_INTERNAL_ERROR = 80,
    TLS_ALERT_USER_CANCELED = 90,
    TLS_ALERT_NO_RENEGOTIATION = 100,
};

/* First byte of an alert. TLS 1.3 sends but does not read it. */
enum tls_alert_level { TLS_ALERT_WARNING = 1, TLS_ALERT_FATAL = 2 };

#define TLS_ALERT_BYTES 2u

#endif
