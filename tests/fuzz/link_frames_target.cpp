// Frames between nodes: what comes out is what went in, wherever it is cut, and nothing damaged or too big comes out.
// An odd first byte: the rest is put into good frames, so that checksums are no wall.
#include "runtime/cluster/frames.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <vector>

namespace troupe::fuzz {

namespace {

using namespace runtime::cluster;

struct found {
    std::string frames; ///< Written again.
    std::string failure;

    bool operator==(const found&) const = default;
};

std::string frame(frame_type type, std::string_view payload) {
    const auto head = frame_head(type, payload);
    return std::string(head.data(), head.size()).append(payload);
}

found read(const std::vector<std::string>& pieces) {
    frame_reader reader;
    reader.expect({frame_type::hello, frame_type::data, frame_type::credit, frame_type::bye});
    found out;
    for (const auto& piece : pieces) {
        std::string_view in = piece;
        while (!in.empty() && out.failure.empty()) {
            switch (reader.read(in)) {
            case frame_reader::outcome::frame:
                claim(reader.payload().size() <= payload_bytes_max(reader.type()), "no frame is too big");
                out.frames += frame(reader.type(), reader.payload());
                break;
            case frame_reader::outcome::failed:
                out.failure = reader.failure();
                claim(!out.failure.empty(), "a failure has a reason");
                break;
            case frame_reader::outcome::more:
                claim(in.empty(), "all is taken when more is wanted");
            }
        }
    }
    return out;
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto seed = in.byte();
    std::string all;
    if (seed % 2 == 0) {
        all = in.rest();
    } else {
        while (!in.at_end()) {
            const auto type = static_cast<frame_type>(in.byte() % 10);
            all += frame(type, in.text());
        }
    }
    const auto whole = read({all});
    claim(all.starts_with(whole.frames), "frames are written as they were read");
    std::vector<std::string> pieces;
    in_pieces(all, seed, [&](std::string_view piece) { pieces.emplace_back(piece); });
    claim(read(pieces) == whole, "the pieces do not matter");
}

} // namespace troupe::fuzz
