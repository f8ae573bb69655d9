// Neurons over time with an affine input and max-pooling, forward and backward.
//
// Data are [T, B, H, W, C] in memory (channels last). The work is cut into tiles: all T
// steps of one sample, one row of pooling windows and a run of columns, small enough that
// the voltages of all steps stay in the cache, where the backward pass recomputes them.
// A tile's numbers lie side by side in memory over columns and channels, so vectors run
// over both whatever C is; values per channel are laid out as a pattern of period C.
#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "neuron.h"

namespace snnface {
namespace {

struct Shape {
    int64_t T, B, H, W, C, pool, threads;
};

// Reals that one thread's tile may keep: leaves room in a second-level cache of 1 MB for its inputs.
constexpr int64_t TILE_BYTES = 300 << 10;
// Below this, starting threads costs more than they save.
constexpr int64_t SMALL_WORK = 1 << 16;

struct Geometry {
    int64_t T, B, H, W, C, k;
    int64_t length;          // numbers in a row of the picture
    int64_t rows;            // rows of a tile
    int64_t row_tiles, block, blocks;  // tiles over rows; numbers in a run, runs in a row
    int64_t out_h, out_w;
    int64_t padded;          // a run rounded up to whole vectors, and one more for what reads past it
    int threads;

    Geometry(const Shape &s, int64_t real_bytes, int lanes)
        : T(s.T), B(s.B), H(s.H), W(s.W), C(s.C), k(s.pool) {
        if (k == 1) {  // without pooling a picture is one long row
            W = H * W;
            H = 1;
        }
        length = W * C;
        rows = std::min(k, H);
        row_tiles = (H + k - 1) / k;
        out_h = H / k;
        out_w = W / k;
        threads = s.T * s.B * s.H * s.W * s.C < SMALL_WORK ? 1 : int(std::max<int64_t>(s.threads, 1));
        const int64_t unit = k == 1 ? 4 * lanes : k * C;
        int64_t wanted = std::min<int64_t>(TILE_BYTES / (T * rows * real_bytes), 4096);
        if (threads > 1) wanted = std::min(wanted, length * B * row_tiles / threads + 1);
        const int64_t units = (length + unit - 1) / unit;
        const int64_t per_block = std::min(std::max<int64_t>(wanted / unit, 1), units);
        blocks = (units + per_block - 1) / per_block;
        block = (units + blocks - 1) / blocks * unit;
        blocks = (length + block - 1) / block;
        padded = (std::min(block, length) + lanes - 1) / lanes * lanes + lanes;
    }
    int64_t tiles() const { return B * row_tiles * blocks; }
};

// One tile: where it lies and how large it is.
struct Tile {
    int64_t b, row, rows, first, count;
    bool pooled;          // whether its rows fill a window
    int64_t out, units;   // where its pooled columns begin, and how many whole windows it has

    Tile(const Geometry &g, int64_t index) {
        const int64_t run = index % g.blocks, strip = index / g.blocks % g.row_tiles;
        b = index / g.blocks / g.row_tiles;
        row = strip * g.k;
        rows = std::min(g.k, g.H - row);
        first = run * g.block;
        count = std::min(g.block, g.length - first);
        pooled = rows == g.k;
        units = g.k == 1 ? 0 : count / (g.k * g.C);
        out = g.k == 1 ? 0 : (strip * g.out_w + first / (g.k * g.C)) * g.C;
    }
    int64_t at(const Geometry &g, int64_t t, int64_t r) const {
        return ((t * g.B + b) * g.H + row + r) * g.length + first;
    }
    int64_t state(const Geometry &g, int64_t r) const { return (b * g.H + row + r) * g.length + first; }
    int64_t pooled_at(const Geometry &g, int64_t t) const {
        return (t * g.B + b) * g.out_h * g.out_w * g.C + out;
    }
};

// Memory of one thread, kept from call to call.
struct Scratch {
    char *memory = nullptr;
    size_t size = 0, used = 0;
    ~Scratch() { std::free(memory); }
    void reserve(size_t bytes) {
        used = 0;
        if (bytes <= size) return;
        std::free(memory);
        size = (bytes + 4095) / 4096 * 4096;
        memory = static_cast<char *>(std::aligned_alloc(4096, size));
        if (!memory) throw std::bad_alloc();
    }
    template <class X>
    X *take(int64_t count) {
        X *here = reinterpret_cast<X *>(memory + used);
        used += (count * sizeof(X) + 63) / 64 * 64;
        return here;
    }
};
thread_local Scratch scratch;

// Values per channel, repeated so that a run may begin at any channel.
template <class R>
struct Patterns {
    R *leak, *gain, *scale, *shift, *pivot;

    static int64_t numbers(const Geometry &g) { return 5 * (g.padded + g.C + 16); }
    Patterns(const Geometry &g, const Neuron<R> &n, const R *leaks, int64_t num_leaks, const R *scales,
             const R *shifts, const R *pivots) {
        const int64_t size = g.padded + g.C;
        for (R **p : {&leak, &gain, &scale, &shift, &pivot}) *p = scratch.take<R>(size);
        fill(leak, size, g.C, leaks, num_leaks);
        for (int64_t i = 0; i < size; ++i) gain[i] = n.gain(leak[i]);
        if (!scales) return;
        fill(scale, size, g.C, scales, g.C);
        fill(shift, size, g.C, shifts, g.C);
        if (pivots)
            fill(pivot, size, g.C, pivots, g.C);
        else
            std::fill(pivot, pivot + size, R(0));
    }
    static void fill(R *to, int64_t size, int64_t C, const R *from, int64_t given) {
        if (given == 1) {
            std::fill(to, to + size, from[0]);
            return;
        }
        std::copy(from, from + std::min(C, size), to);
        for (int64_t i = C; i < size; ++i) to[i] = to[i - C];
    }
};

template <class S>
inline Vec<Real<S>> load_part(const S *from, int64_t left) {
    return left >= Lanes<Real<S>>::count ? load(from) : load_some(from, int(left));
}
template <class S>
inline void store_part(S *to, Vec<Real<S>> x, int64_t left) {
    if (left >= Lanes<Real<S>>::count)
        store(to, x);
    else
        store_some(to, x, int(left));
}

template <class R>
inline void begin(const Geometry &g, const Tile &tile, const Neuron<R> &n, const R *start, R *v) {
    for (int64_t r = 0; r < tile.rows; ++r) {
        R *to = v + r * g.padded;
        std::fill(to, to + g.padded, n.v_reset);
        if (start) std::copy_n(start + tile.state(g, r), tile.count, to);
    }
}

template <class S, bool AFFINE>
void forward_tile(const Geometry &g, const Tile &tile, const Neuron<Real<S>> n, const Patterns<Real<S>> p,
                  const S *currents, S *spikes, Real<S> *v, Mask<Real<S>> *seen, double &count) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const int64_t c0 = tile.first % g.C;
    const Vec<R> one = splat<R>(1);
    Mask<R> fired = {};
    for (int64_t t = 0; t < g.T; ++t) {
        for (int64_t r = 0; r < tile.rows; ++r) {
            const S *x = currents + tile.at(g, t, r);
            const S *next = t + 1 < g.T ? currents + tile.at(g, t + 1, r) : x;
            S *s = g.k == 1 ? spikes + tile.at(g, t, r) : nullptr;
            R *state = v + r * g.padded;
            for (int64_t i = 0; i < tile.count; i += L) {
                __builtin_prefetch(next + i);
                Vec<R> y = load_part(x + i, tile.count - i);
                if (AFFINE) y = y * load(p.scale + c0 + i) + load(p.shift + c0 + i);
                const Vec<R> h = n.charge(load(state + i), y, load(p.leak + c0 + i), load(p.gain + c0 + i));
                Mask<R> f = n.fires(h);
                store(state + i, n.reset(h, f));
                if (tile.count - i < L)  // lanes past the end are nobody's
                    for (int64_t j = tile.count - i; j < L; ++j) f[j] = 0;
                fired -= f;
                if (g.k == 1)
                    store_part(s + i, f ? one : Vec<R>{}, tile.count - i);
                else
                    seen[i / L] = r == 0 ? f : (seen[i / L] | f);
            }
        }
        if (g.k == 1 || !tile.pooled) continue;
        S *out = spikes + tile.pooled_at(g, t);
        const char *flags = reinterpret_cast<const char *>(seen);
        for (int64_t unit = 0; unit < tile.units; ++unit)
            for (int64_t c = 0; c < g.C; c += L) {
                Mask<R> any = {}, here;
                for (int64_t column = 0; column < g.k; ++column) {
                    std::memcpy(&here, flags + ((unit * g.k + column) * g.C + c) * sizeof(R), sizeof here);
                    any |= here;
                }
                store_part(out + unit * g.C + c, any ? one : Vec<R>{}, g.C - c);
            }
    }
    for (int j = 0; j < L; ++j) count += double(fired[j]);
}

template <class S>
void layer_forward(const Shape &shape, const NeuronParams &params, const S *currents, const Real<S> *leak,
                   int64_t num_leaks, const Real<S> *scale, const Real<S> *shift, const Real<S> *start, S *spikes,
                   Real<S> *voltage, double *num_spikes) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const Geometry g(shape, sizeof(R), L);
    const Neuron<R> n(params);
    std::vector<double> counts(g.threads, 0.0);
#pragma omp parallel num_threads(g.threads)
    {
#ifdef _OPENMP
        const int me = omp_get_thread_num();
#else
        const int me = 0;
#endif
        scratch.reserve((Patterns<R>::numbers(g) + (g.rows + 1) * g.padded + 256) * sizeof(R));
        const Patterns<R> p(g, n, leak, num_leaks, scale, shift, nullptr);
        R *v = scratch.take<R>(g.rows * g.padded);
        Mask<R> *seen = scratch.take<Mask<R>>(g.padded / L);
        double count = 0;
#pragma omp for schedule(static)
        for (int64_t index = 0; index < g.tiles(); ++index) {
            const Tile tile(g, index);
            begin(g, tile, n, start, v);
            if (scale)
                forward_tile<S, true>(g, tile, n, p, currents, spikes, v, seen, count);
            else
                forward_tile<S, false>(g, tile, n, p, currents, spikes, v, seen, count);
            for (int64_t r = 0; r < tile.rows; ++r)
                std::copy_n(v + r * g.padded, tile.count, voltage + tile.state(g, r));
        }
        counts[me] += count;
    }
    *num_spikes = 0;
    for (double count : counts) *num_spikes += count;
}

// Where one tile keeps its numbers in the backward pass.
template <class R>
struct History {
    R *h, *start, *ds, *dv, *sum_leak, *sum_scale, *sum_shift;

    static int64_t numbers(const Geometry &g) { return (g.T + 6) * g.rows * g.padded + 7 * 16; }
    explicit History(const Geometry &g) {
        const int64_t row = g.rows * g.padded;
        h = scratch.take<R>(g.T * row);
        for (R **p : {&start, &ds, &dv, &sum_leak, &sum_scale, &sum_shift}) *p = scratch.take<R>(row);
    }
};

// The voltages before reset of all steps, as the forward pass had them.
template <class S, bool AFFINE>
void recompute(const Geometry &g, const Tile &tile, const Neuron<Real<S>> n, const Patterns<Real<S>> p,
               const S *currents, const History<Real<S>> k) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const int64_t c0 = tile.first % g.C, step = g.rows * g.padded;
    for (int64_t t = 0; t < g.T; ++t)
        for (int64_t r = 0; r < tile.rows; ++r) {
            const S *x = currents + tile.at(g, t, r);
            const S *next = t + 1 < g.T ? currents + tile.at(g, t + 1, r) : x;
            const R *before = t ? k.h + (t - 1) * step + r * g.padded : k.start + r * g.padded;
            R *now = k.h + t * step + r * g.padded;
            for (int64_t i = 0; i < tile.count; i += L) {
                __builtin_prefetch(next + i);
                Vec<R> y = load_part(x + i, tile.count - i);
                if (AFFINE) y = y * load(p.scale + c0 + i) + load(p.shift + c0 + i);
                Vec<R> v = load(before + i);
                if (t) v = n.reset(v, n.fires(v));
                store(now + i, n.charge(v, y, load(p.leak + c0 + i), load(p.gain + c0 + i)));
            }
        }
}

// The gradient of each spike of a step: from the pooled one to the first that fired in its
// window, row by row (to the first of all if none did), and `every` to each.
template <class S>
void unpool(const Geometry &g, const Tile &tile, const Neuron<Real<S>> n, const S *from, Real<S> every,
            const Real<S> *h, Real<S> *ds) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    if (!tile.pooled || !from || tile.units * g.k * g.C < tile.count)
        std::fill(ds, ds + g.rows * g.padded, every);  // neurons outside every window, too
    if (!tile.pooled || !from) return;
    for (int64_t unit = 0; unit < tile.units; ++unit)
        for (int64_t c = 0; c < g.C; c += L) {
            const Vec<R> d = load_part(from + unit * g.C + c, g.C - c);
            const int64_t first = unit * g.k * g.C + c;
            Mask<R> any = {};
            for (int64_t r = 0; r < g.k; ++r)
                for (int64_t column = 0; column < g.k; ++column)
                    any |= n.fires(load(h + r * g.padded + first + column * g.C));
            Mask<R> open = ~Mask<R>{};
            for (int64_t r = 0; r < g.k; ++r)
                for (int64_t column = 0; column < g.k; ++column) {
                    const int64_t at = r * g.padded + first + column * g.C;
                    Mask<R> f = n.fires(load(h + at));
                    if (r + column == 0) f |= ~any;
                    const Vec<R> mine = ((f & open) ? d : Vec<R>{}) + every;
                    open &= ~f;
                    // Only whole vectors may spill: into what is written next, or into the padding.
                    store_part(ds + at, mine, g.C - c);
                }
        }
}

// One vector of neurons of one step: gives dv and the current's gradient, adds to the three sums.
template <class S, bool AFFINE>
inline void step_back(const Neuron<Real<S>> &n, Vec<Real<S>> h, Mask<Real<S>> fired, Vec<Real<S>> before,
                      Vec<Real<S>> ds, Vec<Real<S>> x, Vec<Real<S>> leak, Vec<Real<S>> gain, Vec<Real<S>> scale,
                      Vec<Real<S>> shift, Vec<Real<S>> pivot, Vec<Real<S>> &dv, Vec<Real<S>> &dx,
                      Vec<Real<S>> &sum_leak, Vec<Real<S>> &sum_scale, Vec<Real<S>> &sum_shift) {
    using R = Real<S>;
    const Vec<R> dh = n.adjoint(h, fired, ds, dv);
    dv = (R(1) - leak) * dh;
    sum_leak += dh * n.pull(before, AFFINE && n.decay_input ? x * scale + shift : x);
    dx = gain * dh;
    if (!AFFINE) return;
    sum_shift += dx;
    sum_scale += dx * (x - pivot);
    dx = dx * scale;
}

// As `backward_tile` does it, for the case that matters most: windows of 2 x 2, whole vectors of
// channels, none left over. The gradient of a window is dealt out and used in one go.
template <class S, bool AFFINE>
void backward_windows(const Geometry &g, const Tile &tile, const Neuron<Real<S>> n, const Patterns<Real<S>> p,
                      const S *currents, const S *d_spikes, Real<S> every, S *d_currents,
                      const History<Real<S>> k) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const int64_t step = g.rows * g.padded;
    for (int64_t t = g.T - 1; t >= 0; --t) {
        const R *hs = k.h + t * step;
        const R *before = t ? hs - step : k.start;
        const S *from = d_spikes ? d_spikes + tile.pooled_at(g, t) : nullptr;
        const int64_t rows[2] = {tile.at(g, t, 0), tile.at(g, t, 1)};
        for (int64_t unit = 0; unit < tile.units; ++unit)
            for (int64_t c = 0; c < g.C; c += L) {
                const Vec<R> d = from ? load(from + unit * g.C + c) : Vec<R>{};
                const Vec<R> leak = load(p.leak + c), gain = load(p.gain + c);
                Vec<R> scale = {}, shift = {}, pivot = {};
                if (AFFINE) {
                    scale = load(p.scale + c);
                    shift = load(p.shift + c);
                    pivot = load(p.pivot + c);
                }
                const int64_t at = unit * g.C + c;  // sums are per window
                Vec<R> sums[3] = {load(k.sum_leak + at), load(k.sum_scale + at), load(k.sum_shift + at)};
                int64_t i[4];
                Vec<R> h[4];
                Mask<R> f[4];
                for (int q = 0; q < 4; ++q) {
                    i[q] = (2 * unit + q % 2) * g.C + c;
                    h[q] = load(hs + (q / 2) * g.padded + i[q]);
                    f[q] = n.fires(h[q]);
                }
                Mask<R> taken = {};
                const Mask<R> none = ~(f[0] | f[1] | f[2] | f[3]);
                for (int q = 0; q < 4; ++q) {
                    const Mask<R> mine = (q ? f[q] : f[q] | none) & ~taken;
                    taken |= f[q];
                    const int64_t here = (q / 2) * g.padded + i[q], there = rows[q / 2] + i[q];
                    Vec<R> v = load(before + here);
                    if (t) v = n.reset(v, n.fires(v));
                    const Vec<R> x = AFFINE || n.decay_input ? load(currents + there) : Vec<R>{};
                    Vec<R> dv = load(k.dv + here), dx;
                    step_back<S, AFFINE>(n, h[q], f[q], v, (mine ? d : Vec<R>{}) + every, x, leak, gain, scale, shift,
                                         pivot, dv, dx, sums[0], sums[1], sums[2]);
                    store(k.dv + here, dv);
                    store(d_currents + there, dx);
                }
                store(k.sum_leak + at, sums[0]);
                store(k.sum_scale + at, sums[1]);
                store(k.sum_shift + at, sums[2]);
            }
    }
}

template <class S, bool AFFINE>
void backward_tile(const Geometry &g, const Tile &tile, const Neuron<Real<S>> n, const Patterns<Real<S>> p,
                   const S *currents, const S *d_spikes, Real<S> every, S *d_currents, const History<Real<S>> k) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const int64_t c0 = tile.first % g.C, step = g.rows * g.padded;
    std::fill(k.dv, k.dv + step, R(0));
    for (R *sum : {k.sum_leak, k.sum_scale, k.sum_shift}) std::fill(sum, sum + step, R(0));
    if (g.k == 2 && tile.pooled && g.C % L == 0 && tile.units * 2 * g.C == tile.count)
        return backward_windows<S, AFFINE>(g, tile, n, p, currents, d_spikes, every, d_currents, k);
    for (int64_t t = g.T - 1; t >= 0; --t) {
        const R *hs = k.h + t * step;
        if (g.k > 1) unpool(g, tile, n, d_spikes ? d_spikes + tile.pooled_at(g, t) : nullptr, every, hs, k.ds);
        for (int64_t r = 0; r < tile.rows; ++r) {
            const int64_t at = tile.at(g, t, r), row = r * g.padded;
            const R *before = t ? hs - step + row : k.start + row;
            for (int64_t i = 0; i < tile.count; i += L) {
                const int64_t left = tile.count - i;
                const Vec<R> h = load(hs + row + i);
                Vec<R> ds;
                if (g.k > 1)
                    ds = load(k.ds + row + i);
                else
                    ds = (d_spikes ? load_part(d_spikes + at + i, left) : Vec<R>{}) + every;
                Vec<R> v = load(before + i);
                if (t) v = n.reset(v, n.fires(v));
                const Vec<R> x = AFFINE || n.decay_input ? load_part(currents + at + i, left) : Vec<R>{};
                Vec<R> scale = {}, shift = {}, pivot = {};
                if (AFFINE) {
                    scale = load(p.scale + c0 + i);
                    shift = load(p.shift + c0 + i);
                    pivot = load(p.pivot + c0 + i);
                }
                R *sums[3] = {k.sum_leak + row + i, k.sum_scale + row + i, k.sum_shift + row + i};
                Vec<R> dv = load(k.dv + row + i), dx, a = load(sums[0]), b = load(sums[1]), c = load(sums[2]);
                step_back<S, AFFINE>(n, h, n.fires(h), v, ds, x, load(p.leak + c0 + i), load(p.gain + c0 + i), scale,
                                     shift, pivot, dv, dx, a, b, c);
                store(k.dv + row + i, dv);
                store(sums[0], a);
                store(sums[1], b);
                store(sums[2], c);
                store_part(d_currents + at + i, dx, left);
            }
        }
    }
}

// d_leak, d_scale, d_shift are sums over channels of double [3, C]; d_scale is about `pivot`.
template <class S>
void layer_backward(const Shape &shape, const NeuronParams &params, const S *currents, const Real<S> *leak,
                    int64_t num_leaks, const Real<S> *scale, const Real<S> *shift, const Real<S> *pivot,
                    const Real<S> *start, const S *d_spikes, double d_num_spikes, S *d_currents, double *sums) {
    using R = Real<S>;
    constexpr int L = Lanes<R>::count;
    const Geometry g(shape, sizeof(R), L);
    const Neuron<R> n(params);
    std::vector<double> parts(g.threads * 3 * g.C, 0.0);
#pragma omp parallel num_threads(g.threads)
    {
#ifdef _OPENMP
        const int me = omp_get_thread_num();
#else
        const int me = 0;
#endif
        scratch.reserve((Patterns<R>::numbers(g) + History<R>::numbers(g) + 256) * sizeof(R));
        const Patterns<R> p(g, n, leak, num_leaks, scale, shift, pivot);
        const History<R> k(g);
        double *mine = parts.data() + me * 3 * g.C;
#pragma omp for schedule(static)
        for (int64_t index = 0; index < g.tiles(); ++index) {
            const Tile tile(g, index);
            begin(g, tile, n, start, k.start);
            if (scale) {
                recompute<S, true>(g, tile, n, p, currents, k);
                backward_tile<S, true>(g, tile, n, p, currents, d_spikes, R(d_num_spikes), d_currents, k);
            } else {
                recompute<S, false>(g, tile, n, p, currents, k);
                backward_tile<S, false>(g, tile, n, p, currents, d_spikes, R(d_num_spikes), d_currents, k);
            }
            for (int64_t r = 0; r < tile.rows; ++r)
                for (int64_t i = 0; i < tile.count; ++i) {
                    const int64_t c = (tile.first + i) % g.C, at = r * g.padded + i;
                    mine[c] += k.sum_leak[at];
                    mine[g.C + c] += k.sum_scale[at];
                    mine[2 * g.C + c] += k.sum_shift[at];
                }
        }
    }
    std::fill(sums, sums + 3 * g.C, 0.0);
    for (int thread = 0; thread < g.threads; ++thread)
        for (int64_t c = 0; c < 3 * g.C; ++c) sums[c] += parts[thread * 3 * g.C + c];
}

}  // namespace
}  // namespace snnface

#define EXPORT(NAME, S)                                                                                             \
    extern "C" void layer_forward_##NAME(                                                                           \
        const snnface::Shape *shape, const snnface::NeuronParams *params, const void *currents, const void *leak,   \
        int64_t num_leaks, const void *scale, const void *shift, const void *start, void *spikes, void *voltage,    \
        double *num_spikes) {                                                                                       \
        using R = snnface::Real<S>;                                                                                 \
        snnface::layer_forward<S>(*shape, *params, (const S *)currents, (const R *)leak, num_leaks,                 \
                                  (const R *)scale, (const R *)shift, (const R *)start, (S *)spikes, (R *)voltage,  \
                                  num_spikes);                                                                      \
    }                                                                                                               \
    extern "C" void layer_backward_##NAME(                                                                          \
        const snnface::Shape *shape, const snnface::NeuronParams *params, const void *currents, const void *leak,   \
        int64_t num_leaks, const void *scale, const void *shift, const void *pivot, const void *start,              \
        const void *d_spikes, double d_num_spikes, void *d_currents, double *sums) {                                \
        using R = snnface::Real<S>;                                                                                 \
        snnface::layer_backward<S>(*shape, *params, (const S *)currents, (const R *)leak, num_leaks,                \
                                   (const R *)scale, (const R *)shift, (const R *)pivot, (const R *)start,          \
                                   (const S *)d_spikes, d_num_spikes, (S *)d_currents, sums);                       \
    }
EXPORT(float32, float)
EXPORT(bfloat16, snnface::bfloat16)
EXPORT(float64, double)
