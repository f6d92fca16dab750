"""pool_apply_async.py: apply_async hands a task out and does not wait, so three workers do three tasks at once."""
import multiprocessing
import os
import sys
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def Painting(num):
    print(f"Number of paints used by artist {num}\n", end="", flush=True)  # one write a line, and now
    time.sleep(1 / SPEED)
    return num


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    print("Artist starts painting ", flush=True)
    start_time = time.monotonic()
    pool = multiprocessing.Pool(3)
    results = [pool.apply_async(Painting, [i]) for i in range(3)]
    print(f"Artist ends painting {time.monotonic() - start_time:f}", flush=True)
    pool.close()
    pool.join()

    sys.exit([result.get(0) for result in results] != [0, 1, 2])
