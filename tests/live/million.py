#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A million partners load, are found, and take no more memory each than they may (bench/README.md).
Times are shown and decide nothing."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import check, main
from lab.fedgate import TREE

# Always the release build; the environment names another program.
PROGRAM = os.environ.get("PARTNERS_BENCH") or os.path.join(TREE, "build", "release", "bench",
                                                           "partners_bench")
RESIDENT_BYTES_MAX = 250.0  # per partner, beyond the text


def within_bounds():
    check(os.access(PROGRAM, os.X_OK), "build it first (preset release):", PROGRAM)
    done = subprocess.run([PROGRAM, "1000000", "3"], capture_output=True, text=True, timeout=300)
    print(done.stdout)
    check(done.returncode == 0, "it failed", done.stdout, done.stderr)
    found = re.search(r"^resident.* ([0-9.]+) bytes$", done.stdout, re.MULTILINE)
    check(found, "no figure for memory", done.stdout)
    check(0 < float(found.group(1)) <= RESIDENT_BYTES_MAX, "resident per partner", found.group(1))


main(within_bounds)
