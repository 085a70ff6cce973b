/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msg: a view of one SIP message in a buffer (RFC 3261 7, 25): start line, index of header fields,
 * body. Values are decoded on demand by the functions below; nothing is copied or allocated.
 * The view borrows the bytes: valid until they move or change (framer.h says when).
 * Parsing is strict where framing hangs on it (line ends, start line, field names, Content-Length)
 * and byte-transparent in the values of other fields. Whether a well-framed message makes sense
 * is asked of checks.h: everyone who handles a message calls sip_check_request / _response first.
 * One thread per view.                                                                          */
#ifndef FG_SIP_MSG_H
#define FG_SIP_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "sip/limits.h"
#include "sip/uri.h"

enum sip_method {
    SIP_METHOD_UNKNOWN,
#define METHOD(name) SIP_METHOD_##name,
#include "sip/methods.def"
#undef METHOD
    SIP_METHOD_COUNT
};

enum sip_header {
    SIP_HDR_OTHER,
#define HEADER(id, name, compact, single) SIP_HDR_##id,
#include "sip/headers.def"
#undef HEADER
    SIP_HDR_COUNT
};

#define SIP_FIELD_NONE UINT8_MAX

/* One header field; offsets from the start of the message. */
struct sip_field {
    uint8_t id;   /* enum sip_header */
    uint8_t next; /* index of the next field of this id, SIP_FIELD_NONE = last */
    bool has_line_ends; /* CR or LF in its value: folds, if the message has no flaw */
    uint16_t name_at;
    uint16_t name_len;
    uint16_t value_at;
    uint16_t value_len; /* without white space at the ends; folding inside is kept */
};

/* What is wrong with bytes that are no message. */
struct sip_bad {
    uint16_t status; /* to answer a request with, 0 = say nothing */
    const char *why; /* static text, never NULL */
};

struct sip_msg {
    struct slice bytes; /* the message, body included; borrowed */
    bool is_request;
    enum sip_method method;   /* request: of the start line; response: UNKNOWN (see CSeq) */
    struct slice method_text; /* request; compared with its case */
    struct slice uri;         /* request: the Request-URI, not yet parsed */
    uint16_t status;          /* response: 100..699 */
    struct slice reason;      /* response; may be empty */
    struct slice version;     /* "SIP/2.0", or another version: see checks.h */
    struct slice body;        /* Content-Length bytes */
    struct sip_bad flaw;      /* why = NULL: none found yet. A fault that leaves the message's
                                 border known; sip_check_* refuse such a message */
    uint32_t head_bytes;      /* start line to empty line, included */
    uint32_t content_length;
    bool has_content_length;
    bool has_double; /* a field that may occur only once is there twice */
    uint8_t field_count;
    uint8_t first[SIP_HDR_COUNT]; /* index of the first field of an id, SIP_FIELD_NONE = none */
    uint8_t last[SIP_HDR_COUNT];
    struct sip_field fields[SIP_FIELDS_MAX];
};

/* One whole message: a datagram, a file, a test. Without Content-Length the body is the rest; bytes
 * behind Content-Length are ignored (RFC 3261 18.3). 0, ERR_SIP_SYNTAX or ERR_LIMIT with *bad set;
 * bad->status is not 0 only if the view is complete enough to be answered (sip_msg_can_answer). */
NODISCARD int sip_msg_parse(struct sip_msg *m, struct slice bytes, struct sip_bad *bad);
/* Start line and fields only; head ends with its empty line. body stays empty. As above, and a
 * Content-Length that is missing or wrong is an error if is_stream; used by framer.h.            */
NODISCARD int sip_msg_parse_head(struct sip_msg *m, struct slice head, bool is_stream,
                                 struct sip_bad *bad);
/* The complete lines of a head that will not be completed, to answer it: bad->status is kept if
 * the view can be answered, else becomes 0.                                                      */
void sip_msg_parse_broken_head(struct sip_msg *m, struct slice head, struct sip_bad *bad);
/* Searches head for its end from line *line_at on, byte *at: > 0 its length, 0 = not yet there,
 * ERR_SIP_SYNTAX = a line end other than CRLF. *line_at and *at remember the place.              */
NODISCARD int32_t sip_head_end(struct slice head, uint32_t *line_at, uint32_t *at);
/* It is a request other than ACK with a Via; whatever a response copies beyond that may be absent
 * (RFC 4475 3.3.1: even such a request is best answered).                                       */
bool sip_msg_can_answer(const struct sip_msg *m);

/* Names */
enum sip_method sip_method_from(struct slice token);
struct slice sip_method_name(enum sip_method method); /* "UNKNOWN" for that */
enum sip_header sip_header_from(struct slice name);   /* long or compact, any case */
struct slice sip_header_name(enum sip_header id);     /* long form */
bool sip_header_is_single(enum sip_header id);

/* Raw access */
static inline bool sip_msg_has(const struct sip_msg *m, enum sip_header id)
{
    return m->first[id] != SIP_FIELD_NONE;
}
/* Value of the first field, folding inside kept; empty when absent. */
struct slice sip_msg_value(const struct sip_msg *m, enum sip_header id);
struct slice sip_field_name(const struct sip_msg *m, const struct sip_field *f);
struct slice sip_field_value(const struct sip_msg *m, const struct sip_field *f);
/* First field with a name unknown to headers.def, any case; NULL = absent. */
const struct sip_field *sip_msg_find_other(const struct sip_msg *m, struct slice name);
/* Appends the value with each fold (CRLF + white space) as one space (RFC 3261 7.3.1). */
void sip_unfold(struct buf *out, struct slice value);
/* The same for the whole value of a field: only what has folds is searched for them. */
void sip_field_unfold(struct buf *out, const struct sip_msg *m, const struct sip_field *f);

/* Comma-separated values over all fields of one name, in order; quotes and <> are honoured. */
struct sip_list {
    const struct sip_msg *msg; /* borrowed */
    struct slice rest;
    uint8_t field;
};
void sip_list_init(struct sip_list *l, const struct sip_msg *m, enum sip_header id);
/* False at the end. Empty values between commas are handed out as empty. */
bool sip_list_next(struct sip_list *l, struct slice *value);
/* The list holds this token (any case). */
bool sip_msg_list_has(const struct sip_msg *m, enum sip_header id, struct slice token);

/* Decoded values. 0; ERR_NOT_FOUND = no such field; ERR_SIP_SYNTAX, ERR_SIP_URI, ERR_LIMIT. */
struct sip_via {
    struct slice version;   /* "2.0" */
    struct slice transport; /* "TLS", as written */
    struct sip_host sent_by;
    struct slice branch;   /* empty = none */
    struct slice received; /* empty = none */
    uint16_t rport;        /* value, 0 = none */
    bool has_rport;        /* written, with or without value */
    bool has_alias;        /* RFC 5923 */
    bool has_cookie;       /* branch starts with z9hG4bK and goes on */
    struct slice params;   /* raw */
};
NODISCARD int sip_via_parse(struct slice value, struct sip_via *out);
NODISCARD int sip_msg_via_top(const struct sip_msg *m, struct sip_via *out);

struct sip_cseq {
    uint32_t number;
    enum sip_method method;
    struct slice method_text;
};
NODISCARD int sip_msg_cseq(const struct sip_msg *m, struct sip_cseq *out);
/* FROM, TO, or the first value of CONTACT, ROUTE, RECORD_ROUTE, P_ASSERTED_IDENTITY, ... */
NODISCARD int sip_msg_addr(const struct sip_msg *m, enum sip_header id, struct sip_addr *out);
/* The Request-URI. */
NODISCARD int sip_msg_uri(const struct sip_msg *m, struct sip_uri *out);
/* Max-Forwards, Expires, Min-Expires, Retry-After, Min-SE: digits up to 2^32-1; what may follow
 * them in Retry-After (comment, parameters) is skipped. */
NODISCARD int sip_msg_u32(const struct sip_msg *m, enum sip_header id, uint32_t *out);
/* Call-ID, checked against the grammar. */
NODISCARD int sip_msg_call_id(const struct sip_msg *m, struct slice *out);
bool sip_call_id_is_valid(struct slice id);

struct sip_media_type {
    struct slice type;    /* "text" */
    struct slice subtype; /* "plain" */
    struct slice params;  /* raw; see sip_param */
};
NODISCARD int sip_msg_content_type(const struct sip_msg *m, struct sip_media_type *out);
NODISCARD int sip_media_type_parse(struct slice value, struct sip_media_type *out);
bool sip_media_type_is(const struct sip_media_type *t, struct slice type, struct slice subtype);
/* Parameter without quotes, backslashes kept; charset=... */
bool sip_media_type_param(const struct sip_media_type *t, struct slice name, struct slice *value);

/* SIP-date (RFC 1123, GMT only) as seconds since 1970. */
NODISCARD int sip_msg_date(const struct sip_msg *m, int64_t *unix_s);

struct sip_warning {
    uint16_t code; /* 100..999 */
    struct slice agent;
    struct slice text; /* without quotes, backslashes kept */
};
NODISCARD int sip_warning_parse(struct slice value, struct sip_warning *out);

/* Reason (RFC 3326): SIP;cause=600;text="..."; ms-diagnostics: 1003;reason="...";source="..." */
struct sip_reason {
    struct slice protocol; /* Reason only */
    uint32_t cause;        /* Reason: cause parameter, 0 = none; ms-diagnostics: the id */
    struct slice text;     /* text / reason parameter, without quotes, backslashes kept */
};
NODISCARD int sip_reason_parse(struct slice value, struct sip_reason *out);
NODISCARD int sip_ms_diagnostics_parse(struct slice value, struct sip_reason *out);

#endif
