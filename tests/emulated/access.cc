/* access.cc: looks at each access of a kernel to memory, which the compiler announces, before it happens. */
#include <link.h>

#include "cuda_emulation.h"

/*
 * The kernels are compiled as if for ThreadSanitizer, which has a function called before each access; but the ones here
 * are called, and not its own. So a kernel that reads what the host has not pinned, or one number behind an allocation,
 * is found out although the processor would let it. Where sanitizers themselves are in use, they are told, and not we.
 */
#ifdef EMULATED_CHECKS

enum { REMEMBERED = 8 };
static struct simt_range remembered[REMEMBERED]; /* where accesses were allowed of late */
static unsigned oldest;

void emulated_forget_accesses(void) {
    memset(remembered, 0, sizeof remembered);
}

/* Of the pieces of this library: static shared memory is in them, and what is the emulation's own. */
static int find_image(struct dl_phdr_info *library, size_t, void *data) {
    struct simt_range *range = (struct simt_range *)data;
    struct simt_range image = {UINTPTR_MAX, 0};
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *piece = &library->dlpi_phdr[i];
        const uintptr_t start = library->dlpi_addr + piece->p_vaddr;
        if (piece->p_type == PT_LOAD)
            image = {min(image.start, start), max(image.end, start + piece->p_memsz)};
    }
    const bool is_this = (uintptr_t)&oldest >= image.start && (uintptr_t)&oldest < image.end;
    if (is_this)
        *range = image;
    return is_this;
}

static bool find_range(uintptr_t address, struct simt_range *range) {
    static struct simt_range image;
    if (image.end == 0)
        dl_iterate_phdr(find_image, &image);
    *range = image;
    if (address >= image.start && address < image.end)
        return true;
    return emulated_own_range(address, range) || simt_range_of(address, range);
}

static void look(uintptr_t address, size_t size, const char *how) {
    for (unsigned i = 0; i < REMEMBERED; i++)
        if (address >= remembered[i].start && address + size <= remembered[i].end)
            return;
    struct simt_range range;
    if (!simt_inside())
        return;
    if (!find_range(address, &range) || address + size > range.end) {
        emulated_complain("%s %zu bytes at %p, which it cannot reach", how, size, (void *)address);
        simt_leave(cudaErrorIllegalAddress);
    }
    remembered[oldest++ % REMEMBERED] = range;
}

#define ACCESS(size)                                                                                                   \
    void __tsan_read##size(void *address) {                                                                            \
        look((uintptr_t)address, size, "reads");                                                                       \
    }                                                                                                                  \
    void __tsan_write##size(void *address) {                                                                           \
        look((uintptr_t)address, size, "writes");                                                                      \
    }
#define ACCESS_ANYWHERE(size)                                                                                          \
    ACCESS(size)                                                                                                       \
    void __tsan_unaligned_read##size(void *address) {                                                                  \
        look((uintptr_t)address, size, "reads");                                                                       \
    }                                                                                                                  \
    void __tsan_unaligned_write##size(void *address) {                                                                 \
        look((uintptr_t)address, size, "writes");                                                                      \
    }

extern "C" {
ACCESS(1)
ACCESS_ANYWHERE(2)
ACCESS_ANYWHERE(4)
ACCESS_ANYWHERE(8)
ACCESS_ANYWHERE(16)

void __tsan_read_range(void *address, size_t size) {
    look((uintptr_t)address, size, "reads");
}
void __tsan_write_range(void *address, size_t size) {
    look((uintptr_t)address, size, "writes");
}
void __tsan_init(void) {
}
void __tsan_func_entry(void *) {
}
void __tsan_func_exit(void *) {
}
}

#else

void emulated_forget_accesses(void) {
}

#endif
