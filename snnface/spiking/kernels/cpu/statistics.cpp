// Passes over [rows, C] in memory that batch norm needs: moments, and the gradient's last step.
#include <algorithm>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "neuron.h"

namespace snnface {
namespace {

constexpr int64_t BLOCK_ROWS = 64;
constexpr int64_t SMALL_WORK = 1 << 16;

// Count, mean and sum of squared deviations per channel; two of them merge exactly.
// Source: Chan, Golub & LeVeque 1983, eq. 2.1.
struct Moments {
    double count = 0;
    std::vector<double> mean, squares;

    explicit Moments(int64_t C) : mean(C, 0.0), squares(C, 0.0) {}
    void merge(double n, const double *other_mean, const double *other_squares) {
        if (n == 0) return;
        const double total = count + n;
        for (size_t c = 0; c < mean.size(); ++c) {
            const double apart = other_mean[c] - mean[c];
            mean[c] += apart * (n / total);
            squares[c] += other_squares[c] + apart * apart * (count * n / total);
        }
        count = total;
    }
};

// As many numbers as a vector of doubles holds, widened.
typedef float HalfFloats __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint16_t QuarterBits __attribute__((vector_size(VECTOR_BYTES / 4)));
typedef uint32_t HalfWords __attribute__((vector_size(VECTOR_BYTES / 2)));
constexpr int WIDE = Lanes<double>::count;

inline Vec<double> load_wide(const double *from) { return load(from); }
inline Vec<double> load_wide(const float *from) {
    HalfFloats x;
    std::memcpy(&x, from, sizeof x);
    return __builtin_convertvector(x, Vec<double>);
}
inline Vec<double> load_wide(const bfloat16 *from) {
    QuarterBits bits;
    std::memcpy(&bits, from, sizeof bits);
    return __builtin_convertvector((HalfFloats)(__builtin_convertvector(bits, HalfWords) << 16), Vec<double>);
}
inline double widened(double x) { return x; }
inline double widened(float x) { return x; }
inline double widened(bfloat16 x) { return double(load_some(&x, 1)[0]); }

// The moments of a block: sums in float64 about its first row, so that a large mean costs no digits.
template <class S>
void block_moments(const S *x, int64_t rows, int64_t C, S *copy, double *mean, double *squares) {
    if (copy) std::copy_n(x, rows * C, copy);
    int64_t c = 0;
    for (; c + WIDE <= C; c += WIDE) {
        const Vec<double> first = load_wide(x + c);
        Vec<double> sums[2] = {}, seconds[2] = {};
        for (int64_t row = 0; row < rows; ++row) {
            const Vec<double> apart = load_wide(x + row * C + c) - first;
            sums[row & 1] += apart;
            seconds[row & 1] += apart * apart;
        }
        const Vec<double> about = (sums[0] + sums[1]) / double(rows);
        store(mean + c, first + about);
        store(squares + c, (seconds[0] + seconds[1]) - about * about * double(rows));
    }
    for (; c < C; ++c) {
        const double first = widened(x[c]);
        double sum = 0, second = 0;
        for (int64_t row = 0; row < rows; ++row) {
            const double apart = widened(x[row * C + c]) - first;
            sum += apart;
            second += apart * apart;
        }
        mean[c] = first + sum / double(rows);
        squares[c] = second - sum * sum / double(rows);
    }
}

// Merges the moments of x into `state` [1 + 2 C] (count, means, squares); copies x on the way if asked to.
template <class S>
void moments(const S *x, int64_t rows, int64_t C, S *copy, double *state, int64_t threads) {
    const int num_threads = rows * C < SMALL_WORK ? 1 : int(std::max<int64_t>(threads, 1));
    const int64_t blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    std::vector<Moments> parts(num_threads, Moments(C));
#pragma omp parallel num_threads(num_threads)
    {
#ifdef _OPENMP
        Moments &mine = parts[omp_get_thread_num()];
#else
        Moments &mine = parts[0];
#endif
        std::vector<double> mean(C), squares(C);
#pragma omp for schedule(static)
        for (int64_t block = 0; block < blocks; ++block) {
            const int64_t first = block * BLOCK_ROWS, count = std::min(BLOCK_ROWS, rows - first);
            block_moments(x + first * C, count, C, copy ? copy + first * C : nullptr, mean.data(), squares.data());
            mine.merge(double(count), mean.data(), squares.data());
        }
    }
    Moments all(C);
    all.merge(state[0], state + 1, state + 1 + C);
    for (const Moments &part : parts) all.merge(part.count, part.mean.data(), part.squares.data());
    state[0] = all.count;
    std::copy(all.mean.begin(), all.mean.end(), state + 1);
    std::copy(all.squares.begin(), all.squares.end(), state + 1 + C);
}

// d += slope (x - mean) + shift, per channel, in place: what batch statistics add to a gradient.
template <class S>
void centre_gradient(S *d, const S *x, int64_t rows, int64_t C, const Real<S> *slope, const Real<S> *mean,
                     const Real<S> *shift, int64_t threads) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const int num_threads = rows * C < SMALL_WORK ? 1 : int(std::max<int64_t>(threads, 1));
    // Values per channel repeated, so that a vector may begin at any channel.
    std::vector<R> patterns[3];
    const R *given[3] = {slope, mean, shift};
    for (int which = 0; which < 3; ++which) {
        patterns[which].resize(C + L);
        for (int64_t i = 0; i < C + L; ++i) patterns[which][i] = given[which][i % C];
    }
    const R *a = patterns[0].data(), *m = patterns[1].data(), *b = patterns[2].data();
    const int64_t vectors = (rows * C + L - 1) / L;
#pragma omp parallel for schedule(static) num_threads(num_threads)
    for (int64_t run = 0; run < num_threads; ++run) {
        const int64_t end = vectors * (run + 1) / num_threads;
        int64_t c = vectors * run / num_threads * L % C;
        for (int64_t v = vectors * run / num_threads; v < end; ++v) {
            const int64_t i = v * L, left = rows * C - i;
            if (left >= L) {
                store(d + i, load(d + i) + (load(a + c) * (load(x + i) - load(m + c)) + load(b + c)));
            } else {
                const int n = int(left);
                store_some(d + i,
                           load_some(d + i, n) + (load(a + c) * (load_some(x + i, n) - load(m + c)) + load(b + c)), n);
            }
            c += L;
            if (c >= C) c %= C;
        }
    }
}

// Whole numbers from 0 to 255 as bytes.
template <class S>
void bytes(const S *x, int64_t count, uint8_t *to, int64_t threads) {
    constexpr int L = Lanes<Real<S>>::count;
    typedef uint8_t Bytes __attribute__((vector_size(L)));
    const int num_threads = count < SMALL_WORK ? 1 : int(std::max<int64_t>(threads, 1));
    const int64_t whole = count / L;
#pragma omp parallel for schedule(static) num_threads(num_threads)
    for (int64_t v = 0; v < whole; ++v) {
        const Bytes few = __builtin_convertvector(__builtin_convertvector(load(x + v * L), Mask<Real<S>>), Bytes);
        std::memcpy(to + v * L, &few, sizeof few);
    }
    for (int64_t i = whole * L; i < count; ++i) to[i] = uint8_t(widened(x[i]));
}

}  // namespace
}  // namespace snnface

#define EXPORT(NAME, S)                                                                                            \
    extern "C" void moments_##NAME(const void *x, int64_t rows, int64_t C, void *copy, double *state,              \
                                   int64_t threads) {                                                              \
        snnface::moments<S>((const S *)x, rows, C, (S *)copy, state, threads);                                     \
    }                                                                                                              \
    extern "C" void bytes_##NAME(const void *x, int64_t count, void *to, int64_t threads) {                        \
        snnface::bytes<S>((const S *)x, count, (uint8_t *)to, threads);                                            \
    }                                                                                                              \
    extern "C" void centre_gradient_##NAME(void *d, const void *x, int64_t rows, int64_t C, const void *slope,     \
                                           const void *mean, const void *shift, int64_t threads) {                 \
        using R = snnface::Real<S>;                                                                                \
        snnface::centre_gradient<S>((S *)d, (const S *)x, rows, C, (const R *)slope, (const R *)mean,              \
                                    (const R *)shift, threads);                                                    \
    }
EXPORT(float32, float)
EXPORT(bfloat16, snnface::bfloat16)
EXPORT(float64, double)
