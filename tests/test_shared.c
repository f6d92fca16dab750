/* test_shared.c: memory that processes share: with children, with programs that are executed, and with what is none. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "watch.h"

/* Executed again with --shared DESCRIPTOR, this suite is a peer: it adds one to the first number, and then waits. */
__attribute__((constructor)) static void be_a_peer(int argc, char *argv[]) {
    if (argc < 3 || strcmp(argv[1], "--shared") != 0)
        return;
    void *memory;
    size_t size;
    int result = at_shared_attach(&memory, &size, atoi(argv[2]));
    if (result != 0)
        exit(-result);
    atomic_fetch_add((atomic_int *)memory, 1);
    while (argc > 3)
        pause();
    exit(size == 4096 ? 0 : 99);
}

static int open_shared(void **memory, size_t size) {
    int descriptor = ok(at_shared_open(memory, size));
    require(*memory != NULL);
    return descriptor;
}

START_TEST(it_is_zeroed_aligned_and_as_large_as_asked) {
    static const size_t SIZES[] = {1, 63, 64, 4032, 4033, 100000};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        void *memory, *other;
        size_t size;
        int descriptor = open_shared(&memory, SIZES[i]);
        for (size_t j = 0; j < SIZES[i]; j++)
            require(((unsigned char *)memory)[j] == 0);
        ck_assert_uint_eq((uintptr_t)memory % 64, 0);
        memset(memory, 7, SIZES[i]);
        ck_assert_int_eq(at_shared_attach(&other, &size, descriptor), 0);
        ck_assert_ptr_ne(memory, other);
        ck_assert_uint_eq(size, SIZES[i]);
        ck_assert_int_eq(memcmp(memory, other, size), 0);
        at_shared_free(memory); /* the other stays */
        ((char *)other)[SIZES[i] - 1] = 1;
        at_shared_free(other);
        close(descriptor);
    }
    at_shared_free(NULL);
}
END_TEST

START_TEST(sizes_that_cannot_be_are_errors) {
    void *memory = &memory;
    int descriptors = count_fds();
    ck_assert_int_eq(at_shared_open(&memory, 0), -EINVAL);
    ck_assert_ptr_null(memory);
    static const size_t SIZES[] = {SIZE_MAX,          SIZE_MAX - 63, SIZE_MAX / 2,
                                   SIZE_MAX / 2 - 63, SIZE_MAX / 4,  (size_t)1 << 50};
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++)
        ck_assert_int_eq(at_shared_open(&memory, SIZES[i]), -ENOMEM);
    ck_assert_ptr_null(at_shared_new(0));
    ck_assert_ptr_null(at_shared_new(SIZE_MAX));
    ck_assert_ptr_null(at_shared_new((size_t)1 << 50));
    ck_assert_int_eq(count_fds(), descriptors);
}
END_TEST

START_TEST(without_descriptors_it_says_so) {
    int filler[FEW_DESCRIPTORS], count = fill_descriptors(filler, 0);
    void *memory;
    ck_assert_int_eq(at_shared_open(&memory, 100), -EMFILE);
    ck_assert_ptr_null(memory);
    empty_descriptors(filler, count);
}
END_TEST

START_TEST(an_executed_program_sees_the_same) {
    void *memory;
    int descriptor = open_shared(&memory, 4096);
    ck_assert_int_ne(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
    char number[20];
    snprintf(number, sizeof number, "%d", descriptor);
    const char *const command[] = {"/proc/self/exe", "--shared", number, NULL};
    for (int i = 1; i <= 2; i++) {
        at_completed done = {0};
        ok(at_run(command, .pass_fds = AT_FDS(descriptor), .completed = &done));
        ck_assert_int_eq(done.returncode, 0);
        ck_assert_int_eq(atomic_load((atomic_int *)memory), i);
        at_completed_free(&done);
    }
    at_completed done = {0};
    ok(at_run(command, .completed = &done)); /* not passed on, so it has it not */
    ck_assert_int_eq(done.returncode, EBADF);
    at_completed_free(&done);
    at_shared_free(memory);
    close(descriptor);
}
END_TEST

START_TEST(a_killed_peer_takes_nothing_with_it) {
    void *memory;
    int descriptor = open_shared(&memory, 4096);
    char number[20];
    snprintf(number, sizeof number, "%d", descriptor);
    const char *const command[] = {"/proc/self/exe", "--shared", number, "wait", NULL};
    at_popen *peer;
    ok(at_popen_new(&peer, command, .pass_fds = AT_FDS(descriptor)));
    close(descriptor); /* the memory does not need it */
    await(atomic_load((atomic_int *)memory) == 1);
    ok(at_popen_kill(peer));
    ok(at_popen_wait(peer, BOUND, NULL));
    at_popen_free(peer);
    ck_assert_int_eq(atomic_load((atomic_int *)memory), 1);
    memset(memory, 1, 4096);
    at_shared_free(memory);
}
END_TEST

START_TEST(nobody_can_change_its_size) {
    void *memory;
    int descriptor = open_shared(&memory, 10000);
    struct stat file;
    require(fstat(descriptor, &file) == 0);
    ck_assert_int_ne(ftruncate(descriptor, 0), 0);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_ne(ftruncate(descriptor, file.st_size - 1), 0);
    ck_assert_int_ne(ftruncate(descriptor, file.st_size + 1), 0);
    ck_assert_int_ne(fcntl(descriptor, F_ADD_SEALS, F_SEAL_WRITE), 0); /* nor keep others from writing */
    at_shared_free(memory);
    close(descriptor);
}
END_TEST

/* Memory files of others: not sealed, sealed but empty or short, of the right size but not ours, read-only. */
static int foreign(off_t size, int seals) {
    int descriptor = memfd_create("foreign", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    require(descriptor >= 0 && ftruncate(descriptor, size) == 0 && fcntl(descriptor, F_ADD_SEALS, seals) == 0);
    return descriptor;
}

START_TEST(what_is_none_is_refused) {
    void *memory, *own;
    size_t size = 1;
    int shared = open_shared(&own, 5000), ends[2];
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", shared);
    require(pipe2(ends, O_CLOEXEC) == 0);
    const int wrong[] = {open("/dev/zero", O_RDWR | O_CLOEXEC),
                         open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
                         open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                         open("/", O_PATH | O_CLOEXEC),
                         ends[0],
                         ends[1],
                         foreign(8192, 0),
                         foreign(0, F_SEAL_SHRINK),
                         foreign(64, F_SEAL_SHRINK),
                         foreign(65, F_SEAL_SHRINK),
                         foreign(8192, F_SEAL_SHRINK),
                         foreign(8192, F_SEAL_SHRINK | F_SEAL_WRITE),
                         open(path, O_RDONLY | O_CLOEXEC)};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        require(wrong[i] >= 0);
        int result = at_shared_attach(&memory, &size, wrong[i]);
        ck_assert_msg(result == -EINVAL, "%zu: %s", i, at_strerror(result));
        ck_assert_ptr_null(memory);
        ck_assert_uint_eq(size, 0);
        close(wrong[i]);
    }
    ck_assert_int_eq(at_shared_attach(&memory, &size, -1), -EBADF);
    ck_assert_int_eq(at_shared_attach(&memory, &size, wrong[0]), -EBADF);
    at_shared_free(own);
    close(shared);
}
END_TEST

SUITE("shared", it_is_zeroed_aligned_and_as_large_as_asked, sizes_that_cannot_be_are_errors,
      without_descriptors_it_says_so, an_executed_program_sees_the_same, a_killed_peer_takes_nothing_with_it,
      nobody_can_change_its_size, what_is_none_is_refused)
