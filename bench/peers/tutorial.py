"""The tutorial's comparison in Python, for bench/tutorial.c: python3 tutorial.py multi | thread | normal N"""
import multiprocessing
import signal
import sys
import threading
import time

from peer import refuse, serve

SHORT = 1000            # below it work is done so many times in a sample


def add_up(queue, numbers):
    total = 0
    for number in range(numbers):
        total += number
    queue.put(total)


def get_two(queue):
    total = queue.get() + queue.get()
    queue.close()
    queue.join_thread()
    return total


def multi(numbers):
    queue = multiprocessing.Queue()
    first = multiprocessing.Process(target=add_up, args=(queue, numbers))
    second = multiprocessing.Process(target=add_up, args=(queue, numbers))
    first.start()
    second.start()
    first.join()
    second.join()
    return get_two(queue)


def thread(numbers):
    queue = multiprocessing.Queue()  # threads can use the same kind of queue
    first = threading.Thread(target=add_up, args=(queue, numbers))
    second = threading.Thread(target=add_up, args=(queue, numbers))
    first.start()
    second.start()
    first.join()
    second.join()
    return get_two(queue)


def normal(numbers):
    total = 0
    for _ in range(2):
        for number in range(numbers):
            total += number
    return total


def timed(way, numbers):
    times = SHORT if way is normal and numbers < SHORT else 1

    def take():
        start = time.perf_counter_ns()
        totals = {way(numbers) for _ in range(times)}
        elapsed = time.perf_counter_ns() - start
        if totals != {numbers * (numbers - 1)}:
            refuse("wrong", "two sums below %d = %r, not %d" % (numbers, totals, numbers * (numbers - 1)))
        return elapsed / times
    return take


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    multiprocessing.set_start_method("fork")
    ways = {"multi": multi, "thread": thread, "normal": normal}
    if len(sys.argv) != 3 or sys.argv[1] not in ways:
        sys.exit(__doc__)
    serve(timed(ways[sys.argv[1]], int(sys.argv[2])))


if __name__ == "__main__":
    main()
