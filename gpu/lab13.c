/*
 * lab13.c: a model behind HTTP: asked for a digit at a time, then by many at once, in four ways; a worker is killed.
 *
 * Python:  FastAPI's app.post("/predict"), run by uvicorn --workers 2, each worker with a card of its own
 * Expect:  digits, and what the model takes them for; two tables in which the same requests take less and less time,
 *          most in the first line, where one waits behind another; then a worker dies, and no request fails
 * Try:     one card of those in the second table, and then eight: make lab13 ARGS='--devices sim:2000:30'
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "device.h"
#include "digits.h"
#include "ladder.h"
#include "model.h"
#include "own_server.h"

static const char USAGE[] =
    "usage: lab13 [OPTION]...\n"
    "Starts the server, asks it for digits, shows what a queue, more devices and batches do, and kills a worker.\n"
    "\n"
    "  --devices LIST   as serve has it: a worker for each; left out: cpu for each core\n"
    "  --model NAME     the model that reads digits (digits)\n"
    "  --heavy MODEL    the one of the table, slow enough to be felt (wide:2048x2)\n"
    "  --requests N     the table's, each time (1000)\n"
    "  --help           prints this\n"
    "\n"
    "Exit status: 0: all was answered, and rightly; 1: it was not, or could not be; 2: bad usage.\n";

/* With them the table is the same on every machine that has a core to spare: they sleep while they compute. */
static const char CARDS[] = "sim:2000:30,sim:2000:30,sim:2000:30,sim:2000:30";

/*
 * The digits are drawn from another seed than those that the model has learnt from: it has seen none of them. ASKED are
 * asked for one at a time, of which SHOWN are drawn. The stream in which a worker is killed has STREAM times as many
 * requests as the table; it is killed when KILL times as many answers have come.
 */
enum { SEED = 13, DIGITS = 200, ASKED = 8, SHOWN = 2, CLIENTS = 32, STREAM = 20, KILL = 5 };

static const double LONGEST_RETURN = 20, LEAST_RIGHT = 0.95; /* seconds; a part of all */

static const char READY[] = "atelier_workers{state=\"ready\"}", RESTARTS[] = "atelier_worker_restarts{worker=\"0\"";

struct lab {
    const char *devices, *model, *heavy;
    uint64_t requests;        /* of the table, each time */
    struct own_server server; /* of the digits */
    struct questions digits;
    uint64_t sent, read_right; /* digits, and how many the model took for what they are */
    bool simulated;            /* no model has read them */
    bool broken;               /* what must always hold did not */
};

static atomic_bool stop;

/* Nothing else is read by it, so its order is nobody's business. */
static void interrupt(int number) {
    (void)number;
    atomic_store_explicit(&stop, true, memory_order_relaxed);
}

static bool is_stopped(void) {
    return atomic_load_explicit(&stop, memory_order_relaxed);
}

/* ---- one at a time */

static void draw_digits(const struct questions *digits) {
    static const char SHADES[] = " .:-=+*#%@";
    for (size_t row = 0; row < DIGIT_SIDE; row += 2) {
        for (size_t i = 0; i < SHOWN; i++) {
            const float *pixels = digits->input + i * DIGIT_PIXELS + row * DIGIT_SIDE;
            for (size_t column = 0; column < DIGIT_SIDE; column++)
                putchar(SHADES[(size_t)((pixels[column] + pixels[column + DIGIT_SIDE]) / 2 * 9.99F)]);
            fputs("    ", stdout);
        }
        putchar('\n');
    }
}

/* Which digit the answer says it is. */
static unsigned largest(const float *numbers) {
    unsigned best = 0;
    for (unsigned i = 1; i < DIGIT_LABELS; i++)
        best = numbers[i] > numbers[best] ? i : best;
    return best;
}

static unsigned judge(struct lab *lab, const struct load_answer *answer, float *probability) {
    float numbers[DIGIT_LABELS];
    lab->sent++;
    if (answer->answer == NULL || !inference_answer_numbers(answer->answer, numbers, DIGIT_LABELS))
        return DIGIT_LABELS;
    unsigned digit = largest(numbers);
    lab->read_right += digit == lab->digits.labels[answer->question];
    lab->simulated = lab->simulated || answer->answer->simulated;
    *probability = numbers[digit];
    return digit;
}

static void print_answer(void *context, const struct load_answer *answer) {
    struct lab *lab = context;
    float probability = 0;
    unsigned digit = judge(lab, answer, &probability), drawn = lab->digits.labels[answer->question];
    if (digit == DIGIT_LABELS) {
        printf("%u: no answer, %s\n", drawn, outcome_names[answer->outcome]);
        return;
    }
    const struct inference_answer *by = answer->answer;
    if (by->simulated)
        printf("%u: an echo, since no model has seen it", drawn);
    else
        printf("%u: read as %u, %5.1f %% sure", drawn, digit, 100 * (double)probability);
    printf("; %.*s, worker %u, %.2f ms\n", (int)by->device.length, by->device.bytes, by->worker, answer->seconds * 1e3);
}

/* A card that computes in fewer bits answers rightly in fewer. */
static double tolerance_of(const char *devices) {
    return devices == NULL ? 0 : device_tolerance(devices);
}

static int ask_one_at_a_time(struct lab *lab, struct failure *failure) {
    static struct load_result result; /* too large for a stack */
    struct load_options options = {.scenario = LOAD_SINGLE,
                                   .target = &lab->server.target,
                                   .questions = &lab->digits,
                                   .requests = ASKED,
                                   .verify = true,
                                   .tolerance = tolerance_of(lab->devices),
                                   .stop = &stop,
                                   .answered = print_answer,
                                   .context = lab};
    printf("\nOne at a time, digits that the model has never seen; the first two:\n\n");
    draw_digits(&lab->digits);
    int code = load_run(&result, &options, failure);
    if (code == 0) {
        lab->broken = !all_were_right(&result, "one at a time") || lab->broken;
        load_result_free(&result);
    }
    return code;
}

/* ---- a death */

struct stream {
    struct lab *lab;
    struct load_result *result;
    struct failure *failure;
    uint64_t answered;
    double killed; /* at_now */
    int code;
};

/* Kills the first worker in the middle of the stream, with answers before and after. */
static void answer_and_kill(void *context, const struct load_answer *answer) {
    struct stream *stream = context;
    float probability;
    judge(stream->lab, answer, &probability);
    if (++stream->answered != KILL * stream->lab->requests)
        return;
    pid_t victim = own_server_worker(&stream->lab->server, 0);
    stream->killed = at_now();
    if (victim > 0)
        kill(victim, SIGKILL);
}

static int run_stream(void *argument) {
    struct stream *stream = argument;
    struct load_options options = {.scenario = LOAD_CLOSED,
                                   .target = &stream->lab->server.target,
                                   .questions = &stream->lab->digits,
                                   .connections = CLIENTS,
                                   .requests = STREAM * stream->lab->requests,
                                   .verify = true,
                                   .tolerance = tolerance_of(stream->lab->devices),
                                   .stop = &stop,
                                   .answered = answer_and_kill,
                                   .context = stream};
    stream->code = load_run(stream->result, &options, stream->failure);
    return 0; /* the code is looked at after the join */
}

/* When the worker had been started again and was ready, also if the stream was over by then; 0: it never was. */
static double await_return(const struct lab *lab, double workers) {
    double until = at_now() + LONGEST_RETURN;
    while (at_now() < until && !is_stopped()) {
        if (own_server_metric(&lab->server, RESTARTS) > 0 && own_server_metric(&lab->server, READY) >= workers)
            return at_now();
        at_sleep(0.002); /* leaves the cores to those that are looked at */
    }
    return 0;
}

/* Where the server begins to say who was killed; before that it may have said what its cards are. */
static const char *find_death(const char *said) {
    const char *line = strstr(said, "killed by");
    while (line != NULL && line > said && line[-1] != '\n')
        line--;
    return line != NULL ? line : said;
}

static void report_death(struct lab *lab, const struct stream *stream, double back) {
    char said[OWN_SERVER_TEXT];
    own_server_said(&lab->server, said, sizeof said);
    printf("the server says:  %s", find_death(said));
    const struct tally *tally = &stream->result->tally;
    printf("%llu requests in %.1f s; failed: %llu; run again by another worker: %.0f; ",
           (unsigned long long)tally_requests(tally), stream->result->seconds, (unsigned long long)tally_failed(tally),
           own_server_metric(&lab->server, "atelier_worker_retried{worker=\"0\""));
    if (back > 0)
        printf("worker 0 was back after %.0f ms\n", (back - stream->killed) * 1e3);
    else
        printf("worker 0 has not come back\n");
    lab->broken = !all_were_right(stream->result, "the stream") || back <= 0 || lab->broken;
}

static int kill_a_worker(struct lab *lab, struct failure *failure) {
    static struct load_result result;
    struct stream stream = {.lab = lab, .result = &result, .failure = failure};
    double workers = own_server_metric(&lab->server, READY);
    printf("\n%d clients ask for digits, and after %llu answers worker 0 is killed (SIGKILL):\n", CLIENTS,
           (unsigned long long)(KILL * lab->requests));
    at_thread *thread = at_thread_new(.target = run_stream, .arg = &stream, .name = "stream");
    at_check(at_thread_start(thread));
    double back = await_return(lab, workers);
    at_check(at_thread_join(thread, AT_FOREVER));
    at_thread_free(thread);
    if (stream.code != 0)
        return stream.code;
    if (!is_stopped())
        report_death(lab, &stream, back);
    load_result_free(&result);
    return 0;
}

/* ---- the whole */

/* Times of a card that is none would pass for some of one. */
static void say_emulated(const char *devices) {
    static struct card_facts cards[CARDS_MOST];
    if (devices != NULL && strstr(devices, "cuda") != NULL && cards_list(cards, NULL) > 0 &&
        card_is_emulated(cards[0].name))
        puts("This card is emulated: what it answers is right, and its times say nothing of any card.");
}

static int open_server(struct lab *lab, struct failure *failure) {
    const char *options[] = {"--models", lab->model, lab->devices == NULL ? NULL : "--devices", lab->devices, NULL};
    int result = own_server_start(&lab->server, NULL, options, lab->model, &stop, failure);
    if (result != 0)
        return result;
    printf("the server: %s\n", lab->server.where);
    say_emulated(lab->devices);
    const struct target *target = &lab->server.target;
    if (target->inputs != DIGIT_PIXELS || target->outputs != DIGIT_LABELS)
        return fail(failure, -EINVAL, "--model %s: %u numbers in and %u out; what reads digits has %d and %d",
                    lab->model, target->inputs, target->outputs, DIGIT_PIXELS, DIGIT_LABELS);
    result = questions_make(&lab->digits, target, DIGITS, 1, SEED, failure);
    return result != 0 ? result : questions_answer(&lab->digits, lab->model, "build/models", failure);
}

/* What must hold in the end. */
static void conclude(struct lab *lab, int returncode) {
    double right = (double)lab->read_right / (double)lab->sent;
    printf("\nThe end (SIGTERM): the server has ended with %d; ", returncode);
    if (lab->simulated)
        printf("its %llu answers were simulated\n", (unsigned long long)lab->sent);
    else
        printf("of %llu digits the model has read %.1f %% rightly\n", (unsigned long long)lab->sent, 100 * right);
    if (returncode != 0 || (!lab->simulated && right < LEAST_RIGHT))
        lab->broken = true;
    if (!lab->simulated && right < LEAST_RIGHT)
        fprintf(stderr, "lab13: that is below %.0f %%; train another model (make model)\n", 100 * LEAST_RIGHT);
}

static int climb(struct lab *lab, const char *devices, const char *whose, struct failure *failure) {
    const struct ladder ladder = {.devices = devices,
                                  .model = lab->heavy,
                                  .requests = lab->requests,
                                  .tolerance = tolerance_of(devices),
                                  .stop = &stop};
    printf("\nMany at once: %d clients, %llu requests to the model %s,\non %s:\n\n", CLIENTS,
           (unsigned long long)lab->requests, lab->heavy, whose);
    int result = ladder_climb(&ladder, failure);
    lab->broken = lab->broken || result > 0;
    return result < 0 ? result : 0;
}

static int run(struct lab *lab, struct failure *failure) {
    int result = open_server(lab, failure);
    if (result == 0)
        result = ask_one_at_a_time(lab, failure);
    if (result == 0)
        result = climb(lab, lab->devices, lab->devices == NULL ? "the devices of this machine" : lab->devices, failure);
    if (result == 0 && lab->devices == NULL && !is_stopped())
        result = climb(lab, CARDS, "four cards, simulated: each takes 2 ms for a batch and 30 us for a row", failure);
    if (result == 0 && !is_stopped())
        result = kill_a_worker(lab, failure);
    int returncode = own_server_stop(&lab->server);
    if (result == 0 && !is_stopped())
        conclude(lab, returncode);
    questions_free(&lab->digits);
    return result;
}

static uint64_t read_requests(const char *text) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && number >= 1 && number <= 1000000)
        return number;
    fprintf(stderr, "lab13: --requests %s: not a whole number from 1 to 1000000; see lab13 --help\n", text);
    exit(2);
}

static struct lab read_options(int argc, char *argv[]) {
    static const struct option OPTIONS[] = {
        {"devices", required_argument, NULL, 'd'}, {"model", required_argument, NULL, 'm'},
        {"heavy", required_argument, NULL, 'H'},   {"requests", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    struct lab lab = {.model = "digits", .heavy = "wide:2048x2", .requests = 1000};
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (option) {
        case 'd':
            lab.devices = optarg;
            break;
        case 'm':
            lab.model = optarg;
            break;
        case 'H':
            lab.heavy = optarg;
            break;
        case 'r':
            lab.requests = read_requests(optarg);
            break;
        case 'h':
            fputs(USAGE, stdout);
            exit(0);
        default:
            fputs("see lab13 --help\n", stderr); /* getopt_long has said what is wrong */
            exit(2);
        }
    if (optind == argc)
        return lab;
    fprintf(stderr, "lab13: %s: only options, please; see lab13 --help\n", argv[optind]);
    exit(2);
}

int main(int argc, char *argv[]) {
    struct lab lab = read_options(argc, argv);
    struct failure failure;
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line when it is true, also into a pipe */
    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = interrupt}, NULL);
    int result = run(&lab, &failure);
    if (is_stopped())
        fprintf(stderr, "lab13: interrupted\n");
    else if (result != 0)
        fprintf(stderr, "lab13: %s\n", failure.text);
    return result != 0 || lab.broken || is_stopped() ? 1 : 0;
}
