/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpid_fuzz: packed bytes out of a damaged store, and Microsoft's categories. The first byte
 * chooses. Packed bytes that are taken are the one form of their state; whatever state they make,
 * what is written of it is well-formed.                                                         */
#include <stdint.h>

#include "base/err.h"
#include "presence_checks.h"
#include "translate/rpid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pidf_reader *reader;

static void check_packed(struct slice bytes)
{
    struct presence_state state;
    struct buf packed;

    int err = presence_unpack(&state, bytes);
    ASSERT(err == 0 || (err == ERR_BAD_INPUT && state.item_count == 0));
    buf_init(&packed, PRESENCE_PACKED_BYTES_MAX);
    fuzz_check_packed(&state, &packed);
    if (err == 0 && bytes.len > 0) {
        ASSERT(slice_eq(bytes, buf_slice(&packed)));
    }
    buf_deinit(&packed);
    fuzz_check_written(reader, &state);
}

static void check_categories(struct slice bytes)
{
    struct presence_state before = {.item_count = 1};
    struct presence_state state;
    struct pidf_in in = {.content_type = SLICE_LIT("application/msrtc-event-categories+xml"),
                         .bytes = bytes,
                         .presentity = fuzz_bob(),
                         .before = bytes.len & 1 ? &before : NULL,
                         .now_unix_s = FUZZ_NOW};
    enum presence_show show;

    before.items[0] = (struct presence_item){.resource = SLICE_LIT("sip"), .stamp_unix_s = 1};
    enum pidf_why why = pidf_read(reader, &state, &in);
    ASSERT(state.item_count == (why == PIDF_WHY_OK ? 1 : 0));
    fuzz_check_stanzas(in.before, &state);
    ASSERT(rpid_show_of(bytes, &show) || show == PRESENCE_SHOW_AVAILABLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    void (*check)(struct slice) = size > 0 && data[0] == 'c' ? check_categories : check_packed;

    ASSERT(reader || pidf_reader_new(&reader) == 0);
    check(slice_from(bytes, 1));
    return 0;
}
