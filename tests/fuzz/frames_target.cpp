// What a client sends on a WebSocket, in pieces: the same messages come out however it is cut, and none is too long.
#include "net/websocket/frames.hpp"
#include "tests/fuzz/wire.hpp"

#include <string>
#include <vector>

namespace troupe::fuzz {

namespace {

constexpr std::size_t message_bytes_max = 300;

std::vector<std::string> read(const std::vector<std::string_view>& pieces) {
    net::frame_reader reader(message_bytes_max);
    std::vector<std::string> out;
    for (auto piece : pieces) {
        while (!piece.empty()) {
            const auto before = piece.size();
            const auto outcome = reader.read(piece);
            if (outcome == net::frame_reader::outcome::failed) {
                out.push_back("failed " + std::to_string(static_cast<int>(reader.failure())));
                return out;
            }
            claim(piece.size() < before, "something was taken");
            if (outcome == net::frame_reader::outcome::message) {
                out.push_back(std::to_string(static_cast<int>(reader.kind())) + ":" + reader.take_payload());
                claim(out.back().size() <= message_bytes_max + 3, "a message is not too long");
            }
        }
    }
    return out;
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto seed = in.byte();
    const auto all = in.rest();
    const auto whole = read({all});
    claim(read(pieces_of(all, seed)) == whole, "pieces change nothing");
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < all.size(); ++i)
        bytes.push_back(all.substr(i, 1));
    claim(read(bytes) == whole, "bytes change nothing");
}

} // namespace troupe::fuzz
