# SPDX-License-Identifier: GPL-2.0-or-later
"""The stages of tests/run. A stage prints what it did and adds to the counts of the last line."""
import argparse
import concurrent.futures
import glob
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LOGS = os.path.join(TREE, "build", "test-logs")
ENTER = os.path.join(TREE, "tests", "lib", "enter")
PYTHON = "/usr/bin/python3"
# Stages that stand together run side by side: what waits leaves the processors to the others.
TOGETHER = (("style",), ("unit",), ("distro",), ("asan",), ("tsan",), ("fuzz", "ktls", "live"))
STAGES = tuple(stage for together in TOGETHER for stage in together)
KTLS_TIMEOUT_S = 900
UNIT_PARALLEL = 4  # some wait for time-outs
LONG_OF_UNIT = {"FEDGATE_TEST_LONG": "1", "PRESENCE_SIM_SEEDS": "10000"}
# More than processors: most live tests wait most of the time.
LIVE_PARALLEL = 5
# Those that take longest begin first, so that none is left alone at the end.
LIVE_LONG = ("sip_worn:inwards_overlapping", "reload_storm:thousand",
             "sip_worn:inwards_without_pause", "hostile_pools:pools", "pool:unreachable",
             "million:within_bounds", "tls_storm:slow", "hostile_servers:dialled",
             "package:contents", "package:life", "presence_kill:a_dozen")
LIVE_TIMEOUT_S = 420
FUZZ_S = 7  # beside live tests, so with less of the processors than alone
FUZZ_LONG_S = 450
FUZZ_SEED = 20261121
# Whole-daemon tests in which shards work on each other's behalf: run once more under TSan.
THREADED_LIVE = ("edge_cases:pairs_2", "edge_cases:home_shard", "edge_cases:reload_under_traffic",
                 "flood:inwards_wolfssl_2", "flood:outwards_wolfssl_2", "tls_reload:renewals",
                 "tls_policy:reload_revokes_two_shards", "reload_storm:hundred",
                 "gateway:connection_limit_2", "partner_limits:pairs_of_several_partners",
                 "partner_types:one_stream", "partner_types:shards", "access:flips",
                 "admin:several_at_once", "admin:why", "partner_types:knocks_two_shards",
                 "suffix_match", "reload_waiting:address_2", "presence_basic:partner_watches_2",
                 "presence_basic:ours_watches_2", "presence_basic:restart_2",
                 "presence_edges:across_shards", "reload_meanwhile")
# Whole-daemon tests of TLS, run once more with the distribution's wolfSSL.
DISTRO_LIVE = ("tls_openssl", "tls_gnutls", "hostile_tls", "partners:prosody_external",
               "partners:ejabberd_external")
# Whole-daemon tests run once more with buffers as they are before Linux 6.16, one for each receive.
PLAIN_LIVE = ("load_xmpp:in_by_certificate", "load_xmpp:out_by_certificate",
              "load_xmpp:streams_that_come_and_go", "load_xmpp:receivers_that_hang",
              "load_sip:xmpp_to_sip", "load_sip:sip_to_xmpp", "flood:inwards_wolfssl_2",
              "flood:outwards_wolfssl_2", "flood:inwards_wolfssl_bytes",
              "flood:inwards_wolfssl_records", "hung")
SKIPPED = 77
SYNTHESIS = re.compile(r"Synthesis: Tested: \D*(\d+)\D.*?Passing: \D*(\d+)\D.*?Failing: \D*(\d+)"
                       r"\D.*?Crashing: \D*(\d+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Run:
    """Counts, failures and the clock of one tests/run."""

    def __init__(self, long):
        self.long = long
        self.begin = time.monotonic()
        self.passed = {}
        self.failed = []
        self.skipped = []
        self.lock = threading.RLock()
        os.makedirs(LOGS, exist_ok=True)

    def say(self, text):
        with self.lock:
            print(f"[{time.monotonic() - self.begin:6.1f} s] {text}", flush=True)

    def count(self, kind, number):
        with self.lock:
            self.passed[kind] = self.passed.get(kind, 0) + number

    def fail(self, what, log=None):
        self.failed.append(what)
        self.say(f"FAIL {what}" + (f"   (see {os.path.relpath(log, TREE)})" if log else ""))

    def command(self, name, argv, timeout=None, env=None):
        """Runs argv with its output in a log; returns (exit status, log path)."""
        log = os.path.join(LOGS, re.sub(r"[^\w.-]", "_", name) + ".log")
        with open(log, "wb") as out:
            child = subprocess.Popen(argv, cwd=TREE, stdout=out, stderr=subprocess.STDOUT,
                                     stdin=subprocess.DEVNULL, start_new_session=True,
                                     env={**os.environ, **(env or {})})
            try:
                status = child.wait(timeout)
            except subprocess.TimeoutExpired:
                out.write(f"\ntests/run: killed after {timeout} s\n".encode())
                status = -signal.SIGKILL
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
        return status, log


def read(path):
    with open(path, encoding="utf-8", errors="replace") as text:
        return COLOUR.sub("", text.read())


def show_tail(log, lines=30):
    print("\n".join("    | " + line for line in read(log).splitlines()[-lines:]), flush=True)


def build(run, preset, targets=()):
    """Configures and builds; True when it worked."""
    # The quickstart configures the same folder without what it does not need.
    more = ["-DFEDGATE_BENCH=ON"] if preset == "release" else []
    for step, argv in (("configure", ["cmake", "--preset", preset, *more]),
                       ("build", ["cmake", "--build", f"build/{preset}"]
                        + [w for t in targets for w in ("--target", t)])):
        status, log = run.command(f"{step}-{preset}", argv)
        if status != 0:
            run.fail(f"{step} of preset {preset}", log)
            show_tail(log)
            return False
    run.say(f"built {preset}" + (f" ({len(targets)} targets)" if targets else ""))
    return True


def configured_tests(run, preset, label):
    """Configures; the names of the tests of a label. Nothing: it has failed, and said so."""
    status, log = run.command(f"configure-{preset}", ["cmake", "--preset", preset])
    if status != 0:
        run.fail(f"configure of preset {preset}", log)
        show_tail(log)
        return []
    listing = subprocess.run(["ctest", "--test-dir", f"build/{preset}", "-N", "-L", f"^{label}$"],
                             cwd=TREE, capture_output=True, text=True, check=True).stdout
    names = re.findall(r"Test +#\d+: (\S+)", listing)
    if not names:
        run.fail(f"{preset}: no test has the label {label}")
    return names


# -- stages ---------------------------------------------------------------------------------------
def style(run, _):
    status, log = run.command("style", [PYTHON, "tests/style/check.py"])
    if status != 0:
        run.fail("style", log)
        show_tail(log, 60)
    else:
        run.count("style", 1)
        run.say(read(log).strip().splitlines()[-1])


def ctest(run, preset, label, only):
    """Runs the tests of a label; counts single Criterion tests by their own summary."""
    argv = ["ctest", "--test-dir", f"build/{preset}", "-V", f"-j{UNIT_PARALLEL}", "-L",
            f"^{label}$", "--no-tests=error"]
    if only:
        argv += ["-R", "^(" + "|".join(map(re.escape, only)) + ")$"]
    status, log = run.command(f"ctest-{preset}", argv, env={
        "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1",
        **(LONG_OF_UNIT if run.long else {})})
    text = read(log)
    passed = sum(int(m.group(2)) for m in SYNTHESIS.finditer(text))
    if preset == "tsan":  # tests/lib/tsan stands in for Criterion there and has its own lines
        passed += len(re.findall(r"^\d+: \[PASS\] ", text, re.MULTILINE))
    programs = re.search(r"(\d+)% tests passed, (\d+) tests failed out of (\d+)", text)
    if status != 0 or passed == 0:
        run.fail(f"{label} tests, preset {preset}", log)
        for line in text.splitlines():
            if re.search(r"\[FAIL\]|\[CRASH\]|\*\*\*(Failed|Timeout|Exception)|ERROR: \w+Sanitizer"
                         r"|runtime error:|Assertion failed", line):
                print("    | " + line, flush=True)
    run.say(f"{preset}: {passed} tests passed in {programs.group(3) if programs else '?'} programs")
    return passed


def unit(run, only):
    if build(run, "dev"):
        run.count("unit", ctest(run, "dev", "unit", only))


def distro(run, only):
    """The tests that meet TLS, with the distribution's wolfSSL: all other stages use ours."""
    tests = [name for name in configured_tests(run, "distro", "unit")
             if "tls" in name and (not only or name in only)]
    if tests and build(run, "distro", [f"{name}_test" for name in tests]):
        run.count("unit with the distribution's wolfSSL", ctest(run, "distro", "unit", tests))
    if not only and build(run, "distro", ["fedgate", "fedgatectl"]):
        daemon = os.path.join(TREE, "build", "distro", "core", "edge", "fedgate")
        run_live(run, live_tests(DISTRO_LIVE), "live with the distribution's wolfSSL",
                 {"FEDGATE": daemon})


def asan(run, only):
    if build(run, "asan-ubsan"):
        run.count("unit under asan+ubsan", ctest(run, "asan-ubsan", "unit", only))


def tsan(run, only):
    """Only the tests labelled threads are built and run."""
    names = configured_tests(run, "tsan", "threads")
    programs = [f"{name}_test" for name in names] + ["fedgate", "fedgatectl"]
    if names and build(run, "tsan", programs):
        run.count("threads under tsan", ctest(run, "tsan", "threads", only))
        daemon = os.path.join(TREE, "build", "tsan", "core", "edge", "fedgate")
        run_live(run, live_tests(only or THREADED_LIVE), "live under tsan", {"FEDGATE": daemon})


def fuzz(run, only):
    """A few seconds of each target: seeded, from the corpus in the tree, new finds thrown away."""
    if not build(run, "fuzz"):
        return
    everything = glob.glob(os.path.join(TREE, "build/fuzz/**/*_fuzz"), recursive=True)
    targets = sorted(p for p in everything if os.path.isfile(p) and os.access(p, os.X_OK))
    targets = [t for t in targets if not only or os.path.basename(t).removesuffix("_fuzz") in only]
    if not targets:
        run.fail("fuzz: no targets were built")
    seconds = FUZZ_LONG_S if run.long else FUZZ_S

    def one(target):
        name = os.path.basename(target).removesuffix("_fuzz")
        grown = os.path.join(LOGS, f"fuzz-{name}.corpus")
        os.makedirs(grown, exist_ok=True)
        argv = [target, f"-max_total_time={seconds}", f"-seed={FUZZ_SEED}", "-timeout=60",
                "-rss_limit_mb=2048", f"-artifact_prefix={LOGS}/fuzz-{name}-", grown]
        corpus = os.path.join(TREE, "tests/fuzz/corpus", name)
        if os.path.isdir(corpus):
            argv.append(corpus)
        status, log = run.command(f"fuzz-{name}", argv, timeout=seconds + 120)
        return name, status, log

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, status, log in pool.map(one, targets):
            done = re.search(r"Done (\d+) runs", read(log))
            if status != 0 or not done:
                run.fail(f"fuzz {name}", log)
                show_tail(log)
            else:
                run.count("fuzz-smoke", 1)
                run.say(f"fuzz {name}: {done.group(1)} runs")


def ktls(run, only):
    """Programs and whole daemons on a kernel with TLS, in user-mode-linux."""
    if not build(run, "dev", ["uml_tests", "fedgate"]):
        return
    status, log = run.command("ktls", [PYTHON, "tests/ktls/run", *only], timeout=KTLS_TIMEOUT_S)
    lines = read(log).splitlines()
    passed = [line for line in lines if line.startswith("PASS ")]
    run.count("kernel TLS", len(passed))
    for line in passed:
        run.say("ktls " + line.removeprefix("PASS "))
    if status != 0 or not passed:
        run.fail("ktls", log)
        show_tail(log, 40)


def live_tests(only):
    """(file, test) for each live test, in the order of the files' own lists."""
    found = []
    for path in sorted(glob.glob(os.path.join(TREE, "tests/live/*.py"))):
        name = os.path.basename(path).removesuffix(".py")
        listing = subprocess.run([PYTHON, path, "--list"], capture_output=True, text=True)
        if listing.returncode != 0:
            raise RuntimeError(f"{path} --list failed:\n{listing.stderr}")
        for test in listing.stdout.split():
            if not only or name in only or f"{name}:{test}" in only:
                found.append((path, name, test))
    return found


def live(run, only):
    """Each test in namespaces of its own, several at a time."""
    # The sanitized daemon for most tests, the release one for floods: no test programs are needed.
    for preset, more in (("asan-ubsan", ["fedgate-load"]), ("release", ["partners_bench"])):
        if not build(run, preset, ["fedgate", "fedgatectl", *more]):
            return
    run_live(run, live_tests(only), "live", {})
    if not only:
        daemon = os.path.join(TREE, "build", "asan-ubsan", "core", "edge", "fedgate")
        run_live(run, live_tests(PLAIN_LIVE), "live with a buffer for each receive",
                 {"FEDGATE": daemon, "FEDGATE_TEST_PLAIN_IO": "1"})


def run_live(run, items, kind, env):
    folder = os.path.join(LOGS, "live")
    os.makedirs(folder, exist_ok=True)
    items = sorted(items, key=lambda item: f"{item[1]}:{item[2]}" not in LIVE_LONG)

    def one(item):
        path, name, test = item
        begin = time.monotonic()
        status, log = run.command(
            f"{re.sub('[^a-z]+', '-', kind)}-{name}-{test}", [ENTER, PYTHON, path, test],
            timeout=LIVE_TIMEOUT_S, env={"FEDGATE_LAB_DIR": folder, **env,
                                         **({"FEDGATE_LAB_LONG": "1"} if run.long else {})})
        return f"{name}:{test}", status, log, time.monotonic() - begin

    with concurrent.futures.ThreadPoolExecutor(LIVE_PARALLEL) as pool:
        for future in concurrent.futures.as_completed([pool.submit(one, item) for item in items]):
            name, status, log, seconds = future.result()
            if status == 0:
                run.count(kind, 1)
                run.say(f"{kind} {name}: ok ({seconds:.1f} s)")
            elif status == SKIPPED:
                why = [line for line in read(log).splitlines() if line.startswith("skip")]
                run.skipped.append(f"{kind} {name}")
                run.say(f"{kind} {name}: SKIPPED: {why[-1:]}")
            else:
                run.fail(f"{kind} {name}", log)
                show_tail(log, 15)


# -- choosing -------------------------------------------------------------------------------------
def plan_stages(only):
    """stage -> names inside it (empty: all)."""
    if not only:
        return {stage: [] for stage in STAGES}
    chosen = {}
    live_files = {os.path.basename(p).removesuffix(".py")
                  for p in glob.glob(os.path.join(TREE, "tests/live/*.py"))}
    fuzzers = {os.path.basename(p).removesuffix("_fuzz.c")
               for p in glob.glob(os.path.join(TREE, "tests/fuzz/*_fuzz.c"))}
    for name in only:
        if name in STAGES:
            chosen.setdefault(name, [])
        elif name.startswith("ktls:"):
            chosen.setdefault("ktls", []).append(name.removeprefix("ktls:"))
        elif name.split(":")[0] in live_files:
            chosen.setdefault("live", []).append(name)
        elif (fuzz_name := name.removesuffix("_fuzz")) in fuzzers:
            chosen.setdefault("fuzz", []).append(fuzz_name)
        else:
            for stage in ("unit", "asan") + (("distro",) if "tls" in name else ()):
                chosen.setdefault(stage, []).append(name)
    return {stage: chosen[stage] for stage in STAGES if stage in chosen}


def processor_s():
    """Processor time of all that has ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_stages(run, stages):
    """Runs these stages side by side."""
    before = time.monotonic(), processor_s()
    with concurrent.futures.ThreadPoolExecutor(max(len(stages), 1)) as pool:
        for done in [pool.submit(globals()[stage], run, names)
                     for stage, names in stages.items()]:
            done.result()
    if stages:
        wall_s, busy_s = time.monotonic() - before[0], processor_s() - before[1]
        run.say(f"stage {' and '.join(stages)}: {wall_s:.0f} s, processors {busy_s:.0f} s")


def main():
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", action="append", metavar="NAME", default=[])
    options = parser.parse_args()
    run = Run(options.long)
    chosen = plan_stages(options.only)
    for together in TOGETHER:
        run_stages(run, {stage: chosen[stage] for stage in together if stage in chosen})
    minutes = (time.monotonic() - run.begin) / 60
    parts = []
    for kind, unit_of in (("unit", "passed"),
                          ("unit with the distribution's wolfSSL", "passed"),
                          ("unit under asan+ubsan", "passed"),
                          ("threads under tsan", "passed"), ("live under tsan", "passed"),
                          ("kernel TLS", "jobs passed"), ("live", "passed"),
                          ("live with a buffer for each receive", "passed"),
                          ("live with the distribution's wolfSSL", "passed"),
                          ("fuzz-smoke", "targets")):
        if kind in run.passed:
            parts.append(f"{kind}: {run.passed[kind]} {unit_of}")
    if run.skipped:
        parts.append(f"skipped: {len(run.skipped)}")
    print("; ".join(parts or ["nothing ran"]) + f"; failed: {len(run.failed)}; {minutes:.1f} min")
    for what in run.failed:
        print(f"  FAIL {what}")
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main())
