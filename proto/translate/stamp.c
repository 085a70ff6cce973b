/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stamp: civil dates by arithmetic (proleptic Gregorian calendar, era of 400 years). */
#include "translate/stamp.h"

#include "base/ascii.h"
#include "base/err.h"

#define DAY_S 86400
#define YEAR_9999_END_S INT64_C(253402300799)

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

struct civil {
    unsigned year, month, day, hour, minute, second, weekday; /* weekday 0 = Sunday */
};

static struct civil civil_of(int64_t unix_s)
{
    struct civil c;

    unix_s = unix_s < 0 ? 0 : unix_s > YEAR_9999_END_S ? YEAR_9999_END_S : unix_s;
    int64_t days = unix_s / DAY_S;
    int64_t rest = unix_s % DAY_S;
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;

    c.day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    c.month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    c.year = (unsigned)(year_of_era + era * 400 + (c.month <= 2));
    c.hour = (unsigned)(rest / 3600);
    c.minute = (unsigned)(rest / 60 % 60);
    c.second = (unsigned)(rest % 60);
    c.weekday = (unsigned)((days + 4) % 7);
    return c;
}

/* Takes a number of exactly `digits` digits and the character behind it (0 = none wanted). */
static bool take(struct slice *s, size_t digits, char behind, int64_t *out)
{
    uint64_t value;

    if (!slice_parse_u64(slice_to(*s, digits), &value) || s->len < digits) {
        return false;
    }
    *s = slice_from(*s, digits);
    *out = (int64_t)value;
    if (behind == 0) {
        return true;
    }
    if (s->len == 0 || s->ptr[0] != behind) {
        return false;
    }
    *s = slice_from(*s, 1);
    return true;
}

/* "", ".123", "Z", "+01:00" */
static bool take_zone(struct slice *s, int64_t *offset_s)
{
    int64_t hours, minutes;

    if (s->len > 1 && s->ptr[0] == '.') {
        size_t n = 1;
        while (n < s->len && ascii_is_digit(s->ptr[n])) {
            n++;
        }
        *s = slice_from(*s, n);
    }
    *offset_s = 0;
    if (s->len == 0 || (s->len == 1 && (s->ptr[0] == 'Z' || s->ptr[0] == 'z'))) {
        return true;
    }
    char sign = s->ptr[0];
    *s = slice_from(*s, 1);
    if ((sign != '+' && sign != '-') || !take(s, 2, ':', &hours) || !take(s, 2, 0, &minutes) ||
        s->len != 0 || hours > 23 || minutes > 59) {
        return false;
    }
    *offset_s = (hours * 60 + minutes) * 60 * (sign == '+' ? 1 : -1);
    return true;
}

int stamp_parse(struct slice text, int64_t *unix_s)
{
    int64_t year, month, day, hour, minute, second, offset_s;

    *unix_s = 0;
    if (!take(&text, 4, '-', &year) || !take(&text, 2, '-', &month) ||
        !take(&text, 2, 'T', &day) || !take(&text, 2, ':', &hour) ||
        !take(&text, 2, ':', &minute) || !take(&text, 2, 0, &second) ||
        !take_zone(&text, &offset_s)) {
        return ERR_BAD_INPUT;
    }
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
        minute > 59 || second > 60) {
        return ERR_BAD_INPUT;
    }
    *unix_s = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset_s;
    return 0;
}

static void put_2(struct buf *out, unsigned value)
{
    buf_putc(out, (char)('0' + value / 10 % 10));
    buf_putc(out, (char)('0' + value % 10));
}

static void put_time(struct buf *out, const struct civil *c)
{
    put_2(out, c->hour);
    buf_putc(out, ':');
    put_2(out, c->minute);
    buf_putc(out, ':');
    put_2(out, c->second);
}

void stamp_write(struct buf *out, int64_t unix_s)
{
    struct civil c = civil_of(unix_s);

    put_2(out, c.year / 100);
    put_2(out, c.year % 100);
    buf_putc(out, '-');
    put_2(out, c.month);
    buf_putc(out, '-');
    put_2(out, c.day);
    buf_putc(out, 'T');
    put_time(out, &c);
    buf_putc(out, 'Z');
}

void stamp_write_sip_date(struct buf *out, int64_t unix_s)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil c = civil_of(unix_s);

    buf_append(out, days + (size_t)3 * c.weekday, 3);
    buf_put_lit(out, ", ");
    put_2(out, c.day);
    buf_putc(out, ' ');
    buf_append(out, months + (size_t)3 * (c.month - 1), 3);
    buf_putc(out, ' ');
    put_2(out, c.year / 100);
    put_2(out, c.year % 100);
    buf_putc(out, ' ');
    put_time(out, &c);
    buf_put_lit(out, " GMT");
}
