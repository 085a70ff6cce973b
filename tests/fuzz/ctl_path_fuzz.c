/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctl_path_fuzz: listen.admin is found in a configuration with any mistake behind it, or it is said
 * what hinders; a configuration that is whole yields what the same bytes with a mistake yield. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/utf8.h"
#include "ctl/client_path.h"

#define FILE_BYTES_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int find(const void *data, size_t size, const char *more, char out[CLIENT_PATH_BYTES])
{
    char why[CLIENT_WHY_BYTES] = "";
    char name[64];
    struct ctl ctl = {.config_path = name};
    int fd = memfd_create("conf", MFD_CLOEXEC);
    int status;

    ASSERT(fd >= 0);
    ASSERT(size == 0 || write(fd, data, size) == (ssize_t)size);
    ASSERT(write(fd, more, strlen(more)) == (ssize_t)strlen(more));
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    status = client_path(&ctl, out, why);
    ASSERT(status == EX_OK ? out[0] != 0 : why[0] != 0);
    ASSERT(utf8_is_valid(slice_from_cstr(why)));
    (void)close(fd);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char first[CLIENT_PATH_BYTES] = "";
    char second[CLIENT_PATH_BYTES] = "";

    if (size < FILE_BYTES_MAX && find(data, size, "", first) == EX_OK &&
        find(data, size, "\n}", second) == EX_OK) {
        /* Relative ones begin with the descriptor's name. */
        ASSERT(first[0] != '/' || strncmp(first, "/proc/", 6) == 0 || strcmp(first, second) == 0);
    }
    return 0;
}
