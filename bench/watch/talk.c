/* SPDX-License-Identifier: GPL-2.0-or-later */
/* talk: the few steps of XMPP that a partner's server needs, or a component's server (RFC 6120,
 * XEP-0178, XEP-0114, XEP-0198 receiving side). Anything unexpected ends the program with what was
 * read. */
#include <stdio.h>
#include <string.h>

#include "watch.h"

#define NS_TLS    "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL   "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_SM     "urn:xmpp:sm:3"
#define NAME_SIZE 256

/* Takes the stream one step further. */
static void set_step(struct conn *c, enum step step)
{
    c->step = step;
}

static bool starts(const char *at, size_t len, const char *tag)
{
    size_t n = strlen(tag);
    return len > n && memcmp(at, tag, n) == 0 && strchr(" />\t\r\n", at[n]) != NULL;
}

static bool holds(const char *at, size_t len, const char *text)
{
    return memmem(at, len, text, strlen(text)) != NULL;
}

/* Value of an attribute of a tag; name with a blank before and = behind. */
static void attribute(const char *tag, size_t len, const char *name, char value[NAME_SIZE])
{
    value[0] = '\0';
    const char *at = memmem(tag, len, name, strlen(name));
    if (!at || at + strlen(name) >= tag + len) {
        return;
    }
    at += strlen(name);
    const char *end = memchr(at + 1, *at, (size_t)(tag + len - at - 1));
    if (end && end - at - 1 < NAME_SIZE) {
        memcpy(value, at + 1, (size_t)(end - at - 1));
        value[end - at - 1] = '\0';
    }
}

__attribute__((noreturn)) static void unexpected(const struct conn *c, const char *at, size_t len)
{
    die("unexpected on a connection of role %d, step %d: %.*s", (int)c->role, (int)c->step,
        (int)len, at);
}

static void base64(const char *text, char out[2 * NAME_SIZE])
{
    (void)EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)strlen(text));
}

static void send_header(struct load *l, struct conn *c)
{
    memset(&c->scan, 0, sizeof c->scan);
    wire_printf(l, c,
                "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
                "xmlns:stream='http://etherx.jabber.org/streams' "
                "xmlns:db='jabber:server:dialback' "
                "from='p0000.%s' to='%s' version='1.0'>",
                l->suffix, l->inside);
    set_step(c, STEP_HEADER);
}

void talk_connected(struct load *l, struct conn *c)
{
    bool is_sip = c->role == ROLE_POOL || c->role == ROLE_PHONE;
    if (is_sip && l->sip_plain) {
        set_step(c, STEP_READY);
    } else if (is_sip) {
        wire_start_tls(l, c, l->inside);
    } else if (c->role == ROLE_DIALLED) {
        send_header(l, c);
    } else {
        set_step(c, STEP_HEADER);
    }
}

void talk_secured(struct load *l, struct conn *c)
{
    if (c->role == ROLE_POOL || c->role == ROLE_PHONE) {
        set_step(c, STEP_READY);
    } else if (c->role == ROLE_DIALLED) {
        send_header(l, c);
    } else {
        set_step(c, STEP_HEADER);
    }
}

/* A server's stream has told its features. */
static void on_features(struct load *l, struct conn *c, const char *at, size_t len)
{
    if (!c->ssl && holds(at, len, NS_TLS)) {
        wire_printf(l, c, "<starttls xmlns='" NS_TLS "'/>");
        set_step(c, STEP_PROCEED);
    } else if (c->ssl && !c->authenticated && holds(at, len, "EXTERNAL")) {
        char name[NAME_SIZE];
        char proof[2 * NAME_SIZE];
        (void)snprintf(name, sizeof name, "p0000.%s", l->suffix);
        base64(name, proof);
        wire_printf(l, c, "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>%s</auth>", proof);
        set_step(c, STEP_SUCCESS);
    } else if (c->authenticated) {
        set_step(c, STEP_READY);
    } else {
        unexpected(c, at, len);
    }
}

static void on_dialled(struct load *l, struct conn *c, const char *at, size_t len)
{
    if (c->step == STEP_HEADER && starts(at, len, "<stream:features")) {
        on_features(l, c, at, len);
    } else if (c->step == STEP_PROCEED && starts(at, len, "<proceed")) {
        wire_start_tls(l, c, l->inside);
    } else if (c->step == STEP_SUCCESS && starts(at, len, "<success")) {
        c->authenticated = true;
        c->in_len = 0;
        send_header(l, c);
    } else {
        unexpected(c, at, len);
    }
}

/* A component's stream (XEP-0114); whatever it proves is right. */
static void answer_component(struct load *l, struct conn *c)
{
    wire_printf(l, c,
                "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
                "xmlns:stream='http://etherx.jabber.org/streams' id='load-%d' from='%s'>",
                c->fd, l->gateway);
    set_step(c, STEP_HANDSHAKE);
}

/* Somebody's header: ours, and the features that are due. */
static void answer_header(struct load *l, struct conn *c, const char *at, size_t len)
{
    if (l->gateway) {
        answer_component(l, c);
        return;
    }
    char from[NAME_SIZE];
    char to[NAME_SIZE];
    attribute(at, len, " from=", from);
    attribute(at, len, " to=", to);
    const char *features = !c->ssl ? "<starttls xmlns='" NS_TLS "'><required/></starttls>"
                           : !c->authenticated ? "<mechanisms xmlns='" NS_SASL
                                                 "'><mechanism>EXTERNAL</mechanism></mechanisms>"
                           : "<sm xmlns='" NS_SM "'/>";
    wire_printf(l, c,
                "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
                "xmlns:stream='http://etherx.jabber.org/streams' id='load-%d' "
                "from='%s' to='%s' version='1.0'><stream:features>%s</stream:features>",
                c->fd, to, from, features);
    if (c->authenticated) {
        set_step(c, STEP_READY);
    }
}

static void on_accepted(struct load *l, struct conn *c, const char *at, size_t len)
{
    if (c->step == STEP_HANDSHAKE && starts(at, len, "<handshake")) {
        wire_printf(l, c, "<handshake/>");
        set_step(c, STEP_READY);
        watch_state.stream = c;
    } else if (!c->ssl && starts(at, len, "<starttls")) {
        wire_printf(l, c, "<proceed xmlns='" NS_TLS "'/>");
        wire_start_tls(l, c, NULL);
    } else if (c->ssl && !c->authenticated && starts(at, len, "<auth")) {
        c->authenticated = true;
        c->in_len = 0;
        memset(&c->scan, 0, sizeof c->scan);
        wire_printf(l, c, "<success xmlns='" NS_SASL "'/>");
    } else {
        unexpected(c, at, len);
    }
}

static void on_ready(struct load *l, struct conn *c, const char *at, size_t len)
{
    if (starts(at, len, "<message")) {
        c->stanzas++;
        message_arrived(at, len);
    } else if (starts(at, len, "<r")) {
        wire_printf(l, c, "<a xmlns='" NS_SM "' h='%u'/>", c->stanzas);
    } else if (starts(at, len, "<enable")) {
        c->stanzas = 0;
        wire_printf(l, c, "<enabled xmlns='" NS_SM "'/>");
    } else {
        c->stanzas += starts(at, len, "<iq") || starts(at, len, "<presence");
        if (starts(at, len, "<presence")) {
            watch_stanza(l, at, len);
        }
    }
}

static void on_header(struct load *l, struct conn *c, const char *at, size_t len)
{
    if (c->step != STEP_HEADER || !starts(at, len, "<stream:stream")) {
        unexpected(c, at, len);
    }
    if (c->role == ROLE_ACCEPTED) {
        answer_header(l, c, at, len);
    }
}

static void on_element(struct load *l, struct conn *c, const char *at, size_t len)
{
    if (c->step == STEP_READY) {
        on_ready(l, c, at, len);
    } else if (c->step == STEP_ENDED) {
        return; /* we dropped it (behind their own end it would be a header); this was on its way */
    } else if (c->role == ROLE_DIALLED) {
        on_dialled(l, c, at, len);
    } else {
        on_accepted(l, c, at, len);
    }
}

void talk_received(struct load *l, struct conn *c)
{
    enum scan_kind kind;
    const char *at;
    size_t len;
    if (c->role == ROLE_POOL || c->role == ROLE_PHONE) {
        phone_received(l, c);
        return;
    }
    while ((kind = scan_next(&c->scan, c->in, c->in_len, &at, &len)) != SCAN_MORE) {
        if (kind == SCAN_HEADER) {
            on_header(l, c, at, len);
        } else if (kind == SCAN_ELEMENT) {
            on_element(l, c, at, len);
        } else {
            set_step(c, STEP_ENDED);
            watch_ended(c);
            wire_finish(l, c);
        }
    }
    size_t done = c->scan.depth > 1 ? c->scan.begin : c->scan.at;
    if (done > 0) {
        memmove(c->in, c->in + done, c->in_len - done);
        c->in_len -= done;
        c->scan.at -= done;
        c->scan.begin = 0;
    }
}
