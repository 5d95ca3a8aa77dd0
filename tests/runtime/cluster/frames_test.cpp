#include "runtime/cluster/frames.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

std::string frame(frame_type type, std::string_view payload) {
    const auto head = frame_head(type, payload);
    return std::string(head.data(), head.size()).append(payload);
}

frame_reader reader_of_all() {
    frame_reader out;
    out.expect({frame_type::hello, frame_type::welcome, frame_type::refuse, frame_type::data, frame_type::credit,
                frame_type::ping, frame_type::pong, frame_type::bye});
    return out;
}

/// Type and payload of each frame, and the failure if there was one, when `bytes` come cut at these places.
std::vector<std::string> read(std::string_view bytes, const std::vector<std::size_t>& cuts,
                              frame_reader reader = reader_of_all()) {
    std::vector<std::string> out;
    std::size_t from = 0;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
        const auto to = i < cuts.size() ? cuts[i] : bytes.size();
        const std::string piece(bytes.substr(from, to - from)); // of its own, so that nothing of the last can be used
        from = to;
        for (std::string_view in = piece; !in.empty();) {
            const auto outcome = reader.read(in);
            if (outcome == frame_reader::outcome::frame)
                out.push_back(std::to_string(static_cast<int>(reader.type())) + ":" + std::string(reader.payload()));
            if (outcome == frame_reader::outcome::failed) {
                out.push_back(reader.failure());
                return out;
            }
        }
    }
    return out;
}

std::string failure(std::string_view bytes, frame_reader reader = reader_of_all()) {
    const auto found = read(bytes, {}, std::move(reader));
    return found.empty() ? "" : found.back();
}

std::string all_of(const frame_outbox& from) {
    std::array<std::string_view, 100> pieces;
    std::string out;
    for (std::size_t i = 0, count = from.gather(pieces); i < count; ++i)
        out += pieces[i];
    return out;
}

const std::string eight(8, 'c');

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_frames)

BOOST_AUTO_TEST_CASE(frames_come_out_as_they_went_in_wherever_they_are_cut) {
    const auto all = frame(frame_type::hello, "{}") + frame(frame_type::data, "some bytes") +
                     frame(frame_type::data, "") + frame(frame_type::ping, eight) + frame(frame_type::bye, "why");
    const std::vector<std::string> wanted{"1:{}", "4:some bytes", "4:", "6:" + eight, "8:why"};
    BOOST_TEST(read(all, {}) == wanted, boost::test_tools::per_element());
    for (std::size_t a = 1; a < all.size(); ++a) {
        BOOST_TEST(read(all, {a}) == wanted, boost::test_tools::per_element());
        for (std::size_t b = a + 1; b < all.size(); b += 3)
            BOOST_TEST(read(all, {a, b}) == wanted, boost::test_tools::per_element());
    }
    std::vector<std::size_t> everywhere;
    for (std::size_t i = 1; i < all.size(); ++i)
        everywhere.push_back(i);
    BOOST_TEST(read(all, everywhere) == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_bytes_of_a_frame_are_fixed) {
    BOOST_TEST(frame(frame_type::data, "abc") == std::string("\x03\0\0\0\x0d\xd7\xaa\xae\x04"
                                                             "abc",
                                                             12));
}

BOOST_AUTO_TEST_CASE(no_damage_of_one_byte_passes) {
    const auto good = frame(frame_type::data, "some bytes");
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const char flip : {'\x01', '\x04', '\x80'}) {
            auto bad = good;
            bad[at] = static_cast<char>(bad[at] ^ flip);
            const auto found = read(bad + good, {}); // another length takes bytes of the next
            BOOST_REQUIRE(!found.empty() || bad[at] != good[at]);
            BOOST_TEST((found.empty() || found.front().starts_with("sent a frame")));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_too_big_or_out_of_place_fails_by_its_head) {
    const auto head = [](frame_type type, std::uint32_t length) {
        std::string out(frame_head_bytes, '\0');
        for (unsigned i = 0; i < 4; ++i)
            out[i] = static_cast<char>(length >> 8U * i & 0xffU);
        out[8] = static_cast<char>(type);
        return out;
    };
    BOOST_TEST(failure(head(frame_type::hello, 4097)) == "sent a frame that is too big (4097 bytes of type 1)");
    BOOST_TEST(failure(head(frame_type::hello, 4096)) == "");
    BOOST_TEST(failure(head(frame_type::data, (8U << 20U) + 1)) != "");
    BOOST_TEST(failure(head(frame_type::data, 8U << 20U)) == "");
    BOOST_TEST(failure(head(frame_type::credit, 9)) != "");
    BOOST_TEST(failure(head(frame_type::bye, 1025)) != "");
    BOOST_TEST(failure(head(static_cast<frame_type>(0), 0)) == "sent a frame of an unknown type (0)");
    BOOST_TEST(failure(head(static_cast<frame_type>(9), 0)) == "sent a frame of an unknown type (9)");
    BOOST_TEST(failure(head(static_cast<frame_type>(255), 0)) == "sent a frame of an unknown type (255)");
    frame_reader only_hello;
    only_hello.expect({frame_type::hello});
    BOOST_TEST(failure(head(frame_type::data, 0), only_hello) == "sent a frame that has no place there (type 4)");
}

BOOST_AUTO_TEST_CASE(after_a_failure_nothing_is_read) {
    auto reader = reader_of_all();
    const std::string bad(9, '\xff');
    std::string_view in = bad;
    BOOST_TEST((reader.read(in) == frame_reader::outcome::failed));
    const auto good = frame(frame_type::data, "a");
    in = good;
    BOOST_TEST((reader.read(in) == frame_reader::outcome::failed));
}

BOOST_AUTO_TEST_CASE(the_biggest_frame_passes_whole_and_in_pieces) {
    const auto all = frame(frame_type::data, std::string(frame_bytes_max, 'x')) + frame(frame_type::data, "next");
    const std::vector<std::string> wanted{"4:" + std::string(frame_bytes_max, 'x'), "4:next"};
    BOOST_TEST((read(all, {}) == wanted));
    BOOST_TEST((read(all, {5, 100'000, 4'000'000, frame_bytes_max + 8}) == wanted));
}

BOOST_AUTO_TEST_CASE(an_outbox_gives_its_frames_in_order_in_any_portions) {
    const auto payload = std::make_shared<const std::string>("shared payload");
    const auto fill = [&](frame_outbox& box) {
        box.add_bytes("magic");
        box.add(frame_type::data, payload);
        box.add(frame_type::ping, eight);
        box.add(frame_type::data, std::make_shared<const std::string>());
    };
    const auto wanted =
        "magic" + frame(frame_type::data, *payload) + frame(frame_type::ping, eight) + frame(frame_type::data, "");
    for (std::size_t portion = 1; portion <= wanted.size(); ++portion) {
        frame_outbox box;
        fill(box);
        std::string out;
        while (!box.empty()) {
            BOOST_TEST(box.bytes() == wanted.size() - out.size());
            const auto part = all_of(box).substr(0, portion);
            out += part;
            box.written(part.size());
        }
        BOOST_TEST(out == wanted);
        BOOST_TEST(box.bytes() == 0U);
    }
    BOOST_TEST(payload.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(an_outbox_takes_no_more_pieces_than_there_is_room_for) {
    frame_outbox box;
    box.add(frame_type::data, std::make_shared<const std::string>("a"));
    box.add(frame_type::data, std::make_shared<const std::string>("b"));
    std::array<std::string_view, 3> three;
    BOOST_TEST(box.gather(three) == 3U);
    BOOST_TEST(three[1] == "a");
    box.written(frame_head_bytes + 1);
    BOOST_TEST(box.gather(three) == 2U);
}

BOOST_AUTO_TEST_CASE(only_what_has_begun_to_go_is_kept_at_the_end) {
    frame_outbox box;
    box.add(frame_type::data, std::make_shared<const std::string>("a"));
    box.add(frame_type::data, std::make_shared<const std::string>("b"));
    box.written(4);
    box.keep_begun();
    BOOST_TEST(all_of(box) == frame(frame_type::data, "a").substr(4));
    BOOST_TEST(box.bytes() == 6U);
    box.written(6);
    BOOST_TEST(box.empty());
    box.add(frame_type::data, std::make_shared<const std::string>("c"));
    box.keep_begun();
    BOOST_TEST(box.empty());
    BOOST_TEST(box.bytes() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
