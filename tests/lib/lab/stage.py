# SPDX-License-Identifier: GPL-2.0-or-later
"""Lab: one stage with DNS, certificates and servers, cleared when the test is over."""
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

from . import plan
from .certs import Certs
from .dns import LabDns
from .process import wait_until

SKIPPED = 77
SOCKET_PATH_MAX = 100  # of listen.admin; a socket's path has 107


class LabError(AssertionError):
    """An expectation of a live test did not hold."""


class Skip(Exception):
    """The test cannot be run here; the text says why."""


def check(condition, text, *more):
    """Raises LabError unless condition holds: assertions that python -O leaves in."""
    if not condition:
        raise LabError(" ".join([text, *[repr(m) for m in more]]))


class Lab:
    """Use as a context manager. The folder is kept when the block ends with an exception."""

    def __init__(self, name="lab", keep=False):
        root = os.environ.get("FEDGATE_LAB_DIR") or tempfile.gettempdir()
        os.makedirs(root, exist_ok=True)
        self.root = tempfile.mkdtemp(prefix=f"fedgate-{name}-", dir=root)
        os.chmod(self.root, 0o755)
        self.keep = keep or bool(os.environ.get("FEDGATE_LAB_KEEP"))
        self.owned = []
        self.certs = Certs(self.folder("certs"))
        self.dns = LabDns()

    def __enter__(self):
        self._resolve_here()
        self.dns.start()
        wait_until("lab DNS", self.dns.answers)
        return self

    def __exit__(self, kind, value, trace):
        self.close(failed=kind is not None and kind is not Skip)

    def close(self, failed=False):
        """Stops everything, last come first. What fails in stopping (fedgate not ending well) is
        raised when all are stopped, unless the test failed already."""
        trouble = None
        for thing in reversed(self.owned):
            try:
                thing.stop()
            except Exception as error:
                trouble = trouble or error
        self.owned = []
        self.dns.stop()
        self._clear(failed or trouble)
        if trouble and not failed:
            raise trouble

    def _clear(self, failed):
        if failed or self.keep:
            print(f"logs kept in {self.root}", file=sys.stderr)
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    def _resolve_here(self):
        """The lab's own view of /etc/resolv.conf must be in force (tests/lib/enter)."""
        with open("/etc/resolv.conf", encoding="utf-8") as now:
            if plan.DNS not in now.read():
                raise Skip("not inside the lab's namespace: start it through tests/lib/enter")

    def folder(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path, exist_ok=True)
        return path

    def socket_path(self, folder, name):
        """Where a Unix socket of that name can be: in the folder, unless that is too long."""
        path = os.path.join(folder, name)
        if len(path.encode()) <= SOCKET_PATH_MAX:
            return path
        short = tempfile.TemporaryDirectory(prefix="fgs-")
        short.stop = short.cleanup
        return os.path.join(self.own(short).name, name)

    def own(self, thing):
        """thing.stop() is called at the end, last come first."""
        self.owned.append(thing)
        return thing


def case(name, function, *args, **options):
    """A test of that name that calls function(*args, **options)."""
    def test():
        function(*args, **options)
    test.__name__ = name
    return test


def long_run():
    """True under tests/run --long."""
    return bool(os.environ.get("FEDGATE_LAB_LONG"))


def _terminated(number, frame):
    raise SystemExit(128 + number)


def main(*tests):
    """Runs test functions one after the other; each is called with no argument. Prints a line for
    each, then exits: 0 all passed, 1 some failed, 77 all skipped. argv may name single tests, or be
    --list."""
    signal.signal(signal.SIGTERM, _terminated)
    wanted = sys.argv[1:]
    by_name = {test.__name__: test for test in tests}
    if wanted == ["--list"]:
        print("\n".join(by_name))
        return
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        print(f"no such test: {unknown}; there are: {' '.join(by_name)}", file=sys.stderr)
        sys.exit(64)
    results = []
    for name in wanted or by_name:
        begin = time.monotonic()
        try:
            by_name[name]()
            result, why = "ok", ""
        except Skip as skip:
            result, why = "skip", f": {skip}"
        except Exception as error:  # a test may fail in any way; the next one still runs
            traceback.print_exc()
            result, why = "FAIL", f": {type(error).__name__}: {str(error).splitlines()[:1]}"
        results.append(result)
        print(f"{result:4} {name} ({time.monotonic() - begin:.1f} s){why}", flush=True)
    if "FAIL" in results:
        sys.exit(1)
    sys.exit(0 if "ok" in results else SKIPPED)
