/* subprocess_communicate.c: communicate, which can be called again; and what it makes of bytes; see subprocess.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "subprocess_internal.h"

int communicate_input(at_popen *popen, at_input input) {
    popen->input = input.data;
    popen->input_size = input.size;
    if (input.size == 0 || !popen->text.wanted)
        return 0;
    int error = text_encode(&popen->text, input.data, input.size, &popen->input_copy, &popen->input_size, &popen->bad);
    popen->input = popen->input_copy;
    return error;
}

static int decode(at_popen *popen, int i) {
    struct capture *capture = &popen->captures[i];
    popen->bad_stream = i;
    return capture->data != NULL ? text_decode(&popen->text, &capture->data, &capture->size, &popen->bad) : 0;
}

/* Should stdout be no text, stderr has become some already: hence the copy. */
int communicate_finish(at_popen *popen) {
    struct capture *out = &popen->captures[1], *err = &popen->captures[2];
    bool are_both = out->data != NULL && err->data != NULL;
    size_t size = err->size;
    if (!popen->text.wanted)
        return 0;
    char *copy = are_both ? malloc(size + 1) : NULL;
    if (are_both && copy == NULL)
        return -ENOMEM;
    if (are_both)
        memcpy(copy, err->data, size + 1);
    int error = decode(popen, 2);
    if (error == 0)
        error = decode(popen, 1);
    if (error != 0 && are_both) {
        free(err->data);
        *err = (struct capture){.data = copy, .size = size, .capacity = size + 1, .truncated = err->truncated};
        return error;
    }
    free(copy);
    return error;
}

/* The input is the caller's again: what has not been written of it is copied, for the next time. */
static int keep_rest(at_popen *popen) {
    size_t left = popen->input_size - popen->written;
    if (popen->input_copy != NULL || popen->ends[0] < 0 || left == 0)
        return 0;
    popen->input_copy = malloc(left);
    if (popen->input_copy == NULL) {
        popen_close_end(popen, 0);
        return -ENOMEM;
    }
    memcpy(popen->input_copy, popen->input + popen->written, left);
    popen->input = popen->input_copy;
    popen->input_size = left;
    popen->written = 0;
    return 0;
}

/* With the lock. */
static int communicate_once(at_popen *popen, at_input input, const struct deadline *deadline) {
    int error = 0;
    if (popen->begun && input.given)
        return AT_EINPUT;
    if (input.given && input.data == NULL && input.size > 0)
        return -EINVAL;
    if (input.given && popen->ends[0] < 0)
        return AT_ENOPIPE;
    if (!popen->begun && (error = communicate_input(popen, input)) == 0)
        error = communicate_begin(popen);
    if (error != 0)
        return error;
    if (!popen->finished) {
        error = communicate_exchange(popen, deadline);
        if (error != 0) {
            int unkept = keep_rest(popen);
            return unkept != 0 ? unkept : error;
        }
        popen->outcome = communicate_finish(popen);
        popen->finished = popen->outcome != -ENOMEM; /* which may pass */
    }
    if (children_reap(&popen->child) && !popen->child.known)
        return -ECHILD;
    return popen->outcome;
}

int at_popen_communicate(at_popen *popen, at_input input, double timeout, at_output *out, at_output *err) {
    struct deadline deadline;
    at_output outputs[3] = {0};
    int cancel = cancel_disable();
    int error = popen == NULL ? -EINVAL : deadline_after(timeout, NEGATIVE_POLLS, &deadline);
    if (error == 0)
        error = children_enter(&popen->child, MINE);
    if (error == 0) {
        error = at_lock_acquire(&popen->communicating, timeout < 0 ? 0 : timeout);
        if (error == 0) {
            error = communicate_once(popen, input, &deadline);
            for (int i = 1; i < 3; i++) {
                const struct capture *capture = &popen->captures[i];
                outputs[i] = (at_output){capture->data, capture->size, capture->truncated};
            }
            at_lock_release(&popen->communicating);
        }
        children_leave(&popen->child);
    }
    if (out != NULL)
        *out = outputs[1];
    if (err != NULL)
        *err = outputs[2];
    cancel_restore(cancel);
    return error;
}
