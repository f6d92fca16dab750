/*
 * shell_and_cwd_and_env.c: a line for the shell, the folder that a command works in, and its environment.
 *
 * Python:  shell_and_cwd_and_env.py; shell=True, cwd="/", env={"PAINT": "blue"}
 * Expect:  two lines, sorted; 127 from the shell, but an error without one; then "/", and an error that names the
 *          missing folder; then one variable, and none
 * Try:     .shell = true with AT_ARGS("echo $0 and $1", "blue", "red"): what is $0?
 */
#include "completed.h"

int main(int argc, char *argv[]) {
    at_no_arguments(argc, argv);
    at_completed piped, missing, failed, root, nowhere, paint, empty;
    check_run(at_run("printf 'red\\nblue\\n' | sort", .shell = true, .stdout = AT_PIPE, .completed = &piped), &piped);
    printf("shell: ");
    print_bytes(piped.stdout, piped.stdout_size);
    printf(" and return code %d\n", piped.returncode);
    check_run(at_run("no-such-brush", .shell = true, .stderr = AT_DEVNULL, .completed = &missing), &missing);
    printf("shell: return code %d\n", missing.returncode);
    int no_program = at_run(AT_ARGS("no-such-brush"), .completed = &failed);
    printf("no shell: %s\n", failed.failure.text);

    check_run(at_run(AT_ARGS("pwd"), .cwd = "/", .stdout = AT_PIPE, .completed = &root), &root);
    print_completed("cwd: ", &root);
    int no_folder = at_run(AT_ARGS("pwd"), .cwd = "/no-such-studio", .completed = &nowhere);
    printf("cwd: %s\n", nowhere.failure.text);

    check_run(at_run(AT_ARGS("env"), .env = AT_ENV({"PAINT", "blue"}), .stdout = AT_PIPE, .completed = &paint), &paint);
    print_completed("env: ", &paint);
    check_run(at_run(AT_ARGS("env"), .env = AT_EMPTY_ENV, .stdout = AT_PIPE, .completed = &empty), &empty);
    print_completed("env: ", &empty);

    bool right = captured(piped.stdout, piped.stdout_size, "blue\nred\n") && missing.returncode == 127 &&
                 no_program == -ENOENT && failed.failure.stage == AT_STAGE_EXEC &&
                 captured(root.stdout, root.stdout_size, "/\n") && no_folder == -ENOENT &&
                 nowhere.failure.stage == AT_STAGE_CHDIR && captured(paint.stdout, paint.stdout_size, "PAINT=blue\n") &&
                 empty.stdout_size == 0;
    at_completed *all[] = {&piped, &missing, &failed, &root, &nowhere, &paint, &empty};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        at_completed_free(all[i]);
    if (!right)
        fprintf(stderr, "shell_and_cwd_and_env: a command ran with other settings than it was given\n");
    return !right;
}
