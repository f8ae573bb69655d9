// Where the events of sparse pictures are, and the moments of the patches around all pixels.
#include <algorithm>
#include <vector>

#include "events.h"
#include "neuron.h"

using namespace snnface;

namespace {

constexpr int64_t PARTS = 64;            // of every long sum, whatever the number of threads
constexpr int64_t MOST_SUMS = 1 << 23;  // in all parts together

// ---- where the events are ----

// Pictures [T,B,C,H,W] in memory, or [T,B,H,W,C] where the channels lie innermost.
struct Layout {
    int64_t picture, channel, row, column;
    Layout(const EventShape &s, bool innermost)
        : picture(s.channels * s.height * s.width), channel(innermost ? 1 : s.height * s.width),
          row(innermost ? s.width * s.channels : s.width), column(innermost ? s.channels : 1) {}
};

// Calls use(b, t, y, inputs of the row) for all rows of all pictures, in parallel over the pictures.
template <class S, class Use>
void for_rows(const EventShape &shape, const Layout &layout, const S *inputs, Use use) {
#pragma omp parallel for num_threads(shape.threads) schedule(static)
    for (int64_t picture = 0; picture < shape.steps * shape.batch; ++picture)
        for (int64_t y = 0; y < shape.height; ++y)
            use(picture % shape.batch, picture / shape.batch, y, inputs + picture * layout.picture + y * layout.row);
}

// Marks the events of every picture, and finds where the values of each row will begin.
template <class S>
int64_t scan(const EventShape &shape, const S *inputs, bool innermost, uint64_t *marks, int64_t *offsets) {
    const Layout layout(shape, innermost);
    const int64_t words = shape.words(), channels = shape.channels;
    for_rows(shape, layout, inputs, [&](int64_t b, int64_t t, int64_t y, const S *from) {
        uint64_t *to = marks + shape.row(b, y, t, 0) * words;
        std::fill_n(to, channels * words, uint64_t(0));
        const int64_t runs = innermost ? shape.width : channels;
        for (int64_t run = 0; run < runs; ++run) {
            const uint64_t bit = uint64_t(1) << (run & 63);
            uint64_t *row = innermost ? to + (run >> 6) : to + run * words;
            if (innermost)
                for_nonzero(from + run * channels, channels, [&](int64_t c) { row[c * words] |= bit; });
            else
                for_marks(from + run * layout.channel, shape.width,
                          [&](int64_t x, uint64_t found) { row[x >> 6] |= found << (x & 63); });
        }
    });
    int64_t total = 0;
    for (int64_t row = 0; row < shape.num_rows(); ++row) {
        offsets[row] = total;
        for (int64_t word = 0; word < words; ++word) total += __builtin_popcountll(marks[row * words + word]);
    }
    return total;
}

template <class S>
void collect(const EventShape &shape, const S *inputs, bool innermost, const uint64_t *marks, const int64_t *offsets,
             Real<S> *values) {
    const Layout layout(shape, innermost);
    for_rows(shape, layout, inputs, [&](int64_t b, int64_t t, int64_t y, const S *from) {
        for (int64_t c = 0; c < shape.channels; ++c) {
            const int64_t row = shape.row(b, y, t, c);
            Real<S> *to = values + offsets[row];
            for (int64_t word = 0; word < shape.words(); ++word)
                for (uint64_t bits = marks[row * shape.words() + word]; bits; bits &= bits - 1)
                    *to++ = number(from[c * layout.channel + (word * 64 + __builtin_ctzll(bits)) * layout.column]);
        }
    });
}

// ---- moments of the patches ----

// First and second moments of the k x k patches around all pixels, zeros outside: sums, not means.
//
// Products of two values within reach are summed by their channels and distance, row against row,
// apart for the first and last `radius` rows and columns, where not every tap of a patch sees the
// pair. A row without events costs nothing.
template <class R>
struct Moments {
    EventShape shape;
    int64_t radius, reach, span, row_zones, column_zones;
    int64_t length;  // of one zone and one channel: its sum, then the pairs [dy 0..2r][channel][dx -2r..2r]
    int64_t pitch;   // of a row with zeros around

    explicit Moments(const EventShape &s)
        : shape(s), radius(s.radius()), reach(2 * radius), span(2 * reach + 1),
          row_zones(std::min(s.height, 2 * radius + 1)), column_zones(std::min(s.width, 2 * radius + 1)),
          length(1 + (reach + 1) * s.channels * span),
          pitch((s.width + Lanes<R>::count - 1) / Lanes<R>::count * Lanes<R>::count + 2 * reach) {}
    int64_t zones() const { return row_zones * column_zones; }
    int64_t size() const { return zones() * shape.channels * length; }

    // The zone of a row or column: its own near the borders, one for all between.
    int64_t zone(int64_t at, int64_t size) const {
        if (at < radius) return at;
        return at >= size - radius ? std::min(size, 2 * radius + 1) - (size - at) : radius;
    }
    // Whether tap `tap` of a patch with its centre in the picture can lie in this zone.
    bool sees(int64_t zone, int64_t tap, int64_t size) const {
        const int64_t zones = std::min(size, 2 * radius + 1);
        const int64_t at = zone <= radius && zone < zones - radius ? zone : size - (zones - zone);
        const int64_t centre = at + radius - tap;
        return centre >= 0 && centre < size;
    }

    // What a thread works in.
    struct Work {
        std::vector<R> picture;     // [C][H][pitch]
        std::vector<char> filled;   // [C][H]: whether the row has an event
        std::vector<R> sums;        // [C][length][lanes], of the rows of one zone in one picture
        std::vector<double> total;  // [row zones][C][length][lanes]
        explicit Work(const Moments &m)
            : picture(m.shape.channels * m.shape.height * m.pitch), filled(m.shape.channels * m.shape.height),
              sums(m.shape.channels * m.length * Lanes<R>::count), total(m.row_zones * sums.size()) {}
    };

    void copy_picture(const R *picture, Work &work) const {
        for (int64_t row = 0; row < shape.channels * shape.height; ++row) {
            const R *from = picture + row * shape.width;
            work.filled[row] = std::any_of(from, from + shape.width, [](R value) { return value != 0; });
            if (work.filled[row]) std::copy_n(from, shape.width, &work.picture[row * pitch + reach]);
        }
    }
    template <int SPAN>
    void correlate(const R *a, const R *b, R *sums) const {
        constexpr int L = Lanes<R>::count;
        Vec<R> sum[SPAN];
        for (int d = 0; d < SPAN; ++d) sum[d] = load(sums + d * L);
        for (int64_t x = 0; x < shape.width; x += L) {
            const Vec<R> value = load(a + x);
            for (int d = 0; d < SPAN; ++d) sum[d] += value * load(b + x + d - SPAN / 2);
        }
        for (int d = 0; d < SPAN; ++d) store(sums + d * L, sum[d]);
    }
    void correlate_rows(const R *a, const R *b, R *sums) const {
        if (span == 5) return correlate<5>(a, b, sums);
        if (span == 9) return correlate<9>(a, b, sums);
        for (int64_t d = 0; d < span; ++d) correlate<1>(a, b + d - reach, sums + d * Lanes<R>::count);
    }
    // `sums` [zones][C][length]: what border columns see, taken from the zone between, which gets whole rows.
    void add_picture(const R *picture, Work &work, double *sums) const {
        constexpr int L = Lanes<R>::count;
        copy_picture(picture, work);
        for (int64_t y = 0; y < shape.height; ++y) {
            for (int64_t c = 0; c < shape.channels; ++c) {
                if (!work.filled[c * shape.height + y]) continue;
                const R *row = &work.picture[(c * shape.height + y) * pitch + reach];
                R *to = &work.sums[c * length * L];
                for (int64_t x = 0; x < shape.width; x += L) store(to, load(to) + load(row + x));
                for_partners(work, y,
                             [&](const R *other, int64_t place) { correlate_rows(row, other, to + place * L); });
                for (int64_t x = 0; x < shape.width; ++x) {
                    if (x == radius && shape.width > 2 * radius) x = shape.width - radius;
                    if (x < shape.width && row[x] != 0) add_border(work, c, y, x, row[x], sums);
                }
            }
            if (y + 1 == shape.height || zone(y + 1, shape.height) != zone(y, shape.height)) {
                double *total = &work.total[zone(y, shape.height) * work.sums.size()];
                for (size_t i = 0; i < work.sums.size(); ++i) total[i] += work.sums[i];
                std::fill(work.sums.begin(), work.sums.end(), R(0));
            }
        }
    }
    template <class Use>
    void for_partners(const Work &work, int64_t y, Use use) const {
        for (int64_t dy = 0; dy <= std::min(reach, shape.height - 1 - y); ++dy)
            for (int64_t other = 0; other < shape.channels; ++other)
                if (work.filled[other * shape.height + y + dy])
                    use(&work.picture[(other * shape.height + y + dy) * pitch + reach],
                        1 + (dy * shape.channels + other) * span);
    }
    void add_border(const Work &work, int64_t c, int64_t y, int64_t x, double value, double *sums) const {
        double *rows = sums + zone(y, shape.height) * column_zones * shape.channels * length;
        double *border = rows + (zone(x, shape.width) * shape.channels + c) * length;
        double *between = shape.width > 2 * radius ? rows + (radius * shape.channels + c) * length : nullptr;
        auto move = [&](int64_t place, double amount) {
            border[place] += amount;
            if (between) between[place] -= amount;
        };
        move(0, value);
        for_partners(work, y, [&](const R *other, int64_t place) {
            for (int64_t d = 0; d < span; ++d) move(place + d, value * double(other[x + d - reach]));
        });
    }
    // Whole rows belong to the zone between the borders, if there is one; else the borders have them all.
    void add_totals(const Work &work, double *sums) const {
        constexpr int L = Lanes<R>::count;
        if (shape.width <= 2 * radius) return;
        for (int64_t z = 0; z < row_zones; ++z)
            for (int64_t i = 0; i < shape.channels * length; ++i)
                for (int lane = 0; lane < L; ++lane)
                    sums[(z * column_zones + radius) * shape.channels * length + i] +=
                        work.total[(z * shape.channels * length + i) * L + lane];
    }
    void assemble(const double *sums, double *first, double *second) const {
        const int64_t kernel = shape.kernel, taps = shape.taps();
        std::vector<int64_t> seen;
        for (int64_t i = 0; i < taps; ++i) {
            const int64_t c = i / (kernel * kernel), ky = i / kernel % kernel, kx = i % kernel;
            seen.clear();
            for (int64_t z = 0; z < zones(); ++z)
                if (sees(z / column_zones, ky, shape.height) && sees(z % column_zones, kx, shape.width))
                    seen.push_back((z * shape.channels + c) * length);
            first[i] = 0;
            for (int64_t at : seen) first[i] += sums[at];
            for (int64_t j = 0; j < taps; ++j) {
                const int64_t other = j / (kernel * kernel), dy = j / kernel % kernel - ky, dx = j % kernel - kx;
                if (dy < 0) continue;
                double value = 0;
                for (int64_t at : seen) value += sums[at + 1 + (dy * shape.channels + other) * span + dx + reach];
                second[i * taps + j] = second[j * taps + i] = value;
            }
        }
    }
};

template <class R>
void moments(const EventShape &shape, const R *inputs, double *first, double *second) {
    const Moments<R> all(shape);
    const int64_t pictures = shape.steps * shape.batch, size = all.size();
    const int64_t parts = std::min({PARTS, pictures, std::max<int64_t>(1, MOST_SUMS / size)});
    const int64_t picture = shape.channels * shape.height * shape.width;
    std::vector<double> partial(parts * size, 0.0);
#pragma omp parallel for num_threads(shape.threads) schedule(dynamic, 1)
    for (int64_t part = 0; part < parts; ++part) {
        typename Moments<R>::Work work(all);
        for (int64_t index = part * pictures / parts; index < (part + 1) * pictures / parts; ++index)
            all.add_picture(inputs + index * picture, work, partial.data() + part * size);
        all.add_totals(work, partial.data() + part * size);
    }
    for (int64_t part = 1; part < parts; ++part)
        for (int64_t j = 0; j < size; ++j) partial[j] += partial[part * size + j];
    all.assemble(partial.data(), first, second);
}

}  // namespace

#define EVENT_ROWS(NAME, S)                                                                                            \
    extern "C" void event_scan_##NAME(const EventShape *shape, const S *inputs, int64_t innermost, uint64_t *marks,    \
                                      int64_t *offsets, int64_t *num_events) {                                         \
        *num_events = scan(*shape, inputs, innermost, marks, offsets);                                                 \
    }                                                                                                                  \
    extern "C" void event_values_##NAME(const EventShape *shape, const S *inputs, int64_t innermost,                   \
                                        const uint64_t *marks, const int64_t *offsets, Real<S> *values) {              \
        collect(*shape, inputs, innermost, marks, offsets, values);                                                    \
    }
EVENT_ROWS(float32, float)
EVENT_ROWS(bfloat16, bfloat16)
EVENT_ROWS(float64, double)

#define EVENT_MOMENTS(NAME, R)                                                                                         \
    extern "C" void event_moments_##NAME(const EventShape *shape, const R *inputs, double *first, double *second) {    \
        moments(*shape, inputs, first, second);                                                                        \
    }
EVENT_MOMENTS(float32, float)
EVENT_MOMENTS(float64, double)
