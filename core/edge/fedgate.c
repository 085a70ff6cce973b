/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fedgate: the daemon's command line. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "edge/control.h"

static void usage(FILE *to)
{
    (void)fputs("usage: fedgate --config FILE [--check]\n"
                "       fedgate --version | --help\n"
                "\n"
                "  -c, --config FILE  configuration (fedgate.conf(5))\n"
                "      --check        validate FILE, say everything that is wrong, and exit:\n"
                "                     0 = valid, 78 = not\n"
                "      --version      print the version\n"
                "      --help         this text\n"
                "\n"
                "Signals: SIGTERM, SIGINT stop in order; SIGHUP reloads FILE.\n",
                to);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},      {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *config_path = NULL;
    bool check_only = false;
    int option;

    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config_path = optarg;
            break;
        case 'k':
            check_only = true;
            break;
        case 'v':
            (void)printf("fedgate %s\n", FEDGATE_VERSION);
            return EX_OK;
        case 'h':
            usage(stdout);
            return EX_OK;
        default:
            usage(stderr);
            return EX_USAGE;
        }
    }
    if (!config_path || optind != argc) {
        usage(stderr);
        return EX_USAGE;
    }
    return check_only ? control_check(config_path) : control_run(config_path);
}
