"""Python's threads and processes, for bench/primitives.c: python3 start.py thread | fork | forkserver [MIB]"""
import multiprocessing
import signal
import sys
import threading
import time

from peer import refuse, serve


def nothing():
    pass


def thread():
    start = time.perf_counter_ns()
    worker = threading.Thread(target=nothing)
    worker.start()
    worker.join()
    return time.perf_counter_ns() - start


def process(context):
    def take():
        start = time.perf_counter_ns()
        worker = context.Process(target=nothing)
        worker.start()
        worker.join()
        elapsed = time.perf_counter_ns() - start
        if worker.exitcode != 0:
            refuse("wrong", "an empty process ended with %r" % worker.exitcode)
        worker.close()
        return elapsed
    return take


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kind = sys.argv[1] if len(sys.argv) > 1 else ""
    # Filled, so that every page is there: a page that was never touched costs a fork nothing.
    ballast = bytearray(b"x") * (int(sys.argv[2]) << 20) if len(sys.argv) > 2 else b""
    if kind == "thread":
        serve(thread)
    elif kind in ("fork", "forkserver"):
        serve(process(multiprocessing.get_context(kind)))
    else:
        sys.exit(__doc__)
    del ballast


if __name__ == "__main__":
    main()
