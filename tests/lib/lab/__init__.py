# SPDX-License-Identifier: GPL-2.0-or-later
"""The live lab: real servers and clients around a fedgate, on loopback, with its own DNS.

Start with lab.Lab (lab/stage.py); lab/plan.py says who lives where.
"""
from .stage import Lab, LabError, Skip, case, check, long_run, main  # noqa: F401
