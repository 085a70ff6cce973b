/* SPDX-License-Identifier: GPL-2.0-or-later */
/* der: see der.h. X.690 section 8 and 10, RFC 5280 4.1.2.5. */
#include "tls/der.h"

#include "base/ascii.h"

struct der der_make(struct slice bytes)
{
    return (struct der){bytes, false};
}

unsigned der_peek(const struct der *d)
{
    return der_at_end(d) ? 0 : (unsigned char)d->rest.ptr[0];
}

static bool fail(struct der *d)
{
    d->failed = true;
    d->rest = SLICE_NONE;
    return false;
}

bool der_next(struct der *d, struct der_item *out)
{
    *out = (struct der_item){0};
    if (der_at_end(d)) {
        return false;
    }
    const unsigned char *p = (const unsigned char *)d->rest.ptr;
    size_t have = d->rest.len;
    if (have < 2 || (p[0] & 0x1fu) == 0x1fu) {
        return fail(d);
    }
    size_t header = 2;
    size_t len = p[1];
    if (len >= 0x80) {
        size_t count = len & 0x7fu;
        if (count == 0 || count > 4 || have < 2 + count || p[2] == 0) {
            return fail(d); /* indefinite, 4 GiB or more, cut, or not minimal */
        }
        len = 0;
        for (size_t i = 0; i < count; i++) {
            len = len << 8 | p[2 + i];
        }
        if (len < 0x80) {
            return fail(d);
        }
        header += count;
    }
    if (have - header < len) {
        return fail(d);
    }
    out->tag = p[0];
    out->content = slice_make(d->rest.ptr + header, len);
    out->whole = slice_make(d->rest.ptr, header + len);
    d->rest = slice_from(d->rest, header + len);
    return true;
}

struct der_item der_need(struct der *d, unsigned tag)
{
    struct der_item item;
    if (!der_next(d, &item) || item.tag != tag) {
        (void)fail(d);
        return (struct der_item){0};
    }
    return item;
}

struct der der_open(struct der *d, unsigned tag)
{
    struct der_item item = der_need(d, tag);
    return (struct der){item.content, d->failed};
}

bool der_take(struct der *d, unsigned tag, struct der_item *out)
{
    return der_peek(d) == tag && der_next(d, out);
}

bool der_u32(struct slice integer_content, uint32_t *out)
{
    const unsigned char *p = (const unsigned char *)integer_content.ptr;
    size_t len = integer_content.len;
    if (len == 0 || (p[0] & 0x80u) != 0) {
        return false;
    }
    if (len > 1 && p[0] == 0) {
        if ((p[1] & 0x80u) == 0) {
            return false; /* not minimal */
        }
        p++;
        len--;
    }
    if (len > 4) {
        return false;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | p[i];
    }
    *out = value;
    return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years counted from March so that the
 * leap day is the last one. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int two_digits(const char *p)
{
    return ascii_is_digit(p[0]) && ascii_is_digit(p[1]) ? (p[0] - '0') * 10 + p[1] - '0' : -1;
}

bool der_time(const struct der_item *item, int64_t *unix_s)
{
    struct slice text = item->content;
    int64_t year;
    if (item->tag == DER_UTC_TIME && text.len == 13) {
        int low = two_digits(text.ptr);
        if (low < 0) {
            return false;
        }
        year = low < 50 ? 2000 + low : 1900 + low;
        text = slice_from(text, 2);
    } else if (item->tag == DER_GENERALIZED_TIME && text.len == 15) {
        int high = two_digits(text.ptr);
        int low = two_digits(text.ptr + 2);
        if (high < 0 || low < 0) {
            return false;
        }
        year = high * 100 + low;
        text = slice_from(text, 4);
    } else {
        return false;
    }
    int field[5]; /* month day hour minute second */
    static const int field_max[5] = {12, 31, 23, 59, 59};
    for (size_t i = 0; i < 5; i++) {
        field[i] = two_digits(text.ptr + i * 2);
        if (field[i] < (i < 2 ? 1 : 0) || field[i] > field_max[i]) {
            return false;
        }
    }
    if (text.ptr[10] != 'Z') {
        return false;
    }
    int64_t second_of_day = field[2] * 3600 + field[3] * 60 + field[4];
    *unix_s = days_of(year, field[0], field[1]) * 86400 + second_of_day;
    return true;
}
