/* test_serving_child.c: a process that is kept running, and when it is given up: the times are made up, not waited for. */
#include <poll.h>

#include "child.h"
#include "watch.h"

static const uint64_t LATER = 6000000000; /* nanoseconds: more than any pause between two starts */

/* One start and end of a shell that says `line`. */
static void live_once(struct child *child, const char *line, uint64_t now) {
    const char *const command[] = {"sh", "-c", line, NULL};
    struct child_program program = {.executable = "/bin/sh", .command = AT_COMMAND(command)};
    struct failure failure;
    if (child_start(child, &program, now, &failure) != 0)
        ck_abort_msg("%s", failure.text);
    struct pollfd end = {.fd = child_sentinel(child), .events = POLLIN};
    require(poll(&end, 1, -1) == 1);
    require(child_has_ended(child, false, now));
}

START_TEST(the_fifth_useless_death_in_a_row_is_the_last) {
    struct child child = {0};
    for (unsigned death = 1; death <= CHILD_DEATHS; death++) {
        require(!child.out);
        live_once(&child, "exit 70", death * LATER);
        ck_assert_str_eq(child.why, "ended with status 70");
        ck_assert_uint_gt(child.again, death * LATER);
    }
    require(child.out);
}
END_TEST

/* A card that others fill will be empty again some day. */
START_TEST(one_that_lacks_memory_is_tried_as_long_as_it_takes) {
    struct child child = {0};
    for (unsigned death = 1; death <= 3 * CHILD_DEATHS; death++) {
        live_once(&child, "exit 75", death * LATER);
        require(!child.out);
        ck_assert_uint_gt(child.again, death * LATER);
        ck_assert_uint_lt(child.again, (death + 2) * LATER);
    }
}
END_TEST

SUITE("serving_child", the_fifth_useless_death_in_a_row_is_the_last, one_that_lacks_memory_is_tried_as_long_as_it_takes)
