/* test_serving_json.c: the pull parser: every token, every error, wherever the text is cut. */
#include "json.h"
#include "watch.h"

/* The tokens that were read, one behind the other, and what stopped it. */
struct trace {
    char text[8192];
    size_t size;
};

static void note(struct trace *trace, const char *what, const char *text, size_t size) {
    int printed =
        snprintf(trace->text + trace->size, sizeof trace->text - trace->size, "%s%.*s ", what, (int)size, text);
    require(printed > 0);
    trace->size += (size_t)printed < sizeof trace->text - trace->size ? (size_t)printed : 0;
}

static void note_token(struct trace *trace, const struct json_token *token) {
    static const char *const NAMES[] = {
        [TOKEN_OBJECT] = "{",    [TOKEN_OBJECT_END] = "}", [TOKEN_ARRAY] = "[",   [TOKEN_ARRAY_END] = "]",
        [TOKEN_KEY] = "k:",      [TOKEN_STRING] = "s:",    [TOKEN_NUMBER] = "n:", [TOKEN_TRUE] = "true",
        [TOKEN_FALSE] = "false", [TOKEN_NULL] = "null",
    };
    char resolved[JSON_TOKEN + 1];
    if (token->kind == TOKEN_KEY || token->kind == TOKEN_STRING)
        note(trace, NAMES[token->kind], resolved, json_text(token, resolved, sizeof resolved));
    else
        note(trace, NAMES[token->kind], token->kind == TOKEN_NUMBER ? token->text : "",
             token->kind == TOKEN_NUMBER ? token->size : 0);
}

/* Reads the text in pieces of `first` and then `step` bytes; what is cut is there again with the next piece. */
static void read_cut(const char *text, size_t size, size_t first, size_t step, struct trace *trace) {
    struct json json;
    struct json_token token;
    json_begin(&json);
    *trace = (struct trace){0};
    size_t taken = 0, there = first < size ? first : size;
    for (;;) {
        /* From memory of exactly this size, for a sanitizer to see what is read beyond. */
        char *piece = malloc(there - taken + 1);
        require(piece != NULL);
        memcpy(piece, text + taken, there - taken);
        piece = realloc(piece, there - taken > 0 ? there - taken : 1);
        const char *at = piece, *end = piece + (there - taken);
        enum token_kind kind;
        while ((kind = json_next(&json, &at, end, there == size, &token)) > TOKEN_END)
            note_token(trace, &token);
        taken += (size_t)(at - piece);
        free(piece);
        if (kind == TOKEN_MORE)
            require(there < size && there - taken < JSON_TOKEN + 16);
        else if (kind == TOKEN_BAD)
            note(trace, "!", json.reason, strlen(json.reason));
        if (kind == TOKEN_BAD || kind == TOKEN_END) {
            note(trace, "@", "", 0);
            snprintf(trace->text + trace->size - 1, sizeof trace->text - trace->size, "%zu", taken);
            return;
        }
        there = there + step < size ? there + step : size;
    }
}

/* Whole, byte by byte, and cut in two at every place: always the same. */
static const char *read_everywhere(const char *text, size_t size) {
    static struct trace whole, cut;
    read_cut(text, size, size, 1, &whole);
    read_cut(text, size, 1, 1, &cut);
    ck_assert_str_eq(cut.text, whole.text);
    for (size_t first = 0; first < size; first++) {
        read_cut(text, size, first, size, &cut);
        ck_assert_str_eq(cut.text, whole.text);
    }
    return whole.text;
}

static void expect_tokens(const char *text, const char *expected) {
    const char *trace = read_everywhere(text, strlen(text)), *end = strrchr(trace, '@');
    require(end != NULL && strncmp(trace, expected, strlen(expected)) == 0);
    if ((size_t)(end - trace) != strlen(expected) || atoi(end + 1) != (int)strlen(text))
        ck_abort_msg("%s is read as %s, not as %s", text, trace, expected);
}

START_TEST(what_is_json_is_read) {
    static const char *const CASES[][2] = {
        {"{}", "{ } "},
        {"[]", "[ ] "},
        {" [ ] ", "[ ] "},
        {"[[],{}]", "[ [ ] { } ] "},
        {"{\"a\":1}", "{ k:a n:1 } "},
        {"\r\n\t{ \"a\" : 1 , \"b\" : [ true , false , null ] }\n", "{ k:a n:1 k:b [ true false null ] } "},
        {"{\"\":\"\"}", "{ k: s: } "},
        {"[0,-0,10,1.5,-1.25e10,1E-5,0.0,0e0,1e+5]", "[ n:0 n:-0 n:10 n:1.5 n:-1.25e10 n:1E-5 n:0.0 n:0e0 n:1e+5 ] "},
        {"1", "n:1 "},
        {"-1.5e-3 ", "n:-1.5e-3 "},
        {"true", "true "},
        {"null", "null "},
        {"\"x\"", "s:x "},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "s:\"\\/\b\f\n\r\t "},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "s:A\u00e9\u20ac\U0001f600 "},
        {"\"\u00e9\u20ac\U0001f600\x7f\U0010ffff\ud7ff\ue000\"", "s:\u00e9\u20ac\U0001f600\x7f\U0010ffff\ud7ff\ue000 "},
        {"{\"a\":{\"a\":{\"a\":[]}},\"b\":1}", "{ k:a { k:a { k:a [ ] } } k:b n:1 } "},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        expect_tokens(CASES[i][0], CASES[i][1]);
}
END_TEST

START_TEST(what_is_no_json_is_refused_where_it_is) {
    static const struct {
        const char *text, *reason;
        int place;
    } CASES[] = {
        {"", "ends too early", 0},
        {"  ", "ends too early", 2},
        {"{", "ends too early", 1},
        {"[1", "ends too early", 2},
        {"[1,", "ends too early", 3},
        {"{\"a\"", "ends too early", 4},
        {"{\"a\":", "ends too early", 5},
        {"\"abc", "ends too early", 1},
        {"tru", "ends too early", 0},
        {"-", "ends too early", 0},
        {"1.", "ends too early", 0},
        {"1e", "ends too early", 0},
        {"[1 2]", "a comma", 3},
        {"[1,]", "no value", 3},
        {"[,1]", "no value", 1},
        {"[1}", "a comma", 2},
        {"{\"a\":1]", "a comma", 6},
        {"{,}", "name is missing", 1},
        {"{\"a\":1,}", "name is missing", 7},
        {"{\"a\" 1}", "a colon", 5},
        {"{\"a\",1}", "a colon", 4},
        {"{\"a\"::1}", "no value", 5},
        {"{a:1}", "name is missing", 1},
        {"{1:1}", "name is missing", 1},
        {"{} x", "behind its end", 3},
        {"1 2", "behind its end", 2},
        {"{}{}", "behind its end", 2},
        {"]", "no value", 0},
        {"nan", "no value", 0},
        {"Infinity", "no value", 0},
        {"'x'", "no value", 0},
        {"truE", "no value", 0},
        {"nulll", "behind its end", 4},
        {"+1", "no value", 0},
        {".5", "no value", 0},
        {"01", "begin with 0", 2},
        {"-01", "begin with 0", 3},
        {"1.e5", "digit is missing", 2},
        {"1.x", "digit is missing", 2},
        {"1e+x", "digit is missing", 3},
        {"-x", "digit is missing", 1},
        {"0x10", "behind its end", 1},
        {"[1/**/]", "a comma", 2},
        {"\"a\nb\"", "control character", 2},
        {"\"\\x\"", "no escape", 1},
        {"\"\\u12g4\"", "no escape", 1},
        {"\"\\ud800\"", "no escape", 1},
        {"\"\\udc00\"", "no escape", 1},
        {"\"\\ud800\\u0041\"", "no escape", 1},
        {"\"\\ud800x\"", "no escape", 1},
        {"\"\x80\"", "no UTF-8", 1},
        {"\"\xc0\xaf\"", "no UTF-8", 1},
        {"\"\xc1\xbf\"", "no UTF-8", 1},
        {"\"\xe0\x9f\xbf\"", "no UTF-8", 1},
        {"\"\xed\xa0\x80\"", "no UTF-8", 1},
        {"\"\xf0\x8f\xbf\xbf\"", "no UTF-8", 1},
        {"\"\xf4\x90\x80\x80\"", "no UTF-8", 1},
        {"\"\xf5\x80\x80\x80\"", "no UTF-8", 1},
        {"\"a\xe2\x82\"", "no UTF-8", 2},
        {"\"\xff\"", "no UTF-8", 1},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const char *trace = read_everywhere(CASES[i].text, strlen(CASES[i].text));
        const char *reason = strrchr(trace, '!'), *place = strrchr(trace, '@');
        if (reason == NULL || strstr(reason, CASES[i].reason) == NULL || atoi(place + 1) != CASES[i].place)
            ck_abort_msg("%s is read as %s, and not refused for '%s' at %d", CASES[i].text, trace, CASES[i].reason,
                         CASES[i].place);
    }
}
END_TEST

START_TEST(a_nul_is_no_json) {
    require(strstr(read_everywhere("\0", 1), "no value") != NULL);
    require(strstr(read_everywhere("[1]\0", 4), "behind its end") != NULL);
    require(strstr(read_everywhere("\"a\0b\"", 5), "control character") != NULL);
    require(strstr(read_everywhere("\"\\\0\"", 4), "no escape") != NULL);
}
END_TEST

START_TEST(levels_are_counted) {
    char text[2 * JSON_DEPTH + 3];
    for (int depth = JSON_DEPTH; depth <= JSON_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        const char *trace = read_everywhere(text, 2 * (size_t)depth);
        ck_assert_int_eq(strstr(trace, "too deep") != NULL, depth > JSON_DEPTH);
    }
    char objects[8 * JSON_DEPTH], *at = objects;
    for (int depth = 0; depth < JSON_DEPTH; depth++)
        at = stpcpy(at, depth % 2 == 0 ? "{\"\":" : "[");
    for (int depth = JSON_DEPTH - 1; depth >= 0; depth--)
        *at++ = depth % 2 == 0 ? '}' : ']';
    require(strchr(read_everywhere(objects, (size_t)(at - objects)), '!') == NULL);
    ck_assert_ptr_nonnull(strstr(read_everywhere("{\"a\":[{\"b\":[1]}]]", 17), "a comma"));
}
END_TEST

START_TEST(long_tokens_are_refused_wherever_they_are_cut) {
    static char text[JSON_TOKEN + 200];
    static struct trace whole, cut;
    for (int kind = 0; kind < 2; kind++)
        for (size_t size = JSON_TOKEN - 8; size < JSON_TOKEN + 40; size++) {
            memset(text, kind == 0 ? '1' : 'a', size);
            if (kind == 1)
                text[0] = text[size - 1] = '"';
            memcpy(text + size - 14, kind == 0 ? "1111111111e+10" : "a\\ud83d\\ude00", kind == 0 ? 14 : 13);
            read_cut(text, size, size, 1, &whole);
            if ((strstr(whole.text, "too long") != NULL) != (size > JSON_TOKEN))
                ck_abort_msg("%zu bytes of kind %d are read as %.20s...", size, kind, whole.text);
            static const size_t STEPS[] = {1, 2, 7, 1000};
            for (size_t i = 0; i < 4; i++) {
                read_cut(text, size, JSON_TOKEN - 20, STEPS[i], &cut);
                ck_assert_str_eq(cut.text, whole.text);
            }
        }
}
END_TEST

static struct json_token token_of(const char *text) {
    struct json json;
    struct json_token token;
    json_begin(&json);
    require(json_next(&json, &text, text + strlen(text), true, &token) > TOKEN_END);
    return token;
}

START_TEST(texts_are_compared_with_their_escapes_resolved) {
    struct json_token plain = token_of("\"shape\""), escaped = token_of("\"sh\\u0061p\\u0065\"");
    require(json_is(&plain, "shape", 5) && json_is(&escaped, "shape", 5));
    require(!json_is(&plain, "shap", 4) && !json_is(&escaped, "shap", 4));
    require(!json_is(&plain, "shapes", 6) && !json_is(&escaped, "shapes", 6));
    require(!json_is(&plain, "Shape", 5) && !json_is(&escaped, "Shape", 5));
    struct json_token empty = token_of("\"\""), nul = token_of("\"\\u0000\"");
    require(json_is(&empty, "", 0) && !json_is(&nul, "", 0) && json_is(&nul, "\0", 1));
}
END_TEST

START_TEST(texts_are_cut_to_whole_characters) {
    struct json_token token = token_of("\"a\\u20ac\U0001f600b\"");
    static const size_t KEPT[] = {0, 0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9};
    for (size_t room = 0; room < sizeof KEPT / sizeof *KEPT; room++) {
        char *text = malloc(room > 0 ? room : 1);
        require(text != NULL);
        ck_assert_uint_eq(json_text(&token, text, room), 9);
        if (room > 0) {
            ck_assert_uint_eq(strlen(text), KEPT[room]);
            ck_assert_mem_eq(text, "a\u20ac\U0001f600b", KEPT[room]);
        }
        free(text);
    }
}
END_TEST

START_TEST(whole_numbers_are_those_that_fit) {
    static const char *const BAD[] = {"-1",    "-0",   "1.0", "1e2", "18446744073709551616", "99999999999999999999999",
                                      "\"1\"", "true", "[",   "null"};
    uint64_t value = 7;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct json_token token = token_of(BAD[i]);
        require(!json_whole(&token, &value));
    }
    struct json_token zero = token_of("0"), largest = token_of("18446744073709551615");
    require(json_whole(&zero, &value) && value == 0);
    require(json_whole(&largest, &value) && value == UINT64_MAX);
}
END_TEST

SUITE("serving_json", what_is_json_is_read, what_is_no_json_is_refused_where_it_is, a_nul_is_no_json,
      levels_are_counted, long_tokens_are_refused_wherever_they_are_cut, texts_are_compared_with_their_escapes_resolved,
      texts_are_cut_to_whole_characters, whole_numbers_are_those_that_fit)
