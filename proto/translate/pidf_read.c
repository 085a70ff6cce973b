/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_read: from a NOTIFY's body to a tree, and what all kinds of documents have in common. */
#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "sip/msg.h"
#include "translate/address.h"
#include "translate/body.h"
#include "translate/pidf_int.h"

static const struct xml_limits document_limits = {
    .stanza_bytes_max = PIDF_BYTES_MAX,
    .depth_max = PIDF_DEPTH_MAX,
    .elements_max = PIDF_ELEMENTS_MAX,
    .attrs_max = 32,
    .name_bytes_max = 128,
    .ns_decls_max = 64,
    .ns_bytes_max = 256,
};

const char *pidf_why_name(enum pidf_why why)
{
    static const char *const names[] = {
#define X(name, text) text,
        PIDF_WHYS(X)
#undef X
    };

    ASSERT(why < PIDF_WHY_COUNT);
    return names[why];
}

int pidf_reader_new(struct pidf_reader **out)
{
    struct pidf_reader *r = pool_zalloc(sizeof(*r));
    int err = ERR_NOMEM;

    *out = NULL;
    if (!r) {
        return ERR_NOMEM;
    }
    buf_init(&r->utf8, PIDF_BYTES_MAX);
    buf_init(&r->text, PIDF_TEXT_BYTES_MAX);
    if (buf_reserve(&r->text, PIDF_TEXT_BYTES_MAX)) {
        err = xml_parser_new(&r->parser, &document_limits);
    }
    if (err) {
        pidf_reader_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void pidf_reader_free(struct pidf_reader *r)
{
    if (r) {
        xml_parser_free(r->parser);
        buf_deinit(&r->utf8);
        buf_deinit(&r->text);
        pool_free(r);
    }
}

/* ---- what readers of all kinds use ---- */

void pidf_item_clear(struct presence_item *item)
{
    item->resource = SLICE_NONE;
    item->show = PRESENCE_SHOW_AVAILABLE;
    item->has_priority = false;
    item->priority = 0;
    item->note_count = 0;
    item->stamp_unix_s = 0;
    item->idle_since_unix_s = 0;
}

struct slice pidf_text(const struct pidf_reader *r, uint32_t node)
{
    return slice_trim(xml_text(r->tree, node));
}

void pidf_take_note(const struct pidf_reader *r, struct presence_item *item, uint32_t node)
{
    struct slice lang = r->lang;

    for (uint32_t at = node; at != XML_NO_NODE; at = r->tree->nodes[at].parent) {
        const struct xml_attr *a =
            r->tree->nodes[at].attr_count > 0 ? xml_lang(r->tree, at) : NULL;
        if (a) {
            lang = a->value;
            break;
        }
    }
    presence_note_add(item, lang, pidf_text(r, node));
}

struct slice pidf_compose(struct pidf_reader *r, const struct slice *parts, size_t count)
{
    size_t before = buf_len(&r->text);
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (len > buf_room(&r->text)) {
        return SLICE_NONE;
    }
    for (size_t i = 0; i < count; i++) {
        buf_put(&r->text, parts[i]);
    }
    return slice_from(buf_slice(&r->text), before);
}

/* Without "sip:", "pres:" or "im:"; a user part may hold a colon only as an escape. */
static struct slice without_scheme(struct slice uri)
{
    static const struct slice schemes[] = {{"pres:", 5}, {"sip:", 4}, {"sips:", 5}, {"im:", 3}};

    for (size_t i = 0; i < ARRAY_COUNT(schemes); i++) {
        if (slice_eq_nocase(slice_to(uri, schemes[i].len), schemes[i])) {
            return slice_from(uri, schemes[i].len);
        }
    }
    return uri;
}

/* Letters, digits and marks that mean the same in URIs and addresses, but for case. */
static bool is_spelled(struct slice text, const struct jid *j)
{
    if (text.len != j->local.len + 1 + j->domain.len || text.ptr[j->local.len] != '@' ||
        !slice_eq_nocase(slice_to(text, j->local.len), j->local) ||
        !slice_eq_nocase(slice_from(text, j->local.len + 1), j->domain)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!ascii_is_alnum(c) && c != '.' && c != '-' && c != '_' && c != '@') {
            return false;
        }
    }
    return true;
}

bool pidf_is_presentity(struct pidf_reader *r, struct slice uri)
{
    struct slice text = without_scheme(slice_trim(uri));
    struct jid_storage mem;
    struct jid jid;

    if (is_spelled(text, r->in->presentity)) {
        return true;
    }
    text = pidf_compose(r, (struct slice[]){SLICE_LIT("sip:"), text}, 2);
    return text.len > 0 && address_text_to_jid(text, false, &mem, &jid) == 0 &&
           jid_eq_bare(&jid, r->in->presentity);
}

/* ---- from bytes to a tree ---- */

enum kind { KIND_NONE, KIND_PIDF, KIND_CATEGORIES };

static enum kind kind_of(const struct sip_media_type *type)
{
    static const struct {
        struct slice type, subtype;
        enum kind kind;
    } kinds[] = {
        {{"application", 11}, {"pidf+xml", 8}, KIND_PIDF},
        {{"application", 11}, {"cpim-pidf+xml", 13}, KIND_PIDF}, /* its drafts */
        {{"application", 11}, {"msrtc-event-categories+xml", 26}, KIND_CATEGORIES},
    };

    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (sip_media_type_is(type, kinds[i].type, kinds[i].subtype)) {
            return kinds[i].kind;
        }
    }
    return KIND_NONE;
}

/* The charset of the media type counts before all else (RFC 7303 3); then a mark of UTF-16 or the
 * look of its first character, then what the document says of itself. */
static struct slice charset_of(const struct sip_media_type *type, struct slice bytes)
{
    struct slice charset;

    if (sip_media_type_param(type, SLICE_LIT("charset"), &charset)) {
        return charset;
    }
    if (slice_starts(bytes, SLICE_LIT("\xff\xfe")) || slice_starts(bytes, SLICE_LIT("\xfe\xff"))) {
        return SLICE_LIT("utf-16");
    }
    if (slice_starts(bytes, SLICE_LIT("<\0"))) {
        return SLICE_LIT("utf-16le");
    }
    if (slice_starts(bytes, SLICE_LIT("\0<"))) {
        return SLICE_LIT("utf-16be");
    }
    return xml_document_encoding(bytes);
}

static enum pidf_why to_utf8(struct pidf_reader *r, struct slice charset, struct slice *bytes)
{
    if (charset.len == 0 || slice_eq_nocase(charset, SLICE_LIT("utf-8"))) {
        return PIDF_WHY_OK;
    }
    if (body_to_utf8(&r->utf8, charset, *bytes)) {
        return PIDF_WHY_ENCODING;
    }
    if (r->utf8.failed) {
        /* A character that had no room, or no memory for one that had. */
        return buf_room(&r->utf8) < 4 ? PIDF_WHY_TOO_BIG : PIDF_WHY_NOMEM;
    }
    *bytes = buf_slice(&r->utf8);
    /* What marked the byte order is no part of the text. */
    if (slice_starts(*bytes, SLICE_LIT("\xef\xbb\xbf"))) {
        *bytes = slice_from(*bytes, 3);
    }
    return PIDF_WHY_OK;
}

static enum pidf_why why_of(enum xml_why why)
{
    switch (why) {
    case XML_WHY_RESTRICTED:
        return PIDF_WHY_DOCTYPE;
    case XML_WHY_TOO_BIG:
        return PIDF_WHY_TOO_BIG;
    case XML_WHY_NOMEM:
        return PIDF_WHY_NOMEM;
    case XML_WHY_NONE:
    case XML_WHY_NOT_WELL_FORMED:
    case XML_WHY_UNSUPPORTED_ENCODING:
        break;
    }
    return PIDF_WHY_MALFORMED;
}

static void begin(struct pidf_reader *r, const struct pidf_in *in)
{
    buf_clear(&r->utf8);
    buf_release_if_empty(&r->utf8);
    buf_clear(&r->text);
    r->in = in;
    r->lang = slice_trim(in->content_language);
    pidf_item_clear(&r->person);
    pidf_item_clear(&r->all);
    r->doing = (struct pidf_doing){0};
    r->tuple_count = 0;
}

static enum pidf_why read_as(struct pidf_reader *r, struct presence_state *state,
                             const struct sip_media_type *type)
{
    enum kind kind = kind_of(type);
    struct slice bytes = r->in->bytes;
    enum pidf_why why;

    if (kind == KIND_NONE) {
        return PIDF_WHY_MEDIA_TYPE;
    }
    if (r->in->content_encoding.len > 0 &&
        !slice_eq_nocase(slice_trim(r->in->content_encoding), SLICE_LIT("identity"))) {
        return PIDF_WHY_ENCODING;
    }
    if (bytes.len > PIDF_BYTES_MAX) {
        return PIDF_WHY_TOO_BIG;
    }
    why = to_utf8(r, charset_of(type, bytes), &bytes);
    if (why != PIDF_WHY_OK) {
        return why;
    }
    r->tree = xml_parser_document(r->parser, bytes);
    if (!r->tree) {
        return why_of(xml_parser_why(r->parser));
    }
    return kind == KIND_PIDF ? pidf_read_pidf(r, state) : pidf_read_categories(r, state);
}

enum pidf_why pidf_read(struct pidf_reader *r, struct presence_state *state,
                        const struct pidf_in *in)
{
    struct sip_media_type type;
    enum pidf_why why;

    presence_clear(state);
    if (slice_trim(in->bytes).len == 0) {
        return PIDF_WHY_EMPTY;
    }
    if (sip_media_type_parse(in->content_type, &type)) {
        return PIDF_WHY_MEDIA_TYPE;
    }
    begin(r, in);
    why = read_as(r, state, &type);
    if (why != PIDF_WHY_OK) {
        presence_clear(state);
    }
    presence_bound(state);
    return why;
}
