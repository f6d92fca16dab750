/* dataset.c: finds MNIST's four files in a folder, or fills it with drawn ones. */
#include "dataset.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "digits.h"
#include "new_file.h"

enum { FILES = 4, HELD_OUT_PART = 6 };

static const char *const NAMES[FILES] = {IDX_TRAIN_IMAGES, IDX_TRAIN_LABELS, IDX_TEST_IMAGES, IDX_TEST_LABELS};

/* The held-out digits are none of those that are learnt from, however many these are. */
static const uint64_t HELD_OUT_BEGIN = 1ULL << 32;

struct paths {
    char of[FILES][PATH_MAX];
};

static int paths_in(struct paths *paths, const char *folder, struct failure *failure) {
    for (size_t i = 0; i < FILES; i++)
        if ((size_t)snprintf(paths->of[i], sizeof paths->of[i], "%s/%s", folder, NAMES[i]) >= sizeof paths->of[i])
            return fail(failure, -ENAMETOOLONG, "the folder's name is too long");
    return 0;
}

/* ---- Reading */

static int check_there(const struct paths *paths, const char *folder, struct failure *failure) {
    size_t there = 0, missing = 0;
    for (size_t i = 0; i < FILES; i++) {
        if (access(paths->of[i], F_OK) == 0)
            there++;
        else
            missing = i;
    }
    if (there == 0)
        return fail(failure, -ENOENT, "%s: no examples in it", folder);
    if (there < FILES)
        return fail(failure, -EINVAL, "%s: not there, but others of the four files are; add it, or remove them",
                    paths->of[missing]);
    return 0;
}

static int read_both(struct dataset *dataset, const struct paths *paths, struct failure *failure) {
    struct examples *train = &dataset->train, *held_out = &dataset->held_out;
    int result = idx_read(train, paths->of[0], paths->of[1], DIGIT_LABELS, failure);
    if (result == 0)
        result = idx_read(held_out, paths->of[2], paths->of[3], DIGIT_LABELS, failure);
    if (result == 0 && (train->rows != held_out->rows || train->columns != held_out->columns))
        result = fail(failure, -EINVAL, "%s: pictures of another size than in %s", paths->of[2], paths->of[0]);
    return result;
}

int dataset_read(struct dataset *dataset, const char *folder, struct failure *failure) {
    struct dataset read = {0};
    struct paths paths;
    int result = paths_in(&paths, folder, failure);
    if (result == 0)
        result = check_there(&paths, folder, failure);
    if (result == 0)
        result = read_both(&read, &paths, failure);
    if (result != 0)
        dataset_free(&read);
    else
        *dataset = read;
    return result;
}

void dataset_free(struct dataset *dataset) {
    examples_free(&dataset->train);
    examples_free(&dataset->held_out);
}

/* ---- Drawing */

static int draw(struct examples *examples, uint64_t seed, uint64_t begin, size_t count,
                const volatile sig_atomic_t *stop, struct failure *failure) {
    *examples = (struct examples){.count = count, .rows = DIGIT_SIDE, .columns = DIGIT_SIDE};
    examples->pixels = malloc(count * DIGIT_PIXELS);
    examples->labels = malloc(count);
    if (examples->pixels == NULL || examples->labels == NULL)
        return fail(failure, -ENOMEM, "not enough memory for %zu pictures; draw fewer", count);
    for (size_t i = 0; i < count; i++) {
        if (stop != NULL && *stop != 0)
            return fail(failure, -EINTR, "interrupted while drawing");
        digits_draw(seed, begin + i, examples->pixels + i * DIGIT_PIXELS, &examples->labels[i]);
    }
    return 0;
}

static int write_both(const struct dataset *dataset, const struct paths *paths, struct failure *failure) {
    int result = make_folders_of(paths->of[0], failure);
    if (result == 0)
        result = idx_write(&dataset->held_out, paths->of[2], paths->of[3], failure);
    if (result == 0)
        result = idx_write(&dataset->train, paths->of[0], paths->of[1], failure);
    for (size_t i = 0; result != 0 && i < FILES; i++)
        unlink(paths->of[i]); /* some of the four would be neither ours nor nothing */
    return result;
}

int dataset_draw(const char *folder, uint64_t seed, size_t count, const volatile sig_atomic_t *stop,
                 struct failure *failure) {
    struct dataset drawn = {0};
    struct paths paths;
    size_t held_out = count < HELD_OUT_PART ? 1 : count / HELD_OUT_PART;
    int result = paths_in(&paths, folder, failure);
    if (result == 0 && check_there(&paths, folder, NULL) != -ENOENT)
        result = fail(failure, -EEXIST, "%s: has examples already; remove them, or draw into another folder", folder);
    if (result == 0)
        result = draw(&drawn.train, seed, 0, count, stop, failure);
    if (result == 0)
        result = draw(&drawn.held_out, seed, HELD_OUT_BEGIN, held_out, stop, failure);
    if (result == 0)
        result = write_both(&drawn, &paths, failure);
    dataset_free(&drawn);
    return result;
}
