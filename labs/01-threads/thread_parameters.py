"""thread_parameters.py: what a thread can be given: a target, a name, its arguments, and whether it is a daemon."""
import os
import threading
import time

SPEED = float(os.environ.get("AT_SPEED", "1"))


def paint(strokes, colour):
    self = threading.current_thread()
    print(f"{self.name}, daemon {self.daemon}: {strokes} strokes of {colour}")


def varnish():
    time.sleep(60 / SPEED)
    print(f"{threading.current_thread().name} ends varnishing")


def run(t):
    t.start()
    t.join()


if __name__ == "__main__":
    run(threading.Thread(target=paint, args=(10,), kwargs={"colour": "blue"}))
    run(threading.Thread(target=paint, name="Artist A", args=(20,), kwargs={"colour": "red"}))
    run(threading.Thread(target=paint, args=(30,), kwargs={"colour": "gold"}, daemon=True))

    t = threading.Thread(target=varnish, name="Artist B", daemon=True)
    t.start()
    print(f"the program ends without {t.name}")
