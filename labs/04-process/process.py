"""process.py: two processes run a function each, as two threads would: start them, then join them."""
import multiprocessing
import os
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def function(arg):
    time.sleep(1 / SPEED)
    print(f"process {arg} running....\n", end="")  # one write a line


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    processes = [multiprocessing.Process(target=function, args=(i,)) for i in range(2)]
    for m in processes:
        m.start()
    for m in processes:
        m.join()
        print(f"{m.name} ended with exit code {m.exitcode}")
