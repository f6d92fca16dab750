/* test_serving_http_end.c: an HTTP server's beginning and its end: sockets, descriptors, draining, closing. */
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "serving_toy.h"
#include "support.h"

/* Out of descriptors, it takes nobody; when a connection has ended, it must take the next without a push. */
START_TEST(a_server_out_of_descriptors_listens_again) {
    struct toy *toy = toy_start((struct http_options){.idle = 1});
    struct caller first = call(toy->port);
    int fillers[100], count = 0;
    get(&first, "/now");
    hear_echo(&first, "GET", "/now", "", 0);
    require(setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 100}) == 0);
    while (count < 100 && (fillers[count] = dup(first.socket)) >= 0)
        count++;
    require(count > 0 && count < 100);
    close(fillers[--count]);
    struct caller second = call(toy->port); /* which takes the last one */
    get(&second, "/now");
    while (count > 0)
        close(fillers[--count]);
    hear_end(&first);
    hear_echo(&second, "GET", "/now", "", 0);
    hang_up(&first);
    hang_up(&second);
    toy_stop(toy);
}
END_TEST

START_TEST(what_cannot_be_listened_on_is_said) {
    struct toy *toy = toy_start((struct http_options){0});
    struct failure failure;
    char port[16];
    snprintf(port, sizeof port, "%u", (unsigned)toy->port);
    ck_assert_int_eq(http_listen(NULL, toy->port, &failure), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(failure.text, port));
    static const char *const NONE[] = {"", "localhost", "1.2.3", "300.0.0.1", "::g", "127.0.0.1 "};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        ck_assert_int_eq(http_listen(NONE[i], 0, &failure), -EINVAL);
        ck_assert_ptr_nonnull(strstr(failure.text, NONE[i]));
    }
    ck_assert_int_eq(http_listen("192.0.2.1", 0, &failure), -EADDRNOTAVAIL);
    toy_stop(toy);
}
END_TEST

START_TEST(draining_answers_what_is_here_and_takes_nothing_new) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller idle = call(toy->port), busy = call(toy->port), reading = call(toy->port);
    get(&idle, "/now");
    hear_echo(&idle, "GET", "/now", "", 0);
    get(&busy, "/wait");
    say(&reading, "POST /now HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbo");
    await(atomic_load(&toy->begun) == 3);
    atomic_store(&toy->draining, true);
    toy_wake(toy);
    hear_end(&idle);
    ck_assert(!somebody_listens(toy->port));
    say(&reading, "dy");
    struct heard heard = hear(&reading);
    ck_assert_str_eq(heard_header(&heard, "Connection"), "close");
    heard_free(&heard);
    hear_end(&reading);
    toy_release(toy);
    hear_echo(&busy, "GET", "/wait", "", 0);
    hear_end(&busy);
    await(atomic_load(&toy->connections) == 0);
    hang_up(&idle);
    hang_up(&busy);
    hang_up(&reading);
    toy_stop(toy);
}
END_TEST

/* Also those that the kernel has connected, and that have asked, before anybody has taken them. */
START_TEST(draining_answers_whoever_has_asked_before_it) {
    enum { MANY = 200 };
    struct toy *toy = toy_start((struct http_options){0});
    struct caller callers[MANY];
    for (int i = 0; i < MANY; i++) {
        callers[i] = call(toy->port);
        get(&callers[i], "/now");
    }
    atomic_store(&toy->draining, true);
    toy_wake(toy);
    for (int i = 0; i < MANY; i++) {
        hear_echo(&callers[i], "GET", "/now", "", 0);
        hear_end(&callers[i]);
        hang_up(&callers[i]);
    }
    await(atomic_load(&toy->connections) == 0);
    toy_stop(toy);
}
END_TEST

/* An answer that was under way when the end began does not say that it is the last; its connection ends all the same. */
START_TEST(draining_ends_connections_that_were_being_answered) {
    struct toy *toy = toy_start((struct http_options){0});
    struct caller caller = call(toy->port);
    get(&caller, "/large");
    await(atomic_load(&toy->begun) == 1);
    int bytes = 0; /* some of it is sent; all of it does not fit */
    await(ioctl(caller.socket, FIONREAD, &bytes) == 0 && bytes > 0);
    atomic_store(&toy->draining, true);
    toy_wake(toy);
    await(!somebody_listens(toy->port));
    struct heard heard = hear(&caller);
    ck_assert_int_eq(heard.status, 200);
    heard_free(&heard);
    hear_end(&caller);
    hang_up(&caller);
    toy_stop(toy);
}
END_TEST

START_TEST(closing_ends_every_request_whatever_its_stage) {
    int before = count_fds();
    struct toy *toy = toy_start((struct http_options){0});
    struct caller callers[4];
    for (int i = 0; i < 4; i++)
        callers[i] = call(toy->port);
    get(&callers[0], "/wait");
    get(&callers[1], "/large");
    say(&callers[2], "POST /now HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbo");
    say(&callers[3], "GET /now HTT");
    await(atomic_load(&toy->begun) == 3);
    toy_stop(toy); /* which looks whether they ended */
    hear_end(&callers[0]);
    for (int i = 0; i < 4; i++)
        hang_up(&callers[i]);
    ck_assert_int_eq(count_fds(), before);
}
END_TEST

SUITE("serving_http_end", a_server_out_of_descriptors_listens_again, what_cannot_be_listened_on_is_said,
      draining_answers_what_is_here_and_takes_nothing_new, draining_answers_whoever_has_asked_before_it,
      draining_ends_connections_that_were_being_answered, closing_ends_every_request_whatever_its_stage)
