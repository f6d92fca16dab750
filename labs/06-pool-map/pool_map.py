"""pool_map.py: a pool of two processes runs a function on each of the arguments; map gives back what it returned."""
import multiprocessing
import os
import sys
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def function(num):
    time.sleep((1 if num == 0 else 0.1) / SPEED)
    res = 0
    for i in range(num):
        res += i
    print(f"function({num}) done\n", end="", flush=True)  # one write a line, and now
    return res


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    args = [0, 1, 2, 3, 4, 5, 6, 7]
    with multiprocessing.Pool(processes=2) as pool:
        result = pool.map(function, args)
    print(result)
    sys.exit(result != [arg * (arg - 1) // 2 for arg in args])
