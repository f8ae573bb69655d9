// Neurons that hear each other's spikes one step later, forward and backward.
//
// Data are [T, B, N]. Samples are independent, so each thread runs whole samples. What a
// neuron hears is the sum of the weights from those that fired: one row of `from` [N, N]
// (weights from neuron j to all others) is added for each spike, nothing for silence.
#include <algorithm>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "neuron.h"

namespace snnface {
namespace {

struct RecurrentShape {
    int64_t T, B, N, threads, rounded;  // rounded: whether what is heard is rounded to bfloat16
};

constexpr int64_t SMALL_WORK = 1 << 14;

inline int threads_for(const RecurrentShape &s) {
    if (s.T * s.B * s.N < SMALL_WORK) return 1;
    return int(std::min(std::max<int64_t>(s.threads, 1), s.B));
}

// Vectors that cover N lanes.
template <class R>
inline int64_t vectors(int64_t N) {
    return (N + Lanes<R>::count - 1) / Lanes<R>::count;
}

template <class S>
inline Vec<Real<S>> part(const S *from, int64_t i, int64_t N) {
    constexpr int L = Lanes<Real<S>>::count;
    return N - i >= L ? load(from + i) : load_some(from + i, int(N - i));
}
template <class S>
inline void put(S *to, int64_t i, int64_t N, Vec<Real<S>> x) {
    if (N - i >= Lanes<Real<S>>::count)
        store(to + i, x);
    else
        store_some(to + i, x, int(N - i));
}

inline Vec<double> rounded_to_bfloat16(Vec<double> x) { return x; }
inline Vec<float> rounded_to_bfloat16(Vec<float> x) {
    bfloat16 half[Lanes<float>::count];
    store(half, x);
    return load(half);
}

// heard = sum over fired j of said[j] * from[j]
template <class R>
void hear(const RecurrentShape &s, const R *from, const R *said, R *heard) {
    constexpr int L = Lanes<R>::count;
    std::fill(heard, heard + vectors<R>(s.N) * L, R(0));
    for (int64_t j = 0; j < s.N; ++j) {
        if (said[j] == R(0)) continue;
        for (int64_t i = 0; i < s.N; i += L) store(heard + i, load(heard + i) + said[j] * part(from + j * s.N, i, s.N));
    }
    if (!s.rounded) return;
    for (int64_t i = 0; i < s.N; i += L) store(heard + i, rounded_to_bfloat16(load(heard + i)));
}

// One sample forward. `h` [T, padded], if asked for, gets the voltages before reset.
template <class S>
double run(const RecurrentShape &s, int64_t b, const Neuron<Real<S>> &n, const S *currents, const Real<S> *leak,
           int64_t num_leaks, const Real<S> *from, const Real<S> *start, const Real<S> *last, S *spikes,
           Real<S> *voltage, Real<S> *h_all) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const int64_t N = s.N, padded = vectors<R>(N) * L;
    std::vector<R> v(padded, n.v_reset), said(padded, R(0)), heard(padded, R(0));
    if (start) std::copy_n(start + b * N, N, v.data());
    if (last) std::copy_n(last + b * N, N, said.data());
    double count = 0;
    for (int64_t t = 0; t < s.T; ++t) {
        hear(s, from, said.data(), heard.data());
        const int64_t at = (t * s.B + b) * N;
        for (int64_t i = 0; i < N; i += L) {
            const Vec<R> leaks = num_leaks == 1 ? splat<R>(leak[0]) : part(leak, i, N);
            const Vec<R> gain = n.decay_input ? leaks : splat<R>(1);
            const Vec<R> h = n.charge(load(&v[i]), part(currents + at, i, N) + load(&heard[i]), leaks, gain);
            const Mask<R> f = n.fires(h);
            if (h_all) store(h_all + t * padded + i, h);
            store(&v[i], n.reset(h, f));
            store(&said[i], f ? splat<R>(1) : Vec<R>{});
            if (spikes) put(spikes + at, i, N, load(&said[i]));
        }
        for (int64_t i = 0; i < N; ++i) count += double(said[i]);
        std::fill(said.begin() + N, said.end(), R(0));
    }
    if (voltage) std::copy_n(v.data(), N, voltage + b * N);
    return count;
}

template <class S>
void recurrent_forward(const RecurrentShape &s, const NeuronParams &params, const S *currents, const Real<S> *leak,
                       int64_t num_leaks, const Real<S> *from, const Real<S> *start, const Real<S> *last, S *spikes,
                       Real<S> *voltage, double *num_spikes) {
    const Neuron<Real<S>> n(params);
    double count = 0;  // whole numbers: the order of the sum does not matter
#pragma omp parallel for schedule(static) reduction(+ : count) num_threads(threads_for(s))
    for (int64_t b = 0; b < s.B; ++b)
        count += run<S>(s, b, n, currents, leak, num_leaks, from, start, last, spikes, voltage, nullptr);
    *num_spikes = count;
}

// d_leak [B, N] in float64. The gradient of `from` is left to a matrix product of d_currents and spikes.
template <class S>
void recurrent_backward(const RecurrentShape &s, const NeuronParams &params, const S *currents, const Real<S> *leak,
                        int64_t num_leaks, const Real<S> *from, const Real<S> *start, const Real<S> *last,
                        const S *d_spikes, double d_num_spikes, Real<S> *d_currents, double *d_leak) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const Neuron<R> n(params);
    const int64_t N = s.N, padded = vectors<R>(N) * L;
#pragma omp parallel for schedule(static) num_threads(threads_for(s))
    for (int64_t b = 0; b < s.B; ++b) {
        std::vector<R> h(s.T * padded), first(padded, n.v_reset), said(padded, R(0)), heard(padded), dv(padded, R(0)),
            dx(padded, R(0)), echo(padded, R(0)), sum(padded, R(0));
        if (start) std::copy_n(start + b * N, N, first.data());
        run<S>(s, b, n, currents, leak, num_leaks, from, start, last, nullptr, nullptr, h.data());
        for (int64_t t = s.T - 1; t >= 0; --t) {
            const int64_t at = (t * s.B + b) * N;
            if (n.decay_input) {  // the leak's gradient wants the whole input: hear again
                if (t)
                    for (int64_t i = 0; i < padded; i += L)
                        store(&said[i], n.fires(load(&h[(t - 1) * padded + i])) ? splat<R>(1) : Vec<R>{});
                else if (last)
                    std::copy_n(last + b * N, N, said.data());
                else
                    std::fill(said.begin(), said.end(), R(0));
                hear(s, from, said.data(), heard.data());
            }
            for (int64_t i = 0; i < N; i += L) {
                const Vec<R> leaks = num_leaks == 1 ? splat<R>(leak[0]) : part(leak, i, N);
                const Vec<R> now = load(&h[t * padded + i]);
                Vec<R> ds = load(&echo[i]) + R(d_num_spikes);
                if (d_spikes) ds = ds + part(d_spikes + at, i, N);
                const Vec<R> dh = n.adjoint(now, n.fires(now), ds, load(&dv[i]));
                Vec<R> before = load(&first[i]), x = {};
                if (t) {
                    before = load(&h[(t - 1) * padded + i]);
                    before = n.reset(before, n.fires(before));
                }
                if (n.decay_input) x = part(currents + at, i, N) + load(&heard[i]);
                store(&sum[i], load(&sum[i]) + dh * n.pull(before, x));
                store(&dv[i], (R(1) - leaks) * dh);
                store(&dx[i], n.decay_input ? leaks * dh : dh);
                put(d_currents + at, i, N, load(&dx[i]));
            }
            std::fill(dx.begin() + N, dx.end(), R(0));
            if (t == 0) break;
            for (int64_t j = 0; j < N; ++j) {  // each spike's share in what was heard
                Vec<R> dot = {};
                for (int64_t i = 0; i < N; i += L) dot += load(&dx[i]) * part(from + j * N, i, N);
                R total = 0;
                for (int lane = 0; lane < L; ++lane) total += dot[lane];
                echo[j] = total;
            }
        }
        for (int64_t i = 0; i < N; ++i) d_leak[b * N + i] = double(sum[i]);
    }
}

}  // namespace
}  // namespace snnface

#define EXPORT(NAME, S)                                                                                              \
    extern "C" void recurrent_forward_##NAME(                                                                        \
        const snnface::RecurrentShape *shape, const snnface::NeuronParams *params, const void *currents,             \
        const void *leak, int64_t num_leaks, const void *from, const void *start, const void *last, void *spikes,    \
        void *voltage, double *num_spikes) {                                                                         \
        using R = snnface::Real<S>;                                                                                  \
        snnface::recurrent_forward<S>(*shape, *params, (const S *)currents, (const R *)leak, num_leaks,              \
                                      (const R *)from, (const R *)start, (const R *)last, (S *)spikes, (R *)voltage, \
                                      num_spikes);                                                                   \
    }                                                                                                                \
    extern "C" void recurrent_backward_##NAME(                                                                       \
        const snnface::RecurrentShape *shape, const snnface::NeuronParams *params, const void *currents,             \
        const void *leak, int64_t num_leaks, const void *from, const void *start, const void *last,                  \
        const void *d_spikes, double d_num_spikes, void *d_currents, double *d_leak) {                               \
        using R = snnface::Real<S>;                                                                                  \
        snnface::recurrent_backward<S>(*shape, *params, (const S *)currents, (const R *)leak, num_leaks,             \
                                       (const R *)from, (const R *)start, (const R *)last, (const S *)d_spikes,      \
                                       d_num_spikes, (R *)d_currents, d_leak);                                       \
    }
EXPORT(float32, float)
EXPORT(bfloat16, snnface::bfloat16)
EXPORT(float64, double)
