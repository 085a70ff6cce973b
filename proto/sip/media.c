/* SPDX-License-Identifier: GPL-2.0-or-later */
/* media: decoded values of the fields that not every message has: Content-Type, Date, Warning,
 * Reason, ms-diagnostics.                                                                       */
#include "sip/msg.h"

#include "base/err.h"
#include "sip/chars.h"

static struct slice without_quotes(struct slice value)
{
    return value.len >= 2 && value.ptr[0] == '"' ? sip_sub(value, 1, value.len - 1) : value;
}

int sip_media_type_parse(struct slice value, struct sip_media_type *out)
{
    size_t at = 0;
    size_t end = sip_span(value, 0, SIP_CHAR_TOKEN);

    *out = (struct sip_media_type){.type = slice_to(value, end)};
    at = sip_skip_lws(value, end);
    if (end == 0 || at >= value.len || value.ptr[at] != '/') {
        return ERR_SIP_SYNTAX;
    }
    at = sip_skip_lws(value, at + 1);
    end = at + sip_span(value, at, SIP_CHAR_TOKEN);
    out->subtype = sip_sub(value, at, end);
    if (end == at) {
        return ERR_SIP_SYNTAX;
    }
    at = sip_skip_lws(value, end);
    if (at == value.len) {
        return 0;
    }
    out->params = slice_from(value, at + 1);
    return value.ptr[at] == ';' && out->params.len > 0 && sip_params_are_valid(out->params)
               ? 0
               : ERR_SIP_SYNTAX;
}

int sip_msg_content_type(const struct sip_msg *m, struct sip_media_type *out)
{
    *out = (struct sip_media_type){.type = SLICE_NONE};
    return sip_msg_has(m, SIP_HDR_CONTENT_TYPE)
               ? sip_media_type_parse(sip_msg_value(m, SIP_HDR_CONTENT_TYPE), out)
               : ERR_NOT_FOUND;
}

bool sip_media_type_is(const struct sip_media_type *t, struct slice type, struct slice subtype)
{
    return slice_eq_nocase(t->type, type) && slice_eq_nocase(t->subtype, subtype);
}

bool sip_media_type_param(const struct sip_media_type *t, struct slice name, struct slice *value)
{
    if (!sip_param(t->params, name, value)) {
        return false;
    }
    *value = without_quotes(*value);
    return true;
}

/* Two or four digits at a fixed place. */
static bool digits_at(struct slice s, size_t at, size_t count, int *out)
{
    uint64_t value;

    if (!slice_parse_u64(sip_sub(s, at, at + count), &value)) {
        return false;
    }
    *out = (int)value;
    return true;
}

/* Index of a three-letter name in a row of them, or -1. */
static int name_index(struct slice name, const char *row, int count)
{
    for (int i = 0; i < count; i++) {
        if (slice_eq_nocase(name, slice_make(row + (size_t)i * 3, 3))) {
            return i;
        }
    }
    return -1;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_from_civil(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400;
    int year_of_era = y - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int64_t)era * 146097 + day_of_era - 719468;
}

/* "Sat, 13 Nov 2010 23:29:00 GMT": SIP-date has a fixed width. */
int sip_msg_date(const struct sip_msg *m, int64_t *unix_s)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct slice v = sip_msg_value(m, SIP_HDR_DATE);
    int day;
    int month;
    int year;
    int hour;
    int minute;
    int second;

    *unix_s = 0;
    if (!sip_msg_has(m, SIP_HDR_DATE)) {
        return ERR_NOT_FOUND;
    }
    if (v.len != 29 || name_index(slice_to(v, 3), "MonTueWedThuFriSatSun", 7) < 0 ||
        v.ptr[3] != ',' || v.ptr[4] != ' ' || v.ptr[7] != ' ' || v.ptr[11] != ' ' ||
        v.ptr[16] != ' ' || v.ptr[19] != ':' || v.ptr[22] != ':' || v.ptr[25] != ' ' ||
        !slice_eq_nocase(sip_sub(v, 26, 29), SLICE_LIT("GMT"))) {
        return ERR_SIP_SYNTAX;
    }
    month = name_index(sip_sub(v, 8, 11), "JanFebMarAprMayJunJulAugSepOctNovDec", 12);
    if (month < 0 || !digits_at(v, 5, 2, &day) || !digits_at(v, 12, 4, &year) ||
        !digits_at(v, 17, 2, &hour) || !digits_at(v, 20, 2, &minute) ||
        !digits_at(v, 23, 2, &second)) {
        return ERR_SIP_SYNTAX;
    }
    if (year < 1900 || day < 1 || day > month_days[month] || hour > 23 || minute > 59 ||
        second > 60) {
        return ERR_SIP_SYNTAX;
    }
    *unix_s = days_from_civil(year, month + 1, day) * 86400 + hour * 3600 + minute * 60 + second;
    return 0;
}

int sip_warning_parse(struct slice value, struct sip_warning *out)
{
    struct slice rest = value;
    struct slice code;
    uint64_t number;
    size_t end;

    *out = (struct sip_warning){.code = 0};
    if (!slice_cut(&rest, ' ', &code) || code.len != 3 || !slice_parse_u64(code, &number) ||
        number < 100 || !slice_cut(&rest, ' ', &out->agent) || out->agent.len == 0 ||
        rest.len < 2 || rest.ptr[0] != '"' || !sip_quoted_end(rest, 0, &end) || end != rest.len) {
        return ERR_SIP_SYNTAX;
    }
    out->code = (uint16_t)number;
    out->text = without_quotes(rest);
    return 0;
}

/* value = head [; params]; params must be well-formed. */
static bool split_params(struct slice value, struct slice *head, struct slice *params)
{
    *params = value;
    if (!slice_cut(params, ';', head)) {
        *params = SLICE_NONE;
    } else if (params->len == 0 || !sip_params_are_valid(*params)) {
        return false;
    }
    *head = slice_trim(*head);
    return head->len > 0;
}

static bool parse_u32(struct slice text, uint32_t *out)
{
    uint64_t value;

    if (!slice_parse_u64(text, &value) || value > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

int sip_reason_parse(struct slice value, struct sip_reason *out)
{
    struct slice params;
    struct slice text;

    *out = (struct sip_reason){.cause = 0};
    if (!split_params(value, &out->protocol, &params) ||
        !sip_all_are(out->protocol, SIP_CHAR_TOKEN)) {
        return ERR_SIP_SYNTAX;
    }
    if (sip_param(params, SLICE_LIT("cause"), &text) && !parse_u32(text, &out->cause)) {
        return ERR_SIP_SYNTAX;
    }
    if (sip_param(params, SLICE_LIT("text"), &text)) {
        out->text = without_quotes(text);
    }
    return 0;
}

int sip_ms_diagnostics_parse(struct slice value, struct sip_reason *out)
{
    struct slice params;
    struct slice text;
    struct slice id;

    *out = (struct sip_reason){.cause = 0};
    if (!split_params(value, &id, &params) || !parse_u32(id, &out->cause)) {
        return ERR_SIP_SYNTAX;
    }
    if (sip_param(params, SLICE_LIT("reason"), &text)) {
        out->text = without_quotes(text);
    }
    return 0;
}
