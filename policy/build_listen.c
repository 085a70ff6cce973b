/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build_listen: the addresses that are listened on. */
#include "policy/address.h"
#include "policy/build.h"
#include "policy/quote.h"

#define LISTENS_MAX 64u

struct listens {
    struct listen_address *list;
    uint32_t count;
};

static bool is_same(const struct listen_address *a, const struct sockaddr_storage *addr,
                    socklen_t addr_len)
{
    return a->addr_len == addr_len && memcmp(&a->addr, addr, addr_len) == 0;
}

/* Cuts "tls:" or "tcp:" off; false when there is neither. */
static bool sip_kind(struct slice *text, enum listen_kind *kind)
{
    if (slice_starts(*text, SLICE_LIT("tls:"))) {
        *kind = LISTEN_SIP_TLS;
    } else if (slice_starts(*text, SLICE_LIT("tcp:"))) {
        *kind = LISTEN_SIP_TCP;
    } else {
        return false;
    }
    *text = slice_from(*text, 4);
    return true;
}

static void add_listens(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                        enum listen_kind kind, struct listens *out)
{
    uint32_t node = JSON_NONE;
    uint32_t element = 0;
    struct slice text;

    while (schema_next_text(l, schema_get(v, key), &node, &element, &text)) {
        struct sockaddr_storage addr;
        socklen_t addr_len = 0;
        const char *fault = NULL;

        if (key == KEY_listen_sip && !sip_kind(&text, &kind)) {
            fault = "must begin with \"tls:\" or \"tcp:\", as \"tls:0.0.0.0:5061\"";
        } else {
            fault = address_parse(text, &addr, &addr_len);
        }
        for (uint32_t i = 0; !fault && i < out->count; i++) {
            if (is_same(&out->list[i], &addr, addr_len)) {
                fault = "is listened on twice; one address and port serves one purpose";
            }
        }
        if (!fault && out->count == LISTENS_MAX) {
            fault = "is one too many: at most 64 addresses are listened on";
        }
        if (fault) {
            schema_element_error(l, v, key, element, node, "%s", fault);
            continue;
        }
        if (kind == LISTEN_COMPONENT && !address_is_loopback(&addr)) {
            schema_warning(l, v, key,
                           "%s is not a loopback address, and the component protocol "
                           "is not encrypted",
                           quote(text).text);
        }
        out->list[out->count++] = (struct listen_address){
            .kind = kind, .text = arena_strdup(l->arena, text), .addr = addr, .addr_len = addr_len};
    }
}

static void build_http(struct load *l, const struct schema_values *v, const struct listens *others)
{
    const struct schema_value *value = schema_get(v, KEY_listen_http);
    struct listen_address *http;
    const char *fault;

    if (!schema_is_written(v, KEY_listen_http) || !value->is_good) {
        return;
    }
    http = arena_zalloc(l->arena, sizeof(*http));
    http->kind = LISTEN_HTTP;
    http->text = arena_strdup(l->arena, value->text);
    fault = address_parse(value->text, &http->addr, &http->addr_len);
    for (uint32_t i = 0; !fault && i < others->count; i++) {
        if (is_same(&others->list[i], &http->addr, http->addr_len)) {
            fault = "is listened on twice; one address and port serves one purpose";
        }
    }
    if (fault) {
        schema_error(l, v, KEY_listen_http, "%s", fault);
        return;
    }
    if (!address_is_loopback(&http->addr)) {
        schema_warning(l, v, KEY_listen_http,
                       "is not a loopback address, and the statistics are not protected");
    }
    l->snapshot->http = http;
}

void build_listen(struct load *l, const struct schema_values *root)
{
    struct load_where where = {.section = "listen"};
    struct listens out = {0};
    struct schema_values v;
    const struct schema_value *admin;

    (void)schema_read(l, schema_get(root, KEY_root_listen)->node, SECTION_listen, &where, &v);
    out.list = arena_zalloc(l->arena, LISTENS_MAX * sizeof(*out.list));
    add_listens(l, &v, KEY_listen_xmpp_server, LISTEN_XMPP_SERVER, &out);
    add_listens(l, &v, KEY_listen_xmpps_server, LISTEN_XMPPS_SERVER, &out);
    if (out.count == 0 && schema_get(&v, KEY_listen_xmpp_server)->is_good &&
        schema_get(&v, KEY_listen_xmpps_server)->is_good) {
        schema_warning(l, &v, KEY_listen_xmpp_server,
                       "neither xmpp_server nor xmpps_server is listened on: no partner can "
                       "connect");
    }
    add_listens(l, &v, KEY_listen_component, LISTEN_COMPONENT, &out);
    add_listens(l, &v, KEY_listen_sip, LISTEN_SIP_TLS, &out);
    for (uint32_t i = 0; i < out.count; i++) {
        l->listens_of[out.list[i].kind]++;
    }
    l->snapshot->listens = out.list;
    l->snapshot->listen_count = out.count;
    build_http(l, &v, &out);
    admin = schema_get(&v, KEY_listen_admin);
    if (schema_is_written(&v, KEY_listen_admin) && admin->is_good) {
        l->snapshot->admin_path = build_path(l, admin->text);
    }
}
