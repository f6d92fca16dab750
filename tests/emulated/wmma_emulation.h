/*
 * wmma_emulation.h: nvcuda::wmma, products of small matrices by a whole warp; each thread has all of each matrix. A call
 * waits for all lanes before it does what it does, and not behind it.
 */
#ifndef TESTS_EMULATED_WMMA_EMULATION_H
#define TESTS_EMULATED_WMMA_EMULATION_H

namespace nvcuda {
namespace wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <typename Use, int M, int N, int K, typename Number, typename Layout = void> struct fragment {
    static constexpr int ROWS = std::is_same_v<Use, matrix_b> ? K : M;
    static constexpr int COLUMNS = std::is_same_v<Use, matrix_a> ? K : N;
    static constexpr int num_elements = ROWS * COLUMNS;
    Number x[num_elements];
};

template <typename Fragment, typename Number> static void fill_fragment(Fragment &to, const Number &number) {
    for (int i = 0; i < Fragment::num_elements; i++)
        to.x[i] = number;
}

/* As on a card: the address on 32 bytes, the distance of rows a multiple of 16. */
template <typename Number> static void emulated_check(const Number *address, unsigned stride) {
    if ((uintptr_t)address % 32 != 0 || stride * sizeof(Number) % 16 != 0)
        emulated_trap();
}

template <typename Fragment, typename Number>
static void emulated_load(Fragment &to, const Number *from, unsigned stride, bool by_rows) {
    emulated_check(from, stride);
    emulated_wait(EMULATED_WARP, 0xffffffff, 0, 0);
    for (int row = 0; row < Fragment::ROWS; row++)
        for (int column = 0; column < Fragment::COLUMNS; column++)
            to.x[row * Fragment::COLUMNS + column] =
                by_rows ? from[(size_t)row * stride + (size_t)column] : from[(size_t)column * stride + (size_t)row];
}

template <typename Use, int M, int N, int K, typename Number, typename Layout>
static void load_matrix_sync(fragment<Use, M, N, K, Number, Layout> &to, const Number *from, unsigned stride) {
    emulated_load(to, from, stride, std::is_same_v<Layout, row_major>);
}

template <int M, int N, int K, typename Number>
static void load_matrix_sync(fragment<accumulator, M, N, K, Number> &to, const Number *from, unsigned stride,
                             layout_t layout) {
    emulated_load(to, from, stride, layout == mem_row_major);
}

/* Each lane stores a part, and which one nobody says: what another reads of it too early is not there yet. */
template <int M, int N, int K, typename Number>
static void store_matrix_sync(Number *to, const fragment<accumulator, M, N, K, Number> &from, unsigned stride,
                              layout_t layout) {
    emulated_check(to, stride);
    emulated_wait(EMULATED_WARP, 0xffffffff, 0, 0);
    for (int i = 0; i < M * N; i++)
        if ((i + i / 32 + 1) % 32 == emulated_lane())
            to[layout == mem_row_major ? (size_t)(i / N) * stride + (size_t)(i % N)
                                       : (size_t)(i % N) * stride + (size_t)(i / N)] = from.x[i];
}

/* The inputs are widened first, and the sums are of the result's type. */
template <int M, int N, int K, typename Number, typename LayoutA, typename LayoutB, typename Sum, typename Start>
static void mma_sync(fragment<accumulator, M, N, K, Sum> &to, const fragment<matrix_a, M, N, K, Number, LayoutA> &left,
                     const fragment<matrix_b, M, N, K, Number, LayoutB> &right,
                     const fragment<accumulator, M, N, K, Start> &start) {
    float sums[M][N], wide[K][N];
    emulated_wait(EMULATED_WARP, 0xffffffff, 0, 0);
    for (int k = 0; k < K; k++)
        for (int column = 0; column < N; column++)
            wide[k][column] = (float)right.x[k * N + column];
    for (int row = 0; row < M; row++) {
        for (int column = 0; column < N; column++)
            sums[row][column] = (float)start.x[row * N + column];
        for (int k = 0; k < K; k++)
            for (int column = 0; column < N; column++)
                sums[row][column] += (float)left.x[row * K + k] * wide[k][column];
    }
    for (int i = 0; i < M * N; i++)
        to.x[i] = (Sum)sums[i / N][i % N];
}

} /* namespace wmma */
} /* namespace nvcuda */

#endif
