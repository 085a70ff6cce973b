/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: methods and header field names, looked up by a perfect hash of the folded name. */
#include "sip/msg.h"

#include "base/ascii.h"

static const struct slice method_names[SIP_METHOD_COUNT] = {
    [SIP_METHOD_UNKNOWN] = SLICE_LIT("UNKNOWN"),
#define METHOD(name) [SIP_METHOD_##name] = SLICE_LIT(#name),
#include "sip/methods.def"
#undef METHOD
};

static const struct slice header_names[SIP_HDR_COUNT] = {
    [SIP_HDR_OTHER] = {NULL, 0},
#define HEADER(id, name, compact, single) [SIP_HDR_##id] = SLICE_LIT(name),
#include "sip/headers.def"
#undef HEADER
};

static const bool header_singles[SIP_HDR_COUNT] = {
#define HEADER(id, name, compact, single) [SIP_HDR_##id] = (single) != 0,
#include "sip/headers.def"
#undef HEADER
};

static const uint8_t compact_ids[26] = {
#define MULTIPLIERS(a, b, c, d)
#define SLOT(slot, id)
#define COMPACT(letter, id) [(letter) - 'a'] = SIP_HDR_##id,
#include "sip/names_table.def"
#undef MULTIPLIERS
#undef SLOT
#undef COMPACT
};

static const uint8_t slot_ids[256] = {
#define MULTIPLIERS(a, b, c, d)
#define SLOT(slot, id) [slot] = SIP_HDR_##id,
#define COMPACT(letter, id)
#include "sip/names_table.def"
#undef MULTIPLIERS
#undef SLOT
#undef COMPACT
};

static const uint32_t multipliers[4] = {
#define MULTIPLIERS(a, b, c, d) a, b, c, d
#define SLOT(slot, id)
#define COMPACT(letter, id)
#include "sip/names_table.def"
#undef MULTIPLIERS
#undef SLOT
#undef COMPACT
};

/* Of a name that is not empty. Bit 5 folds the case of letters and leaves '-' and digits alone. */
static uint8_t slot_of(struct slice name)
{
    uint32_t first = (unsigned char)name.ptr[0] | 0x20u;
    uint32_t middle = (unsigned char)name.ptr[name.len / 2] | 0x20u;
    uint32_t last = (unsigned char)name.ptr[name.len - 1] | 0x20u;

    return (uint8_t)((uint32_t)name.len * multipliers[0] + first * multipliers[1] +
                     middle * multipliers[2] + last * multipliers[3]);
}

enum sip_header sip_header_from(struct slice name)
{
    uint8_t id;

    if (name.len == 0) {
        return SIP_HDR_OTHER;
    }
    if (name.len == 1) {
        return ascii_is_alpha(name.ptr[0])
                   ? (enum sip_header)compact_ids[ascii_lower(name.ptr[0]) - 'a']
                   : SIP_HDR_OTHER;
    }
    id = slot_ids[slot_of(name)];
    /* Most people write names as the RFC does. */
    return slice_eq(name, header_names[id]) || slice_eq_nocase(name, header_names[id])
               ? (enum sip_header)id
               : SIP_HDR_OTHER;
}

struct slice sip_header_name(enum sip_header id)
{
    return header_names[id];
}

bool sip_header_is_single(enum sip_header id)
{
    return header_singles[id];
}

enum sip_method sip_method_from(struct slice token)
{
    for (unsigned m = SIP_METHOD_UNKNOWN + 1; m < SIP_METHOD_COUNT; m++) {
        if (slice_eq(token, method_names[m])) {
            return (enum sip_method)m;
        }
    }
    return SIP_METHOD_UNKNOWN;
}

struct slice sip_method_name(enum sip_method method)
{
    return method_names[method];
}
