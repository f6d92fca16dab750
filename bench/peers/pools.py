"""Python's pools, for bench/pools.c: python3 pools.py pool|executor single|default|async|hot|asleep US WORKERS MOST"""
import concurrent.futures
import multiprocessing
import signal
import sys
import time

from peer import refuse, serve

SAMPLE_NS = 30e6    # a sample is about so long
WARM_TRIPS = 20
PAUSE = 100e-6      # seconds before a trip, for both sides to sleep

turns = 0           # of the loop that is a task's work


def spin(count):
    for _ in range(count):
        pass


def calibrate(us):
    """Sets how many turns take so long; the most of some tries, since what disturbs only slows."""
    global turns
    count, most = 2000, 0
    for _ in range(100 if us else 0):
        start = time.perf_counter_ns()
        spin(count)
        most = max(most, count / (time.perf_counter_ns() - start))
    turns = int(us * 1000 * most)


def task(x):
    if turns:
        spin(turns)
    return 2 * x + 1


def check(results, count):
    if results != [2 * x + 1 for x in range(count)]:
        refuse("wrong", "the results of %d tasks are not theirs" % count)


def pool_calls(workers):
    pool = multiprocessing.get_context("fork").Pool(workers)

    def run_async(count):
        results = [pool.apply_async(task, (x,)) for x in range(count)]
        return [result.get() for result in results]

    return {"single": lambda count: pool.map(task, range(count), chunksize=1),
            "default": lambda count: pool.map(task, range(count)),
            "async": run_async,
            "apply": lambda x: pool.apply(task, (x,))}


def executor_calls(workers):
    context = multiprocessing.get_context("fork")
    executor = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)

    def run_async(count):
        results = [executor.submit(task, x) for x in range(count)]
        return [result.result() for result in results]

    def default(count):     # an executor's own default is 1; this is the Pool's
        return list(executor.map(task, range(count), chunksize=-(-count // (4 * workers))))

    return {"single": lambda count: list(executor.map(task, range(count))),
            "default": default,
            "async": run_async,
            "apply": lambda x: executor.submit(task, x).result()}


def many(run, most):
    def once(count):
        start = time.perf_counter_ns()
        results = run(count)
        elapsed = time.perf_counter_ns() - start
        check(results, count)
        return elapsed

    count = min(64, most)
    while True:
        elapsed = min(once(count), once(count), once(count))
        factor = SAMPLE_NS / elapsed
        if factor < 1.5 or count >= most:
            return lambda: once(count) / count
        count = min(int(count * min(factor, 8)), most)


def trip(apply, pause):
    def take():
        if pause:
            time.sleep(pause)
        start = time.perf_counter_ns()
        result = apply(20)
        elapsed = time.perf_counter_ns() - start
        if result != 41:
            refuse("wrong", "apply: %r" % result)
        return elapsed

    for _ in range(WARM_TRIPS):
        take()
    return take


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    makers = {"pool": pool_calls, "executor": executor_calls}
    kinds = ("single", "default", "async", "hot", "asleep")
    if len(sys.argv) != 6 or sys.argv[1] not in makers or sys.argv[2] not in kinds:
        sys.exit(__doc__)
    kind = sys.argv[2]
    us, workers, most = (int(text) for text in sys.argv[3:])
    calibrate(us)
    calls = makers[sys.argv[1]](workers)
    if kind in ("hot", "asleep"):
        serve(trip(calls["apply"], PAUSE if kind == "asleep" else 0))
    else:
        serve(many(calls[kind], most))


if __name__ == "__main__":
    main()
