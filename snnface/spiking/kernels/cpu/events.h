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

    // The marks of `count` < 64 columns from `first`, which may lie outside the picture.
    uint64_t window(int64_t row, int64_t first, int64_t count) const {
        const uint64_t *bits = marks + row * words;
        const int64_t word = first >> 6, shift = first & 63;
        uint64_t seen = uint64_t(word) < uint64_t(words) ? bits[word] >> shift : 0;
        if (shift + count > 64 && uint64_t(word + 1) < uint64_t(words)) seen |= bits[word + 1] << (64 - shift);
        return seen & ((uint64_t(1) << count) - 1);
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
