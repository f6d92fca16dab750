"""join_timeout.py: a join with a timeout gives up after that many seconds, and the thread goes on."""
import os
import threading
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def painting():
    time.sleep(3 / SPEED)
    print("Artist A ends painting:", time.strftime("%H:%M:%S"))


if __name__ == "__main__":
    print("Artist A starts painting", time.strftime("%H:%M:%S"))
    t = threading.Thread(target=painting)
    t.start()

    t.join(0.05)  # always None, so is_alive() must tell
    print(f"join(0.05) returns: {'timeout' if t.is_alive() else 'ended'}, is_alive {t.is_alive()}")

    t.join()
    print(f"join() returns: ended, is_alive {t.is_alive()}")
