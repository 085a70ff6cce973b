/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_model: what tls/control does, the simple way: keeps the bytes of a message until it is
 * whole and looks at it again from its start with every record.                                */
#ifndef FG_FUZZ_CONTROL_MODEL_H
#define FG_FUZZ_CONTROL_MODEL_H

#include "base/buf.h"
#include "base/check.h"
#include "tls/control.h"

struct model {
    bool is_client;
    bool is_tls13;
    uint32_t quiet;
    struct buf pending; /* from the start of a message on */
};

static inline void model_init(struct model *m, bool is_client, bool is_tls13)
{
    *m = (struct model){.is_client = is_client, .is_tls13 = is_tls13};
    buf_init(&m->pending, (size_t)1 << 20);
}

static inline bool model_is_at_border(const struct model *m)
{
    return !m->is_tls13 || buf_len(&m->pending) == 0;
}

/* Alert for a message of this type and length, 0 = it may come. */
static inline uint8_t model_judge(const struct model *m, uint8_t message, size_t len)
{
    bool is_known = m->is_tls13 ? message == 24 || (message == 4 && m->is_client)
                                : message == (m->is_client ? 0 : 1);
    size_t least = message == 24 ? 1 : message == 4 ? 14 : 0;
    size_t most = message == 24 ? 1 : message == 0 ? 0 : 65536;
    return !is_known ? 10 : len < least || len > most ? 50 : 0;
}

static inline enum control_event model_handshake(struct model *m, struct slice content,
                                                 uint8_t *alert)
{
    enum control_event result = CONTROL_NOTHING;
    bool is_first = true;
    *alert = 10;
    buf_put(&m->pending, content);
    ASSERT(!m->pending.failed);
    if (content.len == 0) {
        return CONTROL_BAD;
    }
    while (buf_len(&m->pending) > 0) {
        struct slice all = buf_slice(&m->pending);
        const uint8_t *b = (const uint8_t *)all.ptr;
        if (!is_first && m->quiet++ == CONTROL_QUIET_MAX) {
            return CONTROL_BAD;
        }
        is_first = false;
        if (all.len < 4) {
            return result;
        }
        size_t len = (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        uint8_t wrong = model_judge(m, b[0], len);
        if (wrong != 0) {
            *alert = wrong;
            return CONTROL_BAD;
        }
        if (all.len < 4 + len) {
            return result;
        }
        if (b[0] == 24 && all.len > 4 + len) {
            return CONTROL_BAD;
        }
        if (b[0] == 24 && b[4] > 1) {
            *alert = 47;
            return CONTROL_BAD;
        }
        if (b[0] == 24) {
            result = b[4] == 1 ? CONTROL_UPDATE_BOTH : CONTROL_UPDATE;
        } else if (b[0] != 4) {
            result = CONTROL_REFUSE;
        }
        buf_consume(&m->pending, 4 + len);
    }
    return result;
}

static inline enum control_event model_feed(struct model *m, uint8_t type, struct slice content,
                                            uint8_t *alert)
{
    *alert = 10;
    if (m->quiet == CONTROL_QUIET_MAX) {
        return CONTROL_BAD;
    }
    m->quiet++;
    if (type == 22) {
        return model_handshake(m, content, alert);
    }
    if (type != 21 || !model_is_at_border(m)) {
        return CONTROL_BAD;
    }
    if (content.len != 2) {
        *alert = 50;
        return CONTROL_BAD;
    }
    *alert = (uint8_t)content.ptr[1];
    return *alert == 0 ? CONTROL_CLOSED : *alert == 90 ? CONTROL_NOTHING : CONTROL_ALERT;
}

#endif
