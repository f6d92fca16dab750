"""enumerate.py: the list of all threads that are alive."""
import threading

if __name__ == "__main__":
    print(threading.enumerate())
