"""plain_variable.py: a plain variable does not travel between processes; shared memory does."""
import multiprocessing


def paint():
    global plain
    for i in range(10):
        plain += 1
        shared.value += 1
    print(f"child: plain {plain}, shared {shared.value}")


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    plain = 0
    shared = multiprocessing.RawValue("i")
    m1 = multiprocessing.Process(target=paint)
    m1.start()
    m1.join()
    print(f"parent: plain {plain}, shared {shared.value}")
