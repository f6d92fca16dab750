"""Python's subprocess, for bench/subprocess.c: python3 spawns.py KIND [PROGRAM [NUMBER]], where KIND is

run PROGRAM [MIB]; timeout PROGRAM; exit PROGRAM; capture PROGRAM BYTES; cat PROGRAM BYTES; overshoot

It is not called subprocess.py, since then that is what the peers beside it would import.
"""
import os
import signal
import subprocess
import sys
import time

from peer import refuse, serve

PERIOD = 65537              # as in bench/bytes.h
TIMEOUT = 0.05              # these two: as in bench/exits.c
SHELL_LINE = "sleep 2 & wait"


def check(returncode):
    if returncode != 0:
        refuse("wrong", "a child ended with %r" % returncode)


def run(program, **options):
    def take():
        start = time.perf_counter_ns()
        done = subprocess.run([program], **options)
        elapsed = time.perf_counter_ns() - start
        check(done.returncode)
        return elapsed
    return take


def from_exit(program):
    turn = 0

    def take():
        nonlocal turn
        life = 2 + turn * 7 % 19    # ms, as in bench/exits.c
        turn += 1
        with subprocess.Popen([program, str(life)], stdout=subprocess.PIPE) as child:
            check(child.wait(timeout=5))
            end = time.monotonic_ns()
            stamp = int.from_bytes(child.stdout.read(8), sys.byteorder)
        if not 0 < stamp <= end:
            refuse("wrong", "a child ended without its last word")
        return end - stamp
    return take


def capture(program, size):
    period = subprocess.run([program, str(PERIOD)], stdout=subprocess.PIPE, check=True).stdout
    expected = (period * (size // PERIOD + 1))[:size]

    def take():
        start = time.perf_counter_ns()
        done = subprocess.run([program, str(size)], stdout=subprocess.PIPE)
        elapsed = time.perf_counter_ns() - start
        check(done.returncode)
        if done.stdout != expected:
            refuse("wrong", "%d bytes came of %d, or not these" % (len(done.stdout), size))
        return elapsed
    return take


def through(program, size):
    data = (os.urandom(PERIOD) * (size // PERIOD + 1))[:size]

    def take():
        start = time.perf_counter_ns()
        with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            output, _ = child.communicate(data)
        elapsed = time.perf_counter_ns() - start
        check(child.returncode)
        if output != data:
            refuse("wrong", "%d bytes came of %d, or not these" % (len(output), size))
        return elapsed
    return take


def overshoot():
    """The shell alone is killed: its child lives on until it ends by itself."""
    start = time.perf_counter_ns()
    try:
        subprocess.run(SHELL_LINE, shell=True, stdout=subprocess.PIPE, timeout=TIMEOUT)
        refuse("wrong", "the timeout did not come")
    except subprocess.TimeoutExpired:
        return time.perf_counter_ns() - start - TIMEOUT * 1e9


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kind, program = (sys.argv[1:] + ["", ""])[:2]
    number = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    # Filled, so that every page is there.
    ballast = bytearray(b"x") * (number << 20 if kind == "run" else 0)
    if kind == "run":
        serve(run(program))
    elif kind == "timeout":
        serve(run(program, timeout=5))
    elif kind == "exit":
        serve(from_exit(program))
    elif kind == "capture":
        serve(capture(program, number))
    elif kind == "cat":
        serve(through(program, number))
    elif kind == "overshoot":
        serve(overshoot)
    else:
        sys.exit(__doc__)
    del ballast


if __name__ == "__main__":
    main()
