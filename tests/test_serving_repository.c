/* test_serving_repository.c: models listed, loaded and unloaded through the server. */
#include "serving_service.h"

static void begin_repository(void) {
    begin_server();
    write_mlp("other");
    write_broken("broken");
}

/* The state of a model in the index; NULL: it is not in it. In memory that the next call uses again. */
static const char *state_in_index(const char *body, const char *name) {
    static char state[32];
    json_t *index = post_json(server, "/v2/repository/index", body, 200), *model;
    size_t i;
    *state = '\0';
    json_array_foreach(index, i, model) {
        const char *found, *version, *what, *reason;
        ck_assert_int_eq(json_unpack(model, "{s:s,s:s,s:s,s:s!}", "name", &found, "version", &version, "state", &what,
                                     "reason", &reason),
                         0);
        ck_assert_str_eq(version, "1");
        if (strcmp(found, name) == 0)
            snprintf(state, sizeof state, "%s", what);
    }
    json_decref(index);
    return *state == '\0' ? NULL : state;
}

/* POST without a body, and without a length, as the Python client sends it. */
static void command(const char *path, int status) {
    struct caller caller = call(server->port);
    say(&caller, "POST %s HTTP/1.1\r\nHost: t\r\n\r\n", path);
    hear_status(&caller, status);
    hang_up(&caller);
}

static void infer_with(const char *model, int status) {
    char request[512], headers[100], path[100];
    size_t size = binary_request(request, headers, "");
    snprintf(path, sizeof path, "/v2/models/%s/infer", model);
    struct heard heard = ask(server->port, "POST", path, headers, request, size);
    ck_assert_msg(heard.status == status, "%s: %s", model, heard.body);
    heard_free(&heard);
}

START_TEST(the_index_lists_what_is_there) {
    ck_assert_str_eq(state_in_index("", "mlp"), "READY");
    ck_assert_str_eq(state_in_index("{}", "other"), "UNAVAILABLE");
    ck_assert_str_eq(state_in_index("{\"ready\":false}", "broken"), "UNAVAILABLE");
    ck_assert_str_eq(state_in_index("{\"ready\":true}", "mlp"), "READY");
    ck_assert_ptr_null(state_in_index("{\"ready\":true}", "other"));
}
END_TEST

START_TEST(models_are_loaded_and_unloaded) {
    infer_with("other", 404);
    command("/v2/repository/models/other/load", 200);
    ck_assert_str_eq(state_in_index("{\"ready\":true}", "other"), "READY");
    infer_with("other", 200);
    command("/v2/repository/models/other/load", 200); /* again */
    infer_with("other", 200);
    struct heard heard = ask(server->port, "POST", "/v2/repository/models/other/unload", "",
                             "{\"parameters\":{\"unload_dependents\":false}}", 42);
    ck_assert_int_eq(heard.status, 200);
    heard_free(&heard);
    ck_assert_str_eq(state_in_index("", "other"), "UNAVAILABLE");
    infer_with("other", 503);
    json_decref(get_json(server, "/v2/models/other/ready", 400));
    json_decref(get_json(server, "/v2/models/other", 503));
    infer_with("mlp", 200);
}
END_TEST

START_TEST(wrong_commands_are_refused) {
    static const struct {
        int status;
        const char *path, *body, *word;
    } CASES[] = {
        {400, "/v2/repository/models/nobody/load", "", "nobody"},
        {400, "/v2/repository/models/nobody/unload", "", "nobody"},
        {400, "/v2/repository/models/broken/load", "", "broken"},
        {400, "/v2/repository/models/..%2F..%2Fother/load", "", "without /"},
        {400, "/v2/repository/models/wide:100000x16/load", "", "without / and :"},
        {400, "/v2/repository/models/other/load", "{", "JSON"},
        {400, "/v2/repository/models/other/load", "[]", "object"},
        {400, "/v2/repository/models/other/load", "{\"parameters\":1}", "object"},
        {400, "/v2/repository/models/other/load", "{\"parameters\":{\"config\":\"{}\"}}", "config"},
        {400, "/v2/repository/models/other/load", "{\"parameters\":{\"file:1/model\":\"\"}}", "file:1/model"},
        {400, "/v2/repository/index", "no", "JSON"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct heard heard = ask(server->port, "POST", CASES[i].path, "", CASES[i].body, strlen(CASES[i].body));
        require_error(&heard, CASES[i].status, CASES[i].word, CASES[i].path);
    }
    char *large = calloc(1, 65537);
    struct heard heard = ask(server->port, "POST", "/v2/repository/index", "", large, 65537);
    require_error(&heard, 413, "65536", "a large body");
    free(large);
    ck_assert_str_eq(state_in_index("", "mlp"), "READY");
    infer_with("mlp", 200);
}
END_TEST

/* Deep and broken JSON, cut at every byte. */
START_TEST(bodies_of_commands_may_be_anything) {
    static const char BODY[] = "{\"parameters\":{\"a\":[[[{\"b\":[1e999,\"\\ud800\"]}]]]},\"ready\":true}";
    char deep[5000];
    for (size_t size = 1; size < sizeof BODY; size++) {
        struct heard heard = ask(server->port, "POST", "/v2/repository/index", "", BODY, size);
        require_error(&heard, 400, "", BODY);
    }
    memset(deep, '[', sizeof deep);
    struct heard heard = ask(server->port, "POST", "/v2/repository/index", "", deep, sizeof deep);
    require_error(&heard, 400, "", "deep");
}
END_TEST

/* Its clients are gone before it is done, or ask for the same at once. */
START_TEST(many_may_load_at_once_and_some_go) {
    struct caller callers[20];
    for (int i = 0; i < 20; i++) {
        callers[i] = call(server->port);
        post(&callers[i], "/v2/repository/models/other/load", "", "", 0);
    }
    for (int i = 0; i < 20; i += 2)
        hang_up(&callers[i]);
    for (int i = 1; i < 20; i += 2) {
        struct heard heard = hear(&callers[i]);
        ck_assert_msg(heard.status == 200 || heard.status == 503 || heard.status == 400, "%s", heard.head);
        heard_free(&heard);
        hang_up(&callers[i]);
    }
    await(strcmp(state_in_index("", "other"), "READY") == 0);
    infer_with("other", 200);
}
END_TEST

SUITE_WITH("serving_repository", begin_repository, end_server, the_index_lists_what_is_there,
           models_are_loaded_and_unloaded, wrong_commands_are_refused, bodies_of_commands_may_be_anything,
           many_may_load_at_once_and_some_go)
