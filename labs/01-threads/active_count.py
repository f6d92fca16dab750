"""active_count.py: how many threads a program has that started none."""
import threading

if __name__ == "__main__":
    print(threading.active_count())
