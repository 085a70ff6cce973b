# SPDX-License-Identifier: GPL-2.0-or-later
"""What the drivers of this folder share: building, the load tool, a server's clock and memory."""
import os
import resource
import signal
import statistics
import subprocess
import sys
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENTER = os.path.join(TREE, "tests", "lib", "enter")
sys.path.insert(0, os.path.join(TREE, "tests", "lib"))

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
OTHER_DESCRIPTORS = 100
CPUCLOCK_SCHED = 2  # of clock_gettime(2): bits of a clock id that names a process


def enter(preset):
    """Builds, unless told not to (FEDGATE_BENCH_BUILT: what is there is measured), then starts the
    driver again inside the lab's namespaces. Returns inside."""
    if os.environ.get("FEDGATE_BENCH_INSIDE"):
        return
    if not os.environ.get("FEDGATE_BENCH_BUILT"):
        build(preset)
    os.environ["FEDGATE_BENCH_INSIDE"] = "yes"
    os.execv(ENTER, [ENTER, sys.executable, *sys.argv])


def streams_possible():
    """How many connections a process may hold here: its limit of descriptors, as high as it can be
    set, less what it needs beside them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - OTHER_DESCRIPTORS


def build(preset, targets=("fedgate", "fedgate-load", "fedgate-watch")):
    folder = os.path.join(TREE, "build", preset)
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run(["cmake", "--preset", preset], cwd=TREE, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", *targets], cwd=TREE, check=True,
                   stdout=subprocess.DEVNULL)


# -- what a process tree has used ------------------------------------------------------------------
def stat_of(pid):
    """(parent, ticks of user, ticks of system) or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[11]), int(fields[12])


def tree_of(root):
    """Process ids of root (or of several roots) and all descendants."""
    parents = {int(pid): stat_of(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    found = [root] if isinstance(root, int) else list(root)
    for pid in found:
        found += [child for child, stat in parents.items() if stat and stat[0] == pid]
    return found


def cpu_of(root):
    """Seconds of (user, system) time of the tree, from ticks."""
    stats = [stat for stat in map(stat_of, tree_of(root)) if stat]
    return sum(s[1] for s in stats) / TICKS, sum(s[2] for s in stats) / TICKS


def exact_cpu_of(root):
    """Seconds of user and system time together, from the scheduler's clock (nanoseconds)."""
    return sum(time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED) for pid in tree_of(root))


def peak_rss_mib(root):
    total = 0
    for pid in tree_of(root):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
                total += sum(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        except OSError:
            continue
    return total / 1024


def resident_kib(root):
    """(RSS, PSS) of the tree."""
    rss = pss = 0
    for pid in tree_of(root):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                rss += int(line.split()[1]) if line.startswith("Rss:") else 0
                pss += int(line.split()[1]) if line.startswith("Pss:") else 0
    return rss, pss


def kernel_kib():
    """(slab of the whole machine, pages in socket queues): both ends of every connection."""
    with open("/proc/meminfo", encoding="ascii") as info:
        slab = sum(int(line.split()[1]) for line in info if line.startswith("Slab:"))
    with open("/proc/net/sockstat", encoding="ascii") as sockets:
        tcp = next(line.split() for line in sockets if line.startswith("TCP:"))
    return slab, int(tcp[tcp.index("mem") + 1]) * PAGE_KIB


class Profile:
    """perf over the measured part of a run: DIR/<name>.parts, .self, .graph. root: see tree_of."""

    def __init__(self, folder, name, root):
        self.path = os.path.join(folder, name.replace("/", "-"))
        os.makedirs(folder, exist_ok=True)
        self.perf = subprocess.Popen(
            ["perf", "record", "-q", "-F", "999", "-e", "cpu-clock", "-g", "-o",
             f"{self.path}.data", "-p", ",".join(map(str, tree_of(root)))],
            stdin=subprocess.DEVNULL)
        time.sleep(0.5)  # it says nothing when it is ready

    def finish(self):
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait()
        for kind, options in (("parts", ["--no-children", "-g", "none", "--sort", "dso"]),
                              ("self", ["--no-children", "-g", "none"]),
                              ("graph", ["--children", "-g", "caller,0.5"])):
            with open(f"{self.path}.{kind}", "w", encoding="utf-8") as out:
                subprocess.run(["perf", "report", "--stdio", "-i", f"{self.path}.data",
                                "--percent-limit", "0.5", *options], stdout=out, check=True)


# -- a core for each side --------------------------------------------------------------------------
NICE_MOST = -20


def cores():
    """(the server's core, the load tools'): two of those that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise RuntimeError("server and load tool need a core each; there is one only")
    return usable[-1], usable[0]


def place_server(root, core, is_full=False):
    """All threads of a process tree (see tree_of) run on that core from now on, before anything
    else that the machine does: at real-time priority, or, when it will be busy without a pause
    (is_full), as far as the fair scheduler can give it: Linux stops a real-time thread that never
    sleeps for 50 ms in each second. Needs root."""
    for pid in tree_of(root):
        for task in map(int, os.listdir(f"/proc/{pid}/task")):
            os.sched_setaffinity(task, {core})
            if is_full:
                os.setpriority(os.PRIO_PROCESS, task, NICE_MOST)
            else:
                os.sched_setscheduler(task, os.SCHED_RR, os.sched_param(1))
        if is_full:
            go_first(pid)


def place_tool(core, is_first=True):
    """The calling process runs on that core; is_first: before others there, as far as the fair
    scheduler can give it. Needs root."""
    os.sched_setaffinity(0, {core})
    if is_first:
        os.setpriority(os.PRIO_PROCESS, 0, NICE_MOST)
        go_first("self")


def go_first(pid):
    """Where sessions are groups to the scheduler, nice values count within them only: this one is
    of pid's session, which has to be one of its own."""
    path = f"/proc/{pid}/autogroup"
    if os.path.exists(path):
        with open(path, "w", encoding="ascii") as group:
            group.write(str(NICE_MOST))


# -- the load tool ---------------------------------------------------------------------------------
class Tool:
    """A run of a load tool. It stops at each "ready" until go(); its last line is the result.
    place: called in the child, which has a session of its own then (place_tool)."""

    def __init__(self, preset, options, program="fedgate-watch", place=None):
        command = [os.path.join(TREE, "build", preset, "bench", program), *options]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True, preexec_fn=place,
                                      start_new_session=place is not None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()

    def line(self):
        line = self.popen.stdout.readline()
        if not line:
            raise RuntimeError(f"the load tool failed (status {self.popen.wait()})")
        return line

    def ready(self):
        line = self.line()
        if line != "ready\n":
            raise RuntimeError(f"the load tool said {line!r} instead of ready")

    def go(self):
        self.popen.stdin.write("go\n")
        self.popen.stdin.flush()

    def status(self):
        """Ends it: its exit status."""
        self.popen.stdin.close()
        return self.popen.wait(60)


# -- tables ----------------------------------------------------------------------------------------
def spread(rows, key, digits):
    values = [row[key] for row in rows]
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"
