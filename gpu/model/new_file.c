/* new_file.c: writes a file that is there as a whole or not at all. */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot(const struct new_file *file, int code, struct failure *failure) {
    return fail(failure, code, "%s: cannot be written: %s", file->path, at_strerror(code));
}

int new_file_begin(struct new_file *file, const char *path, struct failure *failure) {
    enum { TRIES = 1000 };
    int fd = -1;
    file->code = 0;
    snprintf(file->path, sizeof file->path, "%s", path);
    for (int i = 0; i < TRIES && fd < 0; i++) { /* another's, or what a killed one left, may be there */
        int length = snprintf(file->part, sizeof file->part, "%s.%d.part", path, i);
        if ((size_t)length >= sizeof file->part)
            return cannot(file, -ENAMETOOLONG, failure);
        fd = open(file->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            return cannot(file, -errno, failure);
    }
    if (fd < 0)
        return cannot(file, -EEXIST, failure);
    file->stream = fdopen(fd, "w");
    if (file->stream == NULL) {
        int code = -errno;
        close(fd);
        unlink(file->part);
        return cannot(file, code, failure);
    }
    return 0;
}

void new_file_write(struct new_file *file, const void *bytes, size_t size) {
    if (file->code == 0 && size > 0 && fwrite(bytes, size, 1, file->stream) != 1)
        file->code = -errno;
}

int new_file_end(struct new_file *file, struct failure *failure) {
    int code = file->code;
    if (code == 0 && (fflush(file->stream) != 0 || fsync(fileno(file->stream)) != 0))
        code = -errno;
    if (fclose(file->stream) != 0 && code == 0)
        code = -errno;
    if (code == 0 && rename(file->part, file->path) != 0)
        code = -errno;
    if (code == 0)
        return 0;
    unlink(file->part);
    return cannot(file, code, failure);
}

int make_folders_of(const char *path, struct failure *failure) {
    char folder[PATH_MAX];
    if (strlen(path) >= sizeof folder)
        return fail(failure, -ENAMETOOLONG, "%.80s...: too long for a path", path);
    strcpy(folder, path);
    for (char *slash = folder; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return fail(failure, -errno, "%s: cannot be made: %s", folder, at_strerror(-errno));
    }
    return 0;
}
