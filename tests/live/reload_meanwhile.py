#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration that takes seconds to load, as one of a million partners: the node answers, logs
and stops meanwhile; what is asked for during a load is not lost, and the newest file wins. Needs a
build with all assertions: there a test may make loads take longer."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lab import Lab, Skip, check, main
from lab.fedgate import Fedgate, binary, corp_dns, ctl_binary, partner
from lab.process import HANG_S, wait_until

LOAD_MS = 1500
ROUNDS = 3


def node(lab, load_ms=LOAD_MS):
    with open(binary(), "rb") as program:
        if b"FEDGATE_TEST_LOAD_MS" not in program.read():
            raise Skip("this build's loads cannot be made to take longer")
    os.environ["FEDGATE_TEST_LOAD_MS"] = str(load_ms)
    corp_dns(lab)
    fedgate = Fedgate(lab, shards=2, partners=[partner("zero.test")])
    fedgate.config["log"]["level"] = "info"
    return fedgate.start()


def config_of(fedgate):
    return fedgate.ctl("status", "--json")["config"]


def wait_loading(fedgate, wanted=True):
    wait_until("loading" if wanted else "loaded",
               lambda: config_of(fedgate)["is_loading"] == wanted, HANG_S)


def ask_reload(fedgate):
    """fedgatectl reload, running."""
    return subprocess.Popen([ctl_binary(), "--config", fedgate.config_path, "reload"],
                            cwd=fedgate.folder, text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(asked):
    text, _ = asked.communicate(timeout=HANG_S)
    return asked.returncode, text


def answers():
    """Whoever asks during a load is answered, by what is in force until it ends."""
    with Lab("load-answers") as lab:
        fedgate = node(lab)
        check("LOADED again" not in fedgate.ctl("status"), "at first")
        fedgate.config["partners"].append(partner("one.test"))
        fedgate.reload()
        wait_loading(fedgate)
        check(fedgate.get("/healthz")[0] == 200 and fedgate.get("/readyz")[0] == 200, "health")
        now = config_of(fedgate)
        check(now["generation"] == 1 and now["partners"] == 1 and not now["is_written"], "old", now)
        check(fedgate.stats()["config_generation"] == 1, "/stats")
        check("being LOADED again now" in fedgate.ctl("status"), "said")
        check("zero.test" in fedgate.ctl("partner", "show", "zero.test"), "partner")
        check(config_of(fedgate)["is_loading"], "this machine took so long that nothing was seen")
        wait_loading(fedgate, False)
        now = config_of(fedgate)
        check(now["generation"] == 2 and now["partners"] == 2 and now["is_written"], "new", now)


def newest_wins():
    """Many ask during a load: one more load follows it, which reads the file as it is by then, and
    tells them all. A bad file in between changes nothing, and is told to who asked for it."""
    with Lab("load-newest") as lab:
        fedgate = node(lab)
        for round_number in range(ROUNDS):
            before = config_of(fedgate)
            fedgate.config["partners"].append(partner(f"first-{round_number}.test"))
            fedgate.reload()
            wait_loading(fedgate)
            good = fedgate.config["partners"]
            fedgate.config["partners"] = [{"domain": "not a name"}]
            fedgate.write_config()
            asked = [ask_reload(fedgate) for _ in range(3)]
            fedgate.process.send_signal(signal.SIGHUP)
            wait_until("the first", lambda: config_of(fedgate)["generation"]
                       == before["generation"] + 1, HANG_S)
            fedgate.config["partners"] = good + [partner(f"last-{round_number}.test")]
            fedgate.write_config()
            last = ask_reload(fedgate)
            got = list(map(ended, asked))
            # Theirs began when the first ended: before or after the good file was written.
            check({status for status, _ in got} in ({0}, {78}), "the second", got)
            status, text = ended(last)
            check(status == 0 and "is in force" in text, "the last", status, text)
            now = config_of(fedgate)
            check(now["partners"] == before["partners"] + 2 and now["is_written"]
                  and not now["is_loading"] and now["last_reload"]["errors"] == 0, "in force", now)
            check(now["generation"] <= before["generation"] + 3, "loads", before, now)
            fedgate.config["partners"] = good + [partner(f"last-{round_number}.test")]


def stops():
    """SIGTERM during a load, and while more are wanted: whoever waits is told, the node ends."""
    with Lab("load-stops") as lab:
        fedgate = node(lab)
        fedgate.reload()
        wait_loading(fedgate)
        asked = [ask_reload(fedgate) for _ in range(2)]
        wait_until("they ask", lambda: fedgate.log_text().count("command=reload") == 2, HANG_S)
        fedgate.stop()
        for status, text in map(ended, asked):
            check(status == 69 and "the node is stopping" in text, "told", status, text)
        text = fedgate.log_text()
        check("config_loaded" not in text and " stopped " in text, "log", text[-2000:])


def storm():
    """SIGHUP all the time: the newest comes into force, and no load is begun beside another (a load
    that begins is the answer to all who have asked before)."""
    with Lab("load-storm") as lab:
        fedgate = node(lab, 200)
        for number in range(40):
            fedgate.config["partners"].append(partner(f"p{number}.test"))
            fedgate.reload()
            fedgate.get("/healthz")
        wait_until("the newest", lambda: config_of(fedgate)["partners"] == 41
                   and not config_of(fedgate)["is_loading"], HANG_S)
        now = config_of(fedgate)
        check(1 < now["generation"] <= 41 and now["is_written"], "in force", now)


main(answers, newest_wins, stops, storm)
