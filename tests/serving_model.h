/* serving_model.h: what the suites about models share: a folder of its own for each test, models opened or refused. */
#ifndef ATELIER_TESTS_SERVING_MODEL_H
#define ATELIER_TESTS_SERVING_MODEL_H

#include "model.h"

#include "bench_folder.h"

/* The model, or the test fails. */
static inline struct model *opened(const char *source) {
    struct model *model = NULL;
    struct failure failure = {""};
    int result = model_open(&model, source, folder, &failure);
    ck_assert_msg(result == 0, "%s: %s", source, failure.text);
    return model;
}

/* Opening it fails with that code and these words. */
static inline void assert_not_opened(const char *source, int code, const char *words) {
    struct model *model = NULL;
    struct failure failure = {""};
    ck_assert_int_eq(model_open(&model, source, folder, &failure), code);
    ck_assert_ptr_null(model);
    ck_assert_msg(strstr(failure.text, words) != NULL, "\"%s\" lacks \"%s\"", failure.text, words);
}

#endif
