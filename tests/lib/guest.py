# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine of its own inside this one: Debian's user-mode-linux (package user-mode-linux).

It boots in two seconds on the host's own file system, so what was built here runs there as it is,
as root, on a 6.1 with kernel TLS and with limits of its own. tests/ktls/run and bench/idle use it.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FIRST = os.path.join(TREE, "tests", "ktls", "guest")  # the guest's first process
KERNEL = "linux.uml"
BOOT_S = 120  # what a guest may need beside its jobs
PR_SET_PDEATHSIG = 1


def missing():
    """None, or what has to be installed first."""
    if shutil.which(KERNEL):
        return None
    return (f"{KERNEL} is not installed: Debian's package user-mode-linux "
            "(deploy/packages/install test)")


def die_with_us():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Guest:
    """One machine and its jobs, run one after the other. A job: name, argv, folder, env, timeout_s.
    Its output is written to FOLDER/name.log, what became of it to FOLDER/name.json."""

    def __init__(self, folder, jobs, memory="2G"):
        self.folder = folder
        self.jobs = jobs
        self.begin = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        with open(os.path.join(folder, "jobs.json"), "w", encoding="utf-8") as out:
            json.dump(jobs, out)
        self.console = open(os.path.join(folder, "console"), "wb")
        # A kernel in user mode is many processes: in a namespace of their own they end together,
        # and with us, whatever ends us.
        self.child = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
             *([] if os.geteuid() == 0 else ["--map-root-user"]),
             KERNEL, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"init={FIRST}",
             f"mem={memory}", "con=null", "con0=null,fd:1", "quiet", f"KTLS_JOBS={folder}"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT,
            preexec_fn=die_with_us)

    def wait(self):
        """The guest ends jobs that hang; a guest that hangs itself is ended here."""
        limit = BOOT_S + sum(job["timeout_s"] for job in self.jobs)
        try:
            self.child.wait(max(1, limit - (time.monotonic() - self.begin)))
        except subprocess.TimeoutExpired:
            print(f"the guest of {self.folder} was ended after {limit} s", flush=True)
        finally:
            self.child.kill()
            self.child.wait()
            self.console.close()

    def result(self, name):
        """What became of a job (or of "guest" itself); None: it has not come so far."""
        try:
            with open(os.path.join(self.folder, f"{name}.json"), encoding="utf-8") as text:
                return json.load(text)
        except FileNotFoundError:
            return None

    def tail(self, name, lines=20):
        path = os.path.join(self.folder, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as text:
                for line in text.read().splitlines()[-lines:]:
                    print("    | " + line)
