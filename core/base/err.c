/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err: the tables behind err.def. */
#include "base/err.h"

#include <string.h>

const char *err_name(int err)
{
    const char *name;

    switch (err) {
    case 0:
        return "OK";
#define ERR(name, value, class, text) \
    case value:                       \
        return #name;
#include "base/err.def"
#undef ERR
    default:
        name = err < 0 ? strerrorname_np(-err) : NULL;
        return name ? name : "ERR_UNKNOWN";
    }
}

const char *err_text(int err)
{
    const char *text;

    switch (err) {
    case 0:
        return "success";
#define ERR(name, value, class, text) \
    case value:                       \
        return text;
#include "base/err.def"
#undef ERR
    default:
        text = err < 0 ? strerrordesc_np(-err) : NULL;
        return text ? text : "unknown error";
    }
}

enum err_class err_class_of(int err)
{
    switch (err) {
#define ERR(name, value, class, text) \
    case value:                       \
        return ERR_CLASS_##class;
#include "base/err.def"
#undef ERR
    default:
        return ERR_CLASS_CONN;
    }
}
