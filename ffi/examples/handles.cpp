// The C interface from C++17: handles that free themselves, and statuses as exceptions.
//
//   c++ -std=c++17 handles.cpp $(pkg-config --cflags --libs restripe) -o handles

#include <cstdint>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <restripe.h>

namespace {

struct Free {
    void operator()(restripe_codec *codec) const { restripe_codec_free(codec); }
    void operator()(restripe_locations *locations) const { restripe_locations_free(locations); }
};

using Codec = std::unique_ptr<restripe_codec, Free>;
using Locations = std::unique_ptr<restripe_locations, Free>;
using Shard = std::vector<std::uint8_t>;

void require(int status) {
    if (status != RESTRIPE_OK) throw std::runtime_error(restripe_error_detail());
}

Codec make_codec(std::size_t data_units, std::size_t parity_units) {
    restripe_codec *codec = nullptr;
    require(restripe_codec_new(data_units, parity_units, &codec));
    return Codec(codec);
}

// Which shard is wrong, by what all of them say together: no checksum was kept.
Locations locate(const Codec &codec, const std::vector<Shard> &shards) {
    std::vector<const std::uint8_t *> pointers;
    for (const Shard &shard : shards) pointers.push_back(shard.data());
    restripe_locations *found = nullptr;
    require(restripe_locate(codec.get(), pointers.data(), nullptr, pointers.size(),
                            shards[0].size(), 512, &found));
    return Locations(found);
}

}  // namespace

int main() try {
    constexpr std::size_t data_units = 4, parity_units = 2, len = 4096;
    std::vector<Shard> shards(data_units + parity_units, Shard(len));
    std::vector<const std::uint8_t *> data;
    std::vector<std::uint8_t *> parity;
    for (std::size_t unit = 0; unit < shards.size(); unit++) {
        if (unit < data_units) {
            for (std::size_t at = 0; at < len; at++)
                shards[unit][at] = static_cast<std::uint8_t>(unit * 57 + at * 3);
            data.push_back(shards[unit].data());
        } else {
            parity.push_back(shards[unit].data());
        }
    }
    const Codec codec = make_codec(data_units, parity_units);
    require(restripe_encode(codec.get(), data.data(), nullptr, data.size(), parity.data(),
                            parity.size(), len));

    shards[2][1000] ^= 0x20;
    const Locations found = locate(codec, shards);
    restripe_location location;
    require(restripe_locations_get(found.get(), 0, &location));
    if (restripe_locations_count(found.get()) != 1 || location.unit_count != 1 ||
        location.units[0] != 2)
        throw std::runtime_error("the wrong shard was not found");
    std::cout << "unit " << location.units[0] << " is wrong in bytes " << location.start << " to "
              << location.end << '\n';

    // Errors come with their numbers.
    try {
        make_codec(300, 2);
        throw std::logic_error("302 units were accepted");
    } catch (const std::runtime_error &error) {
        std::cout << "as it should be: " << error.what() << '\n';
    }
} catch (const std::exception &error) {
    std::cerr << "handles: " << error.what() << '\n';
    return 1;
}
