# SPDX-License-Identifier: GPL-2.0-or-later
"""SIPp as the other end of SIP: answers or sends a counted number of messages."""
import os

from . import plan
from .process import Process, wait_until
from .stage import LabError

SCENARIOS = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "live", "sipp"))


class Sipp:
    """Ends by itself after `count` calls: finish() waits and demands that none failed."""

    def __init__(self, lab, scenario, count, arguments, name):
        folder = lab.folder(name)
        self.count = count
        self.process = Process(name, [
            "sipp", "-sf", os.path.join(SCENARIOS, scenario), "-m", str(count), "-nostdin",
            "-trace_err", "-error_file", os.path.join(folder, "errors.log"),
            "-trace_stat", "-stf", os.path.join(folder, "stat.csv"), "-fd", "1",
            "-default_behaviors", "none", *arguments], folder,
            {"TERM": "dumb"}, log=os.path.join(folder, "errors.log"))
        self.statistics_path = os.path.join(folder, "stat.csv")
        lab.own(self.process.start())

    @classmethod
    def answerer(cls, lab, count, address=plan.SIPP, port=plan.SIP_TCP):
        """The next hop: 200 to every MESSAGE."""
        self = cls(lab, "answer.xml", count,
                   ["-i", address, "-p", str(port), "-t", "t1"], "sipp-answer")
        self.process.wait_port(address, port)
        return self

    @classmethod
    def sender(cls, lab, count, rate, parallel=200, target=plan.FEDGATE, port=plan.SIP_TCP):
        return cls(lab, "send.xml", count,
                   ["-i", plan.SIPP, "-t", "t1", "-r", str(rate), "-l", str(parallel),
                    "-recv_timeout", "40000", f"{target}:{port}"], "sipp-send")

    def statistics(self):
        """The last line of SIPp's statistics as a dict."""
        with open(self.statistics_path, encoding="utf-8") as table:
            lines = table.read().splitlines()
        return dict(zip(lines[0].split(";"), lines[-1].split(";")))

    def finish(self, timeout):
        wait_until(f"{self.process.name} done", lambda: not self.process.running(), timeout)
        figures = self.statistics()
        good, bad = int(figures["SuccessfulCall(C)"]), int(figures["FailedCall(C)"])
        if self.process.popen.returncode != 0 or bad or good != self.count:
            raise LabError(f"{self.process.name}: {good} good, {bad} failed of {self.count}, "
                           f"status {self.process.popen.returncode}\n{self.process.tail()}")
        return figures
