/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: any records after the handshake, against a model that keeps whole messages. First byte:
 * who we are; then records: kind, length, content.                                             */
#include "control_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[8] = {22, 22, 22, 22, 22, 21, 20, 0};
    struct control c;
    struct model m;
    if (size == 0) {
        return 0;
    }
    control_init(&c, (data[0] & 1) != 0, (data[0] & 2) != 0);
    model_init(&m, (data[0] & 1) != 0, (data[0] & 2) != 0);
    for (size_t at = 1; at + 2 <= size;) {
        uint8_t kind = data[at];
        size_t len = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        struct slice content = slice_make((const char *)data + at + 2, len);
        uint8_t alert;
        uint8_t want_alert;
        at += 2 + len;
        if (kind >= 240) { /* application data */
            ASSERT(control_is_at_border(&c) == model_is_at_border(&m));
            if (!control_is_at_border(&c)) {
                break;
            }
            control_data(&c);
            m.quiet = 0;
            continue;
        }
        uint8_t type = types[kind % 8] != 0 ? types[kind % 8] : kind;
        enum control_event event = control_feed(&c, type, content, &alert);
        enum control_event want = model_feed(&m, type, content, &want_alert);
        ASSERT(event == want);
        ASSERT(c.quiet_count <= CONTROL_QUIET_MAX);
        if (event == CONTROL_BAD || event == CONTROL_ALERT || event == CONTROL_CLOSED) {
            ASSERT(event == CONTROL_CLOSED || alert == want_alert);
            break;
        }
    }
    buf_deinit(&m.pending);
    return 0;
}
