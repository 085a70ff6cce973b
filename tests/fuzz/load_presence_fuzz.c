/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_presence_fuzz: a NOTIFY, SUBSCRIBE or 2xx that the load generator is sent: its document is
 * checked, and it begins and follows a dialog; a request within it can always be written. */
#include <stdint.h>

#include "base/check.h"
#include "load/dialog.h"
#include "load/pidf.h"
#include "load/show.h"

#define BYTES 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct plan plan = {
    .streams = 20000, .domains = 7, .suffix = "fan.test", .inside = "corp.test"};

static void write_within(struct dialog *d)
{
    struct buf out;

    buf_init(&out, BYTES);
    dialog_write(d, &out, (struct sip_request_params){.method = SIP_METHOD_NOTIFY});
    ASSERT(!out.failed);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pidf pidf;
    struct slice bytes = slice_make((const char *)data, size);
    struct dialog d = {0};
    struct sip_bad bad;
    struct sip_msg m;
    uint64_t number;
    const char *what;

    if (!pidf.parser) {
        ASSERT(pidf_init(&pidf, &plan, 60) == 0);
    }
    if (sip_msg_parse(&m, bytes, &bad) == 0) {
        if (!dialog_begin(&d, &m)) {
            ASSERT(dialog_has(&d, &m));
            write_within(&d);
            ASSERT(!m.is_request || dialog_follow(&d, &m));
        }
        dialog_end(&d);
        bytes = m.body;
    }
    if (pidf_check(&pidf, bytes, 8, &number, &what) == PIDF_DAMAGED) {
        ASSERT(what);
    }
    return 0;
}
