"""join_before_drain.py: the parent joins a child that has put a large message before anybody gets it: a deadlock."""
import sys

del sys.path[0]  # this folder: its queue.py is not the module that multiprocessing looks for
import multiprocessing as mp


def function(q, size):
    q.put(bytes(size))


if __name__ == "__main__":
    mp.set_start_method("fork")
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 20
    q = mp.Queue()
    m = mp.Process(target=function, args=(q, size))
    m.start()

    m.join(1)  # without a timeout it would wait for ever
    print(f"join(1) before get() returns: {'timeout' if m.is_alive() else 'ended'}, is_alive {m.is_alive()}")

    painting = q.get()
    print(f"get() returns: {len(painting)} bytes")

    m.join()
    print(f"join() after get() returns: ended, is_alive {m.is_alive()}")
