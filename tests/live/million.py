#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A million partners: what partners_bench measures stays within its bounds (bench/README.md). Times
with room for a busy machine, memory as it is."""
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
BOUNDS = (("load", 8000.0), ("resident", 250.0), ("lookup: snapshot_partner", 600.0))


def within_bounds():
    check(os.access(PROGRAM, os.X_OK), "build it first (preset release):", PROGRAM)
    done = subprocess.run([PROGRAM, "1000000", "3"], capture_output=True, text=True, timeout=300)
    check(done.returncode == 0, "it failed", done.stdout, done.stderr)
    for name, most in BOUNDS:
        found = re.search(rf"^{re.escape(name)}.* ([0-9.]+) (?:ms|ns|bytes)$", done.stdout,
                          re.MULTILINE)
        check(found, "no figure for", name, done.stdout)
        check(0 < float(found.group(1)) <= most, name, "is", found.group(1), "at most", most)


main(within_bounds)
