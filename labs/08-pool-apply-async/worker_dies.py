"""worker_dies.py: a worker is killed in the middle of its task; get() of that task would wait for ever."""
import multiprocessing
import os
import signal
import sys
import threading
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))
TIMEOUT = 1 + 4 / SPEED  # far more than a task takes
ARTISTS, VICTIM = 6, 2


def Painting(num):
    time.sleep(0.5 / SPEED)
    if num == VICTIM:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory is short
    time.sleep(0.5 / SPEED)
    return 10


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    pool = multiprocessing.Pool(2)
    results = [pool.apply_async(Painting, [i]) for i in range(ARTISTS)]
    for i in range(ARTISTS):
        try:
            print(f"artist {i}: {results[i].get(TIMEOUT)} paints", flush=True)
        except multiprocessing.TimeoutError:
            print(f"artist {i}: no result; get() would wait for ever", flush=True)
    paints = pool.apply_async(Painting, [ARTISTS]).get(TIMEOUT)
    print(f"the pool goes on: artist {ARTISTS}: {paints} paints", flush=True)

    # close() and join() would wait for ever, since one task is never done; terminate() may. So it gets two seconds.
    terminator = threading.Thread(target=pool.terminate, daemon=True)
    terminator.start()
    terminator.join(2)
    for worker in multiprocessing.active_children():
        worker.kill()
    os._exit(0)
