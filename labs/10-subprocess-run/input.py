"""input.py: bytes for the command's standard input, which is then closed."""
import subprocess
import sys

SIZE = 4 << 20

if __name__ == "__main__":
    upper = subprocess.run(["tr", "a-z", "A-Z"], input=b"blue\nred\n", stdout=subprocess.PIPE)
    print(upper)
    counted = subprocess.run(["wc", "-c"], input=b"\0\0\0", stdout=subprocess.PIPE)
    print(counted)

    paint = bytes(SIZE)
    copied = subprocess.run(["cat"], input=paint, stdout=subprocess.PIPE)
    print("cat: sent", SIZE, "bytes, and as many came back:", copied.stdout == paint)
    unread = subprocess.run(["true"], input=paint)  # it ends without having read any of it
    print("true: sent", SIZE, "bytes; return code", unread.returncode)

    try:
        subprocess.run(["cat"], input=b"blue", stdin=subprocess.DEVNULL)
    except ValueError as error:
        print("input and stdin:", error)
    sys.exit(upper.stdout != b"BLUE\nRED\n" or counted.stdout != b"3\n" or copied.stdout != paint)
