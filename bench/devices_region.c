/* devices_region.c: the images of bench/devices, in memory that all its processes see. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"
#include "devices.h"
#include "digits.h"
#include "idx.h"

/* As gpu/train draws those that it holds out, where its files are not there: the same, unless it was told otherwise. */
static const uint64_t DRAWN_SEED = 1, HELD_OUT_BEGIN = 1ULL << 32;
static const char FILES[] = "build/digits/";

/*
 * So many different images, in a full run and in a quick one. One of wide costs a core as much as thirty of digits; of
 * many cores each shall have a good batch of them.
 */
enum { DIGITS = 10000, QUICK_DIGITS = 2000, WIDES = 256, QUICK_WIDES = 128, WIDES_EACH = 32 };

struct region region = {.file = -1};

/* ---- the region */

static size_t inputs_size(size_t images) {
    return images * DIGIT_PIXELS * sizeof(float);
}

static bool map(struct region *mapped, int file, size_t images) {
    size_t size = inputs_size(images) + (size_t)IMAGES_ROWS * IMAGES_OUTPUTS * sizeof(float);
    float *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        return false;
    *mapped = (struct region){file, images, size, memory, memory + images * DIGIT_PIXELS};
    return true;
}

bool region_map(struct region *mapped, const char *path, size_t images, struct failure *failure) {
    int file = open(path, O_RDWR | O_CLOEXEC);
    struct stat found;
    bool right = file >= 0 && images <= DIGITS && fstat(file, &found) == 0 &&
                 (size_t)found.st_size >= inputs_size(images) && map(mapped, file, images);
    if (!right)
        fail(failure, -EINVAL, "%s: no region of %zu images: %s", path, images, strerror(errno));
    if (file >= 0)
        close(file);
    mapped->file = -1;
    return right;
}

static bool region_make(size_t images) {
    int file = memfd_create("images", MFD_CLOEXEC);
    size_t size = inputs_size(images) + (size_t)IMAGES_ROWS * IMAGES_OUTPUTS * sizeof(float);
    if (file < 0 || ftruncate(file, (off_t)size) != 0 || !map(&region, file, images)) {
        note_failure("bench: devices: memory for %zu images: %s", images, strerror(errno));
        return false;
    }
    return true;
}

/* ---- the digits */

static void put_image(size_t image, const uint8_t pixels[DIGIT_PIXELS]) {
    for (size_t i = 0; i < DIGIT_PIXELS; i++)
        region.inputs[image * DIGIT_PIXELS + i] = (float)pixels[i] / 255;
}

static void draw_images(void) {
    uint8_t pixels[DIGIT_PIXELS], label;
    for (size_t i = 0; i < region.images; i++) {
        digits_draw(DRAWN_SEED, HELD_OUT_BEGIN + i, pixels, &label);
        put_image(i, pixels);
    }
}

/* The files that the model was examined with; false where there are none, or of other pictures. */
static bool read_images(void) {
    struct examples examples;
    char images[64], labels[64];
    snprintf(images, sizeof images, "%s%s", FILES, IDX_TEST_IMAGES);
    snprintf(labels, sizeof labels, "%s%s", FILES, IDX_TEST_LABELS);
    if (access(images, R_OK) != 0 || idx_read(&examples, images, labels, DIGIT_LABELS, NULL) != 0)
        return false;
    bool fits = examples.count >= region.images && examples.rows == DIGIT_SIDE && examples.columns == DIGIT_SIDE;
    for (size_t i = 0; i < region.images && fits; i++)
        put_image(i, examples.pixels + i * DIGIT_PIXELS);
    examples_free(&examples);
    return fits;
}

/* Batches of one size, so that as many workers as there can be have as much to do. */
static size_t batch_of(const struct images *images, size_t workers) {
    size_t share = (images->images + workers - 1) / workers, batches = (share + CORE_BATCH - 1) / CORE_BATCH;
    return (share + batches - 1) / batches;
}

bool images_open(bool quick, size_t workers) {
    size_t wides = quick ? QUICK_WIDES : WIDES;
    wides = wides < WIDES_EACH * workers ? WIDES_EACH * workers : wides;
    images_of[0].images = quick ? QUICK_DIGITS : DIGITS;
    images_of[1].images = wides < images_of[0].images ? wides : images_of[0].images;
    for (size_t i = 0; i < IMAGES_MODELS; i++)
        images_of[i].batch = batch_of(&images_of[i], workers);
    if (!region_make(images_of[0].images))
        return false;
    if (!read_images())
        draw_images();
    return true;
}

void images_close(void) {
    munmap(region.inputs, region.size);
    close(region.file);
    region = (struct region){.file = -1};
}

size_t images_parts(const struct region *of, const struct model *model, size_t images, size_t first, size_t end,
                    struct part parts[DEVICE_BATCH]) {
    size_t count = 0;
    while (first < end && count < DEVICE_BATCH) {
        size_t image = first % images, rows = end - first < images - image ? end - first : images - image;
        parts[count++] = (struct part){.input = of->inputs + image * model->inputs,
                                       .output = of->outputs + first * model->outputs,
                                       .rows = (uint32_t)rows};
        first += rows;
    }
    return count;
}
