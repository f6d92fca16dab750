/* cuda_card.h: what the suites about CUDA share: the card, emulated or the machine's own; batches to be run on it. */
#ifndef ATELIER_TESTS_CUDA_CARD_H
#define ATELIER_TESTS_CUDA_CARD_H

#include <dlfcn.h>
#include <sys/mman.h>

#include "backend.h"
#include "cards.h"
#include "emulated.h"
#include "made_models.h"

/* ---- the card */

/* CUDA takes addresses that AddressSanitizer keeps for itself unless it is told not to. */
SANITIZER_OPTIONS("protect_shadow_gap=0", "")

/* The emulated card's own functions (emulated.h): it is loaded, not linked. All NULL on a real one. */
static struct {
    void (*fault)(const char *faults);
    uint64_t (*calls)(const char *function);
    uint64_t (*held)(const char *what);
    void (*seed)(uint64_t seed);
    void (*mend)(void);
} emulated;

static inline void *load_emulated(const char *library) {
    char path[512];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    require(length > 0);
    path[length] = '\0';
    snprintf(strrchr(path, '/'), 64, "/emulated/%s.%d", library, CUDART_VERSION / 1000);
    void *loaded = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (loaded == NULL)
        ck_abort_msg("%s", dlerror());
    return loaded;
}

/* From here on this process has that card: who asks for NVIDIA's libraries gets those that are loaded already. */
static inline void use_emulated_card(void) {
    void *runtime = load_emulated("libcudart.so");
    load_emulated("libcublasLt.so");
    *(void **)&emulated.fault = dlsym(runtime, "emulated_fail");
    *(void **)&emulated.calls = dlsym(runtime, "emulated_calls");
    *(void **)&emulated.held = dlsym(runtime, "emulated_held");
    *(void **)&emulated.seed = dlsym(runtime, "emulated_seed");
    *(void **)&emulated.mend = dlsym(runtime, "emulated_mend");
    require(emulated.fault && emulated.calls && emulated.held && emulated.seed && emulated.mend);
}

static inline void use_real_card(void) {
    struct card_facts cards[CARDS_MOST];
    if (UNDER_TSAN)
        skip("ThreadSanitizer leaves no room for a card's addresses");
    if (cards_list(cards, NULL) == 0)
        skip("no card");
}

/* A test of each kind of card: the function name, without arguments, as the tests name_emulated and name_on_a_card. */
#define ON_EACH_CARD(name)                                                                                             \
    START_TEST(name##_emulated) {                                                                                      \
        use_emulated_card();                                                                                           \
        name();                                                                                                        \
    }                                                                                                                  \
    END_TEST                                                                                                           \
    START_TEST(name##_on_a_card) {                                                                                     \
        use_real_card();                                                                                               \
        name();                                                                                                        \
    }                                                                                                                  \
    END_TEST
#define BOTH(name) name##_emulated, name##_on_a_card

/* Of what CUDA has given and not got back; nothing where nobody counts. */
static inline uint64_t card_holds(void) {
    static const char *const KINDS[] = {"memory", "host", "registered", "streams", "events", "graphs", "handles"};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS && emulated.held != NULL; i++)
        sum += emulated.held(KINDS[i]);
    return sum;
}

/* ---- devices */

static inline struct device card_opened(const char *text, struct device_options options) {
    struct device device;
    struct failure failure;
    options.batch = options.batch == 0 ? DEVICE_BATCH : options.batch;
    if (device_open(&device, text, &options, &failure) < 0)
        ck_abort_msg("%s", failure.text);
    return device;
}

static inline void load_at(struct device *device, size_t place, const struct model *model) {
    struct failure failure;
    if (device_load(device, place, model, &failure) < 0)
        ck_abort_msg("%s", failure.text);
}

/* Also sees that nothing is left on the card. */
static inline void card_closed(struct device *device) {
    device_close(device);
    ck_assert_uint_eq(card_holds(), 0);
}

/* ---- memory that the card is told of */

struct area {
    char *memory;
    size_t size, used;
};

static inline struct area area_make(size_t size) {
    struct area area = {.size = size};
    area.memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(area.memory != MAP_FAILED);
    return area;
}

static inline float *area_take(struct area *area, size_t count) {
    float *taken = (float *)(void *)(area->memory + area->used);
    area->used += count * sizeof *taken;
    require(area->used <= area->size);
    return taken;
}

/* ---- batches */

/* A batch, what it must come to, and where its parts lie: the area's, where there is one and `where` has the bit. */
enum { NOWHERE = 0, INPUTS = 1, OUTPUTS = 2 };

struct job {
    const struct model *model;
    struct part parts[DEVICE_BATCH];
    size_t count;
    uint32_t rows;
    float *input, *expected; /* all rows, one behind the other */
    float *own;              /* outside of any area: all inputs, then all outputs */
};

/* In parts of 1, 2, 3... rows. Every third part is out of the area in any case. */
static inline void job_make(struct job *job, const struct model *model, uint32_t rows, struct area *area, int where) {
    *job = (struct job){.model = model, .rows = rows};
    job->input = numbers((size_t)rows * model->inputs, 1);
    job->expected = numbers((size_t)rows * model->outputs, 1);
    job->own = numbers((size_t)rows * (model->inputs + model->outputs), 1);
    ok(model_forward(model, job->input, rows, job->expected));
    for (uint32_t row = 0; row < rows; job->count++) {
        uint32_t most = (uint32_t)job->count + 1, size = most < rows - row ? most : rows - row;
        bool inside = area != NULL && job->count % 3 != 2;
        size_t inputs = (size_t)size * model->inputs, outputs = (size_t)size * model->outputs;
        float *input = inside && (where & INPUTS) ? area_take(area, inputs) : job->own + (size_t)row * model->inputs;
        float *output = inside && (where & OUTPUTS) ? area_take(area, outputs)
                                                    : job->own + (size_t)rows * model->inputs + row * model->outputs;
        memcpy(input, job->input + (size_t)row * model->inputs, inputs * sizeof *input);
        job->parts[job->count] = (struct part){input, output, size};
        row += size;
    }
}

static inline void job_free(struct job *job) {
    free(job->input);
    free(job->expected);
    free(job->own);
}

/* One row of its outputs; row by row, since the parts lie anywhere. */
static inline const float *job_output(const struct job *job, uint32_t row) {
    const struct part *part = job->parts;
    for (; row >= part->rows; part++)
        row -= part->rows;
    return part->output + (size_t)row * job->model->outputs;
}

static inline void job_check(const struct job *job, double tolerance) {
    uint32_t outputs = job->model->outputs;
    for (uint32_t row = 0; row < job->rows; row++) {
        const float *output = job_output(job, row), *expected = job->expected + (size_t)row * outputs;
        for (uint32_t i = 0; i < outputs; i++)
            if (!(fabs((double)output[i] - (double)expected[i]) <= tolerance))
                ck_abort_msg("row %u of %u, number %u is %.9g instead of %.9g", row, job->rows, i, (double)output[i],
                             (double)expected[i]);
    }
}

/* So that an answer of before is not taken for one of now. */
static inline void job_clear(const struct job *job) {
    for (size_t i = 0; i < job->count; i++)
        memset(job->parts[i].output, 0xee, (size_t)job->parts[i].rows * job->model->outputs * sizeof(float));
}

static inline void job_run(struct device *device, size_t place, const struct job *job, double tolerance) {
    struct failure failure;
    job_clear(job);
    if (device_infer(device, place, job->parts, job->count, &failure) < 0)
        ck_abort_msg("%s", failure.text);
    job_check(job, tolerance);
}

static inline void runs_rows(struct device *device, size_t place, const struct model *model, uint32_t rows,
                             double tolerance) {
    struct job job;
    job_make(&job, model, rows, NULL, NOWHERE);
    job_run(device, place, &job, tolerance);
    job_free(&job);
}

#endif
