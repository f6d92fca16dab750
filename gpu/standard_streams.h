/* standard_streams.h: stdin, stdout and stderr of a program that somebody started without some of them. */
#ifndef GPU_STANDARD_STREAMS_H
#define GPU_STANDARD_STREAMS_H

#include <fcntl.h>
#include <unistd.h>

/*
 * Were they closed, then the first descriptors that the program opens, the memory of its workers say, would have their
 * numbers, and what is printed would go there.
 */
static inline void open_standard_streams(void) {
    int null;
    while ((null = open("/dev/null", O_RDWR)) >= 0 && null <= STDERR_FILENO)
        continue;
    if (null >= 0)
        close(null);
}

#endif
