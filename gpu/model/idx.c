/* idx.c: reads and writes MNIST's files: a magic number, the sizes, big-endian, and then bytes. */
#include "idx.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "new_file.h"

/* The magic number: bytes (8), and in how many dimensions (3 or 1). */
enum { MAGIC_IMAGES = 0x803, MAGIC_LABELS = 0x801, DIMENSIONS = 3, SIDE_MOST = 4096 };

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Fills the memory, or says why not. */
static int read_all(int fd, void *memory, size_t size, const char *path, struct failure *failure) {
    for (size_t done = 0; done < size;) {
        ssize_t count = read(fd, (char *)memory + done, size - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(failure, -errno, "%s: cannot be read: %s", path, strerror(errno));
        if (count == 0)
            return fail(failure, -EINVAL, "%s: ends after %zu of %zu bytes; get it again", path, done, size);
        done += (size_t)count;
    }
    return 0;
}

static int check_magic(const uint8_t *header, uint32_t magic, const char *path, struct failure *failure) {
    if (header[0] == 0x1f && header[1] == 0x8b)
        return fail(failure, -EINVAL, "%s: packed; unpack it with gunzip", path);
    if (big_endian(header) != magic)
        return fail(failure, -EINVAL, "%s: begins with %08" PRIx32 " and not with %08" PRIx32 ": no IDX file of %s",
                    path, big_endian(header), magic, magic == MAGIC_IMAGES ? "pictures" : "labels");
    return 0;
}

/* Stores the sizes, and the bytes behind them. What the file says of its size is compared with it before it is used. */
static int read_open(int fd, const char *path, uint32_t magic, uint32_t sizes[DIMENSIONS], uint8_t **bytes,
                     struct failure *failure) {
    size_t dimensions = magic & 0xff, header_size = 4 + 4 * dimensions;
    uint8_t header[4 + 4 * DIMENSIONS];
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return fail(failure, -EINVAL, "%s: not a file", path);
    int result = read_all(fd, header, header_size, path, failure);
    if (result == 0)
        result = check_magic(header, magic, path, failure);
    if (result != 0)
        return result;
    uint64_t size = 1;
    for (size_t i = 0; i < DIMENSIONS; i++) {
        sizes[i] = i < dimensions ? big_endian(header + 4 + 4 * i) : 1;
        if (sizes[i] == 0 || (i > 0 && sizes[i] > SIDE_MOST))
            return fail(failure, -EINVAL, "%s: a size of %" PRIu32 ": no IDX file of use here", path, sizes[i]);
        size *= sizes[i]; /* below 2^32 * 2^12 * 2^12 */
    }
    if ((uint64_t)status.st_size != header_size + size)
        return fail(failure, -EINVAL, "%s: has %jd bytes and should have %" PRIu64 "; get it again", path,
                    (intmax_t)status.st_size, header_size + size);
    *bytes = malloc(size);
    if (*bytes == NULL)
        return fail(failure, -ENOMEM, "%s: not enough memory to read it", path);
    return read_all(fd, *bytes, size, path, failure);
}

static int read_file(const char *path, uint32_t magic, uint32_t sizes[DIMENSIONS], uint8_t **bytes,
                     struct failure *failure) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe would wait for its writer */
    if (fd < 0)
        return fail(failure, -errno, "%s: cannot be opened: %s", path, strerror(errno));
    int result = read_open(fd, path, magic, sizes, bytes, failure);
    close(fd);
    return result;
}

static int check_labels(const struct examples *examples, const char *path, unsigned labels, struct failure *failure) {
    for (size_t i = 0; i < examples->count; i++)
        if (examples->labels[i] >= labels)
            return fail(failure, -EINVAL, "%s: label %zu is %d, above %u", path, i, examples->labels[i], labels - 1);
    return 0;
}

int idx_read(struct examples *examples, const char *images, const char *labels_file, unsigned labels,
             struct failure *failure) {
    struct examples read = {0};
    uint32_t sizes[DIMENSIONS], label_sizes[DIMENSIONS];
    int result = read_file(images, MAGIC_IMAGES, sizes, &read.pixels, failure);
    if (result == 0)
        result = read_file(labels_file, MAGIC_LABELS, label_sizes, &read.labels, failure);
    if (result == 0 && sizes[0] != label_sizes[0])
        result = fail(failure, -EINVAL, "%s: %" PRIu32 " labels for the %" PRIu32 " pictures in %s", labels_file,
                      label_sizes[0], sizes[0], images);
    if (result == 0) {
        read.count = sizes[0];
        read.rows = sizes[1];
        read.columns = sizes[2];
        result = check_labels(&read, labels_file, labels, failure);
    }
    if (result != 0)
        examples_free(&read);
    else
        *examples = read;
    return result;
}

void examples_free(struct examples *examples) {
    free(examples->pixels);
    free(examples->labels);
    *examples = (struct examples){0};
}

static int write_file(const char *path, const uint32_t *head, size_t head_count, const uint8_t *bytes, size_t size,
                      struct failure *failure) {
    struct new_file file;
    int result = new_file_begin(&file, path, failure);
    if (result != 0)
        return result;
    for (size_t i = 0; i < head_count; i++) {
        uint8_t number[4] = {(uint8_t)(head[i] >> 24), (uint8_t)(head[i] >> 16), (uint8_t)(head[i] >> 8),
                             (uint8_t)head[i]};
        new_file_write(&file, number, sizeof number);
    }
    new_file_write(&file, bytes, size);
    return new_file_end(&file, failure);
}

int idx_write(const struct examples *examples, const char *images, const char *labels_file, struct failure *failure) {
    uint32_t count = (uint32_t)examples->count;
    uint32_t image_head[] = {MAGIC_IMAGES, count, examples->rows, examples->columns},
             label_head[] = {MAGIC_LABELS, count};
    size_t size = examples->count * examples->rows * examples->columns;
    int result = write_file(images, image_head, 4, examples->pixels, size, failure);
    return result == 0 ? write_file(labels_file, label_head, 2, examples->labels, examples->count, failure) : result;
}
