// The inputs that are not zero: what the event-driven layer computes with.
//
// Layouts: inputs [T,B,C,H,W]; their events by rows [B,H,T,C], so that what a tile of neurons reads lies together.
#pragma once

#include <cstdint>

namespace snnface {

// As Python hands it over (ctypes.Structure `_Shape`).
struct EventShape {
    int64_t steps, batch, channels, height, width, maps, kernel, pool, threads;

    int64_t words() const { return (width + 63) / 64; }
    int64_t radius() const { return kernel / 2; }
    int64_t taps() const { return channels * kernel * kernel; }
    int64_t pooled_height() const { return height / pool; }
    int64_t pooled_width() const { return width / pool; }

    int64_t row(int64_t b, int64_t y, int64_t t, int64_t c) const {
        return ((b * height + y) * steps + t) * channels + c;
    }
    int64_t num_rows() const { return batch * height * steps * channels; }
};

// The inputs that are not zero.
template <class R>
struct Events {
    const uint64_t *marks;   // [rows][words]: bit x is set where there is an event
    const int64_t *offsets;  // [rows]: where the values of a row begin
    const R *values;         // row after row, by column
    int64_t words;

    // The marks of 64 columns, of those that lie from `first` to before `last`.
    uint64_t between(int64_t row, int64_t word, int64_t first, int64_t last) const {
        uint64_t bits = marks[row * words + word];
        if (first > word * 64) bits &= ~uint64_t(0) << (first - word * 64);
        if (last < word * 64 + 64) bits &= ~uint64_t(0) >> (word * 64 + 64 - last);
        return bits;
    }
    // The values of a row from column `first` on.
    const R *from(int64_t row, int64_t first) const {
        const R *value = values + offsets[row];
        if (first <= 0) return value;
        const uint64_t *bits = marks + row * words;
        for (int64_t word = 0; word < first >> 6; ++word) value += __builtin_popcountll(bits[word]);
        const int64_t rest = first & 63;
        return rest ? value + __builtin_popcountll(bits[first >> 6] << (64 - rest)) : value;
    }
};

}  // namespace snnface
