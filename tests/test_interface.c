/* test_interface.c: what a program that uses the libraries meets: their names, their headers, and another language. */
#include <dirent.h>
#include <stdarg.h>

#include "watch.h"

/* The tests run at the top of the repository, where `make test` says in which folder the libraries have been built. */
static const char *const HEADERS = "labs/runtime";

static const char *built(const char *file) {
    static char path[512];
    const char *build = getenv("BUILD");
    snprintf(path, sizeof path, "%s/%s", build && *build ? build : "build", file);
    if (access(path, R_OK) != 0)
        skip("%s is not there; make test builds it", path);
    return path;
}

/* Runs a command of the shell, and returns its status; what it prints is in `output`. */
static char output[65536];

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int shell(const char *format, ...) {
    char command[2048];
    va_list values;
    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t length = fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_there(const char *command) {
    return shell("command -v %s", command) == 0;
}

/* The internal headers say that they are, in their first line. */
static bool is_public(const char *header) {
    return shell("head -n 1 %s/%s | grep -q '(internal)'", HEADERS, header) != 0;
}

/* Calls look with each public header's name. */
static void each_header(void (*look)(const char *header)) {
    int count = 0;
    DIR *folder = opendir(HEADERS);
    if (folder == NULL)
        skip("%s is not here; run this at the top of the repository", HEADERS);
    for (struct dirent *entry; (entry = readdir(folder));) {
        size_t length = strlen(entry->d_name);
        if (length > 2 && strcmp(entry->d_name + length - 2, ".h") == 0 && is_public(entry->d_name)) {
            look(entry->d_name);
            count++;
        }
    }
    closedir(folder);
    ck_assert_int_gt(count, 5);
}

/* ---- names */

/* Whether a public header declares the function, as AT_API; the declaration may go over two lines. */
static bool is_declared(const char *name) {
    return shell("for header in $(grep -L '(internal)' %s/*.h); do tr '\\n' ' ' <$header; echo; done |"
                 " grep -q 'AT_API[^;]*[ *]%s('",
                 HEADERS, name) == 0;
}

START_TEST(shared_library_exports_what_the_headers_declare_and_nothing_else) {
    if (!is_there("nm"))
        skip("no nm; install binutils");
    int count = 0;
    const char *library = built("libatelier.so");
    ck_assert_int_eq(shell("nm -D --defined-only %s | awk '$2 ~ /[A-Z]/ && $3 !~ /^_/ { print $3 }'", library), 0);
    char *names = strdup(output);
    for (char *name = strtok(names, "\n"); name != NULL; name = strtok(NULL, "\n"), count++) {
        if (strncmp(name, "__", 2) == 0 || (UNDER_ASAN && strncmp(name, "at_", 3) != 0))
            continue; /* a sanitizer's own */
        ck_assert_msg(strncmp(name, "at_", 3) == 0, "%s is exported", name);
        ck_assert_msg(is_declared(name), "%s is exported but in no public header", name);
    }
    free(names);
    ck_assert_int_gt(count, 40);
}
END_TEST

START_TEST(headers_declare_nothing_that_the_shared_library_lacks) {
    if (!is_there("nm"))
        skip("no nm; install binutils");
    const char *library = built("libatelier.so");
    ck_assert_int_eq(shell("nm -D --defined-only %s | awk '{ print $3 }'", library), 0);
    char *exported = strdup(output);
    ck_assert_int_eq(shell("for header in $(grep -L '(internal)' %s/*.h); do tr '\\n' ' ' <$header; echo; done |"
                           " grep -o 'AT_API[^;(]*(' | sed 's/.*[ *]\\(at_[a-z_]*\\)($/\\1/' | grep '^at_'",
                           HEADERS),
                     0);
    int count = 0;
    char *rest = NULL;
    for (char *name = strtok_r(output, "\n", &rest); name != NULL; name = strtok_r(NULL, "\n", &rest), count++) {
        const char *found = strstr(exported, name);
        size_t length = strlen(name);
        while (found != NULL && ((found != exported && found[-1] != '\n') || found[length] != '\n'))
            found = strstr(found + 1, name);
        ck_assert_msg(found != NULL, "%s is declared but not exported", name);
    }
    free(exported);
    ck_assert_int_gt(count, 40);
}
END_TEST

START_TEST(static_library_takes_no_names_of_the_program) {
    if (!is_there("nm"))
        skip("no nm; install binutils");
    if (UNDER_ASAN || UNDER_TSAN)
        skip("a sanitizer adds names of its own");
    ck_assert_int_eq(shell("nm -g --defined-only %s | awk 'NF == 3 && $3 !~ /^at_/ { print $3 }' | tr '\\n' ' '",
                           built("libatelier.a")),
                     0);
    ck_assert_msg(*output == '\0', "a program that has one of these itself cannot be linked: %s", output);
}
END_TEST

/* ---- headers */

static const char *compiler, *standard;

static void compile_alone(const char *header) {
    int status = shell("printf '#include \"%s\"\nextern int something;\n' | %s -x %s -std=%s -Wall -Wextra -Wpedantic"
                       " -Wshadow -Wconversion -Werror -D_GNU_SOURCE -I%s -fsyntax-only - 2>&1",
                       header, compiler, strcmp(standard, "c++17") == 0 ? "c++" : "c", standard, HEADERS);
    ck_assert_msg(status == 0, "%s with %s -std=%s: %s", header, compiler, standard, output);
}

START_TEST(each_header_compiles_alone) {
    compiler = "cc";
    if (!is_there(compiler))
        skip("no cc");
    standard = "gnu17";
    each_header(compile_alone);
}
END_TEST

START_TEST(each_header_compiles_as_cplusplus) {
    compiler = "c++";
    if (!is_there(compiler))
        skip("no c++; install g++");
    standard = "c++17";
    each_header(compile_alone);
}
END_TEST

/* ---- another language: Python's ctypes, with the shared library alone */

START_TEST(python_can_call_the_shared_library) {
    static const char SCRIPT[] =
        "import ctypes, sys\n"
        "library = ctypes.CDLL(sys.argv[1])\n"
        "TARGET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)\n"
        "class Options(ctypes.Structure):\n"
        "    _fields_ = [('target', TARGET), ('arg', ctypes.c_void_p), ('arg_size', ctypes.c_size_t),\n"
        "                ('name', ctypes.c_char_p), ('daemon', ctypes.c_int), ('stack_size', ctypes.c_size_t),\n"
        "                ('source', ctypes.c_char_p)]\n"
        "for name in 'at_thread_create', 'at_current_thread', 'at_lock_new':\n"
        "    getattr(library, name).restype = ctypes.c_void_p\n"
        "library.at_thread_name.restype = library.at_strerror.restype = ctypes.c_char_p\n"
        "handle, seconds = ctypes.c_void_p, ctypes.c_double\n"
        "ran = []\n"
        "@TARGET\n"
        "def target(arg):\n"
        "    ran.append(library.at_thread_name(handle(library.at_current_thread())))\n"
        "    return 0\n"
        "thread = handle(library.at_thread_create(ctypes.byref(Options(target=target, name=b'Artist A'))))\n"
        "assert library.at_thread_join(thread, seconds(0)) == -4096\n"
        "assert library.at_thread_start(thread) == 0\n"
        "assert library.at_thread_join(thread, seconds(20)) == 0\n"
        "assert ran == [b'Artist A'], ran\n"
        "library.at_thread_free(thread)\n"
        "assert library.at_active_count() == 1\n"
        "lock = handle(library.at_lock_new())\n"
        "assert library.at_lock_acquire(lock, seconds(float('inf'))) == 0\n"
        "assert library.at_lock_acquire(lock, seconds(0.01)) < 0\n"
        "library.at_lock_release(lock)\n"
        "library.at_lock_free(lock)\n"
        "assert library.at_strerror(-2) == b'No such file or directory'\n"
        "print('done')\n";
    if (UNDER_ASAN || UNDER_TSAN)
        skip("a sanitized library cannot be loaded into a program that is not");
    if (!is_there("python3"))
        skip("no python3");
    char script[] = "/tmp/atelier-XXXXXX";
    int descriptor = mkstemp(script);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, SCRIPT, sizeof SCRIPT - 1), (ssize_t)sizeof SCRIPT - 1);
    close(descriptor);
    int status = shell("python3 %s $(realpath %s) 2>&1", script, built("libatelier.so"));
    unlink(script);
    ck_assert_msg(status == 0 && strcmp(output, "done\n") == 0, "%s", output);
}
END_TEST

SUITE("interface", shared_library_exports_what_the_headers_declare_and_nothing_else,
      headers_declare_nothing_that_the_shared_library_lacks, static_library_takes_no_names_of_the_program,
      each_header_compiles_alone, each_header_compiles_as_cplusplus, python_can_call_the_shared_library)
