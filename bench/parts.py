# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a profile's time went: fedgate's rooms, its libraries, and what the kernel did meanwhile.

A sample of ours is counted for the room whose source line it stands in (inlined code included, by
the debug information). A sample in the kernel is counted for what its call chain says; on loopback
the receiving side's TCP runs inside of the sender's system call, as softirq.
"""
import collections
import os
import re
import subprocess

# What is in a kernel call chain -> the part it counts for: the first that matches.
KERNEL = (("kernel: TCP in (softirq)", ("net_rx_action", "process_backlog")),
          ("kernel: TCP out", ("sendmsg", "tcp_push")),
          ("kernel: TCP read", ("recvmsg", "tcp_cleanup_rbuf")),
          ("kernel: sleep and wake", ("schedule", "try_to_wake_up")),
          ("kernel: interrupts", ("asm_sysvec", "asm_common_interrupt")),
          ("kernel: io_uring, calls", ("io_", "entry_SYSCALL", "do_syscall")))
ROOMS = ("core/base", "core/io", "core/store", "core/engine", "core/edge", "proto/xml",
         "proto/xmpp", "proto/sip", "proto/dns", "proto/translate", "proto/presence", "policy",
         "tls")
LIBRARIES = "wolfCrypt, other libraries"
FRAME = re.compile(r"^\s+([0-9a-f]+) (.*?)(?:\+0x([0-9a-f]+))? \((.*)\)$")


def part_of_kernel(chain):
    for part, marks in KERNEL:
        if any(mark in name for name in chain for mark in marks):
            return part
    return "kernel: other"


def samples(data):
    """Of each sample its frames, (address, symbol, offset, object), the innermost first."""
    script = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,symoff,dso"],
                            capture_output=True, text=True, check=True).stdout
    frames = []
    for line in script.splitlines():
        match = FRAME.match(line)
        if match:
            frames.append((match[1], match[2], int(match[3] or "0", 16), match[4]))
        elif frames:
            yield frames
            frames = []
    if frames:
        yield frames


def sources_of(binary, addresses):
    """The source files of addresses, in their order; '' where nothing is known."""
    lines = subprocess.run(["addr2line", "-e", binary], capture_output=True, text=True, check=True,
                           input="".join(f"{address:x}\n" for address in addresses)).stdout
    return [os.path.normpath(line.rpartition(":")[0]) for line in lines.splitlines()]


def rooms_of(binary, places):
    """{(symbol, offset): room} by the debug information of the place, or, in what the compiler
    brings (intrinsics), of the function. A name that two functions have (static ones) stands for
    the first of them: they are in the same room, or rare."""
    starts = {}
    listed = subprocess.run(["nm", binary], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        fields = line.split()
        if len(fields) == 3:
            starts.setdefault(fields[2], int(fields[0], 16))
    known = [place for place in places if place[0] in starts]
    exact = sources_of(binary, [starts[name] + offset for name, offset in known])
    begin = sources_of(binary, [starts[name] for name, _ in known])
    return {place: room_of(source) or room_of(function) or LIBRARIES
            for place, source, function in zip(known, exact, begin)}


def room_of(source):
    """Of a source file, which the compiler may know by the build folder's links (rooms/xml/...);
    None: it is none of ours."""
    for room in ROOMS:
        if f"/{room}/" in source or f"/rooms/{os.path.basename(room)}/" in source:
            return room
    return None


def parts_of(data, program):
    """{part: share of the samples}. program: the binary whose rooms are to be told apart."""
    counts = collections.Counter()
    ours = collections.Counter()
    for frames in samples(data):
        _, symbol, offset, dso = frames[0]
        if os.path.basename(dso) == os.path.basename(program):
            ours[(symbol, offset)] += 1
        elif dso.startswith("[kernel") or dso == "[unknown]" or dso.endswith(".ko"):
            counts[part_of_kernel([frame[1] for frame in frames])] += 1
        else:
            counts[LIBRARIES if "ssl" in dso else "libc"] += 1
    rooms = rooms_of(program, ours)
    for place, count in ours.items():
        counts[rooms.get(place, "unknown")] += count
    total = sum(counts.values()) or 1
    return {part: count / total for part, count in counts.most_common()}
