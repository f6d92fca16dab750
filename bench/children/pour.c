/* pour.c: a program that writes so many bytes to stdout, those of bytes.h, as fast as it can. */
#include <stdlib.h>
#include <unistd.h>

#include "../bytes.h"

enum { AT_ONCE = 1 << 16 };

int main(int argc, char *argv[]) {
    static unsigned char bytes[BYTES_PERIOD + AT_ONCE];
    size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    bytes_fill(bytes, sizeof bytes);
    for (size_t done = 0; done < size;) {
        size_t left = size - done;
        ssize_t written = write(STDOUT_FILENO, bytes + done % BYTES_PERIOD, left < AT_ONCE ? left : AT_ONCE);
        if (written <= 0)
            return 1;
        done += (size_t)written;
    }
    return 0;
}
