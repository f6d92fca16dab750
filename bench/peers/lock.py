"""Python's locks, for bench/primitives.c: python3 lock.py lock | rlock | process_lock | contended THREADS | recovery"""
import multiprocessing
import os
import signal
import sys
import threading
import time

from peer import refuse, serve

PAIRS = 5000        # in a sample
WINDOW = 0.1        # seconds that contenders run: some turns of the 5 ms that the interpreter gives each
LOST_AFTER = 0.5    # seconds after which a lock counts as lost


def uncontended(lock):
    def take():
        acquire, release = lock.acquire, lock.release
        start = time.perf_counter_ns()
        for _ in range(PAIRS):
            acquire()
            release()
        return (time.perf_counter_ns() - start) / PAIRS
    return take


def contended(threads):
    def take():
        lock = threading.Lock()
        barrier = threading.Barrier(threads + 1)
        counter = 0
        stop = False
        shares = [0] * threads

        cores = sorted(os.sched_getaffinity(0))

        def contend(index):
            nonlocal counter
            os.sched_setaffinity(0, {cores[index % len(cores)]})    # this thread's: as the C subjects do it
            pairs = 0
            barrier.wait()
            while not stop:
                lock.acquire()
                counter += 1
                lock.release()
                pairs += 1
            shares[index] = pairs

        workers = [threading.Thread(target=contend, args=(i,)) for i in range(threads)]
        for worker in workers:
            worker.start()
        barrier.wait()
        start = time.perf_counter_ns()
        time.sleep(WINDOW)
        stop = True
        for worker in workers:
            worker.join()
        elapsed = time.perf_counter_ns() - start
        if counter != sum(shares):
            refuse("wrong", "the counter says %d after %d increments" % (counter, sum(shares)))
        return elapsed / max(counter, 1), max(min(shares), 1) / max(max(shares), 1)
    return take


def hold(lock, held):
    lock.acquire()
    held.send(True)
    time.sleep(3600)


def recovery():
    """multiprocessing.Lock does not learn of its holder's death: shown once, not timed."""
    def take():
        context = multiprocessing.get_context("fork")
        lock = context.Lock()
        ours, theirs = context.Pipe()
        holder = context.Process(target=hold, args=(lock, theirs), daemon=True)
        holder.start()
        ours.recv()
        os.kill(holder.pid, signal.SIGKILL)
        start = time.perf_counter_ns()
        if not lock.acquire(timeout=LOST_AFTER):
            refuse("lost", "lost for ever (still held %g s after its holder was killed)" % LOST_AFTER)
        return time.perf_counter_ns() - start
    return take


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kind = sys.argv[1] if len(sys.argv) > 1 else ""
    if kind == "lock":
        serve(uncontended(threading.Lock()))
    elif kind == "rlock":
        serve(uncontended(threading.RLock()))
    elif kind == "process_lock":
        serve(uncontended(multiprocessing.Lock()))
    elif kind == "contended":
        serve(contended(int(sys.argv[2]) or len(os.sched_getaffinity(0))))
    elif kind == "recovery":
        serve(recovery())
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
