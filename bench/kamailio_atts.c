/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kamailio_atts: preloaded into Kamailio 5.6 for bench/messages. Its xmpp module reads expat's
 * attributes up to an empty string, but the list ends with NULL, so that it dies of the first
 * element (its issue 4154). Here the module's handlers get a list that ends as they expect, an
 * empty string before the NULL; nothing else is changed. Single-threaded, as Kamailio's processes
 * are. */
#include <dlfcn.h>
#include <expat.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define ATTS_MAX     64u /* names and values; Kamailio's stanzas have four attributes */
#define HANDLERS_MAX 3u

typedef void set_fn(XML_Parser p, XML_StartElementHandler start, XML_EndElementHandler end);

static XML_StartElementHandler handlers[HANDLERS_MAX];

static void call(unsigned which, void *ctx, const XML_Char *name, const XML_Char **atts)
{
    const XML_Char *ended[ATTS_MAX + 2];
    unsigned n = 0;

    while (atts[n]) {
        if (n == ATTS_MAX) {
            (void)fputs("kamailio_atts: an element with too many attributes\n", stderr);
            abort();
        }
        ended[n] = atts[n];
        n++;
    }
    ended[n] = "";
    ended[n + 1] = NULL;
    handlers[which](ctx, name, ended);
}

/* expat's handlers know only their parser's user data: one for each that is registered. */
static void call_0(void *ctx, const XML_Char *name, const XML_Char **atts)
{
    call(0, ctx, name, atts);
}

static void call_1(void *ctx, const XML_Char *name, const XML_Char **atts)
{
    call(1, ctx, name, atts);
}

static void call_2(void *ctx, const XML_Char *name, const XML_Char **atts)
{
    call(2, ctx, name, atts);
}

void XML_SetElementHandler(XML_Parser p, XML_StartElementHandler start, XML_EndElementHandler end)
{
    static const XML_StartElementHandler calls[HANDLERS_MAX] = {call_0, call_1, call_2};
    /* The module brought it along for itself alone: it is no "next" one of ours. */
    void *expat = dlopen("libexpat.so.1", RTLD_NOW | RTLD_LOCAL);
    void *real = expat ? dlsym(expat, "XML_SetElementHandler") : NULL;
    set_fn *set;
    unsigned i = 0;

    _Static_assert(sizeof(set) == sizeof(real), "a function's address is a pointer");
    __builtin_memcpy(&set, &real, sizeof(set));
    while (start && i < HANDLERS_MAX && handlers[i] && handlers[i] != start) {
        i++;
    }
    if (!set || i == HANDLERS_MAX) {
        (void)fputs("kamailio_atts: no expat, or more handlers than expected\n", stderr);
        abort();
    }
    handlers[i] = start ? start : handlers[i];
    set(p, start ? calls[i] : NULL, end);
}
