/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error: the error conditions of XMPP as lists, their names on the wire, and the writers of stream
 * errors. RFC 6120 4.9.3 (stream), 8.3.3 (stanza, with the error type it recommends), 6.5 (SASL).
 * Any thread; no ownership.                                                                      */
#ifndef FG_XMPP_ERROR_H
#define FG_XMPP_ERROR_H

#include "base/buf.h"
#include "base/slice.h"

#define STREAM_CONDITIONS(X)                                                                       \
    X(BAD_FORMAT, "bad-format")                                                                    \
    X(BAD_NAMESPACE_PREFIX, "bad-namespace-prefix")                                                \
    X(CONFLICT, "conflict")                                                                        \
    X(CONNECTION_TIMEOUT, "connection-timeout")                                                    \
    X(HOST_GONE, "host-gone")                                                                      \
    X(HOST_UNKNOWN, "host-unknown")                                                                \
    X(IMPROPER_ADDRESSING, "improper-addressing")                                                  \
    X(INTERNAL_SERVER_ERROR, "internal-server-error")                                              \
    X(INVALID_FROM, "invalid-from")                                                                \
    X(INVALID_NAMESPACE, "invalid-namespace")                                                      \
    X(INVALID_XML, "invalid-xml")                                                                  \
    X(NOT_AUTHORIZED, "not-authorized")                                                            \
    X(NOT_WELL_FORMED, "not-well-formed")                                                          \
    X(POLICY_VIOLATION, "policy-violation")                                                        \
    X(REMOTE_CONNECTION_FAILED, "remote-connection-failed")                                        \
    X(RESET, "reset")                                                                              \
    X(RESOURCE_CONSTRAINT, "resource-constraint")                                                  \
    X(RESTRICTED_XML, "restricted-xml")                                                            \
    X(SEE_OTHER_HOST, "see-other-host")                                                            \
    X(SYSTEM_SHUTDOWN, "system-shutdown")                                                          \
    X(UNDEFINED_CONDITION, "undefined-condition")                                                  \
    X(UNSUPPORTED_ENCODING, "unsupported-encoding")                                                \
    X(UNSUPPORTED_FEATURE, "unsupported-feature")                                                  \
    X(UNSUPPORTED_STANZA_TYPE, "unsupported-stanza-type")                                          \
    X(UNSUPPORTED_VERSION, "unsupported-version")

enum stream_condition {
    STREAM_CONDITION_NONE, /* no stream error: an orderly close, or none named by the peer */
#define X(name, text) STREAM_CONDITION_##name,
    STREAM_CONDITIONS(X)
#undef X
        STREAM_CONDITION_COUNT
};

#define STANZA_CONDITIONS(X)                                                                       \
    X(BAD_REQUEST, "bad-request", MODIFY)                                                          \
    X(CONFLICT, "conflict", CANCEL)                                                                \
    X(FEATURE_NOT_IMPLEMENTED, "feature-not-implemented", CANCEL)                                  \
    X(FORBIDDEN, "forbidden", AUTH)                                                                \
    X(GONE, "gone", CANCEL)                                                                        \
    X(INTERNAL_SERVER_ERROR, "internal-server-error", CANCEL)                                      \
    X(ITEM_NOT_FOUND, "item-not-found", CANCEL)                                                    \
    X(JID_MALFORMED, "jid-malformed", MODIFY)                                                      \
    X(NOT_ACCEPTABLE, "not-acceptable", MODIFY)                                                    \
    X(NOT_ALLOWED, "not-allowed", CANCEL)                                                          \
    X(NOT_AUTHORIZED, "not-authorized", AUTH)                                                      \
    X(POLICY_VIOLATION, "policy-violation", MODIFY)                                                \
    X(RECIPIENT_UNAVAILABLE, "recipient-unavailable", WAIT)                                        \
    X(REDIRECT, "redirect", MODIFY)                                                                \
    X(REGISTRATION_REQUIRED, "registration-required", AUTH)                                        \
    X(REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", CANCEL)                                  \
    X(REMOTE_SERVER_TIMEOUT, "remote-server-timeout", WAIT)                                        \
    X(RESOURCE_CONSTRAINT, "resource-constraint", WAIT)                                            \
    X(SERVICE_UNAVAILABLE, "service-unavailable", CANCEL)                                          \
    X(SUBSCRIPTION_REQUIRED, "subscription-required", AUTH)                                        \
    X(UNDEFINED_CONDITION, "undefined-condition", CANCEL)                                          \
    X(UNEXPECTED_REQUEST, "unexpected-request", WAIT)                                              \
    /* XEP-0220 2.4 only */                                                                        \
    X(REMOTE_CONNECTION_FAILED, "remote-connection-failed", CANCEL)

enum stanza_condition {
    STANZA_CONDITION_NONE,
#define X(name, text, type) STANZA_CONDITION_##name,
    STANZA_CONDITIONS(X)
#undef X
        STANZA_CONDITION_COUNT
};

enum stanza_error_type {
    STANZA_ERROR_TYPE_DEFAULT, /* what the RFC recommends for the condition */
    STANZA_ERROR_TYPE_AUTH,
    STANZA_ERROR_TYPE_CANCEL,
    STANZA_ERROR_TYPE_CONTINUE,
    STANZA_ERROR_TYPE_MODIFY,
    STANZA_ERROR_TYPE_WAIT,
};

#define SASL_CONDITIONS(X)                                                                         \
    X(ABORTED, "aborted")                                                                          \
    X(ACCOUNT_DISABLED, "account-disabled")                                                        \
    X(CREDENTIALS_EXPIRED, "credentials-expired")                                                  \
    X(ENCRYPTION_REQUIRED, "encryption-required")                                                  \
    X(INCORRECT_ENCODING, "incorrect-encoding")                                                    \
    X(INVALID_AUTHZID, "invalid-authzid")                                                          \
    X(INVALID_MECHANISM, "invalid-mechanism")                                                      \
    X(MALFORMED_REQUEST, "malformed-request")                                                      \
    X(MECHANISM_TOO_WEAK, "mechanism-too-weak")                                                    \
    X(NOT_AUTHORIZED, "not-authorized")                                                            \
    X(TEMPORARY_AUTH_FAILURE, "temporary-auth-failure")

enum sasl_condition {
    SASL_CONDITION_NONE,
#define X(name, text) SASL_CONDITION_##name,
    SASL_CONDITIONS(X)
#undef X
        SASL_CONDITION_COUNT
};

/* Names on the wire; "none" for *_NONE; never NULL. */
const char *stream_condition_name(enum stream_condition c);
const char *stanza_condition_name(enum stanza_condition c);
const char *stanza_error_type_name(enum stanza_error_type t);
const char *sasl_condition_name(enum sasl_condition c);
/* *_NONE when the name is none of the list. */
enum stream_condition stream_condition_find(struct slice name);
enum stanza_condition stanza_condition_find(struct slice name);
enum stanza_error_type stanza_error_type_find(struct slice name);
enum sasl_condition sasl_condition_find(struct slice name);
/* RFC 6120 8.3.3; never STANZA_ERROR_TYPE_DEFAULT. */
enum stanza_error_type stanza_condition_type(enum stanza_condition c);

/* <stream:error>...</stream:error>; the stream prefix is declared by our header. text may be empty;
 * app: a complete application condition element, or NULL. */
void stream_error_write(struct buf *out, enum stream_condition c, struct slice text,
                        const char *app);

/* <error type=".."><condition/>..</error>, in the content namespace of the stream. */
struct stanza_error {
    enum stanza_condition condition;
    enum stanza_error_type type;
    struct slice text;     /* for people, English; may be empty */
    struct slice app_name; /* application condition: local name, may be empty */
    struct slice app_ns;
    struct slice app_attrs; /* more attributes, written as they are: ` code="404"` */
};
void stanza_error_write(struct buf *out, const struct stanza_error *e);

#endif
