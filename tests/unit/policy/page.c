/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page: reads texts of doc/, compares or writes sections of the manual page. */
#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define PAGE "man/fedgate.conf.5"

static FILE *open_page(const char *name, const char *mode)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/doc/%s", FEDGATE_SOURCE_DIR, name);
    f = fopen(path, mode);
    cr_assert_not_null(f, "%s", path);
    return f;
}

char *page_read(const char *name)
{
    static char page[PAGE_BYTES_MAX];
    FILE *f = open_page(name, "r");
    size_t len = fread(page, 1, sizeof(page) - 1, f);

    (void)fclose(f);
    cr_assert_lt(len, sizeof(page) - 1);
    page[len] = '\0';
    return page;
}

static void rewrite_page(const char *page, const char *from, const char *to, struct slice wanted)
{
    FILE *f = open_page(PAGE, "w");

    (void)fwrite(page, 1, (size_t)(from - page), f);
    (void)fwrite(wanted.ptr, 1, wanted.len, f);
    (void)fputs(to, f);
    cr_assert_eq(fclose(f), 0);
}

void page_check_section(const char *name, void (*put)(struct buf *out), const char *rewrite)
{
    struct buf wanted;
    char begin[64];
    char end[64];
    char *page;
    char *from;
    char *to;

    buf_init(&wanted, PAGE_BYTES_MAX);
    put(&wanted); /* may read a page, too */
    cr_assert_not(wanted.failed);
    page = page_read(PAGE);
    (void)snprintf(begin, sizeof(begin), ".\\\" begin %s\n", name);
    (void)snprintf(end, sizeof(end), ".\\\" end %s\n", name);
    from = strstr(page, begin);
    to = strstr(page, end);
    cr_assert(from && to && from < to);
    from += strlen(begin);
    if (getenv(rewrite)) {
        rewrite_page(page, from, to, buf_slice(&wanted));
    } else {
        cr_expect(slice_eq(slice_make(from, (size_t)(to - from)), buf_slice(&wanted)),
                  "the page says:\n%.*s\nit should say:\n%.*s", (int)(to - from), from,
                  SLICE_FMT(buf_slice(&wanted)));
    }
    buf_deinit(&wanted);
}
