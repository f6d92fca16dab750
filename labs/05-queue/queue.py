"""queue.py: what a function in another process has found out comes back through a queue."""
import sys

del sys.path[0]  # this folder: its queue.py is not the module that multiprocessing looks for
import multiprocessing as mp


def function(q, num):
    res = 0
    for i in range(num):
        res += i
    q.put(res)


def multi():
    q = mp.Queue()
    m1 = mp.Process(target=function, args=(q, 5))
    m2 = mp.Process(target=function, args=(q, 5))
    m1.start()
    m2.start()
    m1.join()
    m2.join()
    res1 = q.get()
    res2 = q.get()
    print("multi:", res1 + res2)
    return res1 + res2


if __name__ == "__main__":
    mp.set_start_method("fork")
    sys.exit(multi() != 20)
