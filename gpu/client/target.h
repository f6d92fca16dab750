/* target.h: a server's address and the model that is asked there. */
#ifndef GPU_CLIENT_TARGET_H
#define GPU_CLIENT_TARGET_H

#include <stdint.h>
#include <sys/socket.h>

#include "failure.h"
#include "response.h"

enum { TARGET_NAME = 64, TARGET_HOST = 256 };

struct target {
    struct sockaddr_storage address;
    socklen_t address_size;
    char host[TARGET_HOST + 16]; /* "127.0.0.1:8000", for the Host header */
    char model[TARGET_NAME];
    char input[TARGET_NAME], output[TARGET_NAME]; /* the names of its tensors */
    uint32_t inputs, outputs;                     /* numbers of a row: the tensors' shapes are [-1, N] */
};

/*
 * Finds out where "http://HOST[:PORT][/]" is (port 80 without one); the rest stays zeroed. -EINVAL for what is no such
 * address, -ENOENT for a host that nobody knows.
 */
int target_parse(struct target *target, const char *url, struct failure *failure) AT_MUST_CHECK;

/*
 * Asks the server for the model's names and shapes and stores them. Errors: those of target_get; -ENOENT: no such
 * model; -EBADMSG: what it says is not understood; -ENOTSUP: a model with several inputs or other numbers than FP32.
 */
int target_describe(struct target *target, const char *model, double seconds, struct failure *failure) AT_MUST_CHECK;

/*
 * GET of a path, such as "/v2/health/ready", on a connection of its own. Returns the status, and the body in *body
 * (as a string, to be freed) unless that is NULL. Waits `seconds` at most. Errors: -ECONNREFUSED..., -ECONNRESET,
 * -ETIMEDOUT, -EBADMSG, -ENOMEM.
 */
int target_get(const struct target *target, const char *path, double seconds, char **body,
               struct failure *failure) AT_MUST_CHECK;

/* Writes the model's name as a URL has it, and cuts it where `size` ends. */
void target_model_path(const struct target *target, char *path, size_t size);

#endif
