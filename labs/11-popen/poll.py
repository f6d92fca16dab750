"""poll.py: poll says whether a command has ended, and does not wait; the command ends here when its input does."""
import os
import select
import subprocess
import sys

if __name__ == "__main__":
    p = subprocess.Popen(["sh", "-c", "read colour; exit 7"], stdin=subprocess.PIPE)
    before = p.poll()
    print("poll():", before)
    p.stdin.close()

    pidfd = os.pidfd_open(p.pid)
    select.select([pidfd], [], [])  # readable once it has ended: waiting without a timer
    os.close(pidfd)
    after = p.poll()
    print("poll():", after)
    again = p.poll()
    print("poll() again:", again)
    sys.exit((before, after, again) != (None, 7, 7))
