"""process_lock.py: two processes count their strokes in shared memory under a lock between processes; none is lost."""
import multiprocessing
import sys


def paint(artist):
    lock.acquire()
    for i in range(10):
        first.value += 1
        print(f"Number of paints used by artist {artist} {first.value}")
    sys.stdout.flush()  # before the other artist prints: each process has its own buffer
    lock.release()
    for i in range(strokes):
        lock.acquire()
        later.value += 1
        lock.release()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    strokes = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    lock = multiprocessing.Lock()
    first = multiprocessing.RawValue("l")  # strokes of the first ten
    later = multiprocessing.RawValue("l")  # strokes after those
    m1 = multiprocessing.Process(target=paint, args=("A",))
    m2 = multiprocessing.Process(target=paint, args=("B",))
    m1.start()
    m2.start()
    m1.join()
    m2.join()
    expected, counted = 2 * (10 + strokes), first.value + later.value
    print(f"expected {expected}, counted {counted}, lost {expected - counted}")
    sys.exit(counted != expected)
