// Where the spikes of a layer go: numbers [T,B,H,W,O], or packed, a bit each.
//
// Packed spikes are words of 8 bytes, [words][T,B,H,W]: channel c is bit c % 4 of byte c / 4 % 8 of word c / 32. The
// four upper bits of a byte, and channels that there are not, are 0.
#pragma once

#include "neuron.h"

namespace snnface {

constexpr int64_t WORD_CHANNELS = 32;
constexpr int64_t WORD_BYTES = 8;

// A byte of packed spikes.
struct four_spikes {
    uint8_t bits;
};
template <>
struct RealOf<four_spikes> {
    typedef float type;
};

// Bits side by side -> four to a byte, and back.
inline uint64_t spread(uint64_t bits) {
#if defined(__BMI2__)
    return _pdep_u64(bits, 0x0f0f0f0f0f0f0f0f);
#else
    bits = (bits | bits << 16) & 0x0000ffff0000ffff;
    bits = (bits | bits << 8) & 0x00ff00ff00ff00ff;
    return (bits | bits << 4) & 0x0f0f0f0f0f0f0f0f;
#endif
}
inline uint32_t gathered(uint64_t word) {
    word = (word | word >> 4) & 0x00ff00ff00ff00ff;
    word = (word | word >> 8) & 0x0000ffff0000ffff;
    return uint32_t(word | word >> 16);
}

// The spikes of `maps` neurons at each of `pixels` places, all pictures together.
template <class S>
struct Spikes {
    S *memory;
    int64_t pixels, maps;
    int64_t pitch() const { return maps; }  // from a pixel to the next
    S *at(int64_t pixel, int64_t map) const { return memory + pixel * maps + map; }
};
template <>
struct Spikes<four_spikes> {
    four_spikes *memory;
    int64_t pixels, maps;
    int64_t pitch() const { return WORD_BYTES; }
    four_spikes *at(int64_t pixel, int64_t map) const {
        return memory + (map / WORD_CHANNELS * pixels + pixel) * WORD_BYTES + map % WORD_CHANNELS / 4;
    }
};

// Stores the spikes of a vector of neurons, or of its first `lanes`.
template <class S>
inline void store_spikes(S *to, Mask<Real<S>> fired, int64_t lanes) {
    const Vec<Real<S>> spikes = fired ? splat<Real<S>>(1) : Vec<Real<S>>{};
    if (lanes >= Lanes<Real<S>>::count) store(to, spikes);
    else store_some(to, spikes, int(lanes));
}
// What lies behind `lanes` is set to 0; the word has room for it.
inline void store_spikes(four_spikes *to, Mask<float> fired, int64_t lanes) {
    constexpr int L = Lanes<float>::count;
    uint64_t bits = sign_bits<float>(fired);
    if (lanes < L) bits &= (uint64_t(1) << lanes) - 1;
    bits = spread(bits);
    std::memcpy(to, &bits, L / 4);
}

}  // namespace snnface
