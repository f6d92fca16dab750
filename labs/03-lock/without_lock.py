"""without_lock.py: two artists count their strokes in one variable without a lock."""
import sys
import threading

LAYERS = 30


def paint(artist):
    global pigment
    start_line.wait()
    for i in range(10):
        pigment += 1
        print(f"Number of paints used by artist {artist} {pigment}\n", end="")  # one write a line
    start_line.wait()
    for i in range(LAYERS * strokes):
        pigment += 1


if __name__ == "__main__":
    strokes = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000  # a tenth of the C program's
    start_line = threading.Barrier(2)  # each artist waits here until the other has come
    pigment = 0
    t1 = threading.Thread(target=paint, args=("A",))
    t2 = threading.Thread(target=paint, args=("B",))
    t1.start()
    t2.start()
    t1.join()
    t2.join()
    expected = 2 * (10 + LAYERS * strokes)
    print(f"expected {expected}, counted {pigment}, lost {expected - pigment}")
