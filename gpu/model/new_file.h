/* new_file.h: a file that takes the place of an older one only when it is whole and on the disk. */
#ifndef GPU_NEW_FILE_H
#define GPU_NEW_FILE_H

#include <limits.h>
#include <stdio.h>

#include "failure.h"

struct new_file {
    FILE *stream;
    int code; /* of the first failure to write, which end tells of */
    char path[PATH_MAX], part[PATH_MAX];
};

/*
 * Opens a file beside `path`, with another name. Then new_file_end must be called, which gives it the name once all is
 * on the disk, or removes it and says why not. A process that is killed in between leaves PATH.N.part, and the old
 * file.
 */
int new_file_begin(struct new_file *file, const char *path, struct failure *failure) AT_MUST_CHECK;
void new_file_write(struct new_file *file, const void *bytes, size_t size);
int new_file_end(struct new_file *file, struct failure *failure) AT_MUST_CHECK;

/* Makes the folders that the path lies in, where they are missing. */
int make_folders_of(const char *path, struct failure *failure) AT_MUST_CHECK;

#endif
