/*
 * test_subprocess_start.c: starts that fail say at which stage and for which file, and leave nothing; what the kernel
 * or a container refuses is done without, where that can be.
 */
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "commands.h"

/* ---- a folder of the test's own, which is the working folder in it */

static char folder[64];

static void begin_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/atelier-XXXXXX");
    require(mkdtemp(folder) != NULL && chdir(folder) == 0);
    begin_commands();
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status, (void)type, (void)place;
    return remove(path);
}

static void end_folder(void) {
    end_commands();
    require(chdir("/") == 0 && nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

static void make_file(const char *name, const char *text, mode_t mode) {
    FILE *file = fopen(name, "w");
    require(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(name, mode) == 0);
}

static void make_folder(const char *name) {
    require(mkdir(name, 0755) == 0);
}

/* The same path below the test's folder, from its root. */
static const char *absolute(const char *name) {
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- the program */

static void expect_no_program(const char *program, int code) {
    at_completed done;
    int result = run(&done, AT_ARGS(program, "an argument"), .capture_output = true, .input = at_text("input"));
    expect_failure(&done, result, code, AT_STAGE_EXEC, program);
}

START_TEST(program_that_cannot_be_executed) {
    make_folder("folder");
    make_file("text", "echo no program\n", 0644);
    make_file("no_format", "echo executable, and in no format that the kernel knows\n", 0755);
    make_file("empty", "", 0755);
    make_file("script", "#!/no/such/interpreter\n", 0755);
    expect_no_program("no-such-program", -ENOENT);
    expect_no_program("/no/such/program", -ENOENT);
    expect_no_program("", -ENOENT);
    expect_no_program("./folder", -EACCES);
    expect_no_program(absolute("folder"), -EACCES);
    expect_no_program("./text", -EACCES);
    expect_no_program("./text/program", -ENOTDIR);
    expect_no_program("./no_format", -ENOEXEC);
    expect_no_program("./empty", -ENOEXEC);
    expect_no_program("./script", -ENOENT);
}
END_TEST

/* Its name is cut where it has no room, and the text is a sentence even so. */
START_TEST(program_with_a_long_name) {
    at_completed done;
    char name[5000], cut[sizeof done.failure.file];
    memset(name, 'x', sizeof name - 1);
    memcpy(name, "./", 2);
    name[sizeof name - 1] = '\0';
    snprintf(cut, sizeof cut, "%.*s", (int)sizeof cut - 1, name);
    int result = run(&done, AT_ARGS(name));
    expect_failure(&done, result, -ENAMETOOLONG, AT_STAGE_EXEC, cut);
}
END_TEST

START_TEST(arguments_that_are_too_long) {
    at_completed done;
    char *argument = malloc(4 << 20);
    memset(argument, 'x', 4 << 20);
    argument[(4 << 20) - 1] = '\0';
    int result = run(&done, AT_ARGS("/bin/true", argument), .capture_output = true);
    expect_failure(&done, result, -E2BIG, AT_STAGE_EXEC, "/bin/true");
    result = run(&done, AT_ARGS("/bin/true"), .env = AT_ENV({"LONG", argument}));
    expect_failure(&done, result, -E2BIG, AT_STAGE_EXEC, "/bin/true");
    free(argument);
}
END_TEST

/* Copies a text, with the test's folder for each %. */
static void put_folder(char *copy, size_t size, const char *text) {
    for (size_t used = 0; used < size; text++) {
        const char piece[] = {*text, 0};
        used += (size_t)snprintf(copy + used, size - used, "%s", *text == '%' ? folder : piece);
        if (*text == '\0')
            return;
    }
}

/* The first folder whose program can be executed; else the first error that says more than that there is none. */
START_TEST(program_is_looked_for_in_the_path_of_its_environment) {
    at_completed done;
    make_folder("one"), make_folder("two"), make_folder("three"), make_folder("one/only"), make_folder("cwd");
    make_file("file", "", 0755);
    make_file("one/tool", "#!/bin/sh\necho one\n", 0644); /* not executable */
    make_file("two/tool", "#!/bin/sh\necho two\n", 0755);
    make_file("three/tool", "#!/bin/sh\necho three\n", 0755);
    make_file("three/bad", "", 0755);
    make_file("cwd/tool", "#!/bin/sh\necho cwd\n", 0755);
    static const struct {
        const char *path; /* each % stands for the test's folder */
        const char *program, *cwd;
        int code;
        const char *output; /* of the program, or what the failure is about */
    } CASES[] = {
        {"%/none:%/two:%/three", "tool", NULL, 0, "two\n"},
        {"%/one:%/two", "tool", NULL, 0, "two\n"},
        {"%/file:%/three:%/two", "tool", NULL, 0, "three\n"},
        {"%/none::%/two", "tool", "cwd", 0, "cwd\n"},
        {"%/none:", "tool", "cwd", 0, "cwd\n"},
        {"two", "tool", NULL, 0, "two\n"},
        {"%/none", "./tool", "cwd", 0, "cwd\n"},
        {"%/none:%/one:%/three/tool", "tool", NULL, -EACCES, "%/one/tool"},
        {"%/one:%/none", "tool", NULL, -EACCES, "%/one/tool"},
        {"%/one:%/three", "bad", NULL, -ENOEXEC, "%/three/bad"},
        {"%/one:%/three", "only", NULL, -EACCES, "%/one/only"},
        {"%/two", "./tool", NULL, -ENOENT, "./tool"},
        {"%/none:%/two", "other", NULL, -ENOENT, "other"},
        {"%/none:%/file", "tool", NULL, -ENOENT, "tool"},
        {"%/file:%/none", "tool", NULL, -ENOENT, "tool"},
        {"%/none", "tool", NULL, -ENOENT, "tool"},
        {"two", "tool", "cwd", -ENOENT, "tool"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char path[500], output[500];
        put_folder(path, sizeof path, CASES[i].path);
        put_folder(output, sizeof output, CASES[i].output);
        int result = run(&done, AT_ARGS(CASES[i].program), .env = AT_ENV({"PATH", path}), .cwd = CASES[i].cwd,
                         .stdout = AT_PIPE);
        if (CASES[i].code != 0) {
            expect_failure(&done, result, CASES[i].code, AT_STAGE_EXEC, output);
        } else {
            ok(result);
            ck_assert_str_eq(done.stdout, output);
            at_completed_free(&done);
        }
    }
}
END_TEST

/* Without a PATH of its own it is looked for where Python looks then; this process's own is not asked. */
/* By its name, and not by where it might have been. */
START_TEST(program_that_is_nowhere_is_named_as_it_was_given) {
    at_completed done;
    static const char *const PATHS[] = {"/usr/bin", "/usr/bin:/bin"};
    for (int i = 0; i < 2; i++) {
        int result = run(&done, AT_ARGS("no-such-program"), .env = AT_ENV({"PATH", PATHS[i]}));
        ck_assert_str_eq(done.failure.text,
                         "command no-such-program: cannot execute \"no-such-program\": No such file or directory; "
                         "it is in no folder of PATH");
        expect_failure(&done, result, -ENOENT, AT_STAGE_EXEC, "no-such-program");
    }
}
END_TEST

START_TEST(path_of_the_caller_is_not_that_of_the_command) {
    at_completed done;
    make_folder("two");
    make_file("two/tool", "#!/bin/sh\n", 0755);
    setenv("PATH", absolute("two"), 1);
    ok(run(&done, AT_ARGS("tool")));
    at_completed_free(&done);
    int result = run(&done, AT_ARGS("tool"), .env = AT_EMPTY_ENV);
    expect_failure(&done, result, -ENOENT, AT_STAGE_EXEC, "tool");
    ok(run(&done, AT_ARGS("true"), .env = AT_EMPTY_ENV));
    at_completed_free(&done);
    setenv("PATH", "/bin:/usr/bin", 1);
}
END_TEST

/* ---- the folder */

START_TEST(folder_that_cannot_be_entered) {
    static const struct {
        const char *cwd, *program;
        int code;
    } CASES[] = {{"none", "true", -ENOENT},
                 {"none", "no-such-program", -ENOENT},
                 {"file", "true", -ENOTDIR},
                 {"", "true", -ENOENT},
                 {"file/none", "true", -ENOTDIR}};
    make_file("file", "", 0755);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        at_completed done;
        int result = run(&done, AT_ARGS(CASES[i].program), .cwd = CASES[i].cwd, .capture_output = true);
        expect_failure(&done, result, CASES[i].code, AT_STAGE_CHDIR, CASES[i].cwd);
    }
}
END_TEST

/* ---- the other stages, where the kernel refuses them */

START_TEST(stage_that_is_refused_is_named) {
    at_completed done;
    pid_t nobody = fork();
    if (nobody == 0)
        _exit(0);
    ck_assert_int_eq(end_of(nobody), 0); /* so there is no such group */
    int result = run(&done, AT_ARGS("true"), .process_group = at_group(nobody), .capture_output = true);
    expect_failure(&done, result, -EPERM, AT_STAGE_GROUP, NULL);
    if (!refuse(SYS_setsid, EPERM))
        skip("the kernel takes no seccomp filter here");
    result = run(&done, AT_ARGS("true"), .start_new_session = true, .capture_output = true);
    expect_failure(&done, result, -EPERM, AT_STAGE_SESSION, NULL);
    refuse(SYS_setpgid, EACCES);
    result = run(&done, AT_ARGS("true"), .process_group = at_group(0));
    expect_failure(&done, result, -EACCES, AT_STAGE_GROUP, NULL);
    refuse(SYS_prctl, EPERM);
    result = run(&done, AT_ARGS("true"), .capture_output = true);
    expect_failure(&done, result, -EPERM, AT_STAGE_SIGNALS, NULL);
    ok(run(&done, AT_ARGS("true"), .outlives_parent = true));
    at_completed_free(&done);
}
END_TEST

START_TEST(streams_that_cannot_be_connected_are_named) {
    at_completed done;
    if (!refuse(SYS_dup2, EMFILE))
        skip("the kernel takes no seccomp filter here");
    refuse(SYS_dup3, EMFILE);
    int result = run(&done, AT_ARGS("true"), .input = at_text("in"), .stdout = AT_PIPE);
    expect_failure(&done, result, -EMFILE, AT_STAGE_STREAMS, "stdin");
    result = run(&done, AT_ARGS("true"), .stdout = AT_DEVNULL, .stderr = AT_PIPE);
    expect_failure(&done, result, -EMFILE, AT_STAGE_STREAMS, "stdout");
    result = run(&done, AT_ARGS("true"), .stderr = AT_PIPE);
    expect_failure(&done, result, -EMFILE, AT_STAGE_STREAMS, "stderr");
    ok(run(&done, AT_ARGS("true")));
    at_completed_free(&done);
}
END_TEST

START_TEST(descriptor_that_cannot_be_passed_is_named) {
    at_completed done;
    if (!refuse_with(SYS_fcntl, EMFILE, 1, F_SETFD))
        skip("the kernel takes no seccomp filter here");
    int passed = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 42);
    int result = run(&done, AT_ARGS("true"), .pass_fds = AT_FDS(passed), .capture_output = true);
    ck_assert_ptr_nonnull(strstr(done.failure.text, "cannot pass descriptor 42: "));
    expect_failure(&done, result, -EMFILE, AT_STAGE_DESCRIPTORS, "42");
    close(passed);
}
END_TEST

START_TEST(process_that_cannot_be_made) {
    static const int ERRORS[] = {ENOMEM, EAGAIN};
    for (int i = 0; i < 2; i++) {
        at_completed done;
        if (!refuse(SYS_clone3, ERRORS[i]))
            skip("the kernel takes no seccomp filter here");
        int result = run(&done, AT_ARGS("true"), .capture_output = true, .input = at_text("input"));
        expect_failure(&done, result, -ERRORS[i], AT_STAGE_FORK, NULL);
    }
}
END_TEST

/* As a user who has used up its processes; root knows no such limit, so root becomes that user. */
static void use_up_processes(void) {
    at_completed done;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        at_fatal("cannot become another user");
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    int before = count_fds(), error = run(&done, AT_ARGS("true"), .capture_output = true, .input = at_text("input"));
    printf("%d %d %d", error, done.failure.stage, count_fds() - before);
    fflush(stdout);
    _exit(0); /* past LeakSanitizer, which would need a process of its own */
}

START_TEST(processes_run_out) {
    char output[200], expected[100];
    ck_assert_int_eq(run_program(use_up_processes, output, sizeof output), 0);
    snprintf(expected, sizeof expected, "%d %d 0", -EAGAIN, AT_STAGE_FORK);
    ck_assert_str_eq(output, expected);
}
END_TEST

/* ---- refused calls that there is another way without */

static void expect_starts(void) {
    at_completed done;
    for (int i = 0; i < 3; i++) {
        ok(run(&done, SHELL("cat; echo err >&2; exit 3"), .input = at_text("in"), .capture_output = true,
               .timeout = at_seconds(BOUND)));
        ck_assert_int_eq(done.returncode, 3);
        ck_assert_str_eq(done.stdout, "in");
        ck_assert_str_eq(done.stderr, "err\n");
        at_completed_free(&done);
    }
    int result = run(&done, AT_ARGS("no-such-program"));
    expect_failure(&done, result, -ENOENT, AT_STAGE_EXEC, "no-such-program");
}

/* An older kernel does not know it, or does not know all of its flags; a container's filter does not let it pass. */
START_TEST(starts_go_on_without_clone3) {
    static const int ERRORS[] = {ENOSYS, EPERM, EINVAL};
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            if (!refuse(SYS_clone3, ERRORS[i]))
                _exit(77);
            expect_starts();
            _exit(0);
        }
        int end = end_of(pid);
        if (end == 77)
            skip("the kernel takes no seccomp filter here");
        ck_assert_msg(end == 0, "clone3 refused by %s: %d", strerrorname_np(ERRORS[i]), end);
    }
}
END_TEST

/* Either way no descriptor is open in the program that it should not have. */
START_TEST(descriptors_are_closed_without_close_range_or_nothing_starts) {
    static const int ERRORS[] = {ENOSYS, EPERM};
    int stray = dup(STDERR_FILENO);
    for (int i = 0; i < 2; i++) {
        at_completed done;
        char line[100];
        snprintf(line, sizeof line, "test ! -e /proc/self/fd/%d", stray);
        if (!refuse(SYS_close_range, ERRORS[i]))
            skip("the kernel takes no seccomp filter here");
        int result = run(&done, SHELL(line), .capture_output = true);
        if (result == 0)
            ck_assert_int_eq(done.returncode, 0);
        if (result == 0)
            at_completed_free(&done);
        else
            expect_failure(&done, result, -ERRORS[i], AT_STAGE_DESCRIPTORS, NULL);
    }
    close(stray);
}
END_TEST

SUITE_WITH("subprocess_start", begin_folder, end_folder, program_that_cannot_be_executed, program_with_a_long_name,
           arguments_that_are_too_long, program_is_looked_for_in_the_path_of_its_environment,
           program_that_is_nowhere_is_named_as_it_was_given, path_of_the_caller_is_not_that_of_the_command,
           folder_that_cannot_be_entered, stage_that_is_refused_is_named, streams_that_cannot_be_connected_are_named,
           descriptor_that_cannot_be_passed_is_named, process_that_cannot_be_made, processes_run_out,
           starts_go_on_without_clone3, descriptors_are_closed_without_close_range_or_nothing_starts)
