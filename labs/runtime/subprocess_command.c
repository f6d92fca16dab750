/* subprocess_command.c: what execve(2) wants, made of a command: argv, envp, and where the program may be. */
#include <errno.h>
#include <paths.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "subprocess_internal.h"

/* Python's, where PATH is not set. */
static const char DEFAULT_PATH[] = "/bin:/usr/bin";

static int no_memory(at_command_failure *failure, char *const *args) {
    return failure_set(failure, -ENOMEM, AT_STAGE_OPTIONS, args, "", "%s", at_strerror(-ENOMEM));
}

/*
 * A vector of `count` strings that need `size` bytes with their NULs, in one allocation, and NULL behind it. *strings
 * is where the bytes go.
 */
static char **vector_new(size_t count, size_t size, char **strings) {
    size_t all;
    if (__builtin_mul_overflow(count + 1, sizeof(char *), &all) || __builtin_add_overflow(all, size, &all))
        return NULL;
    char **vector = malloc(all);
    if (vector == NULL)
        return NULL;
    vector[count] = NULL;
    *strings = (char *)(vector + count + 1);
    return vector;
}

/* Appends bytes and a NUL to the strings, and returns where they are. */
static char *append(char **strings, const char *bytes, size_t size) {
    char *string = *strings;
    memcpy(string, bytes, size);
    string[size] = '\0';
    *strings += size + 1;
    return string;
}

/* ---- args */

int command_copy(at_command command, const at_subprocess_options *options, char ***args, at_command_failure *failure) {
    const char *const line[] = {command.line, NULL};
    const char *const *given = command.line != NULL ? line : command.vector;
    const size_t *sizes = options->arg_sizes;
    size_t count = 0, total = 0;
    *args = NULL;
    if (given == NULL || given[0] == NULL)
        return failure_set(failure, -EINVAL, AT_STAGE_OPTIONS, NULL, "args",
                           "the command is empty; give at least the program (nothing was started)");
    for (; given[count] != NULL; count++) {
        size_t size = sizes != NULL ? sizes[count] : strlen(given[count]);
        if (sizes != NULL && memchr(given[count], '\0', size) != NULL)
            return failure_set(failure, -EINVAL, AT_STAGE_OPTIONS, NULL, "args",
                               "argument %zu of the command has a NUL in it, which no argument can have (nothing was "
                               "started)",
                               count);
        total += size + 1;
    }
    char *strings;
    *args = vector_new(count, total, &strings);
    if (*args == NULL)
        return no_memory(failure, NULL);
    for (size_t i = 0; i < count; i++)
        (*args)[i] = append(&strings, given[i], sizes != NULL ? sizes[i] : strlen(given[i]));
    return 0;
}

/* ---- argv */

/* With a shell: /bin/sh -c, and then the arguments. */
static char **make_argv(char *const *args, const at_subprocess_options *options) {
    char *shell[] = {options->executable != NULL ? (char *)options->executable : (char *)_PATH_BSHELL, (char *)"-c"};
    size_t before = options->shell ? 2 : 0, count = 0;
    while (args[count] != NULL)
        count++;
    char **argv = malloc((before + count + 1) * sizeof(char *));
    if (argv == NULL)
        return NULL;
    memcpy(argv, shell, before * sizeof(char *));
    memcpy(argv + before, args, (count + 1) * sizeof(char *));
    return argv;
}

/* ---- envp */

/* What is wrong with a variable whose name and value have these sizes; NULL when nothing is. */
static const char *wrong_with(const at_variable *variable, const size_t sizes[2]) {
    if (sizes[0] == 0)
        return "has no name";
    if (memchr(variable->name, '=', sizes[0]) != NULL)
        return "has a '=' in its name";
    if (memchr(variable->name, '\0', sizes[0]) != NULL)
        return "has a NUL in its name";
    if (variable->value == NULL)
        return "has no value; leave it out, or give it \"\"";
    return memchr(variable->value, '\0', sizes[1]) != NULL ? "has a NUL in its value" : NULL;
}

/* The sizes of variable i's name and value. */
static void measure(at_environment env, size_t i, size_t sizes[2]) {
    const char *strings[] = {env.variables[i].name, env.variables[i].value};
    for (size_t k = 0; k < 2; k++)
        sizes[k] = strings[k] == NULL ? 0 : env.sizes != NULL ? env.sizes[2 * i + k] : strlen(strings[k]);
}

static int make_envp(at_environment env, char *const *args, char ***envp, at_command_failure *failure) {
    size_t total = 0, sizes[2];
    for (size_t i = 0; i < env.count; i++) {
        measure(env, i, sizes);
        const char *wrong = wrong_with(&env.variables[i], sizes);
        if (wrong != NULL)
            return failure_set(failure, -EINVAL, AT_STAGE_OPTIONS, args, "env",
                               ".env: variable %zu, \"%.*s\", %s (nothing was started)", i,
                               sizes[0] < 100 ? (int)sizes[0] : 100, sizes[0] > 0 ? env.variables[i].name : "", wrong);
        total += sizes[0] + sizes[1] + 2;
    }
    char *strings;
    *envp = vector_new(env.count, total, &strings);
    if (*envp == NULL)
        return no_memory(failure, args);
    for (size_t i = 0; i < env.count; i++) {
        measure(env, i, sizes);
        (*envp)[i] = append(&strings, env.variables[i].name, sizes[0]);
        strings[-1] = '=';
        append(&strings, env.variables[i].value, sizes[1]);
    }
    return 0;
}

/* ---- candidates */

/* The PATH in which the child's program is looked for: the child's own. */
static const char *find_path(char *const *envp) {
    for (char *const *variable = envp; variable != NULL && *variable != NULL; variable++)
        if (strncmp(*variable, "PATH=", 5) == 0)
            return *variable + 5;
    return DEFAULT_PATH;
}

/* Each folder's path of the program; "", an empty folder, is the working one. A name with '/' is a path already. */
static char **make_candidates(const char *program, const char *path) {
    size_t length = strlen(program), count = 1;
    bool is_path = length == 0 || strchr(program, '/') != NULL;
    if (is_path)
        path = "";
    for (const char *colon = path; (colon = strchr(colon, ':')) != NULL; colon++)
        count++;
    char *strings, **candidates = vector_new(count, strlen(path) + count * (length + 2), &strings);
    if (candidates == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t folder = strcspn(path, ":");
        candidates[i] = append(&strings, path, folder);
        if (folder > 0)
            strings[-1] = '/';
        else
            strings--;
        append(&strings, program, length);
        path += folder + 1;
    }
    return candidates;
}

/* ---- all of it */

static int compare_descriptors(const void *one, const void *other) {
    return *(const int *)one - *(const int *)other; /* both are open, so neither is negative */
}

/* Sorted, each once, without the streams: those the child has anyway. */
static int *make_passed(at_descriptors given, size_t *count) {
    int *passed = malloc((given.count + 1) * sizeof(int));
    if (passed == NULL)
        return NULL;
    size_t kept = 0;
    for (size_t i = 0; i < given.count; i++)
        if (given.list[i] > STDERR_FILENO)
            passed[kept++] = given.list[i];
    qsort(passed, kept, sizeof(int), compare_descriptors);
    *count = 0;
    for (size_t i = 0; i < kept; i++)
        if (i == 0 || passed[i] != passed[i - 1])
            passed[(*count)++] = passed[i];
    return passed;
}

int vectors_make(char *const *args, const at_subprocess_options *options, struct vectors *vectors, struct spawn *spawn,
                 at_command_failure *failure) {
    *vectors = (struct vectors){0};
    int error = options->env.given ? make_envp(options->env, args, &vectors->envp, failure) : 0;
    if (error != 0)
        return error;
    spawn->envp = vectors->envp != NULL ? vectors->envp : environ;
    vectors->argv = make_argv(args, options);
    if (vectors->argv == NULL)
        return no_memory(failure, args);
    const char *program = options->executable != NULL ? options->executable : vectors->argv[0];
    vectors->candidates = make_candidates(program, find_path(spawn->envp));
    if (vectors->candidates == NULL)
        return no_memory(failure, args);
    if (options->pass_fds.count > 0 && (vectors->passed = make_passed(options->pass_fds, &spawn->passed_count)) == NULL)
        return no_memory(failure, args);
    spawn->argv = vectors->argv;
    spawn->candidates = vectors->candidates;
    spawn->was_searched = *program != '\0' && strchr(program, '/') == NULL;
    spawn->passed = vectors->passed;
    return 0;
}

void vectors_free(struct vectors *vectors) {
    free(vectors->argv);
    free(vectors->envp);
    free(vectors->candidates);
    free(vectors->passed);
}
