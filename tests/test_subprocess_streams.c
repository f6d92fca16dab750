/* test_subprocess_streams.c: what a child's descriptors are, whatever its parent's are; semantics case 53. */
#include "outcomes.h"

static at_completed done;

/* ---- a folder for files that stand for streams, and a pipe on which a child without streams reports */

static char folder[] = "/tmp/atelier-XXXXXX";
static struct wire report;
static char reported[512];

static const char *const FILES[] = {"0", "1", "2"};

static const char *path_of(int i) {
    static char paths[3][64];
    snprintf(paths[i], sizeof paths[i], "%s/%s", folder, FILES[i]);
    return paths[i];
}

static void begin(void) {
    begin_commands();
    require(mkdtemp(folder) != NULL);
    report = wire_new();
    require(fcntl(report.read, F_SETFL, O_NONBLOCK) == 0);
}

static void end(void) {
    wire_close(report);
    for (int i = 0; i < 3; i++)
        unlink(path_of(i));
    require(rmdir(folder) == 0);
    end_commands();
}

#define REPORT AT_FDS(report.write)

/* What a child that has ended has put on the pipe. */
static const char *take_report(void) {
    ssize_t size = read(report.read, reported, sizeof reported - 1);
    reported[size > 0 ? size : 0] = '\0';
    return reported;
}

static void expect_report(const char *expected) {
    if (strcmp(take_report(), expected) != 0)
        ck_abort_msg("reported is '%s', not '%s'", reported, expected);
}

/* For the shell: to report which of the streams it has, and what each of them is. */
static const char WHICH[] =
    "s=; for i in 0 1 2; do [ -e /proc/self/fd/$i ] && s=$s$i; done; echo $s. >/proc/self/fd/%d";
static const char WHAT[] = "for i in 0 1 2; do (readlink /proc/$$/fd/$i >/proc/self/fd/%d); done; :";

/* ---- 0, 1 and 2 closed, in any combination (test_close_fds_0_1_2) */

static bool is_among(int i, int closed) {
    return (closed >> i & 1) == 1;
}

static void close_some(int closed) {
    for (int i = 0; i < 3; i++)
        if (is_among(i, closed))
            close(i);
}

static void expect_pipe(int end) {
    struct stat status;
    require(end > STDERR_FILENO && fstat(end, &status) == 0 && S_ISFIFO(status.st_mode));
}

static void run_with_pipes(int closed) {
    close_some(closed);
    require(captured(SHELL("cat; echo err >&2"), .input = at_text("in")) == 0 && done.returncode == 0);
    expect_stdout("in");
    expect_stderr("err\n");
    at_completed_free(&done);
    at_popen *popen = NULL;
    require(at_popen_new(&popen, AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_PIPE) == 0);
    expect_pipe(at_popen_stdin(popen));
    expect_pipe(at_popen_stdout(popen));
    expect_pipe(at_popen_stderr(popen));
    at_output out;
    require(at_popen_communicate(popen, at_text("too"), BOUND, &out, NULL) == 0);
    expect_text(out.data, out.size, "too");
    require(close_command(popen) == 0);
    for (int i = 0; i < 3; i++)
        require((fcntl(i, F_GETFD) == -1) == is_among(i, closed)); /* as before */
}

static void run_with_some_pipes(int closed) {
    close_some(closed);
    require(ran(SHELL("echo out"), .stdout = AT_PIPE) == 0 && done.returncode == 0);
    expect_stdout("out\n");
    at_completed_free(&done);
    require(ran(SHELL("echo err >&2"), .stderr = AT_PIPE) == 0 && done.returncode == 0);
    expect_stderr("err\n");
    at_completed_free(&done);
    require(ran(SHELL("echo both >&2"), .stdin = AT_DEVNULL, .stdout = AT_PIPE, .stderr = AT_STDOUT) == 0);
    expect_stdout("both\n");
    at_completed_free(&done);
}

static void inherit(int closed) {
    char open[8] = "";
    for (int i = 0; i < 3; i++)
        if (!is_among(i, closed))
            strcat(open, FILES[i]);
    strcat(open, ".\n");
    close_some(closed);
    require(ran(SHELL(line_of(WHICH, report.write)), .pass_fds = REPORT) == 0);
    expect_report(open);
    require(ran(SHELL(line_of(WHICH, report.write)), .pass_fds = REPORT, .stdin = AT_DEVNULL, .stdout = AT_PIPE,
                .stderr = AT_STDOUT) == 0);
    expect_report("012.\n");
}

START_TEST(closed_streams_of_the_parent_are_no_hindrance) {
    for (int closed = 0; closed < 8; closed++) {
        in_a_fork(run_with_pipes, closed);
        in_a_fork(run_with_some_pipes, closed);
        in_a_fork(inherit, closed);
    }
}
END_TEST

/* Else the child's stderr would be closed, or somebody else's file. */
static void join_nothing(int unused) {
    (void)unused;
    close(STDOUT_FILENO);
    require(ran(SHELL(":"), .stderr = AT_STDOUT) == -EBADF && done.failure.stage == AT_STAGE_STREAMS);
    ck_assert_str_eq(done.failure.file, "stderr");
    expect_word(done.failure.text, ".stderr: stdout, where it is to go, is not open (nothing was started)");
    at_completed_free(&done);
    require(captured(SHELL("echo err >&2")) == 0);
    at_completed_free(&done);
}

START_TEST(stderr_joins_no_closed_stdout) {
    in_a_fork(join_nothing, 0);
}
END_TEST

static void look_at_sentinel(int closed) {
    close_some(closed);
    at_popen *popen = NULL;
    require(at_popen_new(&popen, AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_DEVNULL) == 0);
    require(at_popen_sentinel(popen) > STDERR_FILENO);
    close_stdin(popen);
    require(close_command(popen) == 0);
}

/* A program that opens its streams anew, as daemons do, would close it. */
START_TEST(sentinel_is_no_stream_either) {
    for (int closed = 1; closed < 8; closed++)
        in_a_fork(look_at_sentinel, closed);
}
END_TEST

/* ---- swapped and remapped (test_swap_fds, test_remapping_std_fds) */

/* The streams of this process become three files. */
static void put_files(int flags) {
    for (int i = 0; i < 3; i++) {
        int descriptor = open(path_of(i), O_RDWR | O_CREAT | flags, 0600);
        require(descriptor >= 0 && dup3(descriptor, i, flags & O_CLOEXEC) == i && close(descriptor) == 0);
    }
}

static void expect_files(int in, int out, int err) {
    char expected[256];
    snprintf(expected, sizeof expected, "%s\n%s\n%s\n", path_of(in), path_of(out), path_of(err));
    expect_report(expected);
}

static void remap(int flags) {
    put_files(flags);
    char what[128];
    snprintf(what, sizeof what, WHAT, report.write);
    for (int map = 0; map < 27; map++) {
        int in = map % 3, out = map / 3 % 3, err = map / 9;
        require(at_run(SHELL(what), .stdin = at_descriptor(in), .stdout = at_descriptor(out),
                       .stderr = at_descriptor(err), .pass_fds = REPORT) == 0);
        expect_files(in, out, err);
    }
    for (int i = 0; i < 3; i++)
        require(fcntl(i, F_GETFD) == (flags & O_CLOEXEC ? FD_CLOEXEC : 0));
}

START_TEST(streams_can_be_any_of_the_parents) {
    in_a_fork(remap, 0);
    in_a_fork(remap, O_CLOEXEC);
}
END_TEST

static void remap_some(int unused) {
    (void)unused;
    put_files(0);
    char what[128];
    snprintf(what, sizeof what, WHAT, report.write);
    require(at_run(SHELL(what), .stdout = at_descriptor(2), .pass_fds = REPORT) == 0);
    expect_files(0, 2, 2);
    require(at_run(SHELL(what), .stderr = at_descriptor(0), .pass_fds = REPORT) == 0);
    expect_files(0, 1, 0);
    require(at_run(SHELL(what), .stderr = AT_STDOUT, .pass_fds = REPORT) == 0);
    expect_files(0, 1, 1);
    require(at_run(SHELL(what), .stdin = at_descriptor(1), .stdout = at_descriptor(0), .stderr = AT_STDOUT,
                   .pass_fds = REPORT) == 0);
    expect_files(1, 0, 0);
    require(at_run(SHELL(what), .stdin = AT_DEVNULL, .stdout = AT_DEVNULL, .stderr = AT_DEVNULL, .pass_fds = REPORT) ==
            0);
    expect_report("/dev/null\n/dev/null\n/dev/null\n");
    require(at_run(SHELL(what), .stdout = AT_DEVNULL, .stderr = AT_STDOUT, .pass_fds = REPORT) == 0);
    expect_report(line_of("%s\n/dev/null\n/dev/null\n", path_of(0)));
}

START_TEST(streams_left_out_are_the_parents) {
    in_a_fork(remap_some, 0);
}
END_TEST

/* ---- files, and who writes first */

static const char *content_of(int i) {
    static char text[128];
    FILE *file = fopen(path_of(i), "r");
    require(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(files_are_flushed_first_and_stay_open) {
    FILE *file = fopen(path_of(0), "w+");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "before, ");
    ok(at_run(SHELL("printf child"), .stdout = at_file(file)));
    fprintf(file, ", after, ");
    ok(at_run(SHELL("printf error >&2"), .stderr = at_file(file)));
    fprintf(file, ", ");
    ok(at_run(SHELL("printf both; printf ' both' >&2"), .stdout = at_file(file), .stderr = AT_STDOUT));
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(content_of(0), "before, child, after, error, both both");
    file = fopen(path_of(0), "r");
    ok(ran(AT_ARGS("head", "-c", "6"), .stdin = at_file(file), .stdout = AT_PIPE));
    expect_stdout("before");
    at_completed_free(&done);
    ck_assert_int_eq(fclose(file), 0);
}
END_TEST

static void print_around(int unused) {
    (void)unused;
    put_files(O_APPEND);
    printf("1 ");
    require(at_run(SHELL("printf '2 '"), .stdin = AT_DEVNULL) == 0);
    printf("3 ");
    require(at_run(SHELL("printf '4 ' >&2"), .stderr = at_file(stdout)) == 0);
    printf("5 ");
    require(at_run(SHELL("printf '6 ' >&2"), .stderr = AT_STDOUT) == 0);
    printf("7 ");
    require(at_run(SHELL("printf '8 '"), .stdout = at_descriptor(STDOUT_FILENO)) == 0);
    printf("9 ");
    require(at_run(SHELL("printf '10 ' >&2"), .stderr = at_descriptor(STDOUT_FILENO)) == 0);
    printf("11");
    fflush(stdout);
}

START_TEST(what_was_printed_before_comes_before) {
    in_a_fork(print_around, 0);
    ck_assert_str_eq(content_of(1), "1 2 3 4 5 6 7 8 9 10 11");
}
END_TEST

START_TEST(descriptors_stay_the_callers) {
    int descriptor = open(path_of(0), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ok(at_run(SHELL("echo one"), .stdout = at_descriptor(descriptor)));
    ok(at_run(SHELL("echo two >&2"), .stderr = at_descriptor(descriptor)));
    ck_assert_int_eq(lseek(descriptor, 0, SEEK_SET), 0);
    ok(ran(AT_ARGS("cat"), .stdin = at_descriptor(descriptor), .stdout = AT_PIPE));
    expect_stdout("one\ntwo\n");
    at_completed_free(&done);
    ck_assert_int_eq(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(close(descriptor), 0);
}
END_TEST

/* ---- the others: pass_fds and close_fds */

/* The descriptors below 256 that the shell has, each between blanks. */
static const char OTHERS[] = "i=0; s=' '; while [ $i -lt 256 ]; do [ -e /proc/self/fd/$i ] && s=\"$s$i \"; "
                             "i=$((i + 1)); done; printf %s \"$s\"";

#define FIRST 150
#define LAST 154 /* FIRST + 1 and LAST are closed by exec, the others are not */

static void open_others(void) {
    for (int i = FIRST; i <= LAST; i++)
        require(dup3(report.write, i, i == FIRST + 1 || i == LAST ? O_CLOEXEC : 0) == i);
}

static void close_others(void) {
    for (int i = FIRST; i <= LAST; i++) {
        require(fcntl(i, F_GETFD) == (i == FIRST + 1 || i == LAST ? FD_CLOEXEC : 0)); /* as it was */
        close(i);
    }
}

START_TEST(child_has_no_others_but_those_passed) {
    open_others();
    ok(captured(SHELL(OTHERS)));
    expect_stdout(" 0 1 2 ");
    at_completed_free(&done);
    ok(captured(SHELL(OTHERS), .close_fds = AT_ON));
    expect_stdout(" 0 1 2 ");
    at_completed_free(&done);
    ok(captured(SHELL(OTHERS), .pass_fds = AT_FDS(LAST, FIRST + 1, LAST, FIRST))); /* no order, and doubled */
    expect_stdout(" 0 1 2 150 151 154 ");
    at_completed_free(&done);
    ok(captured(SHELL(OTHERS), .pass_fds = AT_FDS(FIRST + 2, STDERR_FILENO, STDIN_FILENO, STDOUT_FILENO)));
    expect_stdout(" 0 1 2 152 ");
    at_completed_free(&done);
    ok(captured(SHELL(OTHERS), .pass_fds = AT_FDS(STDIN_FILENO)));
    expect_stdout(" 0 1 2 ");
    at_completed_free(&done);
    ok(captured(SHELL(OTHERS), .stdin = at_descriptor(FIRST + 1), .pass_fds = AT_FDS(FIRST + 1)));
    expect_stdout(" 0 1 2 151 ");
    at_completed_free(&done);
    int lowest = dup(report.write); /* where the runtime would put something of its own, were this not here */
    ok(captured(SHELL(OTHERS), .pass_fds = AT_FDS(lowest)));
    expect_stdout(line_of(" 0 1 2 %d ", lowest));
    at_completed_free(&done);
    close(lowest);
    close_others();
}
END_TEST

START_TEST(child_has_all_that_exec_leaves_if_told_so) {
    open_others();
    ok(captured(SHELL(OTHERS), .close_fds = AT_OFF));
    expect_word(done.stdout, " 0 1 2 ");
    expect_word(done.stdout, " 150 152 153 ");
    ck_assert_ptr_null(strstr(done.stdout, " 154 "));
    at_completed_free(&done);
    close_others();
}
END_TEST

/* So each ends when its own stdin is closed. */
START_TEST(no_child_has_the_pipes_of_another) {
    at_popen *cats[4];
    for (int i = 0; i < 4; i++)
        cats[i] = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .stdout = AT_PIPE, .stderr = AT_PIPE,
                               .close_fds = i % 2 == 0 ? AT_ON : AT_OFF);
    for (int i = 0; i < 4; i++) {
        close_stdin(cats[i]);
        ck_assert_int_eq(close_command(cats[i]), 0);
    }
}
END_TEST

SUITE_WITH("subprocess_streams", begin, end, closed_streams_of_the_parent_are_no_hindrance,
           stderr_joins_no_closed_stdout, sentinel_is_no_stream_either, streams_can_be_any_of_the_parents,
           streams_left_out_are_the_parents, files_are_flushed_first_and_stay_open,
           what_was_printed_before_comes_before, descriptors_stay_the_callers, child_has_no_others_but_those_passed,
           child_has_all_that_exec_leaves_if_told_so, no_child_has_the_pipes_of_another)
