/* fuzz_infer.c: any bytes as a request: the first four are its headers and how its body is cut, the others its body. */
#include <stdlib.h>
#include <string.h>

#include "infer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct signature SIGNATURE = {"mlp", "1", "x", "y", 4, 3, 8};

struct outcome {
    int result;
    struct problem problem;
    struct infer_request request;
    float input[8 * 4];
};

static int read_pieces(struct infer_reader *reader, const struct infer_head *head, const char *body, size_t size,
                       size_t step, float *input, struct outcome *outcome) {
    if (infer_begin(reader, &SIGNATURE, head, input, &outcome->problem) != 0)
        return -1;
    for (size_t at = 0; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;
        char *piece = malloc(part); /* of this size and no more, for a sanitizer to see each byte beyond */
        if (piece == NULL)
            abort();
        memcpy(piece, body + at, part);
        int result = infer_feed(reader, piece, part, &outcome->problem);
        free(piece);
        if (result != 0)
            return -1;
    }
    return infer_end(reader, &outcome->request, &outcome->problem);
}

static void read_cut(const struct infer_head *head, const char *body, size_t size, size_t step,
                     struct outcome *outcome) {
    memset(outcome, 0, sizeof *outcome);
    struct infer_reader *reader = malloc(infer_reader_size());
    float *input = calloc(1, sizeof outcome->input);
    if (reader == NULL || input == NULL)
        abort();
    memset(reader, 0xa5, infer_reader_size());
    outcome->result = read_pieces(reader, head, body, size, step, input, outcome);
    memcpy(outcome->input, input, sizeof outcome->input);
    infer_forget(reader);
    free(reader);
    free(input);
    /* Every refusal has its status and its sentence. */
    if ((outcome->result != 0) != (outcome->problem.status >= 400) ||
        (outcome->result != 0) != (outcome->problem.text[0] != '\0'))
        abort();
}

static void answer(const struct outcome *outcome) {
    static const struct infer_service SERVICE = {"cpu", 0, 8, false};
    const struct infer_request *request = &outcome->request;
    if (request->rows > SIGNATURE.rows || request->classes > SIGNATURE.outputs ||
        memchr(request->id, '\0', sizeof request->id) == NULL)
        abort();
    struct infer_answer made;
    struct problem problem = {0};
    if (infer_answer(&SIGNATURE, request, &SERVICE, outcome->input, &made, &problem) != 0) {
        if (problem.status != 400 || request->output_binary) /* only JSON has numbers that it cannot say */
            abort();
        return;
    }
    if (made.header_length > made.size || made.data[0] != '{')
        abort();
    free(made.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4)
        return 0;
    const char *body = (const char *)data + 4;
    size -= 4;
    /* data[0]: whether the length is known, how it is compressed, whether there is the header; and what that says. */
    struct infer_head head = {.content_length = data[0] & 1 ? -1 : (int64_t)size,
                              .header_length = data[0] & 2 ? (int64_t)(data[1] | data[2] << 8) : -1,
                              .encoding = (enum infer_encoding)((data[0] >> 2) % 3)};
    static struct outcome whole, cut;
    read_cut(&head, body, size, size + 1, &whole);
    read_cut(&head, body, size, 1 + data[3], &cut);
    if (whole.result != cut.result)
        abort();
    if (whole.result != 0 &&
        (whole.problem.status != cut.problem.status || strcmp(whole.problem.text, cut.problem.text) != 0))
        abort();
    if (whole.result == 0 && (memcmp(&whole.request, &cut.request, sizeof whole.request) != 0 ||
                              memcmp(whole.input, cut.input, sizeof whole.input) != 0))
        abort();
    if (whole.result == 0)
        answer(&whole);
    return 0;
}
