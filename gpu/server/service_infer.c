/* service_infer.c: inference: a place in the engine before the body is read, the body into it, the answer out of it. */
#include <stdlib.h>
#include <string.h>

#include "service_internal.h"

enum { WORTH_COMPRESSING = 1024 }; /* bytes of an answer's JSON */

static void give_back(struct request *request) {
    if (request->task != NULL)
        engine_abandon(request->service->engine, request->task);
    request->task = NULL;
}

static void refuse_request(struct request *request, const struct problem *problem) {
    give_back(request);
    answer_problem(request, problem);
}

/* ---- its headers */

/* Decimal digits, as many as fit, and blanks behind them. */
static int read_length(const char *text, int64_t *length, struct problem *problem) {
    size_t digits = strspn(text, "0123456789");
    *length = 0;
    for (size_t i = 0; i < digits && *length >= 0; i++)
        *length = *length <= INT64_MAX / 10 - 1 ? *length * 10 + (text[i] - '0') : -1;
    if (digits == 0 || *length < 0 || text[digits + strspn(text + digits, " \t")] != '\0')
        return refuse(problem, 400, "Inference-Header-Content-Length: not a number of bytes");
    return 0;
}

static int read_head(const struct exchange *exchange, struct infer_head *head, struct problem *problem) {
    const char *header_length = exchange_header(exchange, "Inference-Header-Content-Length");
    const char *content_encoding = exchange_header(exchange, "Content-Encoding");
    int encoding = encoding_of(content_encoding);
    if (encoding < 0)
        return refuse(problem, 501, "Content-Encoding \"%.40s\" is unknown here; send gzip, deflate, or neither",
                      content_encoding);
    head->encoding = (enum infer_encoding)encoding;
    head->content_length = exchange_content_length(exchange);
    head->header_length = -1;
    return header_length == NULL ? 0 : read_length(header_length, &head->header_length, problem);
}

void infer_head(struct request *request) {
    const struct route *route = &request->route;
    struct infer_head head;
    struct problem problem = {0};
    if (read_head(request->exchange, &head, &problem) != 0) {
        answer_problem(request, &problem);
        return;
    }
    const char *version = *route->version == '\0' ? NULL : route->version;
    request->task = engine_begin(request->service->engine, route->name, version, &problem);
    if (request->task == NULL) {
        answer_problem(request, &problem);
        return;
    }
    request->reading = true;
    if (infer_begin(request->reader, request->task->signature, &head, request->task->input, &problem) != 0)
        refuse_request(request, &problem);
}

void infer_body(struct request *request, const char *data, size_t size) {
    struct problem problem = {0};
    if (infer_feed(request->reader, data, size, &problem) != 0)
        refuse_request(request, &problem);
}

/* ---- its answer */

static void answer_with(struct request *request, struct infer_answer *answer) {
    struct http_header headers[3];
    size_t count = 0;
    char length[24];
    if (answer->header_length > 0) {
        snprintf(length, sizeof length, "%zu", answer->header_length);
        headers[count++] = (struct http_header){"Content-Type", "application/octet-stream"};
        headers[count++] = (struct http_header){"Inference-Header-Content-Length", length};
    } else {
        headers[count++] = (struct http_header){"Content-Type", "application/json"};
    }
    if (answer->header_length == 0 && answer->size > WORTH_COMPRESSING) {
        enum infer_encoding encoding = encoding_wanted(exchange_header(request->exchange, "Accept-Encoding"));
        if (encoding_apply(encoding, &answer->data, &answer->size))
            headers[count++] = (struct http_header){"Content-Encoding", encoding_name(encoding)};
    }
    exchange_reply(request->exchange, 200, headers, count, answer->data, answer->size, true);
}

static void answer_output(struct request *request, const struct signature *signature,
                          const struct infer_service *service, const float *output) {
    struct infer_answer answer;
    struct problem problem = {0};
    if (infer_answer(signature, &request->asked, service, output, &answer, &problem) != 0)
        answer_problem(request, &problem);
    else
        answer_with(request, &answer);
}

/* Called by the engine. */
static void done(struct task *task, const struct problem *problem) {
    struct request *request = task->context;
    request->task = NULL; /* it goes by itself */
    if (problem->status != 0)
        answer_problem(request, problem);
    else
        answer_output(request, task->signature, &task->service, task->output);
}

/* ---- between the two */

/* An empty tensor is answered by an empty one, and nobody has to compute it. */
static void answer_nothing(struct request *request) {
    static const struct infer_service NOBODY = {.device = "none"};
    answer_output(request, request->task->signature, &NOBODY, request->task->output);
    give_back(request);
}

static uint64_t deadline_of(const struct request *request) {
    static const uint64_t FOR_EVER = UINT64_MAX / 4;
    uint64_t timeout = request->service->options.timeout;
    if (request->asked.timeout > 0)
        timeout = request->asked.timeout < FOR_EVER / 1000 ? request->asked.timeout * 1000 : FOR_EVER;
    return timeout == 0 || timeout >= FOR_EVER ? 0 : (uint64_t)(at_now() * 1e9) + timeout;
}

void infer_complete(struct request *request) {
    struct problem problem = {0};
    if (infer_end(request->reader, &request->asked, &problem) != 0) {
        refuse_request(request, &problem);
        return;
    }
    if (request->asked.rows == 0) {
        answer_nothing(request);
        return;
    }
    struct task *task = request->task;
    task->waiting.rows = request->asked.rows;
    task->waiting.priority = request->asked.priority;
    task->waiting.deadline = deadline_of(request);
    task->done = done;
    task->context = request;
    engine_submit(request->service->engine, task);
}

void infer_end_request(struct request *request) {
    give_back(request);
    if (request->reading)
        infer_forget(request->reader);
    request->reading = false;
}
