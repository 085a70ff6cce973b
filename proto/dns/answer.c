/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer: a cursor that never leaves the message, and one pass over the records per alias. */
#include "dns/answer.h"

#include "base/ascii.h"
#include "base/err.h"

#define HEADER_BYTES 12u
#define CLASS_IN 1u
#define RCODE_NXDOMAIN 3u
#define NAME_JUMPS_MAX 32u

struct reader {
    struct slice msg;
    size_t at;
    bool failed; /* sticky */
};

static uint8_t get_u8(struct reader *r)
{
    if (r->failed || r->at >= r->msg.len) {
        r->failed = true;
        return 0;
    }
    return (uint8_t)r->msg.ptr[r->at++];
}

static uint16_t get_u16(struct reader *r)
{
    unsigned high = get_u8(r);

    return (uint16_t)(high << 8 | get_u8(r));
}

static uint32_t get_u32(struct reader *r)
{
    uint32_t high = get_u16(r);

    return high << 16 | get_u16(r);
}

static void skip(struct reader *r, size_t len)
{
    if (r->failed || len > r->msg.len - r->at) {
        r->failed = true;
        return;
    }
    r->at += len;
}

/* Appends a label. Bytes that no host name has become '?': such a name resolves to nothing. */
static void put_label(struct reader *r, struct dns_name *out, size_t len)
{
    size_t dot = out->len > 0;

    if (out->len + dot + len > DNS_NAME_BYTES_MAX) {
        r->failed = true;
        return;
    }
    if (dot) {
        out->text[out->len++] = '.';
    }
    for (; len > 0 && !r->failed; len--) {
        char c = ascii_lower((char)get_u8(r));
        out->text[out->len++] = ascii_is_alnum(c) || c == '-' || c == '_' ? c : '?';
    }
}

/* A name, decompressed. Pointers must go backwards, so they end. */
static void get_name(struct reader *r, struct dns_name *out)
{
    size_t behind = 0; /* where reading goes on after the first jump */
    size_t lowest = r->at;

    out->len = 0;
    for (unsigned jumps = 0; !r->failed;) {
        uint8_t len = get_u8(r);
        if (len == 0) {
            break;
        }
        if ((len & 0xC0) == 0) {
            put_label(r, out, len);
            continue;
        }
        size_t to = (size_t)(len & 0x3F) << 8 | get_u8(r);
        if ((len & 0xC0) != 0xC0 || to >= lowest || ++jumps > NAME_JUMPS_MAX) {
            r->failed = true;
            break;
        }
        behind = behind ? behind : r->at;
        lowest = to;
        r->at = to;
    }
    if (behind && !r->failed) {
        r->at = behind;
    }
    out->text[out->len] = '\0';
}

struct record {
    struct dns_name owner;
    uint16_t type;
    uint16_t class_;
    uint32_t ttl_s;
    size_t data_at;
    size_t data_len;
};

static void get_record(struct reader *r, struct record *out)
{
    get_name(r, &out->owner);
    out->type = get_u16(r);
    out->class_ = get_u16(r);
    out->ttl_s = get_u32(r);
    if (out->ttl_s > INT32_MAX) {
        out->ttl_s = 0; /* RFC 2181 section 8 */
    }
    out->data_len = get_u16(r);
    out->data_at = r->at;
    skip(r, out->data_len);
}

static struct reader data_reader(const struct reader *r, const struct record *rec)
{
    return (struct reader){.msg = slice_to(r->msg, rec->data_at + rec->data_len),
                           .at = rec->data_at};
}

static bool add_addr(struct dns_answer *out, const struct reader *r, const struct record *rec)
{
    size_t len = rec->type == DNS_TYPE_A ? 4 : 16;

    if (rec->data_len != len) {
        return false;
    }
    if (out->count == DNS_ADDR_MAX) {
        out->is_cut = true;
        return true;
    }
    struct dns_addr *addr = &out->addr[out->count++];
    *addr = (struct dns_addr){.is_v6 = rec->type == DNS_TYPE_AAAA};
    memcpy(addr->bytes, r->msg.ptr + rec->data_at, len);
    return true;
}

static bool add_srv(struct dns_answer *out, const struct reader *r, const struct record *rec)
{
    struct reader data = data_reader(r, rec);
    struct dns_srv srv;
    size_t slot = out->count;

    srv.priority = get_u16(&data);
    srv.weight = get_u16(&data);
    srv.port = get_u16(&data);
    get_name(&data, &srv.target);
    if (data.failed) {
        return false;
    }
    if (slot == DNS_SRV_MAX) {
        /* Full: the worst one goes, if it is worse than this. */
        out->is_cut = true;
        slot = 0;
        for (size_t i = 1; i < out->count; i++) {
            slot = out->srv[i].priority > out->srv[slot].priority ? i : slot;
        }
        if (out->srv[slot].priority <= srv.priority) {
            return true;
        }
    } else {
        out->count++;
    }
    out->srv[slot] = srv;
    return true;
}

/* One pass over the answer section for records of *owner. An alias replaces *owner. */
static bool scan(struct dns_answer *out, struct reader r, unsigned records, struct dns_name *owner,
                 bool *is_alias)
{
    struct record rec;

    *is_alias = false;
    for (unsigned i = 0; i < records; i++) {
        get_record(&r, &rec);
        if (r.failed) {
            return false;
        }
        if (rec.class_ != CLASS_IN ||
            !slice_eq_nocase(dns_name_slice(&rec.owner), dns_name_slice(owner))) {
            continue;
        }
        if (rec.type == DNS_TYPE_CNAME) {
            struct reader data = data_reader(&r, &rec);
            get_name(&data, owner);
            out->ttl_s = rec.ttl_s < out->ttl_s ? rec.ttl_s : out->ttl_s;
            *is_alias = true;
            return !data.failed;
        }
        if (rec.type == out->type) {
            if (!(rec.type == DNS_TYPE_SRV ? add_srv(out, &r, &rec) : add_addr(out, &r, &rec))) {
                return false;
            }
            out->ttl_s = rec.ttl_s < out->ttl_s ? rec.ttl_s : out->ttl_s;
        }
    }
    return true;
}

/* RFC 2308: a negative answer lives as long as the SOA in the authority section says. */
static uint32_t negative_ttl(struct reader r, unsigned answers, unsigned authorities)
{
    struct record rec;

    for (unsigned i = 0; i < answers + authorities; i++) {
        get_record(&r, &rec);
        if (r.failed) {
            return 0;
        }
        if (i >= answers && rec.type == DNS_TYPE_SOA && rec.data_len >= 20) {
            struct reader data = data_reader(&r, &rec);
            data.at = rec.data_at + rec.data_len - 4;
            uint32_t minimum = get_u32(&data);
            return minimum < rec.ttl_s ? minimum : rec.ttl_s;
        }
    }
    return 0;
}

static int finish(struct dns_answer *out, int err, uint32_t ttl_s)
{
    if (err) {
        out->count = 0;
    }
    out->err = err;
    out->ttl_s = ttl_s;
    return err;
}

void dns_answer_fail(struct dns_answer *out, enum dns_type type, int err)
{
    out->type = type;
    out->is_cut = false;
    (void)finish(out, err, 0);
}

int dns_answer_parse(struct dns_answer *out, struct slice response, struct slice name,
                     enum dns_type type)
{
    struct reader r = {.msg = response};
    struct dns_name owner;
    bool is_alias = true;

    dns_answer_fail(out, type, ERR_DNS_BAD);
    if (name.len > DNS_NAME_BYTES_MAX) {
        return ERR_DNS_BAD;
    }
    memcpy(owner.text, name.ptr, name.len);
    owner.len = (uint8_t)name.len;
    skip(&r, 2);
    unsigned flags = get_u16(&r);
    unsigned questions = get_u16(&r);
    unsigned answers = get_u16(&r);
    unsigned authorities = get_u16(&r);
    skip(&r, 2);
    for (unsigned i = 0; i < questions && !r.failed; i++) {
        struct dns_name ignored;
        get_name(&r, &ignored);
        skip(&r, 4);
    }
    if (r.failed || (flags & 0x8000) == 0) {
        return ERR_DNS_BAD;
    }
    unsigned rcode = flags & 15;
    if (rcode != 0 && rcode != RCODE_NXDOMAIN) {
        return finish(out, ERR_DNS_SERVFAIL, 0);
    }
    out->ttl_s = INT32_MAX;
    for (unsigned hops = 0; is_alias; hops++) {
        if (hops > DNS_CNAMES_MAX || !scan(out, r, answers, &owner, &is_alias)) {
            return finish(out, ERR_DNS_BAD, 0);
        }
    }
    if (out->count > 0) {
        return finish(out, 0, out->ttl_s);
    }
    return finish(out, rcode == RCODE_NXDOMAIN ? ERR_DNS_NXDOMAIN : ERR_DNS_NODATA,
                  negative_ttl(r, answers, authorities));
}

size_t dns_answer_bytes(const struct dns_answer *a)
{
    size_t one = a->type == DNS_TYPE_SRV ? sizeof(a->srv[0]) : sizeof(a->addr[0]);

    return offsetof(struct dns_answer, srv) + a->count * one;
}
