/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stanza: view of a message, presence or iq over a parsed element; the rules of RFC 6120 8 and the
 * error answer. Addresses are parsed and normalised once, here; everyone decides on and forwards
 * the normalised form.
 * Ownership: a struct stanza borrows from the tree and is valid as long as that is, its addresses
 * (jid_view) as well: they point into the tree where they are in normal form there, else into the
 * struct (do not copy it). Whoever keeps an address longer takes jid_copy(). One thread.         */
#ifndef FG_XMPP_STANZA_H
#define FG_XMPP_STANZA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "xml/xml.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"

enum stanza_kind { STANZA_MESSAGE, STANZA_PRESENCE, STANZA_IQ };

enum stanza_type {
    /* message; an unknown type counts as normal (RFC 6121 5.2.2) */
    STANZA_TYPE_NORMAL,
    STANZA_TYPE_CHAT,
    STANZA_TYPE_GROUPCHAT,
    STANZA_TYPE_HEADLINE,
    /* presence */
    STANZA_TYPE_AVAILABLE, /* no type */
    STANZA_TYPE_UNAVAILABLE,
    STANZA_TYPE_SUBSCRIBE,
    STANZA_TYPE_SUBSCRIBED,
    STANZA_TYPE_UNSUBSCRIBE,
    STANZA_TYPE_UNSUBSCRIBED,
    STANZA_TYPE_PROBE,
    /* iq */
    STANZA_TYPE_GET,
    STANZA_TYPE_SET,
    STANZA_TYPE_RESULT,
    /* all three */
    STANZA_TYPE_ERROR,
    /* a value the kind does not have: STANZA_FAULT_TYPE */
    STANZA_TYPE_BAD,
};

struct stanza {
    enum stanza_kind kind;
    enum stanza_type type;
    struct jid from;
    struct jid to;
    struct slice id;             /* may be empty */
    struct slice lang;           /* its own xml:lang, else the stream's; may be empty */
    const struct xml_tree *tree; /* node 0 is the stanza */
    uint32_t payload;            /* iq get/set/result: its one child element, else XML_NO_NODE */
    struct jid_storage from_mem;
    struct jid_storage to_mem;
};

enum stanza_fault {
    STANZA_OK,
    STANZA_FAULT_KIND,         /* not a stanza of namespace ns: nothing else is filled */
    STANZA_FAULT_FROM_MISSING, /* stream error improper-addressing (RFC 6120 8.1.2.2) */
    STANZA_FAULT_FROM,         /* not an address; stream error invalid-from */
    STANZA_FAULT_TO_MISSING,   /* stream error improper-addressing; from is filled */
    STANZA_FAULT_TO,           /* stanza error jid-malformed; to is empty */
    /* All is filled; stanza error bad-request. */
    STANZA_FAULT_TYPE,        /* presence or iq of no known type, iq without type */
    STANZA_FAULT_IQ_ID,       /* iq without id */
    STANZA_FAULT_IQ_CHILDREN, /* iq get/set without exactly one child, result with more than one */
    STANZA_FAULT_NAMESPACE,   /* a namespace name that is no URI: see has_bad_ns of xml.h */
    STANZA_FAULT_NOMEM,
};

/* ns: the content namespace of the stream; lang: the stream's xml:lang, used when the stanza has
 * none (RFC 6120 8.1.5). The first fault found is returned. */
NODISCARD enum stanza_fault stanza_view(struct stanza *st, const struct xml_tree *t,
                                        struct slice ns, struct slice lang);
/* The stanza error for a fault, STANZA_CONDITION_NONE where a stream error is due. */
enum stanza_condition stanza_fault_condition(enum stanza_fault f);
const char *stanza_fault_text(enum stanza_fault f);
const char *stanza_kind_name(enum stanza_kind k);

/* False for errors and iq results: they are never answered (RFC 6120 8.3.1), and for presence of
 * kinds that RFC 6121 does not bounce (anything but subscribe and available to us). */
bool stanza_may_bounce(const struct stanza *st);
/* The error answer: kind and id of st, addresses swapped. For the content namespace of the stream
 * it is appended to. Writes nothing unless stanza_may_bounce(). */
void stanza_write_error(struct buf *out, const struct stanza *st, const struct stanza_error *e);
/* Reads the <error/> of a stanza of type error. False when there is none; an unknown condition is
 * undefined-condition. Slices borrow from the tree. */
NODISCARD bool stanza_read_error(const struct stanza *st, struct stanza_error *out);

/* ` name="local@domain/resource"`, escaped. */
void stanza_write_address(struct buf *out, const char *name, const struct jid *j);

/* <iq type="get"> with a XEP-0199 ping from one domain to another. */
void stanza_write_ping(struct buf *out, struct slice from, struct slice to, struct slice id);

#endif
