"""pool_apply.py: apply waits for its task, so three workers do three tasks one after another."""
import multiprocessing
import os
import sys
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def Painting(num):
    begin = time.monotonic()
    print(f"Number of paints used by artist {num}", flush=True)  # now, not when this process ends
    time.sleep(1 / SPEED)
    return time.monotonic() - begin


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    print("Artist starts painting ", flush=True)
    start_time = time.monotonic()
    pool = multiprocessing.Pool(3)
    total = 0
    for i in range(3):
        total += pool.apply(Painting, [i])
    elapsed = time.monotonic() - start_time
    print(f"Artist ends painting {elapsed:f}")
    pool.close()
    pool.join()
    sys.exit(elapsed < total)
