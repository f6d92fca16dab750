"""with_join.py: main waits for the thread, so the four lines come in the order of the work."""
import os
import threading
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def painting():
    time.sleep(3 / SPEED)
    print("Artist A ends painting:", time.strftime("%H:%M:%S"))
    time.sleep(1 / SPEED)
    print("Artist B starts painting", time.strftime("%H:%M:%S"))
    time.sleep(3 / SPEED)


if __name__ == "__main__":
    print("Artist A starts painting", time.strftime("%H:%M:%S"))
    t = threading.Thread(target=painting)
    t.start()
    t.join()
    print("Artist B ends painting", time.strftime("%H:%M:%S"))
