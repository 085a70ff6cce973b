/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write: SIP messages into a struct buf (RFC 3261 7, 8.1.1, 8.2.6). A message is begun, gets header
 * fields and is ended with its body; Content-Type and Content-Length are written by the end
 * function and always right. CR, LF and NUL in values become spaces, so no value can start a header
 * field of its own. Errors: the buf's `failed` sticks; test it once after the end.
 * Pure functions; one thread per buf.                                                            */
#ifndef FG_SIP_WRITE_H
#define FG_SIP_WRITE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "sip/msg.h"

/* RFC 3261 21 and extensions; "Unknown" for an unknown code. */
struct slice sip_status_phrase(unsigned status);

struct sip_request_params {
    enum sip_method method;
    struct slice uri;       /* Request-URI */
    struct slice transport; /* Via: "TLS", "TCP" */
    struct slice sent_by;   /* Via: "host" or "host:port" */
    struct slice branch;
    bool alias;                /* Via ;alias (RFC 5923) */
    const struct slice *route; /* Route values in order, each with its brackets */
    uint32_t route_count;
    uint32_t max_forwards; /* written as is, 0 too */
    struct slice from_uri;
    struct slice from_display; /* plain text, quoted here; empty = none */
    struct slice from_tag;
    struct slice to_uri;
    struct slice to_tag; /* empty = none */
    struct slice call_id;
    uint32_t cseq;
};
/* Request line, Via, Max-Forwards, Route, From, To, Call-ID, CSeq. */
void sip_write_request(struct buf *out, const struct sip_request_params *p);

struct sip_keys;
struct sip_response_params {
    unsigned status;
    struct slice reason;   /* empty = the standard phrase */
    struct slice to_tag;   /* put if the request's To has none; empty = none (100 Trying only) */
    struct slice received; /* source address, put into the top Via if it differs from sent-by */
    uint16_t rport;        /* source port, put if the top Via asks by an empty rport; 0 = unknown */
    const struct sip_keys *keys; /* borrowed: of the request, if it passed the checks; NULL = its
                                    fields are decoded once more, as far as they can be */
};
/* Status line, then Via*, From, To, Call-ID, CSeq (Timestamp for 100) of the request. */
void sip_write_response(struct buf *out, const struct sip_msg *req,
                        const struct sip_response_params *p);
/* Only the copied lines, for a response that is written after the request has gone. */
void sip_write_response_stem(struct buf *out, const struct sip_msg *req,
                             const struct sip_response_params *p);
void sip_write_status_line(struct buf *out, unsigned status, struct slice reason);

void sip_write_header(struct buf *out, enum sip_header id, struct slice value);
void sip_write_header_u32(struct buf *out, enum sip_header id, uint32_t value);
/* name must be a token; anything else in it is dropped with the whole field and sets failed. */
void sip_write_header_named(struct buf *out, struct slice name, struct slice value);
/* A value made of parts: begin, sip_put_clean / sip_put_quoted / buf_put of safe text, end. */
void sip_write_header_begin(struct buf *out, enum sip_header id);
void sip_write_header_end(struct buf *out);
void sip_put_clean(struct buf *out, struct slice text);
/* A quoted-string: quotes and backslashes escaped, controls as spaces. */
void sip_put_quoted(struct buf *out, struct slice text);
/* Content-Type (if there is a body and a type), Content-Length, empty line, body. */
void sip_write_end(struct buf *out, struct slice content_type, struct slice body);
void sip_write_end_empty(struct buf *out);

#endif
