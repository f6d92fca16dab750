/*
 * noop.c: a program that ends at once, for bench/subprocess.c: what starting it costs is the start, and nothing of its
 * own. Without a C library where its few instructions are written down here; built -DHOSTED, with one.
 */
#if !defined(HOSTED) && defined(__x86_64__)

__attribute__((noreturn)) void _start(void) {
    __asm__ volatile("syscall" : : "a"(231), "D"(0)); /* exit_group(0) */
    __builtin_unreachable();
}

#elif !defined(HOSTED) && defined(__aarch64__)

__attribute__((noreturn)) void _start(void) {
    register long call __asm__("x8") = 94, status __asm__("x0") = 0; /* exit_group(0) */
    __asm__ volatile("svc 0" : : "r"(call), "r"(status));
    __builtin_unreachable();
}

#else

int main(void) {
    return 0;
}

#endif
