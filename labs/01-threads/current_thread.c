/*
 * current_thread.c: the thread that asks; in main, that is the main thread.
 *
 * Python:  current_thread.py; threading.current_thread()
 * Expect:  <_MainThread(MainThread, started N)>, where N is the thread's ident
 * Try:     ask from a thread named "Artist A": <Thread(Artist A, started N)>, with another N
 */
#include <stdio.h>

#include "atelier.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    char text[128];
    at_thread_repr(at_current_thread(), text, sizeof text);
    printf("%s\n", text);
    if (at_current_thread() != at_main_thread()) {
        fprintf(stderr, "current_thread: main does not run in the main thread\n");
        return 1;
    }
    return 0;
}
