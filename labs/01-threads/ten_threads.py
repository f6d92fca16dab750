"""ten_threads.py: ten threads that each work for a second are done after one second, not ten."""
import os
import threading
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def function(arg):
    time.sleep(1 / SPEED)
    print(f"thread {arg} running....\n", end="")  # one write a line


if __name__ == "__main__":
    for i in range(10):  # create ten threads
        t = threading.Thread(target=function, args=(i,))
        t.start()
