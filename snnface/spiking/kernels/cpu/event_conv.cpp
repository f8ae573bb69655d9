// The event-driven first layer: sparse pictures -> convolution -> affine -> neurons -> max-pool.
//
// The convolution's output never exists. Work is cut into tiles: two rows, a few columns and some
// maps of one sample, which run through all T steps in the first-level cache. A neuron is one number
// there: a step begins with what is left of its voltage plus the shift, each non-zero input adds a
// row of weights, already scaled, to the neurons that it reaches, and what has come together is h.
// The backward pass repeats a tile, keeps its h, and runs the adjoint recursion; what leaves it is
// the sum of dh (x) patch, which costs in proportion to the events too, the sum of dh, and the
// gradient of the leak. (dy is dh times a constant of the map.)
//
// A neuron sums in the order voltage, shift, then row, channel, column of the inputs, and sums over
// tiles are kept for a fixed number of parts and added in a fixed order: no result depends on the
// number of threads, and no spike on the tiles.
//
// Layouts: weights [O,C,k,k]; spikes and their gradient [T,B,H/pool,W/pool,O]; voltages [B,H,W,O].
#include <algorithm>
#include <type_traits>
#include <vector>

#include "events.h"
#include "neuron.h"
#include "spikes.h"

using namespace snnface;

namespace {

constexpr int VECTORS = 2;        // of maps, in one tile
constexpr int64_t TILE_ROWS = 2;  // one row of pooling windows
constexpr int64_t FORWARD_COLUMNS = 64;
constexpr int64_t BACKWARD_BYTES = 640 << 10;  // of a tile's h over all steps: most of a second-level cache of 1 MB
constexpr int64_t PARTS = 64;                  // of every long sum, whatever the number of threads

template <class R>
constexpr int64_t MAPS = VECTORS * Lanes<R>::count;

template <class R>
void add_to(double *sums, Vec<R> x) {
    for (int lane = 0; lane < Lanes<R>::count; ++lane) sums[lane] += x[lane];
}

template <class R>
int64_t sum_of(Mask<R> counts, int64_t lanes) {
    int64_t sum = 0;
    for (int64_t lane = 0; lane < lanes; ++lane) sum += counts[lane];
    return sum;
}

// A layer with everything that belongs to one map padded to whole tiles of maps.
template <class R>
struct Layer {
    EventShape shape;
    Neuron<R> neuron;
    Events<R> events;
    const R *start;  // [B,H,W,O], or null: from rest
    int64_t num_groups;
    std::vector<R> weights;  // scaled, [groups][C,k,k][maps], kx running backwards: along a row of neurons
    std::vector<R> shift, leak;

    Layer(const EventShape &s, const NeuronParams &p, const Events<R> &e, const R *weight, const R *scales,
          const R *shifts, const R *leaks, int64_t num_leaks, const R *v)
        : shape(s), neuron(p), events(e), start(v), num_groups((s.maps + MAPS<R> - 1) / MAPS<R>),
          weights(num_groups * s.taps() * MAPS<R> + ALIGNMENT<R>), shift(num_groups * MAPS<R>), leak(shift.size()) {
        R *to = aligned(weights.data());
        for (int64_t o = 0; o < s.maps; ++o) {
            leak[o] = leaks[num_leaks == 1 ? 0 : o];
            const R gain = neuron.gain(leak[o]);
            shift[o] = gain * shifts[o];
            for (int64_t tap = 0; tap < s.taps(); ++tap)
                to[(o / MAPS<R> * s.taps() + along(tap)) * MAPS<R> + o % MAPS<R>] =
                    gain * (scales[o] * weight[o * s.taps() + tap]);
        }
    }
    int64_t along(int64_t tap) const {
        const int64_t kx = tap % shape.kernel;
        return tap - kx + shape.kernel - 1 - kx;
    }
    const R *group_weights(int64_t group) const { return aligned(weights.data()) + group * shape.taps() * MAPS<R>; }
};

struct Tile {
    int64_t sample, top, bottom, left, right;
    int64_t rows() const { return bottom - top; }
    int64_t columns() const { return right - left; }
};

// Numbers of a tile's neurons, [rows][columns + 4 radius][maps]: neurons beyond its sides are reached
// by events too, and mean nothing.
template <class R>
struct Field {
    int64_t pitch, size, inside;
    Field(const EventShape &shape, const Tile &tile)
        : pitch((tile.columns() + 4 * shape.radius()) * MAPS<R>), size(tile.rows() * pitch),
          inside(2 * shape.radius() * MAPS<R>) {}
};

struct Tiling {
    EventShape shape;
    int64_t columns, down, across;
    Tiling(const EventShape &s, int64_t c)
        : shape(s), columns(c), down((s.height + TILE_ROWS - 1) / TILE_ROWS), across((s.width + c - 1) / c) {}
    int64_t count() const { return shape.batch * down * across; }
    Tile tile(int64_t index) const {
        const int64_t x = index % across * columns, y = index / across % down * TILE_ROWS;
        return {index / across / down, y, std::min(y + TILE_ROWS, shape.height), x, std::min(x + columns, shape.width)};
    }
};

// Calls reach(value, offset of the weights, neurons) for every row of `kernel` neurons that every
// event of step t reaches. Returns whether there was an event.
template <class R, int KERNEL, class Reach>
inline bool for_events(const Layer<R> &layer, const Tile &tile, int64_t t, R *field, Reach reach) {
    const EventShape &shape = layer.shape;
    const int64_t kernel = KERNEL ? KERNEL : shape.kernel, radius = kernel / 2;
    const int64_t pitch = Field<R>(shape, tile).pitch;
    const int64_t top = std::max<int64_t>(0, tile.top - radius), bottom = std::min(shape.height, tile.bottom + radius);
    const int64_t left = std::max<int64_t>(0, tile.left - radius), right = std::min(shape.width, tile.right + radius);
    uint64_t found = 0;
    for (int64_t y = top; y < bottom; ++y) {
        // The neurons of row y' = y + radius - ky lie in the tile.
        const int64_t first = std::max<int64_t>(0, y + radius - tile.bottom + 1);
        const int64_t last = std::min<int64_t>(kernel - 1, y + radius - tile.top);
        const int64_t row = shape.row(tile.sample, y, t, 0);
        auto events_of_row = [&](auto rows) {
            for (int64_t c = 0; c < shape.channels; ++c)
                for (int64_t word = left / 64; word * 64 < right; ++word) {
                    uint64_t bits = layer.events.between(row + c, word, left, right);
                    if (!bits) continue;
                    found |= bits;
                    const R *value = layer.events.from(row + c, std::max(left, word * 64));
                    const int64_t row_at = (y + radius - first - tile.top) * pitch;
                    const int64_t at = row_at + (word * 64 - tile.left + radius) * MAPS<R>;
                    for (; bits; bits &= bits - 1, ++value) {
                        R *neurons = field + (at + __builtin_ctzll(bits) * MAPS<R>);
                        for (int64_t i = 0; i < rows; ++i)
                            reach(*value, (c * kernel + first + i) * kernel * MAPS<R>, neurons - i * pitch);
                    }
                }
        };
        // A constant number of rows: the loop over the events, whose end nobody can foresee, has no other branch.
        if (last == first) events_of_row(std::integral_constant<int64_t, 1>());
        else events_of_row(std::integral_constant<int64_t, TILE_ROWS>());
    }
    return found;
}

template <class R, int KERNEL>
bool add_events(const Layer<R> &layer, const Tile &tile, int64_t t, const R *weights, R *field) {
    constexpr int L = Lanes<R>::count;
    const int64_t length = (KERNEL ? KERNEL : layer.shape.kernel) * VECTORS;
    return for_events<R, KERNEL>(layer, tile, t, field, [=](R value, int64_t offset, R *neurons) {
        for (int64_t j = 0; j < length; ++j)
            store(neurons + j * L, load(neurons + j * L) + value * load(weights + offset + j * L));
    });
}
template <class R>
bool add_events(const Layer<R> &layer, const Tile &tile, int64_t t, const R *weights, R *field) {
    return layer.shape.kernel == 3 ? add_events<R, 3>(layer, tile, t, weights, field)
                                   : add_events<R, 0>(layer, tile, t, weights, field);
}

// outer [C,k,k][maps] += dh (x) patch, of one step.
template <class R, int KERNEL>
void add_outer(const Layer<R> &layer, const Tile &tile, int64_t t, R *gradients, R *outer) {
    constexpr int L = Lanes<R>::count;
    const int64_t length = (KERNEL ? KERNEL : layer.shape.kernel) * VECTORS;
    for_events<R, KERNEL>(layer, tile, t, gradients, [=](R value, int64_t offset, const R *neurons) {
        for (int64_t j = 0; j < length; ++j)
            store(outer + offset + j * L, load(outer + offset + j * L) + value * load(neurons + j * L));
    });
}

// One vector of maps of a layer. PLAIN: reset to 0, no gradient through the reset.
template <class R, bool PLAIN>
struct Maps {
    Neuron<R> neuron;
    Vec<R> shift, leak;
    Maps(const Layer<R> &layer, int64_t first)
        : neuron(layer.neuron), shift(load(&layer.shift[first])), leak(load(&layer.leak[first])) {
        if (PLAIN) neuron.subtract = false, neuron.detach_reset = true, neuron.v_reset = 0;
    }
    // What a step begins with: h, but for the events.
    Vec<R> begun(Vec<R> v) const { return (v - leak * (v - neuron.v_reset)) + shift; }
    // The next step does not begin: v is left as it is, but for the sign of zero.
    void stay() { leak = Vec<R>{}, shift = splat<R>(-R(0)); }
    Vec<R> after(Vec<R> h) const { return neuron.reset(h, neuron.fires(h)); }
};

template <class S>
inline Vec<Real<S>> load_lanes(const S *from, int64_t lanes) {
    return lanes >= Lanes<Real<S>>::count ? load(from) : load_some(from, lanes);
}

// What the first step of a tile begins with; and the voltages at rest, or of the call before,
// [rows][columns][maps], where asked for.
template <class R, bool PLAIN>
void begin(const Layer<R> &layer, const Tile &tile, int64_t first_map, R *field, R *voltages = nullptr) {
    constexpr int L = Lanes<R>::count;
    const EventShape &shape = layer.shape;
    const Field<R> layout(shape, tile);
    std::fill(field, field + layout.size, R(0));
    const int64_t num_maps = std::min(MAPS<R>, shape.maps - first_map);
    for (int64_t v = 0; v < MAPS<R>; v += L) {
        const Maps<R, PLAIN> maps(layer, first_map + v);
        for (int64_t y = tile.top; y < tile.bottom; ++y)
            for (int64_t x = tile.left; x < tile.right; ++x) {
                const int64_t row = y - tile.top, column = x - tile.left;
                Vec<R> before = splat<R>(layer.neuron.v_reset);
                if (layer.start && v < num_maps) {
                    const R *from = layer.start + ((tile.sample * shape.height + y) * shape.width + x) * shape.maps;
                    before = load_lanes(from + first_map + v, num_maps - v);
                }
                store(field + row * layout.pitch + layout.inside + column * MAPS<R> + v, maps.begun(before));
                if (voltages) store(voltages + (row * tile.columns() + column) * MAPS<R> + v, before);
            }
    }
}

// Ends a step of one vector of maps of a tile: what has come together is h. The next step begins, but
// after the last one, whose voltages stay. Adds to `tally` the spikes before pooling. `pitch` leads from
// a pixel's spikes to the next one's.
template <class S, bool PLAIN>
void advance(const Maps<Real<S>, PLAIN> maps, const EventShape &shape, const Tile &tile, Real<S> *neurons, S *spikes,
             int64_t pitch, int64_t lanes, Mask<Real<S>> &tally) {
    typedef Real<S> R;
    const int64_t rows = tile.rows(), columns = tile.columns(), v_pitch = Field<R>(shape, tile).pitch;
    Mask<R> count{};
    auto one = [&](R *v) {
        const Vec<R> h = load(v);
        const Mask<R> fired = maps.neuron.fires(h);
        store(v, maps.begun(maps.neuron.reset(h, fired)));
        count = fired ? count + 1 : count;
        return h;
    };
    if (shape.pool == 1) {
        for (int64_t row = 0; row < rows; ++row) {
            R *v = neurons + row * v_pitch;
            S *to = spikes + row * shape.width * pitch;
            for (int64_t x = 0; x < columns; ++x, v += MAPS<R>, to += pitch)
                store_spikes(to, maps.neuron.fires(one(v)), lanes);
        }
    } else {
        R *v = neurons;
        const int64_t windows = rows == 2 ? columns / 2 : 0;
        for (int64_t x = 0; x < windows; ++x, v += 2 * MAPS<R>, spikes += pitch) {
            Vec<R> most = larger(one(v), splat<R>(maps.neuron.limit));
            most = larger(one(v + MAPS<R>), most);
            most = larger(one(v + v_pitch), most);
            most = larger(one(v + v_pitch + MAPS<R>), most);
            store_spikes(spikes, maps.neuron.fires(most), lanes);
        }
        // What floor mode leaves out of the pool fires all the same.
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t x = 2 * windows; x < columns; ++x) one(neurons + row * v_pitch + x * MAPS<R>);
    }
    tally += count;
}

template <class S>
void no_spikes(const EventShape &shape, const Tile &tile, S *spikes, int64_t pitch, int64_t lanes) {
    for (int64_t row = 0; row < tile.rows() / shape.pool; ++row)
        for (int64_t x = 0; x < tile.columns() / shape.pool; ++x)
            store_spikes(spikes + (row * shape.pooled_width() + x) * pitch, Mask<Real<S>>{}, lanes);
}

template <class S, bool PLAIN>
int64_t forward_tile(const Layer<Real<S>> &layer, const Tile &tile, int64_t group, std::vector<Real<S>> &work,
                     const Spikes<S> &spikes, Real<S> *end) {
    typedef Real<S> R;
    constexpr int L = Lanes<R>::count;
    const EventShape &shape = layer.shape;
    const Field<R> layout(shape, tile);
    const int64_t first_map = group * MAPS<R>, lanes_of_group = std::min(MAPS<R>, shape.maps - first_map);
    work.resize(2 * layout.size + ALIGNMENT<R>);
    R *field = aligned(work.data()), *before = field + layout.size;
    begin<R, PLAIN>(layer, tile, first_map, field);
    const int64_t picture = shape.pooled_height() * shape.pooled_width();
    int64_t pixel = tile.sample * picture + tile.top / shape.pool * shape.pooled_width() + tile.left / shape.pool;
    Mask<R> totals[VECTORS] = {};
    bool is_quiet = false;
    for (int64_t t = 0; t < shape.steps; ++t, pixel += shape.batch * picture) {
        // Where the next step's spikes go is too far from here for the processor to foresee.
        if (t + 1 < shape.steps) {
            const S *next = spikes.at(pixel + shape.batch * picture, first_map);
            for (int64_t i = 0; i < tile.columns() / shape.pool * spikes.pitch(); i += 64 / int64_t(sizeof(S)))
                __builtin_prefetch(next + i, 1);
        }
        const bool has_events = add_events(layer, tile, t, layer.group_weights(group), field);
        const bool is_last = t == shape.steps - 1;
        // Without events a step is a pure function of the voltages: once it changes nothing, it never will.
        is_quiet = is_quiet && !has_events;
        const bool watches = !has_events && !is_quiet && !is_last;
        if (watches) std::copy_n(field, layout.size, before);
        Mask<R> fired{};
        for (int64_t v = 0; v < lanes_of_group; v += L) {
            const int64_t lanes = std::min<int64_t>(L, lanes_of_group - v);
            S *to = spikes.at(pixel, first_map + v);
            if (is_quiet && !is_last) {
                no_spikes(shape, tile, to, spikes.pitch(), lanes);
                continue;
            }
            Maps<R, PLAIN> maps(layer, first_map + v);
            if (is_last) maps.stay();
            Mask<R> tally{};
            advance(maps, shape, tile, field + layout.inside + v, to, spikes.pitch(), lanes, tally);
            totals[v / L] += tally;
            fired |= tally;
        }
        if (watches) is_quiet = !sum_of<R>(fired, L) && !std::memcmp(before, field, layout.size * sizeof(R));
    }
    int64_t total = 0;
    for (int64_t v = 0; v < lanes_of_group; v += L)
        total += sum_of<R>(totals[v / L], std::min<int64_t>(L, lanes_of_group - v));
    for (int64_t y = tile.top; y < tile.bottom; ++y)
        for (int64_t x = tile.left; x < tile.right; ++x)
            std::copy_n(field + (y - tile.top) * layout.pitch + layout.inside + (x - tile.left) * MAPS<R>,
                        lanes_of_group,
                        end + ((tile.sample * shape.height + y) * shape.width + x) * shape.maps + first_map);
    return total;
}

template <class S, bool PLAIN>
int64_t forward(const Layer<Real<S>> &layer, S *memory, Real<S> *end) {
    const EventShape &shape = layer.shape;
    const Tiling tiling(shape, FORWARD_COLUMNS);
    const int64_t pixels = shape.steps * shape.batch * shape.pooled_height() * shape.pooled_width();
    const Spikes<S> spikes{memory, pixels, shape.maps};
    int64_t total = 0;
#pragma omp parallel num_threads(shape.threads) reduction(+ : total)
    {
        std::vector<Real<S>> work;
#pragma omp for schedule(dynamic, 2)
        for (int64_t index = 0; index < tiling.count() * layer.num_groups; ++index)
            total += forward_tile<S, PLAIN>(layer, tiling.tile(index % tiling.count()), index / tiling.count(), work,
                                            spikes, end);
    }
    return total;
}

// What a tile's backward pass works in, over all steps.
template <class R>
struct Records {
    std::vector<R> memory;
    R *start, *carried, *field, *gradients, *outer, *charged;
    int64_t size;
    void lay_out(const EventShape &shape, const Tile &tile) {
        size = tile.rows() * tile.columns() * MAPS<R>;
        const int64_t field_size = Field<R>(shape, tile).size;
        const int64_t small = 2 * size + 2 * field_size + shape.taps() * MAPS<R>;
        const size_t needed = small + size * shape.steps + ALIGNMENT<R>;
        if (memory.size() < needed) memory.resize(needed);
        start = aligned(memory.data());
        carried = start + size;
        field = carried + size;
        gradients = field + field_size;
        outer = gradients + field_size;
        charged = start + small;
        std::fill(carried, charged, R(0));
    }
};

// Keeps h of one step of one vector of maps, and begins the next step.
template <class R, bool PLAIN>
void record_step(const Maps<R, PLAIN> &maps, const Tile &tile, const Field<R> &layout, const Records<R> &records,
                 int64_t t, int64_t v) {
    R *h = records.charged + t * records.size + v;
    for (int64_t row = 0; row < tile.rows(); ++row) {
        R *u = records.field + row * layout.pitch + layout.inside + v;
        for (int64_t x = 0; x < tile.columns(); ++x, u += MAPS<R>, h += MAPS<R>) {
            const Vec<R> charged = load(u);
            store(h, charged);
            store(u, maps.begun(maps.after(charged)));
        }
    }
}

// The adjoint of one step of one vector of maps, from the gradient of its pooled spikes.
template <class S, bool PLAIN>
struct Adjoint {
    typedef Real<S> R;
    const Maps<R, PLAIN> &maps;
    Vec<R> remains, dh_sum{}, leak_sum{};
    Vec<R> d_count;       // gradient of every spike before pooling
    const R *h, *last;    // of this step; `last` is h of the step before, or the start
    R *carried, *gradients;
    bool is_first;

    // i: place in the tile; j: place in the field of gradients; ds: from the pool.
    Vec<R> charged(int64_t i) const { return load(h + i); }
    void settle(int64_t i, int64_t j, Vec<R> dh) {
        const Vec<R> before = is_first ? load(last + i) : maps.after(load(last + i));
        leak_sum += dh * (maps.neuron.v_reset - before);
        dh_sum += dh;
        store(carried + i, remains * dh);
        store(gradients + j, dh);
    }
    void one(int64_t i, int64_t j, Vec<R> ds) {
        const Vec<R> now = charged(i);
        settle(i, j, maps.neuron.adjoint(now, maps.neuron.fires(now), ds + d_count, load(carried + i)));
    }
    // torch's rule: the gradient goes to the first of the largest, row by row.
    void window(const int64_t (&i)[4], const int64_t (&j)[4], Vec<R> ds, bool counts) {
        Vec<R> now[4], chosen;
        Mask<R> fired[4], takes[4], taken{};
        for (int n = 0; n < 4; ++n) {
            now[n] = charged(i[n]);
            fired[n] = maps.neuron.fires(now[n]);
            takes[n] = fired[n] & ~taken;
            taken |= fired[n];
        }
        takes[0] |= ~taken;
        if (!PLAIN || counts) {
            for (int n = 0; n < 4; ++n) one(i[n], j[n], takes[n] ? ds : Vec<R>{});
            return;
        }
        // Only one of the four has a gradient of its own: one derivative serves.
        chosen = now[0];
        for (int n = 1; n < 4; ++n) chosen = takes[n] ? now[n] : chosen;
        const Vec<R> own = ds * maps.neuron.derivative(chosen);
        for (int n = 0; n < 4; ++n)
            settle(i[n], j[n], (takes[n] ? own : Vec<R>{}) + (fired[n] ? Vec<R>{} : load(carried + i[n])));
    }
};

template <class S, bool PLAIN>
void adjoint_step(Adjoint<S, PLAIN> adjoint, const EventShape &shape, const Tile &tile, const S *d_spikes,
                  int64_t lanes, bool counts, double *dh_sum, double *leak_sum) {
    typedef Real<S> R;
    const int64_t rows = tile.rows(), columns = tile.columns(), pool = shape.pool, num_maps = shape.maps;
    const int64_t pitch = columns * MAPS<R>, field_pitch = Field<R>(shape, tile).pitch;
    const int64_t windows = pool == 1 ? columns : rows == 2 ? columns / 2 : 0;
    if (pool == 1) {
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t x = 0; x < columns; ++x)
                adjoint.one(row * pitch + x * MAPS<R>, row * field_pitch + x * MAPS<R>,
                            load_lanes(d_spikes + (row * shape.width + x) * num_maps, lanes));
    } else {
        for (int64_t x = 0; x < windows; ++x) {
            const int64_t a = 2 * x * MAPS<R>;
            const int64_t i[4] = {a, a + MAPS<R>, a + pitch, a + pitch + MAPS<R>};
            const int64_t j[4] = {a, a + MAPS<R>, a + field_pitch, a + field_pitch + MAPS<R>};
            adjoint.window(i, j, load_lanes(d_spikes + x * num_maps, lanes), counts);
        }
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t x = 2 * windows; x < columns; ++x)
                adjoint.one(row * pitch + x * MAPS<R>, row * field_pitch + x * MAPS<R>, Vec<R>{});
    }
    add_to<R>(dh_sum, adjoint.dh_sum);
    add_to<R>(leak_sum, adjoint.leak_sum);
}

// Adds to sums [taps + 2][maps]: dh (x) patch, then dh, then dh times what the leak pulls v by.
template <class S, bool PLAIN>
void backward_tile(const Layer<Real<S>> &layer, const Tile &tile, int64_t group, Records<Real<S>> &records,
                   const S *d_spikes, double d_num_spikes, double *sums) {
    typedef Real<S> R;
    constexpr int L = Lanes<R>::count;
    const EventShape &shape = layer.shape;
    const Field<R> layout(shape, tile);
    const int64_t first_map = group * MAPS<R>;
    records.lay_out(shape, tile);
    begin<R, PLAIN>(layer, tile, first_map, records.field, records.start);
    for (int64_t t = 0; t < shape.steps; ++t) {
        add_events(layer, tile, t, layer.group_weights(group), records.field);
        for (int64_t v = 0; v < MAPS<R> && first_map + v < shape.maps; v += L)
            record_step(Maps<R, PLAIN>(layer, first_map + v), tile, layout, records, t, v);
    }
    const int64_t plane = shape.pooled_height() * shape.pooled_width() * shape.maps;
    d_spikes += tile.sample * plane + first_map +
                (tile.top / shape.pool * shape.pooled_width() + tile.left / shape.pool) * shape.maps;
    auto outer = shape.kernel == 3 ? add_outer<R, 3> : add_outer<R, 0>;
    for (int64_t t = shape.steps; t-- > 0;) {
        for (int64_t v = 0; v < MAPS<R> && first_map + v < shape.maps; v += L) {
            const Maps<R, PLAIN> maps(layer, first_map + v);
            const R *h = records.charged + t * records.size + v;
            const Adjoint<S, PLAIN> adjoint{maps, R(1) - maps.leak, {}, {}, splat<R>(R(d_num_spikes)), h,
                                            t ? h - records.size : records.start + v, records.carried + v,
                                            records.gradients + layout.inside + v, t == 0};
            adjoint_step(adjoint, shape, tile, d_spikes + t * shape.batch * plane + v,
                         std::min<int64_t>(L, shape.maps - first_map - v), d_num_spikes != 0,
                         sums + shape.taps() * MAPS<R> + v, sums + (shape.taps() + 1) * MAPS<R> + v);
        }
        outer(layer, tile, t, records.gradients, records.outer);
    }
    for (int64_t j = 0; j < shape.taps() * MAPS<R>; ++j) sums[j] += records.outer[j];
}

template <class S, bool PLAIN>
void backward(const Layer<Real<S>> &layer, const S *d_spikes, double d_num_spikes, double *outer, double *dh_sum,
              double *leak_sum) {
    typedef Real<S> R;
    const EventShape &shape = layer.shape;
    const int64_t column_bytes = shape.steps * TILE_ROWS * MAPS<R> * sizeof(R);
    const int64_t columns = std::clamp<int64_t>(BACKWARD_BYTES / column_bytes / 2 * 2, 2, FORWARD_COLUMNS);
    const Tiling tiling(shape, columns);
    const int64_t count = tiling.count(), parts = std::min(PARTS, count), length = (shape.taps() + 2) * MAPS<R>;
    std::vector<double> partial(layer.num_groups * parts * length, 0.0);
#pragma omp parallel num_threads(shape.threads)
    {
        Records<R> records;
#pragma omp for schedule(dynamic, 1)
        for (int64_t index = 0; index < layer.num_groups * parts; ++index) {
            const int64_t part = index % parts;
            for (int64_t tile = part * count / parts; tile < (part + 1) * count / parts; ++tile)
                backward_tile<S, PLAIN>(layer, tiling.tile(tile), index / parts, records, d_spikes, d_num_spikes,
                                        partial.data() + index * length);
        }
    }
    for (int64_t o = 0; o < shape.maps; ++o) {
        const double *sums = partial.data() + o / MAPS<R> * parts * length + o % MAPS<R>;
        auto total = [&](int64_t row) {
            double sum = 0;
            for (int64_t part = 0; part < parts; ++part) sum += sums[part * length + row * MAPS<R>];
            return sum;
        };
        for (int64_t tap = 0; tap < shape.taps(); ++tap) outer[o * shape.taps() + tap] = total(layer.along(tap));
        dh_sum[o] = total(shape.taps());
        leak_sum[o] = total(shape.taps() + 1);
    }
}

// Reset to 0, detached: the neuron of the paper has code of its own.
bool is_plain(const NeuronParams &p) { return !p.subtract && p.detach_reset && p.v_reset == 0; }

}  // namespace

#define EVENT_FORWARD(NAME, S)                                                                                         \
    extern "C" void event_forward_##NAME(                                                                              \
        const EventShape *shape, const NeuronParams *neuron, const uint64_t *marks, const int64_t *offsets,            \
        const Real<S> *values, const Real<S> *weight, const Real<S> *scale, const Real<S> *shift,                      \
        const Real<S> *leak, int64_t num_leaks, const Real<S> *start, S *spikes, Real<S> *end, double *num_spikes) {   \
        const Layer<Real<S>> layer(*shape, *neuron, {marks, offsets, values, shape->words()}, weight, scale, shift,    \
                                   leak, num_leaks, start);                                                            \
        *num_spikes = double((is_plain(*neuron) ? forward<S, true> : forward<S, false>)(layer, spikes, end));          \
    }
EVENT_FORWARD(float32, float)
EVENT_FORWARD(bfloat16, bfloat16)
EVENT_FORWARD(float64, double)
EVENT_FORWARD(packed, four_spikes)

#define EVENT_BACKWARD(NAME, S)                                                                                        \
    extern "C" void event_backward_##NAME(                                                                             \
        const EventShape *shape, const NeuronParams *neuron, const uint64_t *marks, const int64_t *offsets,            \
        const Real<S> *values, const Real<S> *weight, const Real<S> *scale, const Real<S> *shift,                      \
        const Real<S> *leak, int64_t num_leaks, const Real<S> *start, const S *d_spikes, double d_num_spikes,          \
        double *outer, double *dh_sum, double *leak_sum) {                                                             \
        const Layer<Real<S>> layer(*shape, *neuron, {marks, offsets, values, shape->words()}, weight, scale, shift,    \
                                   leak, num_leaks, start);                                                            \
        (is_plain(*neuron) ? backward<S, true> : backward<S, false>)(layer, d_spikes, d_num_spikes, outer, dh_sum,     \
                                                                     leak_sum);                                        \
    }
EVENT_BACKWARD(float32, float)
EVENT_BACKWARD(bfloat16, bfloat16)
EVENT_BACKWARD(float64, double)
