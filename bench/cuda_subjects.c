/* cuda_subjects.c: who takes a batch in bench/cuda: a device in each of its options, two lanes, a server over HTTP. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "console.h"
#include "cuda.h"
#include "devices.h"
#include "cuda/backend.h"
#include "serving.h"

enum { PLACES = 2, LANE_BATCHES = 16, HTTP_MS = 50, CHECKED = 4 };

/* ---- the device, several times: each of its options is one of its own */

enum subject_device { BASE, SPIN, STAGED, DEVICES_HERE };

struct cuda_choice cuda_choice = {.base = "cuda:0", .precision = "fp32"};

static struct {
    struct device devices[DEVICES_HERE];
    bool open[DEVICES_HERE];
    struct model *models[PLACES]; /* digits, wide */
    float *memory, *input, *output, *expected[PLACES];
} here;

static const char *const SOURCES[PLACES] = {"digits", "wide"};
static const char SMALL_WIDE[] = "wide:64x2"; /* of a card that is emulated, and as slow as that */
static size_t place_now, rows_now;            /* of the comparison that runs */

bool cuda_rows(size_t place, size_t rows) {
    place_now = place;
    rows_now = rows;
    return true;
}

/* The rows and their answers in one piece of memory, which the card may pin. */
static bool make_memory(void) {
    size_t inputs = (size_t)DEVICE_BATCH * here.models[0]->inputs,
           outputs = (size_t)DEVICE_BATCH * here.models[0]->outputs;
    here.memory = aligned_alloc(4096, ((inputs + DEVICE_LANES * outputs) * sizeof(float) + 4095) / 4096 * 4096);
    if (here.memory == NULL)
        return false;
    here.input = here.memory;
    here.output = here.memory + inputs;
    struct dice dice = {7};
    for (size_t i = 0; i < inputs; i++)
        here.input[i] = (float)dice_part(&dice);
    for (size_t place = 0; place < PLACES; place++) {
        here.expected[place] = need(CHECKED * (size_t)here.models[place]->outputs, sizeof(float));
        if (model_forward(here.models[place], here.input, CHECKED, here.expected[place]) != 0)
            return false;
    }
    return true;
}

static bool open_device(enum subject_device which, const char *option) {
    struct failure failure;
    char text[48];
    size_t inputs = (size_t)DEVICE_BATCH * here.models[0]->inputs,
           outputs = (size_t)DEVICE_BATCH * here.models[0]->outputs;
    struct device_options options = {.batch = DEVICE_BATCH, .memory = here.memory};
    options.memory_size = (inputs + DEVICE_LANES * outputs) * sizeof(float);
    snprintf(text, sizeof text, "%s%s", cuda_choice.base, option);
    int result = device_open(&here.devices[which], text, &options, &failure);
    here.open[which] = result == 0;
    for (size_t place = 0; place < PLACES && result == 0; place++)
        result = device_load(&here.devices[which], place, here.models[place], &failure);
    if (result != 0)
        note_failure("bench: %s", failure.text);
    return result == 0;
}

static void check_answers(const float *output, const char *what) {
    double tolerance = device_tolerance(cuda_choice.base);
    size_t outputs = here.models[place_now]->outputs, rows = rows_now < CHECKED ? rows_now : CHECKED;
    for (size_t i = 0; i < rows * outputs; i++)
        if (!(fabs((double)output[i] - (double)here.expected[place_now][i]) <= tolerance))
            wrong_result("%s: number %zu is %g, not %g", what, i, (double)output[i],
                         (double)here.expected[place_now][i]);
}

static size_t infer_with(enum subject_device which, struct observation *samples, size_t count) {
    struct failure failure;
    struct part part = {.input = here.input, .output = here.output, .rows = (uint32_t)rows_now};
    for (size_t i = 0; i < count; i++) {
        here.output[0] = NAN;
        uint64_t start = now_ns();
        int result = device_infer(&here.devices[which], place_now, &part, 1, &failure);
        samples[i] = (struct observation){.ns = (double)(now_ns() - start)};
        if (result != 0) {
            note("bench: %s", failure.text);
            return i;
        }
        check_answers(here.output, here.devices[which].name);
    }
    return count;
}

size_t take_base(struct observation *samples, size_t count) {
    return infer_with(BASE, samples, count);
}

size_t take_spin(struct observation *samples, size_t count) {
    return infer_with(SPIN, samples, count);
}

size_t take_staged(struct observation *samples, size_t count) {
    return infer_with(STAGED, samples, count);
}

/* ---- lanes: so many batches, one after the other or two at once; ns for a batch */

static size_t run_lanes(size_t lanes, struct observation *samples, size_t count) {
    struct device *device = &here.devices[BASE];
    struct failure failure;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        uint64_t start = now_ns();
        for (size_t batch = 0; batch < LANE_BATCHES + lanes && result == 0; batch++) {
            size_t lane = batch % lanes;
            float *output = here.output + lane * DEVICE_BATCH * here.models[place_now]->outputs;
            struct part part = {.input = here.input, .output = output, .rows = (uint32_t)rows_now};
            if (batch >= lanes)
                result = device_finish(device, lane, &failure);
            if (result == 0 && batch < LANE_BATCHES)
                result = device_begin(device, lane, place_now, &part, 1, &failure);
        }
        samples[i] = (struct observation){.ns = (double)(now_ns() - start) / LANE_BATCHES};
        check_answers(here.output, "lanes");
    }
    if (result != 0)
        note("bench: %s", failure.text);
    return result == 0 ? count : 0;
}

size_t take_one_lane(struct observation *samples, size_t count) {
    return run_lanes(1, samples, count);
}

size_t take_two_lanes(struct observation *samples, size_t count) {
    return run_lanes(DEVICE_LANES, samples, count);
}

/* ---- the card's own clock */

/* The sides of the large product: 1.6 GB of matrices in float; an emulated card shall only show that it works. */
enum { LARGE = 11264, LARGE_EMULATED = 64 };

static size_t take_card(enum card_time what, struct observation *samples, size_t count) {
    struct failure failure;
    for (size_t i = 0; i < count; i++)
        if (cuda_device_time(&here.devices[BASE], place_now, (uint32_t)rows_now, what,
                             cuda_choice.emulated ? LARGE_EMULATED : LARGE, &samples[i].ns, &failure) != 0) {
            note("bench: %s", failure.text);
            return i;
        }
    return count;
}

size_t take_card_batch(struct observation *samples, size_t count) {
    return take_card(CARD_BATCH, samples, count);
}

size_t take_card_products(struct observation *samples, size_t count) {
    return take_card(CARD_PRODUCTS, samples, count);
}

size_t take_card_at_best(struct observation *samples, size_t count) {
    return take_card(CARD_AT_BEST, samples, count);
}

/* ---- HTTP */

static struct serving serving;
static struct server server = {.name = "shared_queue", .title = "shared queue", .model = "digits", .source = "digits"};

/* A sample is one client's p50 over a moment. */
size_t take_http(struct observation *samples, size_t count) {
    struct load_options load = {
        .scenario = LOAD_SINGLE, .seconds = HTTP_MS / 1e3, .tolerance = device_tolerance(cuda_choice.base)};
    for (size_t i = 0; i < count; i++) {
        struct load_result result;
        if (!serving_load(&serving, &server, &load, &result))
            return i;
        samples[i] = (struct observation){.ns = (double)histogram_quantile(&result.tally.latency, 0.5)};
        load_result_free(&result);
    }
    return count;
}

/* ---- all of them */

bool cuda_choose(void) {
    static const char *const PRECISIONS[] = {"tf32", "fp16", "bf16"};
    struct card_facts cards[CARDS_MOST];
    struct failure failure;
    const char *told = getenv("DEVICES");
    bool any = told != NULL && *told != '\0';
    snprintf(cuda_choice.base, sizeof cuda_choice.base, "%.*s", any ? (int)strcspn(told, ",") : 6,
             any ? told : "cuda:0");
    cuda_choice.card = strncmp(cuda_choice.base, "cuda:", 5) == 0;
    snprintf(cuda_choice.precision, sizeof cuda_choice.precision, "fp32");
    for (size_t i = 0; i < sizeof PRECISIONS / sizeof *PRECISIONS; i++)
        if (strstr(cuda_choice.base, PRECISIONS[i]) != NULL)
            snprintf(cuda_choice.precision, sizeof cuda_choice.precision, "%s", PRECISIONS[i]);
    size_t count = cards_list(cards, &failure);
    cuda_choice.emulated = cuda_choice.card && count > 0 && card_is_emulated(cards[0].name);
    if (!any && count == 0) {
        printf("off: the card against PyTorch: %s; DEVICES=cpu compares a core\n", failure.text);
        return false;
    }
    if (device_check(cuda_choice.base, &failure) == 0 && !device_is_simulated(cuda_choice.base))
        return true;
    note("bench: DEVICES: %s",
         device_is_simulated(cuda_choice.base) ? "a simulated device has no times" : failure.text);
    exit(2);
}

int cuda_try(void) {
    struct device device;
    struct failure failure;
    if (device_open(&device, cuda_choice.base, &(struct device_options){.batch = 1}, &failure) != 0) {
        note("bench: DEVICES: %s", failure.text);
        return 2;
    }
    device_close(&device);
    return 0;
}

bool cuda_open(const struct options *options) {
    struct failure failure;
    for (size_t place = 0; place < PLACES; place++)
        if (model_open(&here.models[place], place == 1 && cuda_choice.emulated ? SMALL_WIDE : SOURCES[place],
                       models_folder(), &failure) != 0) {
            note_failure("bench: %s", failure.text);
            return false;
        }
    snprintf(cuda_choice.model_file, sizeof cuda_choice.model_file, "%s/digits.safetensors", models_folder());
    static const char *const ARGUMENTS[] = {"--port", "0", "--models", "digits", "--folder"};
    memcpy(server.arguments, ARGUMENTS, sizeof ARGUMENTS);
    server.arguments[5] = models_folder();
    server.arguments[6] = "--devices";
    server.arguments[7] = cuda_choice.base;
    /* The server first: a process that has looked at CUDA does not fork. */
    serving.options = options;
    serving.dice = (struct dice){options->seed};
    return make_memory() && server_start(&server) && open_device(BASE, "") &&
           (!cuda_choice.card || (open_device(SPIN, ":spin") && open_device(STAGED, ":staged")));
}

void cuda_close(void) {
    for (size_t i = 0; i < DEVICES_HERE; i++)
        if (here.open[i])
            device_close(&here.devices[i]);
    server_stop(&server);
    for (size_t place = 0; place < PLACES; place++) {
        model_free(here.models[place]);
        free(here.expected[place]);
    }
    free(here.memory);
}

const char *cuda_description(void) {
    return here.devices[BASE].description;
}
