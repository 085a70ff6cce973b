/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_fuzz: any body of a NOTIFY. First line: media type (empty: PIDF); rest: the document. What
 * is taken packs, makes well-formed stanzas, and comes back as itself through a PIDF of ours.  */
#include <stdint.h>

#include "presence_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pidf_reader *reader, *other;
    struct presence_state before = {.item_count = 1};
    struct presence_state state, back;
    struct pidf_in in = {.bytes = slice_make((const char *)data, size),
                         .presentity = fuzz_bob(),
                         .before = size & 1 ? &before : NULL,
                         .now_unix_s = FUZZ_NOW};
    struct buf packed, out;

    before.items[0] = (struct presence_item){.resource = SLICE_LIT("desk"), .stamp_unix_s = 1};
    if (!reader) {
        ASSERT(pidf_reader_new(&reader) == 0 && pidf_reader_new(&other) == 0);
    }
    (void)slice_cut(&in.bytes, '\n', &in.content_type);
    if (in.content_type.len == 0) {
        in.content_type = SLICE_LIT(PIDF_MEDIA_TYPE);
    }
    enum pidf_why why = pidf_read(reader, &state, &in);
    ASSERT(why == PIDF_WHY_OK || state.item_count == 0);
    ASSERT(why < PIDF_WHY_COUNT && pidf_why_name(why));
    buf_init(&packed, PRESENCE_PACKED_BYTES_MAX);
    buf_init(&out, PIDF_BYTES_MAX);
    fuzz_check_packed(&state, &packed);
    fuzz_check_stanzas(in.before, &state);
    (void)presence_settle(&state);
    fuzz_there_and_back(other, &out, &state, PIDF_PROFILE_LYNC, &back);
    fuzz_there_and_back(other, &out, &state, PIDF_PROFILE_SIMPLE, &back);
    if (state.item_count > 0 && fuzz_is_even(&state)) {
        fuzz_check_same(&state, &back);
    }
    buf_deinit(&packed);
    buf_deinit(&out);
    return 0;
}
