/* SPDX-License-Identifier: GPL-2.0-or-later */
/* framer: message borders on a byte stream. Every byte is searched once for the end of the head,
 * and copied at most once; the head of a message that came in pieces is parsed twice (once for its
 * Content-Length, once when the buffer has stopped moving).                                      */
#include "sip/framer.h"

#include "base/err.h"

void sip_framer_init(struct sip_framer *f)
{
    memset(f, 0, offsetof(struct sip_framer, held));
    buf_init(&f->held, SIP_MSG_BYTES_MAX);
    f->line_at = 0;
    f->total = 0;
    f->skip = 0;
    f->crlf_seen = 0;
    f->body_bytes_max = SIP_BODY_BYTES_MAX;
    f->release_held = false;
    f->is_bad = false;
}

void sip_framer_deinit(struct sip_framer *f)
{
    buf_deinit(&f->held);
}

bool sip_framer_is_inside(const struct sip_framer *f)
{
    bool is_held = !f->release_held && (buf_len(&f->held) > 0 || f->crlf_seen % 2 != 0);

    return !f->is_bad && (f->skip > 0 || is_held);
}

static enum sip_frame give_up(struct sip_framer *f, uint16_t status, const char *why)
{
    f->bad = (struct sip_bad){status, why};
    f->is_bad = true;
    return SIP_FRAME_BAD;
}

/* CR LF CR LF between messages. Returns true when bytes[*at] ends or breaks one; *frame says. */
static bool step_crlf(struct sip_framer *f, char c, enum sip_frame *frame)
{
    bool wants_lf = f->crlf_seen % 2 != 0;

    if (c != (wants_lf ? '\n' : '\r')) {
        *frame = give_up(f, 0, "line end other than CRLF between messages");
        return true;
    }
    f->crlf_seen++;
    if (f->crlf_seen == 2) {
        *frame = SIP_FRAME_PONG;
        return true;
    }
    if (f->crlf_seen == 4) {
        f->crlf_seen = 0;
        *frame = SIP_FRAME_PING;
        return true;
    }
    return false;
}

/* The head is known: views it and learns the length of the whole message. */
static bool read_head(struct sip_framer *f, struct slice head, enum sip_frame *frame)
{
    int err = sip_msg_parse_head(&f->msg, head, true, &f->bad);

    if (err) {
        *frame = give_up(f, f->bad.status, f->bad.why);
        return false;
    }
    if (f->msg.content_length > f->body_bytes_max && f->msg.content_length <= SIP_SKIP_BYTES_MAX) {
        /* The border is known: one user's huge document is no reason to lose all others' dialogs.
         * The checks answer the message by its flaw.                                            */
        f->skip = f->msg.content_length;
        f->msg.flaw = (struct sip_bad){413, "body too large"};
        f->total = (uint32_t)head.len;
        return true;
    }
    if (f->msg.content_length > f->body_bytes_max) {
        *frame = give_up(f, sip_msg_can_answer(&f->msg) ? 413 : 0, "body too large");
        return false;
    }
    f->total = (uint32_t)head.len + f->msg.content_length;
    return true;
}

static enum sip_frame finish(struct sip_framer *f, struct slice whole)
{
    f->msg.bytes = whole;
    f->msg.body = slice_from(whole, f->msg.head_bytes);
    f->total = 0;
    f->line_at = 0;
    return SIP_FRAME_MSG;
}

/* A head that never ends, or not in CRLF: what has arrived may be enough to answer. */
static enum sip_frame give_up_in_head(struct sip_framer *f, struct slice head, uint16_t status,
                                      const char *why)
{
    f->bad = (struct sip_bad){status, why};
    sip_msg_parse_broken_head(&f->msg, slice_to(head, f->line_at), &f->bad);
    return give_up(f, f->bad.status, why);
}

static enum sip_frame hold(struct sip_framer *f, const char *bytes, size_t len)
{
    buf_append(&f->held, bytes, len);
    return f->held.failed ? give_up(f, 0, "out of memory for an incomplete message")
                          : SIP_FRAME_MORE;
}

/* A message begins at bytes: nothing is held. */
static enum sip_frame feed_fresh(struct sip_framer *f, const char *bytes, size_t len, size_t *used)
{
    struct slice all = slice_make(bytes, len);
    struct slice window = slice_to(all, SIP_HEAD_BYTES_MAX);
    uint32_t at = 0;
    int32_t head_len;
    enum sip_frame frame;

    f->line_at = 0;
    head_len = sip_head_end(window, &f->line_at, &at);
    *used = len;
    if (head_len < 0) {
        return give_up_in_head(f, window, 400, "line end other than CRLF");
    }
    if (head_len == 0) {
        return len >= SIP_HEAD_BYTES_MAX ? give_up_in_head(f, window, 513, "header block too large")
                                         : hold(f, bytes, len);
    }
    if (!read_head(f, slice_to(all, (size_t)head_len), &frame)) {
        return frame;
    }
    if (f->total <= len) {
        *used = f->total;
        return finish(f, slice_to(all, f->total));
    }
    return hold(f, bytes, len);
}

/* Searches the new bytes for the end of the head that is held in part. The place is counted from
 * the start of the message. 0 = not found, < 0 = bad line end, else bytes of the chunk that belong
 * to the head.                                                                                   */
static int32_t continue_head(struct sip_framer *f, const char *bytes, size_t len)
{
    uint32_t held = (uint32_t)buf_len(&f->held);
    struct slice before = buf_slice(&f->held);
    size_t at = 0;

    while (at < len) {
        const char *lf = memchr(bytes + at, '\n', len - at);
        uint32_t pos;
        char previous;

        if (!lf) {
            return 0;
        }
        pos = held + (uint32_t)(lf - bytes);
        previous = lf > bytes ? lf[-1] : before.ptr[before.len - 1];
        if (previous != '\r') {
            return ERR_SIP_SYNTAX;
        }
        at = (size_t)(lf - bytes) + 1;
        if (pos - 1 == f->line_at) {
            return (int32_t)at;
        }
        f->line_at = pos + 1;
    }
    return 0;
}

static enum sip_frame feed_body(struct sip_framer *f, const char *bytes, size_t len, size_t *used)
{
    size_t missing = f->total - buf_len(&f->held);
    size_t take = len < missing ? len : missing;
    enum sip_frame frame = hold(f, bytes, take);

    *used = take;
    if (frame != SIP_FRAME_MORE || take < missing) {
        return frame;
    }
    /* The buffer has stopped moving: view it anew. The head was good before. */
    if (!read_head(f, slice_to(buf_slice(&f->held), f->msg.head_bytes), &frame)) {
        return frame;
    }
    f->release_held = true;
    return finish(f, buf_slice(&f->held));
}

static enum sip_frame feed_held(struct sip_framer *f, const char *bytes, size_t len, size_t *used)
{
    size_t room = SIP_HEAD_BYTES_MAX - buf_len(&f->held);
    size_t window = len < room ? len : room;
    int32_t head_part;
    size_t body_used = 0;
    enum sip_frame frame;

    *used = len;
    if (f->total > 0) {
        return feed_body(f, bytes, len, used);
    }
    head_part = continue_head(f, bytes, window);
    if (hold(f, bytes, head_part > 0 ? (size_t)head_part : window) == SIP_FRAME_BAD) {
        return SIP_FRAME_BAD;
    }
    if (head_part < 0) {
        return give_up_in_head(f, buf_slice(&f->held), 400, "line end other than CRLF");
    }
    if (head_part == 0) {
        return buf_len(&f->held) >= SIP_HEAD_BYTES_MAX
                   ? give_up_in_head(f, buf_slice(&f->held), 513, "header block too large")
                   : SIP_FRAME_MORE;
    }
    if (!read_head(f, buf_slice(&f->held), &frame)) {
        return frame;
    }
    frame = feed_body(f, bytes + head_part, len - (size_t)head_part, &body_used);
    *used = (size_t)head_part + body_used;
    return frame;
}

enum sip_frame sip_framer_feed(struct sip_framer *f, const char *bytes, size_t len, size_t *used)
{
    enum sip_frame frame = SIP_FRAME_MORE;
    size_t at = 0;

    *used = len;
    if (f->is_bad) {
        return SIP_FRAME_BAD;
    }
    if (f->release_held) {
        buf_clear(&f->held);
        buf_release_if_empty(&f->held);
        f->release_held = false;
    }
    if (len == 0) {
        return SIP_FRAME_MORE;
    }
    if (f->skip > 0) {
        *used = len < f->skip ? len : f->skip;
        f->skip -= (uint32_t)*used;
        return SIP_FRAME_MORE;
    }
    if (buf_len(&f->held) > 0) {
        return feed_held(f, bytes, len, used);
    }
    while (at < len && (bytes[at] == '\r' || bytes[at] == '\n' || f->crlf_seen % 2 != 0)) {
        if (step_crlf(f, bytes[at++], &frame)) {
            *used = at;
            return frame;
        }
    }
    if (at == len) {
        return SIP_FRAME_MORE;
    }
    f->crlf_seen = 0;
    frame = feed_fresh(f, bytes + at, len - at, used);
    *used += at;
    return frame;
}
