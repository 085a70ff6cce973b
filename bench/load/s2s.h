/* SPDX-License-Identifier: GPL-2.0-or-later */
/* s2s: the partners' servers that the tool plays (RFC 6120, XEP-0178, 0220, 0198 receiving side,
 * 0199), as source and as sink. s2s.c: connections; s2s_dialled.c and s2s_accepted.c: what is said
 * on those of either direction; contacts.c: the kind whose stanzas are presence. Private to the
 * four.
 *
 * A source dials --lines streams, one per flow unless told. A sink accepts what the server dials;
 * with --pings it dials one stream per domain, too, on which it answers pings. Whoever is asked
 * (db:verify) answers for the partners' domains; a key that the server sends us is verified at the
 * server, over a stream dialled for that.                                                        */
#ifndef FG_LOAD_S2S_H
#define FG_LOAD_S2S_H

#include "load/lines.h"
#include "xmpp/dialback.h"

#define S2S_NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define S2S_NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define S2S_NS_SM "urn:xmpp:sm:3"
#define S2S_NS_DIALBACK "jabber:server:dialback"
#define S2S_NS_STREAM "http://etherx.jabber.org/streams"

enum s2s_role {
    S2S_LINE,     /* dialled: of the source, or the sink's for pings */
    S2S_VERIFY,   /* dialled: carries one db:verify */
    S2S_ACCEPTED,
};

struct s2s {
    struct lines lines;
    struct dialback_secret secret;
    uint64_t ids; /* stream ids given */
    /* Takes a <presence/>; NULL = none is expected (it is counted as other). */
    void (*presence)(struct wire *w, const struct xml_tree *t);
};

static inline struct s2s *s2s_of(const struct wire *w)
{
    return CONTAINER_OF(w->lines, struct s2s, lines);
}

/* For party_kind, and a kind that begins with struct s2s and has so many lines to dial. */
void *s2s_new(struct stage *st, enum side side, uint32_t count, size_t bytes);
void s2s_open(void *party, uint32_t line);
void s2s_accept(void *party, struct conn *c);

extern const struct wire_ops s2s_dialled_ops;
extern const struct wire_ops s2s_accepted_ops;

/* A key that came on `asked` is to be verified at the server. */
struct s2s_question {
    struct conn_ref asked;
    uint32_t domain;
    char id[DIALBACK_ID_BYTES_MAX + 1];
    char key[DIALBACK_KEY_CHARS + 1];
};
/* Dials the server and asks; s2s_verified() follows. */
void s2s_verify(struct s2s *p, const struct s2s_question *q);
void s2s_verified(struct s2s *p, const struct s2s_question *q, bool is_valid);
/* Whether TLS is used before authentication. */
bool s2s_has_tls(const struct plan *plan);
bool s2s_has_dialback(const struct plan *plan);
/* Answers an iq get from the server with a result on the stream that we dialled for its domain. */
void s2s_answer_iq(struct s2s *p, const struct xml_tree *t);
/* A stanza that is no message, on a stream that is ready. */
void s2s_stanza(struct wire *w, const struct xml_tree *t);
/* Their </stream:stream>: ours, if it was not said, and the end. */
void s2s_stream_ended(void *wire);
/* A stream error, or something that nobody asked for: the run fails with what was read. */
void s2s_unexpected(struct wire *w, const struct xml_tree *t);

#endif
