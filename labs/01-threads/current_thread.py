"""current_thread.py: the thread that asks."""
import threading

if __name__ == "__main__":
    print(threading.current_thread())
