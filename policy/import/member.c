/* SPDX-License-Identifier: GPL-2.0-or-later */
/* member: the values of an exported object's members. What a format has lost (names of choices,
 * lists cut at a depth) is never guessed: it is refused with the command that keeps it. */
#include <stdio.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "import/plan_int.h"
#include "policy/quote.h"

#define ELEMENTS_MAX 10000u /* of a list: far more than a partner has domains */

/* Members that objects of the management shell carry for its own use. */
static const char *const bookkeeping[] = {
    "Anchor",           "Key",
    "ScopeClass",       "Element",
    "XmlRoot",          "XsAnyElements",
    "XsAnyAttributes",  "TypedIdentity",
    "Priority",         "PSComputerName",
    "RunspaceId",       "PSShowComputerName",
    "PSPath",           "PSParentPath",
    "PSChildName",      "PSDrive",
    "PSProvider",       "PSIsContainer",
    "WhenChanged",      "WhenCreated",
    "ConfigId",         "DataSource",
    "OriginalIdentity", "DistinguishedName",
    "ObjectState",      "IsValid",
    "ObjectClass",      "OriginatingServer",
    "ObjectCategory",
};

bool import_is_bookkeeping(struct slice name)
{
    for (size_t i = 0; i < ARRAY_COUNT(bookkeeping); i++) {
        if (slice_eq_nocase(name, slice_from_cstr(bookkeeping[i]))) {
            return true;
        }
    }
    return false;
}

/* What ConvertTo-Json and Export-Clixml leave of what is below their depth. */
static bool is_cut_off(struct slice text)
{
    return slice_starts(text, SLICE_LIT("@{")) || slice_starts(text, SLICE_LIT("System.")) ||
           slice_starts(text, SLICE_LIT("Microsoft.Rtc.")) || slice_ends(text, SLICE_LIT("[]"));
}

/* The command that helps is long: it is written once for each file and kind. */
static const char *remedy(struct import_record *r, const char *text, uint32_t told[])
{
    if (told[r->kind] == r->plan->file_count) {
        return "exported as said above, it comes over";
    }
    told[r->kind] = r->plan->file_count;
    return text;
}

static bool refuse_cut_off(struct import_record *r, const char *name)
{
    const char *how = import_printf(r->plan,
                                    "export with: %s | Export-Clixml FILE, or with ConvertTo-Json "
                                    "-Depth 5",
                                    import_kind_cmdlet(r->kind));

    import_note(r, IMPORT_REFUSES, "%s was cut off by the export's depth; %s", name,
                remedy(r, how, r->plan->told_depth));
    return false;
}

static bool refuse_number(struct import_record *r, const char *name)
{
    const char *how = import_printf(
        r->plan,
        "ConvertTo-Json without -EnumsAsStrings, which Windows PowerShell 5.1 does not have, "
        "writes "
        "numbers for names, and what they mean is not documented; export again with: %s",
        import_kind_one_liner(r->kind));

    import_note(r, IMPORT_REFUSES, "%s is a number; %s", name, remedy(r, how, r->plan->told_names));
    return false;
}

static bool refuse_value(struct import_record *r, const char *name, const char *wanted)
{
    import_note(r, IMPORT_REFUSES, "%s is not %s; export again with: %s | Export-Clixml FILE", name,
                wanted, import_kind_cmdlet(r->kind));
    return false;
}

static bool is_digits(struct slice text)
{
    uint64_t number;

    return slice_parse_u64(text, &number);
}

/* --- one value --- */

/* Text of a text, or of an object that shows itself as one (an enumeration, an identity). */
static bool text_of(const struct import_tree *t, uint32_t node, struct slice *out)
{
    const struct import_node *n = &t->nodes[node];

    *out = import_text_of(t, node);
    return n->value == IMPORT_TEXT || (n->value == IMPORT_OBJECT && n->has_text);
}

static bool put(struct import_record *r, struct props *props, enum schema_key_idx key,
                struct slice value)
{
    char why[PROPS_WHY_BYTES];

    if (props_set(props, key, value, why) != 0) {
        import_note(r, IMPORT_REFUSES, "%s", why);
        return false;
    }
    return true;
}

static bool set_choice(struct import_record *r, struct props *props, enum schema_key_idx key,
                       uint32_t node, const char *name)
{
    struct slice text;

    if (r->tree->nodes[node].value == IMPORT_NUMBER) {
        return refuse_number(r, name);
    }
    if (!text_of(r->tree, node, &text)) {
        return refuse_value(r, name, "the name of a choice");
    }
    if (is_digits(text)) {
        return refuse_number(r, name);
    }
    return is_cut_off(text) ? refuse_cut_off(r, name) : put(r, props, key, text);
}

static bool set_bool(struct import_record *r, struct props *props, enum schema_key_idx key,
                     uint32_t node, const char *name)
{
    struct slice text = import_text_of(r->tree, node);
    enum import_value value = (enum import_value)r->tree->nodes[node].value;

    if ((value != IMPORT_BOOL && value != IMPORT_TEXT) ||
        (!slice_eq_nocase(text, SLICE_LIT("true")) && !slice_eq_nocase(text, SLICE_LIT("false")))) {
        return refuse_value(r, name, "true or false");
    }
    return put(r, props, key, text);
}

/* Old limits go up to 4294967295, which people wrote for "no limit"; ours have an end. */
static bool set_number(struct import_record *r, struct props *props, enum schema_key_idx key,
                       uint32_t node, const char *name)
{
    const struct schema_key *k = schema_key_at(key);
    struct slice text = import_text_of(r->tree, node);
    enum import_value value = (enum import_value)r->tree->nodes[node].value;
    char most[24];
    uint64_t number;
    int len;

    if ((value != IMPORT_NUMBER && value != IMPORT_TEXT) || !slice_parse_u64(text, &number)) {
        return refuse_value(r, name, "a whole number");
    }
    if (number < k->min && !(number == 0 && (k->flags & SCHEMA_ZERO_OFF))) {
        import_note(r, IMPORT_REFUSES,
                    "%s is %llu; here it is at least %llu: set it so before the "
                    "export, or leave the member out for the default",
                    name, (unsigned long long)number, (unsigned long long)k->min);
        return false;
    }
    if (number > k->max) {
        import_note(r, IMPORT_WARNS, "%s is %llu; here it is at most %llu, which is written", name,
                    (unsigned long long)number, (unsigned long long)k->max);
        number = k->max;
    }
    len = snprintf(most, sizeof(most), "%llu", (unsigned long long)number);
    return put(r, props, key, slice_make(most, (size_t)len));
}

static bool set_text(struct import_record *r, struct props *props, enum schema_key_idx key,
                     uint32_t node, const char *name)
{
    struct slice text;

    if (!text_of(r->tree, node, &text)) {
        return refuse_value(r, name, "a text");
    }
    text = slice_trim(text);
    if (key == KEY_partner_description || key == KEY_partner_maintenance) {
        return put(r, props, key, import_clean_description(r, text)); /* may look like anything */
    }
    return is_cut_off(text) ? refuse_cut_off(r, name) : put(r, props, key, text);
}

static bool add_element(struct import_record *r, struct props *props, enum schema_key_idx key,
                        uint32_t node, const char *name)
{
    char why[PROPS_WHY_BYTES];
    struct slice text;

    if (!text_of(r->tree, node, &text)) {
        return refuse_value(r, name, "a list of texts");
    }
    if (is_cut_off(text)) {
        return refuse_cut_off(r, name);
    }
    if (props_add(props, key, slice_trim(text), why) != 0) {
        import_note(r, IMPORT_REFUSES, "%s", why);
        return false;
    }
    return true;
}

/* Also one text, to which pipelines shorten a list of one; with blanks inside it was a list that
 * the depth cut. */
static bool set_list(struct import_record *r, struct props *props, enum schema_key_idx key,
                     uint32_t node, const char *name)
{
    uint32_t list = import_wrapped_list(r->tree, node);
    struct slice text;
    uint32_t child = IMPORT_NONE;

    list = list == IMPORT_NONE ? node : list;
    if (r->tree->nodes[list].value == IMPORT_LIST) {
        if (import_child_count(r->tree, list) > ELEMENTS_MAX) {
            import_note(r, IMPORT_REFUSES, "%s has more than %u elements", name, ELEMENTS_MAX);
            return false;
        }
        while ((child = import_next_child(r->tree, list, child)) != IMPORT_NONE) {
            if (!add_element(r, props, key, import_resolve(r->tree, child), name)) {
                return false;
            }
        }
        if (key == KEY_partner_allowed_users && r->tree->nodes[list].first == IMPORT_NONE) {
            props_set_none(props, key); /* nobody; null is everybody */
        }
        return true;
    }
    if (r->tree->nodes[list].value != IMPORT_TEXT) {
        /* Its count, or {"Length": n}: whatever it is, the elements are gone. */
        return refuse_cut_off(r, name);
    }
    text = slice_trim(import_text_of(r->tree, list));
    if (slice_find(text, ' ') >= 0 || slice_find(text, ',') >= 0 || slice_find(text, '{') >= 0) {
        return refuse_cut_off(r, name);
    }
    return text.len == 0 || add_element(r, props, key, list, name);
}

/* Sets key from a value that is there. */
static bool set(struct import_record *r, struct props *props, enum schema_key_idx key,
                uint32_t node)
{
    char name[PROPS_NAME_BYTES];

    (void)props_old_name(key, name);
    switch (schema_key_at(key)->kind) {
    case SCHEMA_CHOICE:
        return set_choice(r, props, key, node, name);
    case SCHEMA_BOOL:
        return set_bool(r, props, key, node, name);
    case SCHEMA_NUMBER:
        return set_number(r, props, key, node, name);
    case SCHEMA_TEXTS:
        return set_list(r, props, key, node, name);
    case SCHEMA_TEXT:
    case SCHEMA_OBJECT:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
    default:
        return set_text(r, props, key, node, name);
    }
}

/* --- all members --- */

static bool is_one_of(struct slice name, const char *const *names)
{
    for (uint32_t i = 0; names && names[i]; i++) {
        if (slice_eq_nocase(name, slice_from_cstr(names[i]))) {
            return true;
        }
    }
    return false;
}

void import_leave_member(struct import_record *r, struct slice name)
{
    if (import_is_bookkeeping(name) || name.len == 0) {
        r->plan->bookkeeping++;
    } else {
        char text[128];
        int len = snprintf(text, sizeof(text), "%.*s (%s)", (int)utf8_cut(name, 64), name.ptr,
                           import_kind_name(r->kind));

        import_mapped(r->plan, slice_make(text, (size_t)len), "");
    }
}

void import_leave_others(struct import_record *r, const char *const *taken)
{
    uint32_t child = IMPORT_NONE;

    while ((child = import_next_child(r->tree, r->node, child)) != IMPORT_NONE) {
        if (!is_one_of(import_name(r->tree, child), taken)) {
            import_leave_member(r, import_name(r->tree, child));
        }
    }
}

/* A name that is nearly a property's is a mistake, and the property's default would count. */
static void leave(struct import_record *r, struct slice name, enum schema_section section)
{
    char near[PROPS_NAME_BYTES];

    if (!import_is_bookkeeping(name) && name.len && props_suggest(section, name, near)) {
        import_note(r, IMPORT_REFUSES,
                    "the member %s is unknown; did you mean %s? Correct the "
                    "name, or take the member out",
                    quote(name).text, near);
        return;
    }
    import_leave_member(r, name);
}

void import_set_all(struct import_record *r, struct props *props, uint32_t *given, const char *path,
                    const char *const *skip)
{
    uint32_t first = (uint32_t)props_first_key(props->section);
    uint32_t child = IMPORT_NONE;
    uint32_t extended = 0;
    enum schema_key_idx key;
    char to[96];

    *given = 0;
    while ((child = import_next_child(r->tree, r->node, child)) != IMPORT_NONE) {
        struct slice name = import_name(r->tree, child);
        bool is_extended = r->tree->nodes[child].is_extended;
        uint32_t node = import_resolve(r->tree, child);
        uint32_t bit;

        if (is_one_of(name, skip)) {
            continue;
        }
        if (!props_find(props->section, name, &key)) {
            leave(r, name, props->section);
            continue;
        }
        bit = 1u << ((uint32_t)key - first);
        if ((*given & bit) && is_extended == ((extended & bit) != 0)) {
            import_note(r, IMPORT_REFUSES, "the member %s is there twice", quote(name).text);
            continue;
        }
        if ((*given & bit) && !is_extended) {
            continue; /* hidden by the extended one */
        }
        *given |= bit;
        extended |= is_extended ? bit : 0;
        props_clear(props, key);
        (void)snprintf(to, sizeof(to), "%s%s", path, schema_key_at(key)->name);
        import_mapped(r->plan, name, to);
        if (r->tree->nodes[node].value != IMPORT_NIL && set(r, props, key, node) &&
            (schema_key_at(key)->flags & SCHEMA_LATER) && props_is_special(props, key)) {
            import_note(r, IMPORT_WARNS, "%s comes over, but has no effect in this release",
                        quote(name).text);
        }
    }
}

/* --- single members --- */

enum import_found import_take_text(struct import_record *r, const char *name, struct slice *out)
{
    uint32_t node = import_member(r->tree, r->node, name);

    *out = SLICE_NONE;
    if (node == IMPORT_NONE) {
        return IMPORT_ABSENT;
    }
    if (r->tree->nodes[node].value == IMPORT_NIL) {
        return IMPORT_EMPTY;
    }
    if (!text_of(r->tree, node, out)) {
        (void)refuse_value(r, name, "a text");
        return IMPORT_BAD;
    }
    if (is_cut_off(*out) && strcmp(name, "Description") != 0) { /* free text: like anything */
        (void)refuse_cut_off(r, name);
        return IMPORT_BAD;
    }
    *out = slice_trim(*out);
    return out->len ? IMPORT_GOOD : IMPORT_EMPTY;
}

enum import_found import_take_bool(struct import_record *r, const char *name, bool *out)
{
    uint32_t node = import_member(r->tree, r->node, name);
    struct slice text;

    *out = false;
    if (node == IMPORT_NONE) {
        return IMPORT_ABSENT;
    }
    if (r->tree->nodes[node].value == IMPORT_NIL) {
        return IMPORT_EMPTY;
    }
    text = import_text_of(r->tree, node);
    *out = slice_eq_nocase(text, SLICE_LIT("true"));
    if ((r->tree->nodes[node].value != IMPORT_BOOL && r->tree->nodes[node].value != IMPORT_TEXT) ||
        (!*out && !slice_eq_nocase(text, SLICE_LIT("false")))) {
        (void)refuse_value(r, name, "true or false");
        return IMPORT_BAD;
    }
    return IMPORT_GOOD;
}

struct slice import_clean_description(struct import_record *r, struct slice text)
{
    size_t most = (size_t)schema_key_at(KEY_partner_description)->max;
    bool is_changed = false;
    struct slice cut = text;
    char *clean;

    if (text.len > most) {
        cut = slice_to(text, utf8_cut(text, most));
        import_note(r, IMPORT_WARNS, "the description has %zu bytes and is cut to %zu", text.len,
                    cut.len);
    }
    clean = arena_strdup(r->plan->arena, cut);
    for (size_t i = 0; i < cut.len; i++) {
        if ((unsigned char)clean[i] < 0x20 || clean[i] == 0x7f) {
            clean[i] = ' ';
            is_changed = true;
        }
    }
    if (is_changed) {
        import_note(r, IMPORT_WARNS, "line ends in the description become blanks");
    }
    return slice_trim(slice_make(clean, cut.len));
}

bool import_domain_key(struct import_record *r, const char *what, struct slice name,
                       struct jid_ascii *key)
{
    const char *fault = jid_domain_fault(name);

    if (!fault && jid_domain_to_ascii(name, key) != 0) {
        fault = "is not a domain name";
    }
    if (fault) {
        import_note(r, IMPORT_REFUSES, "%s %s %s", what, quote(name).text, fault);
    }
    return fault == NULL;
}

bool import_take_domain(struct import_record *r, struct slice *name, struct jid_ascii *key)
{
    struct jid_ascii other;
    struct slice identity;
    enum import_found by_domain = import_take_text(r, "Domain", name);
    enum import_found by_identity = import_take_text(r, "Identity", &identity);

    if (by_domain == IMPORT_BAD || by_identity == IMPORT_BAD) {
        return false;
    }
    if (by_domain != IMPORT_GOOD && by_identity != IMPORT_GOOD) {
        import_note(r, IMPORT_REFUSES,
                    "has neither Domain nor Identity; export with: %s | "
                    "Export-Clixml FILE",
                    import_kind_cmdlet(r->kind));
        return false;
    }
    *name = by_domain == IMPORT_GOOD ? *name : identity;
    r->object = import_printf(r->plan, "%s %s", import_kind_name(r->kind), quote(*name).text);
    if (!import_domain_key(r, "the domain", *name, key)) {
        return false;
    }
    if (by_domain == IMPORT_GOOD && by_identity == IMPORT_GOOD &&
        (jid_domain_to_ascii(identity, &other) != 0 ||
         !slice_eq(jid_ascii_slice(&other), jid_ascii_slice(key)))) {
        import_note(r, IMPORT_REFUSES,
                    "Identity is %s and Domain another; they must be the same: correct one of them",
                    quote(identity).text);
        return false;
    }
    return true;
}
