// Layers that read spikes: convolutions of small whole numbers without a multiplication, then neurons and max-pool.
//
// Inputs are taken four channels at a time. Four zeros or ones are a number below 16, and for each of the 16 the
// sum of the weights that are there stands in a table: one vector is loaded and added where a convolution
// multiplies four times. The sums of a tile of neurons (some steps of a part of one sample's picture) go through
// the tables of 32 channels of one tap after the other, which fit the first-level cache together and are made from
// the weights on the way. Where there are few sums, and tables would cost more than they save, the same
// sums are made from the weights themselves. Then the tile's neurons, whose voltages stay in the cache, advance.
//
// Every sum is made in one order: bits of the inputs from the lowest, rows and columns of the kernel, channels
// by fours, and of the four (w0 + w1) + (w2 + w3), times the power of two that the bit stands for, which is exact.
// What is absent adds +0, which changes no bit of a sum that began with +0, so it may as well be left out: results
// depend neither on tiles and threads nor on what is beside a neuron or in the same call.
//
// Where the spikes are bfloat16, weights are whole multiples of a quantum of their map, a power of two, small enough for
// the sums of RUN words to fit 16 bits: half the memory, twice the additions at once. These sums are exact and are
// added up as numbers R.
//
// Layouts: inputs [T,B,H,W,C]; packed inputs [bits that occur][words][T,B,H,W] (`spikes.h`); weights [slices of maps][k1,k2][words * 32][lanes]; spikes [T,B,H2/pool,W2/pool,O]; voltages and sums
// [...,H2,W2,O].
#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "neuron.h"
#include "spikes.h"

using namespace snnface;

template <>
struct snnface::Lanes<int16_t> {
    typedef int16_t Vec __attribute__((vector_size(VECTOR_BYTES)));
    static constexpr int count = VECTOR_BYTES / 2;
};

namespace {

constexpr int64_t TILE = 1024;       // sums, of a slice of maps, that go through the tables together
constexpr int64_t FEW = 8;           // below this many, tables do not pay
constexpr int64_t PACKED_BLOCK = 8;  // pixels: a cache line of words
constexpr int64_t SMALL_WORK = 1 << 16;
constexpr int64_t RUN = 9;           // words of 32 channels: a kernel of 3 x 3 over one; `_RUN` of spike_layer.py

// As Python hands it over (ctypes.Structure `_Shape`).
struct SpikeShape {
    int64_t steps, batch, height, width, channels, maps, kernel_height, kernel_width, stride, padding, pool, lanes, threads;

    int64_t pictures() const { return steps * batch; }
    int64_t words() const { return (channels + WORD_CHANNELS - 1) / WORD_CHANNELS; }
    int64_t pixels() const { return height * width; }
    int64_t out_height() const { return (height + 2 * padding - kernel_height) / stride + 1; }
    int64_t out_width() const { return (width + 2 * padding - kernel_width) / stride + 1; }
    int64_t slices() const { return (maps + lanes - 1) / lanes; }
};

// ---- packing ----

// Bit `plane` of up to 32 numbers, four to a byte. `seen` collects all their bits; it becomes -1 where one is no
// whole number from 0 to 255.
template <class S>
inline uint64_t packed(const S *from, int64_t count, int plane, Mask<Real<S>> &seen) {
    typedef Real<S> R;
    constexpr int L = Lanes<R>::count;
    uint64_t bits = 0;
    for (int64_t first = 0; first < std::min<int64_t>(count, 32); first += L) {
        const Vec<R> x = count - first >= L ? load(from + first) : load_some(from + first, int(count - first));
        const Mask<R> whole = __builtin_convertvector(x, Mask<R>);
        seen |= whole | ~((__builtin_convertvector(whole, Vec<R>) == x) & ((whole & ~255) == 0));
        bits |= uint64_t(sign_bits<R>(whole << (sizeof(R) * 8 - 1 - plane))) << first;
    }
    return spread(bits);
}

template <class S>
int64_t pack(const SpikeShape &shape, const S *inputs, int plane, uint64_t *words) {
    typedef Real<S> R;
    const int64_t pixels = shape.pixels(), num_words = shape.words(), channels = shape.channels;
    const int64_t blocks = (pixels + PACKED_BLOCK - 1) / PACKED_BLOCK;
    const int threads = shape.pictures() * pixels * channels < SMALL_WORK ? 1 : int(shape.threads);
    int64_t all = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(| : all)
    for (int64_t index = 0; index < shape.pictures() * blocks; ++index) {
        const int64_t picture = index / blocks, first = index % blocks * PACKED_BLOCK;
        const int64_t last = std::min(first + PACKED_BLOCK, pixels);
        Mask<R> seen{};
        for (int64_t word = 0; word < num_words; ++word)
            for (int64_t pixel = first; pixel < last; ++pixel) {
                const S *from = inputs + (picture * pixels + pixel) * channels + word * 32;
                words[(word * shape.pictures() + picture) * pixels + pixel] =
                    packed(from, channels - word * 32, plane, seen);
            }
        for (int lane = 0; lane < Lanes<R>::count; ++lane) all |= seen[lane];
    }
    return all;
}

// Packed pictures [words][T,B,H,W] -> their rows [words][T,B], channel after channel.
void flatten(const SpikeShape &shape, const uint64_t *words, uint64_t *rows) {
    constexpr int L = Lanes<float>::count;
    const int64_t pixels = shape.pixels(), size = shape.channels * pixels;
    const int threads = shape.pictures() * size < SMALL_WORK ? 1 : int(shape.threads);
#pragma omp parallel num_threads(threads)
    {
        std::vector<uint32_t> picture(pixels + L);
        std::vector<uint64_t> row(size / 64 + 2);
#pragma omp for schedule(static)
        for (int64_t index = 0; index < shape.pictures(); ++index) {
            std::fill(row.begin(), row.end(), uint64_t(0));
            for (int64_t first = 0; first < shape.channels; first += WORD_CHANNELS) {
                const uint64_t *from = words + (first / WORD_CHANNELS * shape.pictures() + index) * pixels;
                for (int64_t pixel = 0; pixel < pixels; ++pixel) picture[pixel] = gathered(from[pixel]);
                for (int64_t channel = first; channel < std::min(first + WORD_CHANNELS, shape.channels); ++channel)
                    for (int64_t pixel = 0; pixel < pixels; pixel += L) {
                        Mask<float> bits;
                        std::memcpy(&bits, &picture[pixel], sizeof bits);
                        const uint64_t found = sign_bits<float>(bits << int(first + WORD_CHANNELS - 1 - channel));
                        const int64_t at = channel * pixels + pixel;
                        row[at / 64] |= found << at % 64;
                        if (at % 64 > 64 - L) row[at / 64 + 1] |= found >> (64 - at % 64);
                    }
            }
            for (int64_t word = 0; word * WORD_CHANNELS < size; ++word)
                rows[word * shape.pictures() + index] = spread(row[word / 2] >> word % 2 * 32 & 0xffffffff);
        }
    }
}

// ---- sums ----

// Sums of weights for every combination of four inputs, `groups` times: [groups][16][V * L].
template <class R, int V>
void make_table(const R *weights, int64_t groups, R scale, R *table) {
    constexpr int L = Lanes<R>::count;
    for (int64_t g = 0; g < groups; ++g, weights += 4 * V * L, table += 16 * V * L)
        for (int v = 0; v < V; ++v) {
            Vec<R> w[4];
            for (int i = 0; i < 4; ++i) w[i] = load(weights + (i * V + v) * L) * scale;
            const Vec<R> none{}, low[4] = {none, w[0], w[1], w[0] + w[1]}, high[4] = {none, w[2], w[3], w[2] + w[3]};
            for (int i = 0; i < 16; ++i) store(table + (i * V + v) * L, low[i % 4] + high[i / 4]);
        }
}

// Adds what `count` pixels (each `step` words on) give to as many neurons.
template <class R, int V, int GROUPS>
inline void add_from_table(const uint64_t *words, int64_t step, int64_t count, int64_t groups, const R *table, R *sums) {
    constexpr int L = Lanes<R>::count;
    if (GROUPS) groups = GROUPS;
    for (int64_t x = 0; x < count; ++x, words += step, sums += V * L) {
        const uint64_t word = *words;
        if (!word) continue;
        Vec<R> sum[V];
        for (int v = 0; v < V; ++v) sum[v] = load(sums + v * L);
        for (int64_t g = 0; g < groups; ++g) {
            const R *entry = table + (g * 16 + (word >> (8 * g) & 15)) * V * L;
            for (int v = 0; v < V; ++v) sum[v] += load(entry + v * L);
        }
        for (int v = 0; v < V; ++v) store(sums + v * L, sum[v]);
    }
}

// The same from the weights themselves; zeros stand in for those that are absent.
template <class R, int V>
inline void add_from_weights(const uint64_t *words, int64_t step, int64_t count, const R *weights, R scale, R *sums) {
    constexpr int L = Lanes<R>::count;
    static const R zeros[V * L] = {};
    for (int64_t x = 0; x < count; ++x, words += step, sums += V * L) {
        Vec<R> sum[V];
        for (int v = 0; v < V; ++v) sum[v] = load(sums + v * L);
        const R *four = weights;
        for (uint64_t word = *words; word; word >>= 8, four += 4 * V * L) {
            const R *w[4];
            for (int i = 0; i < 4; ++i) w[i] = word >> i & 1 ? four + i * V * L : zeros;
            for (int v = 0; v < V; ++v)
                sum[v] += ((load(w[0] + v * L) + load(w[1] + v * L)) + (load(w[2] + v * L) + load(w[3] + v * L))) * scale;
        }
        for (int v = 0; v < V; ++v) store(sums + v * L, sum[v]);
    }
}

// A part of one sample's picture, for a slice of maps.
struct Tile {
    int64_t sample, slice, top, bottom, left, right;
    int64_t rows() const { return bottom - top; }
    int64_t columns() const { return right - left; }
    int64_t size() const { return rows() * columns(); }
};

// Whole pooling windows, and enough tiles for every thread.
struct Tiling {
    int64_t batch, slices, height, width, rows, columns, down, across, steps;
    explicit Tiling(const SpikeShape &s) : batch(s.batch), slices(s.slices()), height(s.out_height()), width(s.out_width()) {
        columns = std::min(width, std::max<int64_t>(TILE / s.pool, 1) * s.pool);
        across = (width + columns - 1) / columns;
        rows = height;
        while (rows > s.pool && (rows * columns > TILE || batch * slices * across * ((height + rows - 1) / rows) < 2 * s.threads))
            rows = (rows / 2 + s.pool - 1) / s.pool * s.pool;
        down = (height + rows - 1) / rows;
        steps = std::min(s.steps, std::max<int64_t>(TILE / (rows * columns), 1));
    }
    int64_t count() const { return slices * batch * down * across; }
    Tile tile(int64_t index) const {
        const int64_t x = index % across * columns, y = index / across % down * rows, rest = index / across / down;
        return {rest % batch, rest / batch, y, std::min(y + rows, height), x, std::min(x + columns, width)};
    }
};

// The sums of a layer, for a number type and so many vectors of maps in a slice; T is what weights and tables are of.
template <class R, int V, class T = R>
struct Sums {
    typedef R Number;
    typedef T Weight;
    static constexpr int LANES = V * Lanes<R>::count, WEIGHT_VECTORS = LANES / Lanes<T>::count;
    static constexpr bool IS_NARROW = !std::is_same_v<R, T>;
    SpikeShape shape;
    const uint64_t *words;
    int64_t planes;  // the bits of the inputs that occur
    const T *weights;
    const R *quanta;  // of narrow weights, [slices * lanes]

    // Fills `sums` [steps][rows][columns][LANES] of a tile, from step `first`; `narrow` has the same shape.
    void fill(const Tile &tile, int64_t first, int64_t steps, T *table, T *narrow, R *sums) const {
        const int64_t num_words = shape.words(), blocks = shape.kernel_height * shape.kernel_width * num_words;
        const T *slice = weights + tile.slice * blocks * 32 * LANES;
        const uint64_t *from = words + (first * shape.batch + tile.sample) * shape.pixels();
        const int64_t all = shape.pictures() * shape.pixels();  // pixels
        T *to;
        if constexpr (IS_NARROW) std::fill_n(to = narrow, steps * tile.size() * LANES, T(0));
        else to = sums;
        std::fill_n(sums, steps * tile.size() * LANES, R(0));
        for (int64_t bit = 0; planes >> bit; ++bit) {
            if (!(planes >> bit & 1)) continue;
            const R scale = R(int64_t(1) << bit);
            for (int64_t block = 0; block < blocks; ++block) {
                const int64_t tap = block / num_words, word = block % num_words;
                add_tap(tile, from + word * all, steps, tap, std::min<int64_t>(8, (shape.channels - word * 32 + 3) / 4),
                        slice + block * 32 * LANES, IS_NARROW ? T(1) : T(scale), table, to);
                if constexpr (IS_NARROW)
                    if ((block + 1) % RUN == 0 || block + 1 == blocks) collect(tile, steps, scale, narrow, sums);
            }
            from += num_words * all;
        }
    }
    // Moves narrow sums, times their quanta, to the others.
    void collect(const Tile &tile, int64_t steps, R scale, T *narrow, R *sums) const {
        constexpr int L = Lanes<R>::count;
        typedef T Few __attribute__((vector_size(L * sizeof(T))));
        Vec<R> quantum[V];
        for (int v = 0; v < V; ++v) quantum[v] = load(quanta + tile.slice * LANES + v * L) * scale;
        for (T *end = narrow + steps * tile.size() * LANES; narrow < end; narrow += LANES, sums += LANES)
            for (int v = 0; v < V; ++v) {
                Few whole, none{};
                std::memcpy(&whole, narrow + v * L, sizeof whole);
                std::memcpy(narrow + v * L, &none, sizeof none);
                store(sums + v * L, load(sums + v * L) + __builtin_convertvector(whole, Vec<R>) * quantum[v]);
            }
    }
    // Adds what one tap brings from 32 channels.
    void add_tap(const Tile &tile, const uint64_t *from, int64_t steps, int64_t tap, int64_t groups, const T *block, T scale,
                 T *table, T *sums) const {
        const int64_t stride = shape.stride, up = tap / shape.kernel_width - shape.padding;
        const int64_t aside = tap % shape.kernel_width - shape.padding;
        // The columns whose input lies in the picture.
        const int64_t left = std::max(tile.left, aside < 0 ? (-aside + stride - 1) / stride : 0);
        const int64_t right = std::min(tile.right, aside < shape.width ? (shape.width - aside + stride - 1) / stride : 0);
        if (left >= right) return;
        const bool is_small = steps * tile.size() < FEW;
        if (!is_small) make_table<T, WEIGHT_VECTORS>(block, groups, scale, table);
        // The weights of the next table are fetched meanwhile.
        for (const T *next = block + 32 * LANES; next < block + 64 * LANES; next += 64 / sizeof(T)) __builtin_prefetch(next);
        int64_t count = right - left, rows = tile.rows(), pitch = tile.columns() * LANES;
        // Rows that lie one after the other are one, and so are steps.
        if (stride == 1 && up == 0 && count == shape.width && count == tile.columns() && tile.bottom <= shape.height) {
            if (rows == shape.height && shape.batch == 1) rows *= std::exchange(steps, 1);
            count *= rows;
            pitch *= std::exchange(rows, 1);
        }
        for (int64_t t = 0; t < steps; ++t, from += shape.batch * shape.pixels())
            for (int64_t y = tile.top; y < tile.top + rows; ++y, sums += pitch) {
                const int64_t above = y * stride + up;
                if (above < 0 || above >= shape.height) continue;
                const uint64_t *row = from + above * shape.width + left * stride + aside;
                T *to = sums + (left - tile.left) * LANES;
                if (is_small) add_from_weights<T, WEIGHT_VECTORS>(row, stride, count, block, scale, to);
                else if (groups == 8) add_from_table<T, WEIGHT_VECTORS, 8>(row, stride, count, groups, table, to);
                else add_from_table<T, WEIGHT_VECTORS, 0>(row, stride, count, groups, table, to);
            }
    }
};

// Calls make() for each thread, and what that gives with (tile, first step, steps, sums) in the order of the steps.
template <class Sums, class Make>
void for_sums(const Sums &sums, Make make) {
    typedef typename Sums::Number R;
    typedef typename Sums::Weight T;
    constexpr int64_t LANES = Sums::LANES, TABLE = 8 * 16 * LANES;
    const Tiling tiling(sums.shape);
    const SpikeShape &s = sums.shape;
    const int64_t work = s.pictures() * tiling.height * tiling.width * s.maps * s.channels;
    const int threads = work < SMALL_WORK ? 1 : int(std::min(s.threads, tiling.count()));
#pragma omp parallel num_threads(threads)
    {
        const int64_t size = tiling.steps * tiling.rows * tiling.columns * LANES;
        std::vector<T> tables(TABLE + (Sums::IS_NARROW ? size : 0) + ALIGNMENT<T>);
        std::vector<R> memory(size + ALIGNMENT<R>);
        T *table = aligned(tables.data());
        R *all = aligned(memory.data());
        auto use = make(tiling);
#pragma omp for schedule(dynamic, 1)
        for (int64_t index = 0; index < tiling.count(); ++index) {
            const Tile tile = tiling.tile(index);
            for (int64_t t = 0; t < s.steps; t += tiling.steps) {
                const int64_t steps = std::min(tiling.steps, s.steps - t);
                sums.fill(tile, t, steps, table, table + TABLE, all);
                use(tile, t, steps, all);
            }
        }
    }
}

// The sums themselves, [T,B,H2,W2,O].
template <class Sums>
void write(const Sums &sums, typename Sums::Number *out) {
    const SpikeShape &s = sums.shape;
    for_sums(sums, [&](const Tiling &tiling) {
        return [&](const Tile &tile, int64_t first, int64_t steps, const typename Sums::Number *from) {
            const int64_t map = tile.slice * s.lanes, count = std::min(s.lanes, s.maps - map);
            for (int64_t t = first; t < first + steps; ++t)
                for (int64_t y = tile.top; y < tile.bottom; ++y)
                    for (int64_t x = tile.left; x < tile.right; ++x, from += s.lanes)
                        std::copy_n(from, count,
                                    out + (((t * s.batch + tile.sample) * tiling.height + y) * tiling.width + x) * s.maps + map);
        };
    });
}

// ---- neurons ----

// What belongs to each map, in the order of the maps.
template <class R>
struct MapValues {
    const R *leak, *scale, *shift;
    int64_t num_leaks;
};

// One thread's neurons of one tile after the other, through time.
template <class S, int V>
struct Neurons {
    typedef Real<S> R;
    static constexpr int L = Lanes<R>::count, LANES = V * L;
    SpikeShape shape;
    Neuron<R> neuron;
    MapValues<R> values;
    const R *start;  // [B,H2,W2,O], or null: from rest
    Spikes<S> spikes;
    R *end;
    int64_t height, width, rows, columns;  // of pictures and of pooled ones
    std::vector<R> memory;
    Vec<R> leak[V], gain[V], scale[V], shift[V];
    int64_t num_spikes = 0;

    Neurons(const Tiling &tiling, const SpikeShape &s, const NeuronParams &p, const MapValues<R> &m, const R *v0, S *out, R *v1)
        : shape(s), neuron(p), values(m), start(v0), spikes{out, 0, s.maps}, end(v1), height(tiling.height),
          width(tiling.width), rows(height / s.pool), columns(width / s.pool),
          memory(tiling.rows * tiling.columns * LANES + ALIGNMENT<R>) {
        spikes.pixels = s.pictures() * rows * columns;
    }
    R *voltages() { return aligned(memory.data()); }  // [rows][columns][LANES] of the tile

    void run(const Tile &tile, int64_t first, int64_t steps, const R *sums) {
        if (first == 0) begin(tile);
        for (int64_t t = first; t < first + steps; ++t, sums += tile.size() * LANES) advance(tile, t, sums);
        if (first + steps == shape.steps)
            for_pixels(tile, [&](R *v, int64_t at, int64_t count) { std::copy_n(v, count, end + at); });
    }
    void begin(const Tile &tile) {
        const int64_t map = tile.slice * LANES, count = std::min<int64_t>(LANES, shape.maps - map);
        for (int v = 0; v < V; ++v)
            for (int lane = 0; lane < L; ++lane) {
                const int64_t i = v * L + lane;
                leak[v][lane] = i < count ? values.leak[values.num_leaks == 1 ? 0 : map + i] : R(0);
                scale[v][lane] = i < count && values.scale ? values.scale[map + i] : R(1);
                shift[v][lane] = i < count && values.shift ? values.shift[map + i] : R(0);
                gain[v][lane] = neuron.gain(leak[v][lane]);
            }
        std::fill(memory.begin(), memory.end(), neuron.v_reset);
        if (start) for_pixels(tile, [&](R *v, int64_t at, int64_t count) { std::copy_n(start + at, count, v); });
    }
    template <class Use>
    void for_pixels(const Tile &tile, Use use) {
        const int64_t map = tile.slice * LANES, count = std::min<int64_t>(LANES, shape.maps - map);
        R *v = voltages();
        for (int64_t y = tile.top; y < tile.bottom; ++y)
            for (int64_t x = tile.left; x < tile.right; ++x, v += LANES)
                use(v, ((tile.sample * height + y) * width + x) * shape.maps + map, count);
    }
    void advance(const Tile &tile, int64_t t, const R *sums) {
        const int64_t map = tile.slice * LANES, pool = shape.pool, pitch = tile.columns() * LANES;
        const int64_t down = tile.rows() / pool, across = tile.columns() / pool;
        const int64_t pixel = ((t * shape.batch + tile.sample) * rows + tile.top / pool) * columns + tile.left / pool;
        for (int v = 0; v < V && map + v * L < shape.maps; ++v) {
            const int lanes = int(std::min<int64_t>(L, shape.maps - map - v * L));
            const Vec<R> a = leak[v], b = gain[v], c = scale[v], d = shift[v];
            R *state = voltages() + v * L;
            S *to = spikes.at(pixel, map + v * L);
            Mask<R> tally{};
            auto one = [&](int64_t at) {
                const Vec<R> h = neuron.charge(load(state + at), load(sums + v * L + at) * c + d, a, b);
                const Mask<R> fired = neuron.fires(h);
                store(state + at, neuron.reset(h, fired));
                tally = fired ? tally + 1 : tally;
                return h;
            };
            for (int64_t row = 0; row < down; ++row)
                for (int64_t column = 0; column < across; ++column) {
                    Vec<R> most = splat<R>(neuron.limit);
                    for (int64_t i = 0; i < pool; ++i)
                        for (int64_t j = 0; j < pool; ++j)
                            most = larger(one((row * pool + i) * pitch + (column * pool + j) * LANES), most);
                    store_spikes(to + (row * columns + column) * spikes.pitch(), neuron.fires(most), lanes);
                }
            // What floor mode leaves out of the pool fires all the same.
            for (int64_t row = 0; row < tile.rows(); ++row)
                for (int64_t column = row < down * pool ? across * pool : 0; column < tile.columns(); ++column)
                    one(row * pitch + column * LANES);
            for (int lane = 0; lane < lanes; ++lane) num_spikes += tally[lane];
        }
    }
};

template <class S, class Sums>
double layer(const Sums &sums, const NeuronParams &params, const MapValues<Real<S>> &values, const Real<S> *start,
             S *spikes, Real<S> *end) {
    constexpr int V = Sums::LANES / Lanes<Real<S>>::count;
    int64_t total = 0;
    for_sums(sums, [&](const Tiling &tiling) {
        return [&, neurons = Neurons<S, V>(tiling, sums.shape, params, values, start, spikes, end)](
                   const Tile &tile, int64_t first, int64_t steps, const Real<S> *from) mutable {
            neurons.num_spikes = 0;
            neurons.run(tile, first, steps, from);
#pragma omp atomic
            total += neurons.num_spikes;
        };
    });
    return double(total);
}

// Calls use(sums) with as many vectors in a slice as Python arranged the weights for.
template <class R, class Use>
void with_sums(const SpikeShape &shape, const uint64_t *words, int64_t planes, const void *weights, Use use) {
    constexpr int VECTORS = 128 / VECTOR_BYTES;
    const R *numbers = static_cast<const R *>(weights);
    if (shape.lanes * sizeof(R) == 128) use(Sums<R, VECTORS>{shape, words, planes, numbers, nullptr});
    else use(Sums<R, VECTORS / 2>{shape, words, planes, numbers, nullptr});
}
// The same where weights are narrow if they have quanta.
template <class S, class Use>
void with_layer_sums(const SpikeShape &shape, const uint64_t *words, int64_t planes, const void *weights,
                     const Real<S> *quanta, Use use) {
    if constexpr (std::is_same_v<S, bfloat16> || std::is_same_v<S, four_spikes>)
        if (quanta)
            return use(Sums<float, 128 / VECTOR_BYTES, int16_t>{shape, words, planes, static_cast<const int16_t *>(weights), quanta});
    with_sums<Real<S>>(shape, words, planes, weights, use);
}

}  // namespace

#define SPIKE_PACK(NAME, S)                                                                                         \
    extern "C" void spike_pack_##NAME(const SpikeShape *shape, const S *inputs, int64_t plane, uint64_t *words,     \
                                      int64_t *seen) {                                                              \
        *seen = pack(*shape, inputs, int(plane), words);                                                            \
    }
SPIKE_PACK(float32, float)
SPIKE_PACK(bfloat16, bfloat16)
SPIKE_PACK(float64, double)

extern "C" void spike_flatten_packed(const SpikeShape *shape, const uint64_t *words, uint64_t *rows) {
    flatten(*shape, words, rows);
}

#define SPIKE_LAYER(NAME, S)                                                                                        \
    extern "C" void spike_layer_##NAME(const SpikeShape *shape, const NeuronParams *neuron, const uint64_t *words,  \
                                       int64_t planes, const void *weights, const Real<S> *quanta,                  \
                                       const Real<S> *leak, int64_t num_leaks, const Real<S> *scale,                \
                                       const Real<S> *shift, const Real<S> *start, S *spikes, Real<S> *end,         \
                                       double *num_spikes) {                                                        \
        with_layer_sums<S>(*shape, words, planes, weights, quanta, [&](auto sums) {                                 \
            *num_spikes = layer<S>(sums, *neuron, {leak, scale, shift, num_leaks}, start, spikes, end);             \
        });                                                                                                         \
    }
SPIKE_LAYER(float32, float)
SPIKE_LAYER(bfloat16, bfloat16)
SPIKE_LAYER(float64, double)
SPIKE_LAYER(packed, four_spikes)

#define SPIKE_SUMS(NAME, R)                                                                                  \
    extern "C" void spike_sums_##NAME(const SpikeShape *shape, const uint64_t *words, int64_t planes,        \
                                      const R *weights, R *out) {                                            \
        with_sums<R>(*shape, words, planes, weights, [&](auto sums) { write(sums, out); });                  \
    }
SPIKE_SUMS(float32, float)
SPIKE_SUMS(float64, double)
