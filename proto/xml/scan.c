/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan: byte by byte, which is also the definition of what the vector versions do, and choice. */
#include "xml/scan.h"

#include <stdint.h>

enum { STOP_TEXT = 1, STOP_VALUE = 2 };
#define BOTH (STOP_TEXT | STOP_VALUE)

static const uint8_t stops[256] = {
    [0 ... 0x08] = BOTH, ['\t'] = STOP_VALUE,   ['\n'] = STOP_VALUE, [0x0b ... 0x1f] = BOTH,
    ['&'] = BOTH,        [0x3c /* < */] = BOTH, [']'] = STOP_TEXT,   [0x80 ... 0xff] = BOTH,
};

static const char *scalar_text(const char *s, const char *end)
{
    while (s < end && !(stops[(unsigned char)*s] & STOP_TEXT)) {
        s++;
    }
    return s;
}

static const char *scalar_value(const char *s, const char *end, char quote)
{
    while (s < end && *s != quote && !(stops[(unsigned char)*s] & STOP_VALUE)) {
        s++;
    }
    return s;
}

const struct xml_scan xml_scan_general = {"general", NULL, scalar_text, scalar_value};
const struct xml_scan xml_scan_scalar = {"scalar", xml_fast_scalar, scalar_text, scalar_value};

static const struct xml_scan *forced; /* written by tests only, before threads exist */

const struct xml_scan *xml_scan_best(void)
{
    if (forced) {
        return forced;
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? &xml_scan_avx2 : &xml_scan_sse2;
#else
    return &xml_scan_scalar;
#endif
}

void xml_scan_use(const struct xml_scan *scan)
{
    forced = scan;
}
