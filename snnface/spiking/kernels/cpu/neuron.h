// One neuron, many at a time: vectors, number formats, one step forward and one step back.
//
// Every operation is one rounded operation of the reference, in its order; the compiler is
// told not to contract (-ffp-contract=off), so spikes and voltages are equal to the bit.
// Vectors are the compiler's own (gcc and clang), as wide as the machine's registers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace snnface {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32;
#else
constexpr int VECTOR_BYTES = 16;
#endif

struct bfloat16 {
    uint16_t bits;
};

// Vectors of a real type R (float or double), and of the integers as wide as R.
template <class R>
struct Lanes;
template <>
struct Lanes<float> {
    typedef float Vec __attribute__((vector_size(VECTOR_BYTES)));
    typedef int32_t Mask __attribute__((vector_size(VECTOR_BYTES)));
    static constexpr int count = VECTOR_BYTES / 4;
};
template <>
struct Lanes<double> {
    typedef double Vec __attribute__((vector_size(VECTOR_BYTES)));
    typedef int64_t Mask __attribute__((vector_size(VECTOR_BYTES)));
    static constexpr int count = VECTOR_BYTES / 8;
};
template <class R>
using Vec = typename Lanes<R>::Vec;
template <class R>
using Mask = typename Lanes<R>::Mask;  // -1 where true, 0 where false

// What numbers of a storage type are computed in.
template <class S>
struct RealOf {
    typedef S type;
};
template <>
struct RealOf<bfloat16> {
    typedef float type;
};
template <class S>
using Real = typename RealOf<S>::type;

template <class R>
inline Vec<R> splat(R value) {
    return value - Vec<R>{};  // x - 0 is x, -0 included
}
// The larger of two; where x is no number, y.
template <class V>
inline V larger(V x, V y) {
    return x > y ? x : y;
}
inline Mask<float> bits_of(Vec<float> x) { return (Mask<float>)x; }
inline Mask<double> bits_of(Vec<double> x) { return (Mask<double>)x; }

// ---- load and store: a whole vector, or its first `n` lanes (the others read as 0) ----

template <class R>
inline Vec<R> load(const R *from) {
    Vec<R> x;
    std::memcpy(&x, from, sizeof x);
    return x;
}
template <class R>
inline void store(R *to, Vec<R> x) {
    std::memcpy(to, &x, sizeof x);
}

typedef uint16_t Half __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint32_t Word __attribute__((vector_size(VECTOR_BYTES)));

inline Vec<float> load(const bfloat16 *from) {
    Half bits;
    std::memcpy(&bits, from, sizeof bits);
    return (Vec<float>)(__builtin_convertvector(bits, Word) << 16);
}
// Rounds to nearest, ties to even; every NaN becomes the quiet one.
inline void store(bfloat16 *to, Vec<float> x) {
    const Word bits = (Word)x;
    Word rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    rounded = (x == x) ? rounded : (Word{} + 0x7fc0u);
    const Half half = __builtin_convertvector(rounded, Half);
    std::memcpy(to, &half, sizeof half);
}

// One number, in what it is computed in.
template <class S>
inline Real<S> number(S from) {
    return from;
}
inline float number(bfloat16 from) {
    const uint32_t bits = uint32_t(from.bits) << 16;
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

template <class S>
inline Vec<Real<S>> load_some(const S *from, int n) {
    S padded[Lanes<Real<S>>::count] = {};
    std::memcpy(padded, from, n * sizeof(S));
    return load(padded);
}
template <class S>
inline void store_some(S *to, Vec<Real<S>> x, int n) {
    S padded[Lanes<Real<S>>::count];
    store(padded, x);
    std::memcpy(to, padded, n * sizeof(S));
}

// The first number from here on that begins a vector; allow `ALIGNMENT` more. Vectors that lie across two cache lines
// cost twice.
template <class R>
constexpr int64_t ALIGNMENT = VECTOR_BYTES / sizeof(R);
template <class R>
inline R *aligned(R *from) {
    const uintptr_t past = reinterpret_cast<uintptr_t>(from) % VECTOR_BYTES;
    return from + (VECTOR_BYTES - past) % VECTOR_BYTES / sizeof(R);
}

// ---- numbers that are not zero ----

// The highest bits of all lanes, side by side.
template <class R>
inline uint32_t sign_bits(Mask<R> lanes) {
#if defined(__AVX512DQ__)
    if constexpr (sizeof(R) == 4) return _mm512_movepi32_mask((__m512i)lanes);
    else return _mm512_movepi64_mask((__m512i)lanes);
#elif defined(__AVX__) && !defined(__AVX512F__)
    if constexpr (sizeof(R) == 4) return _mm256_movemask_ps((__m256)lanes);
    else return _mm256_movemask_pd((__m256d)lanes);
#else
    constexpr int L = Lanes<R>::count;
    Mask<R> place;
    for (int lane = 0; lane < L; ++lane) place[lane] = int64_t(1) << lane;
    const Mask<R> found = (lanes < 0) & place;
    uint32_t bits = 0;
    for (int lane = 0; lane < L; ++lane) bits |= uint32_t(found[lane]);
    return bits;
#endif
}
// The lanes that are not zero, as bits.
template <class R>
inline uint32_t nonzero_lanes(Vec<R> values) {
    return sign_bits<R>(values != R(0));
}

// Calls use(i, bits) for every vector of a run, with a bit for each of the numbers from i that is not zero.
template <class S, class Use>
inline void for_marks(const S *run, int64_t length, Use use) {
    typedef Real<S> R;
    constexpr int L = Lanes<R>::count;
    for (int64_t i = 0; i < length; i += L)
        use(i, nonzero_lanes<R>(length - i >= L ? load(run + i) : load_some(run + i, int(length - i))));
}
// Calls use(i) for every number of a run that is not zero.
template <class S, class Use>
inline void for_nonzero(const S *run, int64_t length, Use use) {
    for_marks(run, length, [&](int64_t first, uint32_t bits) {
        for (; bits; bits &= bits - 1) use(first + __builtin_ctz(bits));
    });
}

// ---- exp(x) for x <= 0, to about one unit in the last place ----

template <class R>
inline Vec<R> exp_negative(Vec<R> x) {
    constexpr bool is_float = sizeof(R) == 4;
    constexpr int degree = is_float ? 7 : 13;
    constexpr int mantissa = is_float ? 23 : 52;
    constexpr int bias = is_float ? 127 : 1023;
    // ln 2 in two parts, the first short enough that n * high is exact.
    constexpr R high = is_float ? R(0.693359375) : R(6.93147180369123816490e-01);
    constexpr R low = is_float ? R(-2.12194440e-4) : R(1.90821492927058770002e-10);
    constexpr R smallest = is_float ? R(-87) : R(-708);
    // Adding and taking away 1.5 * 2^mantissa rounds to an integer.
    constexpr R magic = R(1.5) * R(int64_t(1) << mantissa);
    x = x < smallest ? splat<R>(smallest) : x;
    const Vec<R> shifted = x * R(1.4426950408889634) + magic;
    const Vec<R> n = shifted - magic;
    const Vec<R> r = (x - n * high) - n * low;
    Vec<R> sum = splat<R>(1);
    for (int k = degree; k > 0; --k) sum = sum * r * R(1.0 / k) + R(1);
    const Mask<R> exponent = bits_of(shifted) - bits_of(splat<R>(magic)) + bias;
    return sum * (Vec<R>)(exponent << mantissa);
}

// ---- the neuron ----

enum Surrogate : int32_t { ATAN = 0, SIGMOID = 1, TRIANGLE = 2, SUPERSPIKE = 3 };

// As Python hands it over (ctypes.Structure `NeuronParams`).
struct NeuronParams {
    double threshold, v_reset, alpha;
    int32_t subtract, decay_input, fires_on_equality, surrogate, detach_reset, unused;
};

template <class R>
struct Neuron {
    R threshold, v_reset, jump, limit, alpha, half_alpha, slope;
    bool subtract, decay_input, detach_reset;
    int surrogate;

    explicit Neuron(const NeuronParams &p)
        : threshold(R(p.threshold)), v_reset(R(p.v_reset)), jump(R(p.threshold - p.v_reset)),
          // h >= V is h > (the number below V): one comparison serves both.
          limit(p.fires_on_equality ? std::nextafter(R(p.threshold), -std::numeric_limits<R>::infinity())
                                    : R(p.threshold)),
          alpha(R(p.alpha)), half_alpha(R(p.alpha / 2)), slope(R(M_PI / 2 * p.alpha)), subtract(p.subtract),
          decay_input(p.decay_input), detach_reset(p.detach_reset), surrogate(p.surrogate) {}

    // What a current is multiplied by: the leak, or 1 (which is exact).
    R gain(R leak) const { return decay_input ? leak : R(1); }

    // h = v - leak (v - v_reset) + gain x
    Vec<R> charge(Vec<R> v, Vec<R> x, Vec<R> leak, Vec<R> gain) const {
        return (v - leak * (v - v_reset)) + gain * x;
    }
    Mask<R> fires(Vec<R> h) const { return h > limit; }
    Vec<R> reset(Vec<R> h, Mask<R> fired) const {
        return fired ? (subtract ? h - jump : splat<R>(v_reset)) : h;
    }

    // The surrogate derivative at x = h - threshold.
    Vec<R> derivative(Vec<R> h) const {
        const Vec<R> x = h - threshold;
        const Vec<R> size = x < R(0) ? -x : x;
        switch (surrogate) {
        case SIGMOID: {
            const Vec<R> e = exp_negative<R>(-(alpha * size));  // symmetric in x
            const Vec<R> below = R(1) / (R(1) + e);
            return alpha * (e * below * below);
        }
        case TRIANGLE: {
            const Vec<R> height = R(1) - alpha * size;
            return alpha * (height > R(0) ? height : Vec<R>{});
        }
        case SUPERSPIKE: {
            const Vec<R> base = R(1) + alpha * size;
            return R(1) / (base * base);
        }
        default: {
            const Vec<R> scaled = slope * x;
            return half_alpha / (R(1) + scaled * scaled);
        }
        }
    }

    // dh of one step, from ds (gradient of its spike) and dv (gradient of its voltage after reset).
    // The caller goes on with dx = gain * dh, dv = (1 - leak) * dh, dleak += dh * pull(v before, x).
    Vec<R> adjoint(Vec<R> h, Mask<R> fired, Vec<R> ds, Vec<R> dv) const {
        if (!detach_reset) ds = ds + (subtract ? dv * -jump : dv * (v_reset - h));
        const Vec<R> through = subtract ? dv : (fired ? Vec<R>{} : dv);
        return ds * derivative(h) + through;
    }
    // dh / dleak of one step.
    Vec<R> pull(Vec<R> v_before, Vec<R> x) const {
        const Vec<R> p = v_reset - v_before;
        return decay_input ? p + x : p;
    }
};

}  // namespace snnface
