// The product of a matrix and rows that are mostly zeros: sums of weight rows.
//
// Some rows at a time go through the weights, which stay in the second-level cache for all of
// them. Each row's sums are made in the order of its inputs, whatever rows are beside it.
#include <algorithm>
#include <array>
#include <vector>

#include "neuron.h"

using namespace snnface;

namespace {

constexpr int VECTORS = 8;              // of outputs, summed in registers
constexpr int64_t ROWS = 32;            // that go through the weights together
constexpr int64_t WEIGHT_BYTES = 512 << 10;  // a share of the second-level cache

// As Python hands it over (ctypes.Structure `_Shape`).
struct ProductShape {
    int64_t rows, inputs, outputs, threads;
};

// A row's numbers that are not zero, and how many of them have been added.
template <class R>
struct Events {
    std::vector<int64_t> places;
    std::vector<R> values;
    size_t begin, end;

    template <class S>
    void find(const S *row, int64_t length) {
        places.clear();
        values.clear();
        end = 0;
        for_nonzero(row, length, [&](int64_t i) {
            places.push_back(i);
            values.push_back(number(row[i]));
        });
    }
    // The events before input `limit` are next.
    void advance(int64_t limit) {
        for (begin = end; end < places.size() && places[end] < limit;) ++end;
    }
};

// Adds to COUNT vectors of outputs.
template <class R, int COUNT>
void add(const Events<R> &events, const R *weights, int64_t outputs, R *to) {
    constexpr int L = Lanes<R>::count;
    Vec<R> sums[COUNT];
    for (int v = 0; v < COUNT; ++v) sums[v] = load(to + v * L);
    for (size_t e = events.begin; e < events.end; ++e) {
        const R *from = weights + events.places[e] * outputs;
        for (int v = 0; v < COUNT; ++v) sums[v] += events.values[e] * load(from + v * L);
    }
    for (int v = 0; v < COUNT; ++v) store(to + v * L, sums[v]);
}

template <class R>
void add_all(const Events<R> &events, const R *weights, int64_t outputs, R *to) {
    constexpr int L = Lanes<R>::count;
    int64_t o = 0;
    for (; o + VECTORS * L <= outputs; o += VECTORS * L) add<R, VECTORS>(events, weights + o, outputs, to + o);
    for (; o + L <= outputs; o += L) add<R, 1>(events, weights + o, outputs, to + o);
    for (; o < outputs; ++o)
        for (size_t e = events.begin; e < events.end; ++e)
            to[o] += events.values[e] * weights[events.places[e] * outputs + o];
}

// weights [inputs][outputs], products [rows][outputs].
template <class S>
void product(const ProductShape &shape, const S *inputs, const Real<S> *weights, Real<S> *products) {
    typedef Real<S> R;
    const int64_t block = std::max<int64_t>(WEIGHT_BYTES / (shape.outputs * sizeof(R)), 1);
    const int64_t groups = (shape.rows + ROWS - 1) / ROWS;
    std::fill_n(products, shape.rows * shape.outputs, R(0));
#pragma omp parallel num_threads(int(std::min(shape.threads, groups)))
    {
        std::array<Events<R>, ROWS> events;
#pragma omp for schedule(dynamic, 1)
        for (int64_t group = 0; group < groups; ++group) {
            const int64_t first = group * ROWS, count = std::min(ROWS, shape.rows - first);
            for (int64_t i = 0; i < count; ++i) events[i].find(inputs + (first + i) * shape.inputs, shape.inputs);
            for (int64_t limit = block; limit < shape.inputs + block; limit += block)
                for (int64_t i = 0; i < count; ++i) {
                    events[i].advance(limit);
                    if (events[i].begin < events[i].end)
                        add_all(events[i], weights, shape.outputs, products + (first + i) * shape.outputs);
                }
        }
    }
}

}  // namespace

#define EVENT_PRODUCT(NAME, S)                                                                                \
    extern "C" void event_product_##NAME(const ProductShape *shape, const S *inputs, const Real<S> *weights, \
                                         Real<S> *products) {                                                \
        product(*shape, inputs, weights, products);                                                          \
    }
EVENT_PRODUCT(float32, float)
EVENT_PRODUCT(bfloat16, bfloat16)
EVENT_PRODUCT(float64, double)
