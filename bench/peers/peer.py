"""What the Python peers share: answering requests for samples (the protocol is in bench/peer.h)."""
import sys


def serve(take):
    """For each line "COUNT" on stdin, one line with COUNT samples; a sample is ns, or (ns, share)."""
    for request in sys.stdin:
        samples = [take() for _ in range(int(request))]
        if isinstance(samples[0], tuple):
            times, shares = zip(*samples)
            answer = " ".join("%.6g" % ns for ns in times) + "; " + " ".join("%.4g" % share for share in shares)
        else:
            answer = " ".join("%.6g" % ns for ns in samples)
        print(answer, flush=True)


def refuse(kind, text):
    """Answers "wrong: ..." or "lost: ..." instead, and ends."""
    print("%s: %s" % (kind, text), flush=True)
    sys.exit(0)
