/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format: what a file is, by how it begins. */
#include "base/ascii.h"
#include "base/err.h"
#include "import/text.h"

#define REMEDY "export with \"... | Export-Clixml FILE\" instead (fedgatectl(1) lists the commands)"

/* "#TYPE" of 5.1, or the quoted names of properties in one line. */
static bool is_csv(struct slice first_line)
{
    return slice_starts(first_line, SLICE_LIT("#TYPE ")) ||
           (slice_starts(first_line, SLICE_LIT("\"")) && slice_find(first_line, ',') > 0);
}

/* "Identity      : a.example" */
static bool is_format_list(struct slice line)
{
    size_t at = 0;

    while (at < line.len && ascii_is_alnum(line.ptr[at])) {
        at++;
    }
    if (at == 0) {
        return false;
    }
    while (at < line.len && line.ptr[at] == ' ') {
        at++;
    }
    return at < line.len && line.ptr[at] == ':' && (at + 1 == line.len || line.ptr[at + 1] == ' ');
}

static bool is_rule(struct slice line)
{
    size_t dashes = 0;

    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != '-' && line.ptr[i] != ' ') {
            return false;
        }
        dashes += line.ptr[i] == '-';
    }
    return dashes > 1;
}

int import_format_of(struct slice text, enum import_format *out, struct import_fault *fault)
{
    struct slice rest = slice_trim(text);
    struct slice line;
    struct slice second;

    if (rest.len == 0) {
        return import_refuse(fault, IMPORT_NOWHERE,
                             "is empty: the command found nothing, or was not allowed to see it; "
                             "run it in the management shell as a member of CsAdministrator");
    }
    if (slice_starts(rest, SLICE_LIT("PK\x03\x04"))) {
        return import_refuse(
            fault, IMPORT_NOWHERE,
            "is an archive (Export-CsConfiguration); its format is not documented: " REMEDY);
    }
    if (rest.ptr[0] == '<' || slice_starts(rest, SLICE_LIT("#< CLIXML"))) {
        *out = IMPORT_FORMAT_CLIXML;
        return 0;
    }
    if (rest.ptr[0] == '[' || rest.ptr[0] == '{' || slice_eq_cstr(rest, "null")) {
        *out = IMPORT_FORMAT_JSON;
        return 0;
    }
    (void)slice_cut(&rest, '\n', &line);
    line = slice_trim(line);
    (void)slice_cut(&rest, '\n', &second);
    if (is_csv(line)) {
        return import_refuse(
            fault, 0, "was written by Export-Csv, which loses the lists of domains: " REMEDY);
    }
    if (is_format_list(line)) {
        return import_refuse(
            fault, 0, "is the text of Format-List, which cuts lists and wraps lines: " REMEDY);
    }
    if (is_rule(slice_trim(second))) {
        return import_refuse(fault, 0,
                             "is the text of Format-Table, which cuts names and lists: " REMEDY);
    }
    return import_refuse(fault, 0, "is neither CLIXML nor JSON: " REMEDY);
}
