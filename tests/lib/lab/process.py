# SPDX-License-Identifier: GPL-2.0-or-later
"""Server processes: started with a log of their own, waited for by probing, stopped by pid."""
import ctypes
import os
import re
import signal
import socket
import subprocess
import time

PROBE_EVERY_S = 0.02
# How long a test waits for what must come. The time decides nothing: only a hang reaches it, on a
# machine that does other things besides, or reads its programs from disk again, as well.
HANG_S = 60.0
STOP_S = 10.0
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class ServerFailed(Exception):
    """A server did not come up, or died: the message ends with the tail of its log."""


def child_setup():
    """Runs in the child, before the program."""
    # A session of its own: Ctrl-C reaches the lab alone, which then stops everybody in order; and
    # the scheduler sees a group of its own in it, which bench/ may prefer to others.
    os.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(what, probe, timeout=HANG_S):
    """Calls probe() until it returns something true, and returns that. A timeout can be longer than
    HANG_S, not shorter: then a busy machine would decide."""
    timeout = max(timeout, HANG_S)
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        time.sleep(PROBE_EVERY_S)


def show_time(what, seconds):
    """How long it took is for people to read; only a hang is a failure."""
    print(f"     {what}: {seconds:.2f} s")
    if seconds >= 2 * HANG_S:
        raise TimeoutError(f"{what}: {seconds:.0f} s")


def own_memory(process):
    """Bytes that a process has for itself. Pages of its files come and go as the system likes, and
    would be noise."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return sum(int(kb) for kb in re.findall(r"(?:RssAnon|VmSwap):\s+(\d+) kB",
                                                status.read())) * 1024


def port_open(address, port):
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((address, port)) == 0


class Process:
    """One server process. `name` names its log, which catches stdout and stderr."""

    def __init__(self, name, argv, folder, env=None, log=None):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.folder = str(folder)
        self.env = dict(os.environ, LC_ALL="C.UTF-8", **(env or {}))
        self.output = os.path.join(self.folder, f"{name}.out")
        self.log_file = log or self.output
        self.popen = None

    def start(self):
        with open(self.output, "ab") as out:
            self.popen = subprocess.Popen(
                self.argv, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, preexec_fn=child_setup)
        return self

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def wait_ready(self, probe, timeout=HANG_S):
        def alive_and_ready():
            if not self.running():
                raise ServerFailed(f"{self.name} ended with {self.popen.returncode}\n{self.tail()}")
            return probe()
        try:
            wait_until(f"{self.name} ready", alive_and_ready, timeout)
        except TimeoutError as late:
            raise ServerFailed(f"{late}\n{self.tail()}") from None
        return self

    def wait_port(self, address, *ports, timeout=HANG_S):
        return self.wait_ready(lambda: all(port_open(address, p) for p in ports), timeout)

    def send_signal(self, number):
        self.popen.send_signal(number)

    def stop(self, first=signal.SIGTERM, timeout=STOP_S):
        """Ends the process and its group; returns its exit status (None if it never ran)."""
        if self.popen is None:
            return None
        if self.running():
            self.popen.send_signal(first)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        self._kill_group()
        return self.popen.returncode

    def kill(self):
        if self.running():
            self.popen.kill()
            self.popen.wait()
        self._kill_group()

    def _kill_group(self):
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def log_text(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, timeout=HANG_S):
        return wait_until(f"'{text}' in the log of {self.name}",
                          lambda: text in self.log_text(), timeout)

    def tail(self, lines=25):
        parts = []
        for path in dict.fromkeys((self.output, self.log_file)):
            try:
                with open(path, encoding="utf-8", errors="replace") as log:
                    parts += [f"--- {path}"] + log.read().splitlines()[-lines:]
            except FileNotFoundError:
                continue
        return "\n".join(parts)
