"""Python's queue, for bench/queues.c: python3 queues.py stream SIZE PAIRS [MAXSIZE] | hot SIZE | asleep SIZE

The system places these processes as it likes: bound to cores, as the C subjects are, they were no faster.
"""
import multiprocessing
import signal
import sys
import time

from peer import refuse, serve

SAMPLE_NS = 20e6        # a stream is about so long
WARM_TRIPS = 20
PAUSE = 100e-6          # seconds before a trip, for both sides to sleep
LAST = 1 << 63          # marks a producer's last message
SHIFT = 48              # above it: which producer

def message(number, size):
    """The number, at both ends if it is long enough: as in bench/traffic.h."""
    end = (~number & (1 << 64) - 1).to_bytes(8, "little") if size >= 16 else b""
    return number.to_bytes(8, "little") + bytes(size - 8 - len(end)) + end


def number_of(item, size):
    number = int.from_bytes(item[:8], "little")
    if len(item) != size or item != message(number, size):
        return None
    return number


def produce(index, queue, size, control):
    put = queue.put
    while True:
        count = control.recv()
        items = [message(index << SHIFT | i, size) for i in range(count - 1)]
        items.append(message(index << SHIFT | count - 1 | LAST, size))
        control.send(None)          # ready
        control.recv()
        start = time.perf_counter_ns()
        for item in items:
            put(item)
        control.send(start)


def consume(index, queue, size, control):
    get = queue.get
    while True:
        control.recv()
        items = []
        while True:
            item = get()
            items.append(item)
            if item[7] >= 128:
                break
        end = time.perf_counter_ns()
        control.send((end, [number_of(item, size) for item in items]))


def stream(size, pairs, maxsize):
    context = multiprocessing.get_context("fork")
    queue = context.Queue(maxsize)
    controls = []
    for index in range(2 * pairs):
        ours, theirs = context.Pipe()
        work = produce if index < pairs else consume
        context.Process(target=work, args=(index, queue, size, theirs), daemon=True).start()
        controls.append(ours)
    producers, consumers = controls[:pairs], controls[pairs:]

    def once(count):
        for producer in producers:
            producer.send(count)
        for producer in producers:
            producer.recv()
        for control in consumers + producers:
            control.send(None)
        starts = [producer.recv() for producer in producers]
        ends, found = zip(*[consumer.recv() for consumer in consumers])
        for producer in range(pairs):
            for numbers in found:
                mine = [n for n in numbers if n is not None and (n & ~LAST) >> SHIFT == producer]
                if mine != sorted(mine):
                    refuse("wrong", "messages of one producer overtook each other")
        got = sorted(n & ~LAST for numbers in found for n in numbers if n is not None)
        if got != [producer << SHIFT | i for producer in range(pairs) for i in range(count)]:
            refuse("wrong", "%d messages of %d arrived, or not these" % (len(got), pairs * count))
        return (max(ends) - min(starts)) / (pairs * count)

    count = 16
    while True:
        each = min(once(count), once(count))
        factor = SAMPLE_NS / (each * count * pairs)
        if factor < 1.5 or count >= 100000:
            break
        count = int(count * min(factor, 8))
    return lambda: once(count)


def echo(here, there):
    while True:
        there.put(here.get())


def trip(size, pause):
    context = multiprocessing.get_context("fork")
    there, back = context.Queue(), context.Queue()
    context.Process(target=echo, args=(there, back), daemon=True).start()
    number = 0

    def take():
        nonlocal number
        number += 1
        item = message(number, size)
        if pause:
            time.sleep(pause)
        start = time.perf_counter_ns()
        there.put(item)
        answer = back.get()
        elapsed = time.perf_counter_ns() - start
        if answer != item:
            refuse("wrong", "another message came back")
        return elapsed

    for _ in range(WARM_TRIPS):
        take()
    return take


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kind, numbers = (sys.argv[1], [int(text) for text in sys.argv[2:]]) if len(sys.argv) > 2 else ("", [])
    if kind == "stream" and len(numbers) >= 2:
        serve(stream(numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 0))
    elif kind in ("hot", "asleep"):
        serve(trip(numbers[0], PAUSE if kind == "asleep" else 0))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
