"""capture_output.py: what a command prints comes back as bytes, stdout and stderr apart, however much it is."""
import subprocess
import sys

MEBIBYTE = 1 << 20  # far more than a pipe holds

if __name__ == "__main__":
    both = subprocess.run(["sh", "-c", "echo colour; echo water >&2"], capture_output=True)
    print(both)
    nothing = subprocess.run(["true"], capture_output=True)
    print(nothing)
    one = subprocess.run(["echo", "colour"], stdout=subprocess.PIPE)
    print(one)
    large = subprocess.run(["head", "-c", str(MEBIBYTE), "/dev/zero"], stdout=subprocess.PIPE)
    print("head: captured", len(large.stdout), "bytes")

    wrong = both.stdout != b"colour\n" or both.stderr != b"water\n" or nothing.stdout != b"" or one.stderr is not None
    sys.exit(wrong or large.stdout != bytes(MEBIBYTE))
