"""comparison.py: the same work in two processes, in two threads and without concurrency, and how long each takes."""
import math
import multiprocessing as mp
import sys
import threading as td
import time


def function(q, num):
    res = 0
    for i in range(num):
        res += i
    q.put(res)


def get_two(q):
    res1 = q.get()
    res2 = q.get()
    q.close()
    q.join_thread()
    return res1 + res2


def multi(num):
    q = mp.Queue()
    m1 = mp.Process(target=function, args=(q, num))
    m2 = mp.Process(target=function, args=(q, num))
    m1.start()
    m2.start()
    m1.join()
    m2.join()
    return get_two(q)


def thread(num):
    q = mp.Queue()  # threads can use the same kind of queue
    t1 = td.Thread(target=function, args=(q, num))
    t2 = td.Thread(target=function, args=(q, num))
    t1.start()
    t2.start()
    t1.join()
    t2.join()
    return get_two(q)


def normal(num):
    res = 0
    for _ in range(2):
        for i in range(num):
            res += i
    return res


def run_time(f, num):
    start = time.monotonic()
    total = f(num)
    seconds = time.monotonic() - start
    if total != num * (num - 1):
        sys.exit(f"comparison: {f.__name__} found {total} in place of {num * (num - 1)}")
    return seconds, total


if __name__ == "__main__":
    mp.set_start_method("fork")
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000_000  # less than the C program's: Python takes longer
    for f in multi, thread, normal:
        seconds, total = run_time(f, 5)
        print(f"{f.__name__}: {total}\nrunning time {seconds:.7f}", flush=True)
    print("\n      work      multi     thread     normal  (us, best of three)", flush=True)
    since = {multi: 0, thread: 0}
    wins = {multi: 0, thread: 0}  # how many sizes in a row it has been faster than normal, by 5%; three decide
    num = 5
    while num <= largest and (wins[multi] < 3 or wins[thread] < 3):
        best = {multi: math.inf, thread: math.inf, normal: math.inf}
        for turn in range(3):
            for f in best:
                best[f] = min(best[f], run_time(f, num)[0])
        print(f"{num:10} {1e6 * best[multi]:10.1f} {1e6 * best[thread]:10.1f} {1e6 * best[normal]:10.1f}", flush=True)
        for f in multi, thread:
            if wins[f] < 3:
                wins[f] = wins[f] + 1 if best[f] < 0.95 * best[normal] else 0
            since[f] = num if wins[f] == 1 else since[f]
        num *= 2
    for f in multi, thread:
        if wins[f] == 3:
            print(f"{f.__name__} is faster than normal from {since[f]} on")
        else:
            print(f"{f.__name__} is not reliably faster up to {largest}, here and now")
