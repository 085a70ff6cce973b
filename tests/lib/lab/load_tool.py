# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of fedgate-load, as the tests of the tool itself need them."""
import json
import os
import subprocess

from .fedgate import PRESET, TREE
from .process import HANG_S
from .stage import check

PROGRAM = os.path.join(TREE, "build", PRESET, "bench", "load", "fedgate-load")
SUFFIX = "fan.test"
TROUBLE = ("lost", "duplicated", "out_of_order", "damaged", "errors", "unanswered", "unended")


def load(inside, *options):
    """A run: (exit status, the figures)."""
    done = subprocess.run([PROGRAM, "--quiet", "--suffix", SUFFIX, "--inside", inside,
                           *map(str, options)], capture_output=True, text=True, timeout=4 * HANG_S)
    check(done.returncode in (0, 1), "the load tool failed", done.stdout, done.stderr)
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def found(row):
    """What a run complains of."""
    return {name: row[name] for name in TROUBLE if row.get(name)}
