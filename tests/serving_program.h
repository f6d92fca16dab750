/* serving_program.h: what the suites about the program serve share: one started, its lines, inference. */
#ifndef ATELIER_TESTS_SERVING_PROGRAM_H
#define ATELIER_TESTS_SERVING_PROGRAM_H

#include "serving.h"
#include "serving_wire.h"

struct server {
    at_popen *popen;
    FILE *lines; /* its stdout */
    uint16_t port;
    char line[300]; /* the last one read */
};

/* The path of the program. */
static inline const char *serve_path(void) {
    static char path[300];
    snprintf(path, sizeof path, "%.200s/gpu/serve", build());
    return path;
}

static inline void read_line(struct server *server) {
    if (fgets(server->line, sizeof server->line, server->lines) == NULL)
        ck_abort_msg("serve ended after \"%s\"", server->line);
}

/* Starts it with these further arguments, ended by NULL; its stderr goes to the file `log` in the test's folder. */
static inline struct server start_server(const char *const *more) {
    const char *command[40] = {serve_path(), "--port", "0", "--folder", folder, "--models", "tiny"};
    size_t count = 7;
    while (*more != NULL && count < 39)
        command[count++] = *more++;
    FILE *log = fopen(in_folder("log"), "we");
    struct server server = {.line = ""};
    require(log != NULL);
    ok(at_popen_new(&server.popen, command, .stdout = AT_PIPE, .stderr = at_file(log)));
    fclose(log);
    server.lines = fdopen(at_popen_detach(server.popen, STDOUT_FILENO), "r");
    require(server.lines != NULL);
    return server;
}

/* The first line names the address, the second says that it is ready. */
static inline void await_address(struct server *server) {
    read_line(server);
    const char *address = strstr(server->line, "http://127.0.0.1:");
    if (address == NULL)
        ck_abort_msg("%s", server->line);
    server->port = (uint16_t)strtoul(address + strlen("http://127.0.0.1:"), NULL, 10);
    ck_assert_uint_ne(server->port, 0);
}

static inline void await_ready(struct server *server) {
    read_line(server);
    ck_assert_str_eq(server->line, "serve: ready\n");
}

#define serving(...) ready_server((const char *const[]){__VA_ARGS__, NULL})

static inline struct server ready_server(const char *const *more) {
    struct server server = start_server(more);
    await_address(&server);
    await_ready(&server);
    return server;
}

/* Waits until it has ended, and returns how. */
static inline int end_of_server(struct server *server) {
    int code = AT_NO_RETURNCODE;
    ok(at_popen_wait(server->popen, BOUND, &code));
    at_popen_free(server->popen);
    fclose(server->lines);
    return code;
}

static inline void terminate(struct server *server) {
    ok(at_popen_terminate(server->popen));
}

static inline void stop_server(struct server *server) {
    terminate(server);
    ck_assert_int_eq(end_of_server(server), 0);
}

/* What it has written to stderr. */
static inline const char *log_of_server(void) {
    static char text[16384];
    FILE *log = fopen(in_folder("log"), "re");
    require(log != NULL);
    text[fread(text, 1, sizeof text - 1, log)] = '\0';
    fclose(log);
    return text;
}

/* ---- requests */

/* Asks for the answer to the row that `value` stands for, in binary. */
static inline bool ask_row(struct caller *caller, float value) {
    static const char JSON[] = "{\"id\":\"%g\",\"inputs\":[{\"name\":\"input\",\"shape\":[1,%d],\"datatype\":\"FP32\","
                               "\"parameters\":{\"binary_data_size\":%zu}}],"
                               "\"parameters\":{\"binary_data_output\":true}}";
    char body[400], headers[60];
    float row[TINY_INPUTS];
    draw_row(value, row);
    size_t size = (size_t)snprintf(body, sizeof body, JSON, (double)value, TINY_INPUTS, sizeof row);
    snprintf(headers, sizeof headers, "Inference-Header-Content-Length: %zu\r\n", size);
    memcpy(body + size, row, sizeof row);
    return post(caller, "/v2/models/tiny/infer", headers, body, size + sizeof row);
}

/* Reads the answer, which must be that row's. */
static inline void hear_row(struct caller *caller, float value, float scale) {
    struct heard heard = hear(caller);
    float output[TINY_OUTPUTS];
    char id[40];
    if (heard.status != 200 || heard.size < sizeof output)
        ck_abort_msg("%g: %d %s", (double)value, heard.status, heard.body);
    memcpy(output, heard.body + heard.size - sizeof output, sizeof output);
    snprintf(id, sizeof id, "\"id\":\"%g\"", (double)value);
    if (!is_answer(output, value, scale) || strstr(heard.body, id) == NULL)
        ck_abort_msg("%g: answered with %g, %g, %g, and %s", (double)value, (double)output[0], (double)output[1],
                     (double)output[2], heard.body);
    heard_free(&heard);
}

/* The value of a line of /metrics that begins so; the sum, when there are several. */
static inline double metric(uint16_t port, const char *name) {
    struct heard heard = ask(port, "GET", "/metrics", "", NULL, 0);
    double sum = -1;
    for (const char *line = heard.body; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        const char *value = line + strcspn(line, " \n");
        sum = (sum < 0 ? 0 : sum) + strtod(value, NULL);
    }
    heard_free(&heard);
    return sum;
}

/* The children of a process, as many as there is room for. */
static inline size_t children_of(int pid, int *children, size_t most) {
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && count < most && fscanf(file, "%d", &children[count]) == 1)
        count++;
    if (file != NULL)
        fclose(file);
    return count;
}

#endif
