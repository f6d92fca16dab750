/* test_serving_cards.c: which cards there are, which of them CUDA_VISIBLE_DEVICES shows, and what a worker is told. */
#include "cards.h"

#include <dlfcn.h>
#include <limits.h>
#include <math.h>

#include "watch.h"

/* ---- a machine with some cards, which are none (tests/emulated/nvml.c) */

/* Who asks for NVML from here on gets that one, since it is loaded already. */
static void have_cards(const char *count) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    require(length > 0);
    path[length] = '\0';
    snprintf(strrchr(path, '/'), 64, "/emulated/libnvidia-ml.so.1");
    setenv("EMULATED_CARDS", count, 1);
    if (dlopen(path, RTLD_NOW) == NULL)
        ck_abort_msg("%s", dlerror());
}

static void show(const char *visible) {
    if (visible == NULL)
        unsetenv("CUDA_VISIBLE_DEVICES");
    else
        setenv("CUDA_VISIBLE_DEVICES", visible, 1);
}

static void set_up(void) {
    show(NULL);
    unsetenv("AT_CARD");
    unsetenv("EMULATED_NVML");
    unsetenv("EMULATED_MEMORY");
}

#define UUID "GPU-00000000-0000-4000-8000-00000000000"

START_TEST(cards_are_told_by_name_memory_and_place) {
    struct card_facts cards[CARDS_MOST];
    char version[32];
    setenv("EMULATED_MEMORY", "5000000000", 1);
    have_cards("3");
    ck_assert_uint_eq(cards_list(cards, NULL), 3);
    for (int i = 0; i < 3; i++) {
        char uuid[64], bus[32];
        snprintf(uuid, sizeof uuid, UUID "%d", i);
        snprintf(bus, sizeof bus, "0000:%02x:00.0", i + 1);
        ck_assert_str_eq(cards[i].uuid, uuid);
        ck_assert_str_eq(cards[i].name, "Emulated card");
        ck_assert_str_eq(cards[i].bus, bus);
        ck_assert_uint_eq(cards[i].memory, 5000000000);
        ck_assert_int_eq(10 * cards[i].major + cards[i].minor, 90);
    }
    cards_driver(version, sizeof version);
    ck_assert_str_eq(version, "580.65.06");
    cards_driver(version, 3);
    ck_assert_str_eq(version, "");
}
END_TEST

/* ---- CUDA_VISIBLE_DEVICES, with four cards: their numbers as digits */

static void require_visible(const char *visible, const char *expected) {
    struct card_facts cards[CARDS_MOST];
    struct failure failure = {.text = ""};
    char is[CARDS_MOST + 1];
    show(visible);
    size_t count = cards_list(cards, &failure);
    for (size_t i = 0; i < count; i++)
        is[i] = cards[i].uuid[strlen(cards[i].uuid) - 1];
    is[count] = '\0';
    if (strcmp(is, expected) != 0)
        ck_abort_msg("\"%s\" shows \"%s\" instead of \"%s\"", visible, is, expected);
    require((count == 0) == (failure.text[0] != '\0'));
}

START_TEST(lists_choose_and_order_the_cards) {
    static const char *const LISTS[][2] = {
        {NULL, "0123"},
        {"0", "0"},
        {"3,1", "31"},
        {"2, 0", "20"},
        {" 1 ,2", "12"},
        {"0,1,2,3", "0123"},
        {"01", "1"},
        {"+2", "2"},
        {"1card,2", "12"},
        /* what means no card ends the list */
        {"0,4,1", "0"},
        {"0,2,-1,1", "02"},
        {"1,,2", "1"},
        {"1,", "1"},
        {"1,x,2", "1"},
        {"99999999999999999999,1", ""},
        {"-1", ""},
        {"", ""},
        {" ", ""},
        {",1", ""},
        {"none", ""},
        {"NoDevFiles", ""},
        /* what is repeated empties it */
        {"0,0", ""},
        {"2,1,2", ""},
        /* UUIDs, and what they begin with */
        {UUID "2", "2"},
        {UUID "2," UUID "0", "20"},
        {UUID "1," UUID "1", ""},
        {UUID "1," UUID "9," UUID "2", "1"},
        {UUID "1,2", "1"},
        {"0,MIG-6b1a-1,2", "0"},
        {"2," UUID "1", "2"},
        {UUID "1x", ""},
        {"GPU-0000", ""}, /* all four begin so */
        {"gpu-00000000-0000-4000-8000-000000000001", ""},
        {"GPU-", ""},
    };
    have_cards("4");
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++)
        require_visible(LISTS[i][0], LISTS[i][1]);
}
END_TEST

START_TEST(the_only_card_may_be_named_by_its_first_letters) {
    have_cards("1");
    require_visible("GPU-", "0");
    require_visible("GPU-0000", "0");
    require_visible("GPU-1", "");
}
END_TEST

START_TEST(a_card_that_this_user_must_not_touch_has_no_number) {
    setenv("EMULATED_NVML", "denied", 1);
    have_cards("3");
    require_visible(NULL, "12");
    require_visible("1,0", "21");
    require_visible("2", "");
}
END_TEST

/* Of a part of a card NVML may know nothing; it is a card all the same. */
START_TEST(parts_of_cards_are_kept_as_they_are) {
    struct card_facts cards[CARDS_MOST];
    have_cards("2");
    show("MIG-6b1a-1,MIG-6b1a-2,0,MIG-6b1a-3");
    ck_assert_uint_eq(cards_list(cards, NULL), 2);
    ck_assert_str_eq(cards[0].uuid, "MIG-6b1a-1");
    ck_assert_str_eq(cards[1].uuid, "MIG-6b1a-2");
    ck_assert_str_eq(cards[1].name, "");
    show("MIG-6b1a-1,MIG-6b1a-1");
    ck_assert_uint_eq(cards_list(cards, NULL), 0);
}
END_TEST

/* No list of whatever letters shows a card twice, or one that is not there. */
START_TEST(lists_of_anything_are_read) {
    static const char *const PIECES[] = {"0",    "1",    ",", ",",  " ",  "-",   UUID "1",
                                         "GPU-", "MIG-", "x", "99", "\n", "\x80"};
    static char list[5000];
    struct card_facts cards[CARDS_MOST];
    unsigned random = 1;
    have_cards("3");
    for (int i = 0; i < 3000; i++) {
        size_t length = 0;
        list[0] = '\0';
        for (unsigned pieces = (random = random * 1103515245 + 12345) >> 16 & 15; pieces > 0; pieces--) {
            const char *piece = PIECES[((random = random * 1103515245 + 12345) >> 16) % 13];
            length += (size_t)snprintf(list + length, sizeof list - length, "%s", piece);
        }
        show(list);
        size_t count = cards_list(cards, NULL);
        for (size_t j = 0; j < count; j++)
            for (size_t k = 0; k < j; k++)
                require(strcmp(cards[j].uuid, cards[k].uuid) != 0);
        require(strncmp(list, "MIG-", 4) == 0 || count <= 3);
    }
    memset(list, '1', sizeof list - 1);
    require_visible(list, "");
    for (size_t i = 1; i < sizeof list - 1; i += 2)
        list[i] = ',';
    require_visible(list, "");
}
END_TEST

/* ---- none */

START_TEST(what_is_missing_is_said) {
    struct card_facts cards[CARDS_MOST];
    struct failure failure;
    have_cards("2");
    show("7");
    ck_assert_uint_eq(cards_list(cards, &failure), 0);
    ck_assert_str_eq(failure.text,
                     "CUDA_VISIBLE_DEVICES=\"7\" shows none of the 2 cards that are here; unset it, or list "
                     "some of them, each once (nvidia-smi -L names them)");
}
END_TEST

START_TEST(a_driver_that_does_not_answer_is_no_driver) {
    struct card_facts cards[CARDS_MOST];
    struct card_state now;
    struct failure failure;
    char version[32] = "x";
    have_cards("0");
    ck_assert_uint_eq(cards_list(cards, &failure), 0);
    ck_assert_str_eq(failure.text,
                     "the NVIDIA driver does not answer (NVML: Driver Not Loaded); nvidia-smi has to work "
                     "first");
    cards_driver(version, sizeof version);
    ck_assert_str_eq(version, "");
    require(!cards_state(UUID "0", &now) && isnan(now.energy));
}
END_TEST

static void have_no_driver(void) {
    if (dlopen("libnvidia-ml.so.1", RTLD_NOW) != NULL)
        skip("this machine has an NVIDIA driver");
}

START_TEST(no_driver_is_said_with_the_way_out) {
    struct card_facts cards[CARDS_MOST];
    struct failure failure;
    have_no_driver();
    ck_assert_uint_eq(cards_list(cards, &failure), 0);
    static const char BEGINNING[] = "no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded (";
    ck_assert_msg(strncmp(failure.text, BEGINNING, strlen(BEGINNING)) == 0 &&
                      strstr(failure.text, "); nvidia-smi has to work first") != NULL,
                  "%s", failure.text);
}
END_TEST

/* ---- one worker, one card */

/* The variables as they are in a worker's environment: "NAME=VALUE NAME=VALUE", "" for none. */
static void require_bound(const char *device, const char *expected) {
    at_variable variables[CARD_VARIABLES];
    char texts[CARD_VARIABLES][96], is[300] = "";
    size_t count = cards_bind(device, variables, texts), length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(is + length, sizeof is - length, "%s%s=%s", i > 0 ? " " : "", variables[i].name,
                                   variables[i].value);
    ck_assert_str_eq(is, expected);
}

START_TEST(a_worker_sees_its_card_and_no_other) {
    struct card_facts cards[CARDS_MOST];
    at_variable variables[CARD_VARIABLES];
    char texts[CARD_VARIABLES][96];
    static const char *const OTHERS[] = {
        "cpu", "sim:1:2", "cuda:3", "cuda", "cuda:", "cuda:x", "cuda:0000", "cudb:0", ""};
    have_cards("3");
    require_bound("cuda:0", "CUDA_VISIBLE_DEVICES=" UUID "0 AT_CARD=0 CUDA_DEVICE_ORDER=PCI_BUS_ID");
    require_bound("cuda:2:bf16:spin", "CUDA_VISIBLE_DEVICES=" UUID "2 AT_CARD=2 CUDA_DEVICE_ORDER=PCI_BUS_ID");
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        require_bound(OTHERS[i], "");
    show("2,0");
    require_bound("cuda:1", "CUDA_VISIBLE_DEVICES=" UUID "0 AT_CARD=1 CUDA_DEVICE_ORDER=PCI_BUS_ID");
    require_bound("cuda:2", "");
    ck_assert_uint_eq(cards_number_here(1), 1);

    size_t count = cards_bind("cuda:1", variables, texts);
    for (size_t i = 0; i < count; i++)
        setenv(variables[i].name, variables[i].value, 1);
    ck_assert_uint_eq(cards_number_here(1), 0);
    ck_assert_uint_eq(cards_number_here(2), 2);
    ck_assert_uint_eq(cards_list(cards, NULL), 1);
    ck_assert_str_eq(cards[0].uuid, UUID "0");
    require_bound("cuda:1", "CUDA_VISIBLE_DEVICES=" UUID "0 AT_CARD=1 CUDA_DEVICE_ORDER=PCI_BUS_ID");
    show("0,1"); /* what AT_CARD says was said of another list */
    ck_assert_uint_eq(cards_number_here(1), 1);
}
END_TEST

START_TEST(without_nvml_cards_go_by_their_numbers) {
    have_no_driver();
    require_bound("cuda:1:fp16", "CUDA_VISIBLE_DEVICES=1 AT_CARD=1 CUDA_DEVICE_ORDER=PCI_BUS_ID");
    show("3, 2 ,GPU-1c5d");
    require_bound("cuda:1", "CUDA_VISIBLE_DEVICES=2 AT_CARD=1");
    require_bound("cuda:2", "CUDA_VISIBLE_DEVICES=GPU-1c5d AT_CARD=2");
    require_bound("cuda:3", "");
    show("");
    require_bound("cuda:0", "");
}
END_TEST

/* ---- meters */

START_TEST(meters_are_read_in_joules_and_watts) {
    struct card_state before, after;
    have_cards("2");
    double earlier = at_now();
    require(cards_state(UUID "1", &before));
    ck_assert_double_ge(before.energy, 100 * earlier - 1); /* 100 watts, since the clock began */
    ck_assert_double_le(before.energy, 100 * at_now());
    ck_assert_double_eq(before.power, 100);
    ck_assert_double_eq(before.utilisation, 0.5);
    ck_assert_double_eq(before.memory_used, 1 << 28);
    await(cards_state(UUID "1", &after) && after.energy > before.energy);
    ck_assert_double_le(after.energy - before.energy, 100 * (BOUND + 1));
    require(!cards_state(UUID "2", &after) && isnan(after.power));
    require(!cards_state("", &after));
}
END_TEST

START_TEST(a_meter_that_a_card_has_not_is_nan) {
    struct card_state now;
    setenv("EMULATED_NVML", "unknown", 1);
    have_cards("1");
    require(cards_state(UUID "0", &now));
    require(isnan(now.energy) && isnan(now.power) && isnan(now.utilisation) && now.memory_used > 0);
}
END_TEST

static int ask(void *arg) {
    struct card_facts cards[CARDS_MOST];
    struct card_state now;
    bool *right = arg;
    *right = cards_list(cards, NULL) == 2 && cards_state(cards[1].uuid, &now) && now.power > 0;
    return 0;
}

START_TEST(threads_may_ask_at_once) {
    at_thread *threads[8];
    bool right[8] = {false};
    have_cards("2");
    for (size_t i = 0; i < 8; i++) {
        threads[i] = at_thread_new(.target = ask, .arg = &right[i]);
        require(threads[i] != NULL);
    }
    for (size_t i = 0; i < 8; i++)
        start(threads[i]);
    for (size_t i = 0; i < 8; i++) {
        join(threads[i]);
        require(right[i]);
        at_thread_free(threads[i]);
    }
}
END_TEST

SUITE_WITH("serving_cards", set_up, NULL, cards_are_told_by_name_memory_and_place, lists_choose_and_order_the_cards,
           the_only_card_may_be_named_by_its_first_letters, a_card_that_this_user_must_not_touch_has_no_number,
           parts_of_cards_are_kept_as_they_are, lists_of_anything_are_read, what_is_missing_is_said,
           a_driver_that_does_not_answer_is_no_driver, no_driver_is_said_with_the_way_out,
           a_worker_sees_its_card_and_no_other, without_nvml_cards_go_by_their_numbers,
           meters_are_read_in_joules_and_watts, a_meter_that_a_card_has_not_is_nan, threads_may_ask_at_once)
