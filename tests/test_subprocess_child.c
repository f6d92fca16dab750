/* test_subprocess_child.c: what a child is given: folder, environment, group, signals, text; cases 45, 46 and 48. */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "outcomes.h"

static at_completed done;

/* ---- killed before it was any program */

static void run_when_told(int go) {
    char byte;
    bool told = read(go, &byte, 1) == 1;
    _exit(told && captured(AT_ARGS("true")) == 0 && done.returncode == -SIGKILL ? 42 : 1);
}

/* Kills each child of the traced process where it begins; returns how the process ended. */
static int kill_children_of(pid_t traced) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (pid == traced && !WIFSTOPPED(status))
            return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        if (pid != traced && WIFSTOPPED(status))
            kill(pid, SIGKILL);
        else if (pid == traced) /* an event, or a signal, which is handed on */
            ptrace(PTRACE_CONT, pid, NULL, status >> 16 != 0 ? 0L : (long)WSTOPSIG(status));
    }
    return -1;
}

START_TEST(child_killed_before_its_first_instruction_was_killed) {
    int go[2];
    require(pipe(go) == 0);
    pid_t traced = fork();
    require(traced >= 0);
    if (traced == 0)
        run_when_told(go[0]);
    /* A command's child is a vfork's. Threads are no children: a sanitizer's, say. */
    bool traces = ptrace(PTRACE_SEIZE, traced, NULL, (long)(PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL)) == 0;
    require(write(go[1], "g", 1) == 1);
    int end = kill_children_of(traced);
    close(go[0]);
    close(go[1]);
    if (!traces)
        skip("no process may be traced here");
    ck_assert_int_eq(end, 42);
}
END_TEST

/* ---- folder and program: case 45 */

START_TEST(child_works_in_its_folder) {
    char here[4096];
    ok(captured(SHELL("pwd -P")));
    require(getcwd(here, sizeof here) != NULL);
    expect_stdout(line_of("%s\n", here));
    at_completed_free(&done);
    ok(captured(SHELL("pwd -P"), .cwd = "/"));
    expect_stdout("/\n");
    at_completed_free(&done);
    ok(captured(AT_ARGS("bin/sh", "-c", "pwd -P"), .cwd = "/")); /* a path counts from there */
    expect_stdout("/\n");
    at_completed_free(&done);
    char *after = getcwd(NULL, 0);
    ck_assert_str_eq(after, here);
    free(after);
}
END_TEST

static void expect_not_started(int result, int code, at_stage stage, const char *file) {
    if (result != code || done.failure.code != code || done.failure.stage != stage)
        ck_abort_msg("%d at stage %d: %s", result, done.failure.stage, done.failure.text);
    ck_assert_str_eq(done.failure.file, file);
    expect_word(done.failure.text, file);
    expect_word(done.failure.text, at_strerror(code));
    require(done.returncode == AT_NO_RETURNCODE && done.stdout == NULL && done.stderr == NULL);
    require(at_completed_check(&done) == code);
    at_completed_free(&done);
}

START_TEST(what_is_missing_is_named) {
    expect_not_started(captured(AT_ARGS("no-such-program", "x")), -ENOENT, AT_STAGE_EXEC, "no-such-program");
    expect_not_started(captured(AT_ARGS("/no/such/program")), -ENOENT, AT_STAGE_EXEC, "/no/such/program");
    expect_not_started(captured(SHELL(":"), .cwd = "/no/such/folder"), -ENOENT, AT_STAGE_CHDIR, "/no/such/folder");
    expect_not_started(captured(SHELL(":"), .executable = "/no/such"), -ENOENT, AT_STAGE_EXEC, "/no/such");
    expect_not_started(captured(":", .shell = true, .executable = "/no/shell"), -ENOENT, AT_STAGE_EXEC, "/no/shell");
    expect_not_started(captured(AT_ARGS("/no/such/program"), .cwd = "/no/such/folder"), -ENOENT, AT_STAGE_CHDIR,
                       "/no/such/folder");
    expect_not_started(captured(AT_ARGS("/tmp")), -EACCES, AT_STAGE_EXEC, "/tmp");
    expect_not_started(captured(AT_ARGS("/etc/passwd")), -EACCES, AT_STAGE_EXEC, "/etc/passwd");
}
END_TEST

/* ---- environment: case 46 */

START_TEST(environment_is_ours_or_what_is_given) {
    require(setenv("ATELIER_COLOUR", "red", 1) == 0);
    ok(captured(SHELL("echo $ATELIER_COLOUR")));
    expect_stdout("red\n");
    at_completed_free(&done);
    ok(captured(AT_ARGS("/usr/bin/env"), .env = AT_ENV({"A", "1=2"}, {"B", ""})));
    expect_stdout("A=1=2\nB=\n");
    at_completed_free(&done);
    at_environment sized = AT_ENV({"LONG", "words"});
    sized.sizes = (const size_t[]){2, 4};
    ok(captured(AT_ARGS("/usr/bin/env"), .env = sized));
    expect_stdout("LO=word\n");
    at_completed_free(&done);
    ok(captured(AT_ARGS("/usr/bin/env"), .env = AT_EMPTY_ENV));
    expect_stdout("");
    at_completed_free(&done);
    ck_assert_str_eq(getenv("ATELIER_COLOUR"), "red");
}
END_TEST

START_TEST(mask_of_files_is_ours_or_what_is_given) {
    umask(0027);
    ok(captured(SHELL("umask")));
    expect_stdout("0027\n");
    at_completed_free(&done);
    static const mode_t MASKS[] = {0, 0022, 0777};
    for (size_t i = 0; i < sizeof MASKS / sizeof *MASKS; i++) {
        ok(captured(SHELL("umask"), .umask = at_umask(MASKS[i])));
        expect_stdout(line_of("%04o\n", MASKS[i]));
        at_completed_free(&done);
    }
    ck_assert_int_eq((int)umask(0), 0027);
}
END_TEST

/* ---- session and group */

/* The shell's own pid, process group and session; see proc_pid_stat(5). */
static const char GROUPS[] = "read -r stat </proc/$$/stat; set -- ${stat##*) }; echo $$ $3 $4";

struct place {
    pid_t pid, group, session;
};

static struct place place_of(int result) {
    struct place place;
    require(result == 0 && done.returncode == 0);
    require(sscanf(done.stdout, "%d %d %d", &place.pid, &place.group, &place.session) == 3);
    at_completed_free(&done);
    return place;
}

START_TEST(group_and_session_are_ours_or_new) {
    struct place place = place_of(captured(SHELL(GROUPS)));
    ck_assert(place.group == getpgrp() && place.session == getsid(0));
    place = place_of(captured(SHELL(GROUPS), .process_group = at_group(0)));
    ck_assert(place.group == place.pid && place.session == getsid(0));
    place = place_of(captured(SHELL(GROUPS), .start_new_session = true));
    ck_assert(place.group == place.pid && place.session == place.pid);
    place = place_of(captured(SHELL(GROUPS), .process_group = at_group(getpgrp())));
    ck_assert(place.group == getpgrp() && place.session == getsid(0));
    at_popen *leader = open_command(AT_ARGS("cat"), .stdin = AT_PIPE, .process_group = at_group(0));
    place = place_of(captured(SHELL(GROUPS), .process_group = at_group(at_popen_pid(leader))));
    ck_assert(place.group == at_popen_pid(leader) && place.session == getsid(0));
    close_stdin(leader);
    ck_assert_int_eq(close_command(leader), 0);
}
END_TEST

START_TEST(child_with_a_timeout_leads_a_group) {
    struct place place = place_of(captured(SHELL(GROUPS), .timeout = at_seconds(BOUND)));
    ck_assert(place.group == place.pid && place.session == getsid(0));
    place = place_of(captured(SHELL(GROUPS), .timeout = at_seconds(BOUND), .start_new_session = true));
    ck_assert(place.group == place.pid && place.session == place.pid);
}
END_TEST

/* ---- signals */

START_TEST(ignored_signals_that_python_sets_are_restored) {
    static const int NUMBERS[] = {SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        const char *suicide = line_of("kill -%d $$; exit 9", NUMBERS[i]);
        signal(NUMBERS[i], SIG_IGN);
        ok(ran(SHELL(suicide)));
        require(done.returncode == -NUMBERS[i]);
        at_completed_free(&done);
        ok(ran(SHELL(suicide), .restore_signals = AT_ON));
        require(done.returncode == -NUMBERS[i]);
        at_completed_free(&done);
        ok(ran(SHELL(suicide), .restore_signals = AT_OFF));
        require(done.returncode == 9);
        at_completed_free(&done);
        require(signal(NUMBERS[i], SIG_DFL) == SIG_IGN); /* here nothing has changed */
    }
}
END_TEST

static void handler(int number) {
    (void)number;
}

/* Caught is default, ignored stays ignored, and the mask is the caller's. */
START_TEST(other_signals_are_as_after_exec) {
    sigset_t mask, now;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    signal(SIGUSR1, handler);
    signal(SIGHUP, SIG_IGN);
    ok(captured(AT_ARGS("grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"), .restore_signals = AT_OFF));
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    require(sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGCHLD));
    unsigned long blocked, ignored, caught;
    require(sscanf(done.stdout, "SigBlk: %lx SigIgn: %lx SigCgt: %lx", &blocked, &ignored, &caught) == 3);
    ck_assert_uint_eq(blocked, 1ul << (SIGUSR2 - 1));
    ck_assert_uint_eq(ignored & (1ul << (SIGHUP - 1)), 1ul << (SIGHUP - 1));
    ck_assert_uint_eq(ignored & (1ul << (SIGUSR1 - 1)), 0);
    ck_assert_uint_eq(caught & (1ul << (SIGUSR1 - 1)), 0);
    at_completed_free(&done);
    ok(ran(SHELL("kill -USR1 $$; exit 9")));
    ck_assert_int_eq(done.returncode, -SIGUSR1);
    at_completed_free(&done);
    signal(SIGHUP, SIG_DFL);
}
END_TEST

/* ---- text: case 48, as far as at_run and communicate have it done */

static const char NEWLINES[] = "printf 'a\\r\\nb\\rc\\n'; printf 'd\\r' >&2";

START_TEST(newlines_are_one_in_text_and_untouched_in_bytes) {
    ok(captured(SHELL(NEWLINES)));
    expect_stdout("a\r\nb\rc\n");
    expect_stderr("d\r");
    at_completed_free(&done);
    ok(captured(SHELL(NEWLINES), .text = true));
    expect_stdout("a\nb\nc\n");
    expect_stderr("d\n");
    at_completed_free(&done);
    ok(captured(SHELL(NEWLINES), .universal_newlines = true));
    expect_stdout("a\nb\nc\n");
    at_completed_free(&done);
    ok(captured(SHELL(NEWLINES), .encoding = "utf-8"));
    expect_stdout("a\nb\nc\n");
    at_completed_free(&done);
}
END_TEST

START_TEST(encoding_is_what_the_child_speaks) {
    ok(captured(SHELL("od -An -tx1; printf '\\351' >&2"), .input = at_text("\u00e9\n"), .encoding = "latin1"));
    expect_stdout(" e9 0a\n");
    expect_stderr("\u00e9");
    at_completed_free(&done);
    ok(captured(SHELL("od -An -tx1"), .input = at_text("\u00e9"), .text = true));
    expect_stdout(" c3 a9\n");
    at_completed_free(&done);
}
END_TEST

START_TEST(what_is_no_text_is_an_error_or_replaced) {
    static const char BAD[] = "printf 'a\\377\\r\\n'; exit 3";
    ck_assert_int_eq(captured(SHELL(BAD), .text = true), -EILSEQ);
    expect_stdout("a\377\r\n"); /* as it was written */
    ck_assert_int_eq(done.returncode, 3);
    ck_assert_int_eq(done.failure.code, -EILSEQ);
    ck_assert_int_eq(done.failure.stage, AT_STAGE_OUTPUT);
    ck_assert_str_eq(done.failure.file, "stdout");
    expect_word(done.failure.text, "stdout");
    at_completed_free(&done);
    ck_assert_int_eq(captured(SHELL("printf '\\377' >&2"), .text = true, .errors = "strict"), -EILSEQ);
    ck_assert_str_eq(done.failure.file, "stderr");
    at_completed_free(&done);
    ok(captured(SHELL(BAD), .text = true, .errors = "replace"));
    expect_stdout("a\uFFFD\n");
    at_completed_free(&done);
    ok(captured(SHELL(BAD), .text = true, .errors = "ignore"));
    expect_stdout("a\n");
    at_completed_free(&done);
    ck_assert_int_eq(captured(AT_ARGS("cat"), .text = true, .input = at_text("\377")), -EILSEQ);
    ck_assert_str_eq(done.failure.file, "input");
    at_completed_free(&done);
}
END_TEST

SUITE_WITH("subprocess_child", begin_commands, end_commands, child_killed_before_its_first_instruction_was_killed,
           child_works_in_its_folder, what_is_missing_is_named, environment_is_ours_or_what_is_given,
           mask_of_files_is_ours_or_what_is_given, group_and_session_are_ours_or_new,
           child_with_a_timeout_leads_a_group, ignored_signals_that_python_sets_are_restored,
           other_signals_are_as_after_exec, newlines_are_one_in_text_and_untouched_in_bytes,
           encoding_is_what_the_child_speaks, what_is_no_text_is_an_error_or_replaced)
