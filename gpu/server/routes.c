/* routes.c: what a path asks for: a table of patterns, and names decoded once. */
#include <jansson.h>
#include <stddef.h>
#include <string.h>

#include "routes.h"

/* In a pattern, * is a name and # a version. The first that fits is taken: a model named "stats" is out of reach. */
static const struct pattern {
    const char *path;
    enum route_kind kind;
    bool post;
} PATTERNS[] = {
    {"/v2/models/*/infer", ROUTE_INFER, true},
    {"/v2/models/*/versions/#/infer", ROUTE_INFER, true},
    {"/v2/health/live", ROUTE_LIVE, false},
    {"/v2/health/ready", ROUTE_READY, false},
    {"/v2", ROUTE_SERVER, false},
    {"/v2/models/stats", ROUTE_ALL_STATISTICS, false},
    {"/v2/models/*", ROUTE_MODEL, false},
    {"/v2/models/*/versions/#", ROUTE_MODEL, false},
    {"/v2/models/*/ready", ROUTE_MODEL_READY, false},
    {"/v2/models/*/versions/#/ready", ROUTE_MODEL_READY, false},
    {"/v2/models/*/config", ROUTE_CONFIG, false},
    {"/v2/models/*/versions/#/config", ROUTE_CONFIG, false},
    {"/v2/models/*/stats", ROUTE_STATISTICS, false},
    {"/v2/models/*/versions/#/stats", ROUTE_STATISTICS, false},
    {"/v2/repository/index", ROUTE_INDEX, true},
    {"/v2/repository/models/*/load", ROUTE_LOAD, true},
    {"/v2/repository/models/*/unload", ROUTE_UNLOAD, true},
    {"/v2/systemsharedmemory/status", ROUTE_MEMORY_STATUS, false},
    {"/v2/systemsharedmemory/region/*/status", ROUTE_MEMORY_STATUS, false},
    {"/v2/systemsharedmemory/unregister", ROUTE_MEMORY_UNREGISTER, true},
    {"/v2/systemsharedmemory/region/*/unregister", ROUTE_MEMORY_UNREGISTER, true},
    {"/v2/systemsharedmemory/region/*/register", ROUTE_MEMORY_REGISTER, true},
    {"/v2/cudasharedmemory/status", ROUTE_MEMORY_STATUS, false},
    {"/v2/cudasharedmemory/region/*/status", ROUTE_MEMORY_STATUS, false},
    {"/v2/cudasharedmemory/unregister", ROUTE_MEMORY_UNREGISTER, true},
    {"/v2/cudasharedmemory/region/*/unregister", ROUTE_MEMORY_UNREGISTER, true},
    {"/v2/cudasharedmemory/region/*/register", ROUTE_MEMORY_REGISTER, true},
    {"/metrics", ROUTE_METRICS, false},
};

/* A part of a path, between two slashes. */
struct piece {
    const char *text;
    size_t size;
};

struct match {
    struct piece name, version;
};

static struct piece piece_at(const char *text) {
    return (struct piece){.text = text, .size = strcspn(text, "/")};
}

/* Both begin with a slash, or are at their end. */
static bool fits(const char *pattern, const char *path, struct match *match) {
    *match = (struct match){0};
    while (*pattern != '\0' && *path != '\0') {
        struct piece wanted = piece_at(pattern + 1), given = piece_at(path + 1);
        if (*wanted.text == '*')
            match->name = given;
        else if (*wanted.text == '#')
            match->version = given;
        else if (given.size != wanted.size || memcmp(given.text, wanted.text, given.size) != 0)
            return false;
        if (given.size == 0)
            return false;
        pattern = wanted.text + wanted.size;
        path = given.text + given.size;
    }
    return *pattern == '\0' && (*path == '\0' || strcmp(path, "/") == 0);
}

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* jansson makes no string of anything else. Most names need not be looked at so closely. */
static bool is_text(const char *text) {
    size_t i = 0;
    while ((signed char)text[i] > 0) /* beyond ASCII is below 0, whatever char is here */
        i++;
    if (text[i] == '\0')
        return true;
    json_t *string = json_string(text);
    json_decref(string);
    return string != NULL;
}

static int decode(struct piece piece, char *text, size_t room, struct problem *problem) {
    size_t size = 0;
    for (size_t i = 0; i < piece.size; i++) {
        char c = piece.text[i];
        if (c == '%') {
            int high = i + 1 < piece.size ? digit(piece.text[i + 1]) : -1;
            int low = i + 2 < piece.size ? digit(piece.text[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return refuse(problem, 400, "the path has a %% that two hexadecimal digits, not both 0, must follow");
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (size + 1 == room)
            return refuse(problem, 404, "the path names something longer than any name here");
        text[size++] = c;
    }
    text[size] = '\0';
    if (!is_text(text))
        return refuse(problem, 400, "the path names something that is not UTF-8");
    return 0;
}

static int check_method(const struct route *route, const char *method, struct problem *problem) {
    if (route->post && strcmp(method, "POST") != 0)
        return refuse(problem, 405, "this path takes POST only");
    if (!route->post && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(problem, 405, "this path takes GET only");
    return 0;
}

int route_find(struct route *route, const char *method, const char *path, struct problem *problem) {
    struct match match;
    size_t i = 0, count = sizeof PATTERNS / sizeof *PATTERNS;
    while (i < count && !fits(PATTERNS[i].path, path, &match))
        i++;
    if (i == count)
        return refuse(problem, 404, "Not Found");
    route->kind = PATTERNS[i].kind;
    route->post = PATTERNS[i].post;
    if (decode(match.name, route->name, sizeof route->name, problem) != 0 ||
        decode(match.version, route->version, sizeof route->version, problem) != 0)
        return -1;
    if (route->version[strspn(route->version, "0123456789")] != '\0')
        return refuse(problem, 400, "a version is a number, as in /versions/1");
    return check_method(route, method, problem);
}
