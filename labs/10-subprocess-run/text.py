"""text.py: bytes or text: line ends, encodings, and what to do with bytes that are no text."""
import subprocess
import sys
from subprocess import PIPE

LINES = ["printf", "red\\r\\nblue\\rgreen\\n"]
LATIN = ["printf", "caf\\351\\n"]  # 351, octal, is the letter e with an acute accent in ISO 8859-1

if __name__ == "__main__":
    as_bytes = subprocess.run(LINES, stdout=PIPE)
    print("bytes:", as_bytes)
    text = subprocess.run(LINES, stdout=PIPE, text=True)
    print("text:", text)
    older = subprocess.run(LINES, stdout=PIPE, universal_newlines=True)
    print("universal_newlines:", older)

    latin = subprocess.run(LATIN, stdout=PIPE, encoding="iso-8859-1")
    print("encoding:", latin)
    try:
        subprocess.run(LATIN, stdout=PIPE, encoding="utf-8")
    except UnicodeDecodeError as error:
        print("strict:", error)
    replaced = subprocess.run(LATIN, stdout=PIPE, encoding="utf-8", errors="replace")
    print("replace:", replaced)
    ignored = subprocess.run(LATIN, stdout=PIPE, encoding="utf-8", errors="ignore")
    print("ignore:", ignored)

    wrong = as_bytes.stdout != b"red\r\nblue\rgreen\n" or not text.stdout == older.stdout == "red\nblue\ngreen\n"
    sys.exit(wrong or latin.stdout != "caf\u00e9\n" or replaced.stdout != "caf\ufffd\n" or ignored.stdout != "caf\n")
