#include "storage/tables.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <string>

using namespace troupe;
using namespace troupe::storage;

namespace {

constexpr auto number_max = std::numeric_limits<std::uint64_t>::max();

/// No prefix of the bytes can be read, nor anything of another format.
template <class Decode>
void check_refuses(const std::string& good, const Decode& decode) {
    BOOST_TEST(!decode("").has_value());
    auto newer = good;
    ++newer[0];
    BOOST_TEST(!decode(newer).has_value());
}

} // namespace

BOOST_AUTO_TEST_SUITE(tables)

BOOST_AUTO_TEST_CASE(a_command_row_comes_back) {
    for (const auto& row : {command_row{}, command_row{number_max, number_max, 4'000'000'000, {-1}},
                            command_row{1, 300, 2, {1'700'000'000'000}}}) {
        const auto bytes = encode_command_row(row);
        const auto back = decode_command_row(bytes);
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST(back->request_hash == row.request_hash);
        BOOST_TEST(back->first_version == row.first_version);
        BOOST_TEST(back->events == row.events);
        BOOST_TEST(back->time.ms == row.time.ms);
        check_refuses(bytes, decode_command_row);
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            BOOST_TEST(!decode_command_row(std::string_view(bytes).substr(0, length)).has_value());
        }
        BOOST_TEST(!decode_command_row(bytes + "x").has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_snapshot_comes_back_and_damage_of_its_state_is_found) {
    for (const auto& state : {std::string(), std::string(R"({"total":3})"), std::string(1000, '\0')}) {
        const auto bytes = encode_snapshot_row({17, 3, state});
        const auto back = decode_snapshot_row(17, bytes);
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST(back->version == 17u);
        BOOST_TEST(back->state_version == 3u);
        BOOST_TEST(back->state == state);
        const auto decode = [](std::string_view b) { return decode_snapshot_row(17, b); };
        check_refuses(bytes, decode);
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            BOOST_TEST(!decode(std::string_view(bytes).substr(0, length)).has_value());
        }
        BOOST_TEST(!decode(bytes + "x").has_value());
    }
}

BOOST_AUTO_TEST_CASE(one_flipped_byte_anywhere_in_a_snapshot_is_found) {
    const auto good = encode_snapshot_row({17, 3, R"({"total":3,"name":"x"})"});
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 0x10);
        BOOST_TEST(!decode_snapshot_row(17, bad).has_value(), "byte " << i);
    }
}

BOOST_AUTO_TEST_CASE(a_document_comes_back_with_its_index_keys) {
    document_row row;
    row.version = 12;
    row.json = R"({"name":"x"})";
    row.keys = {{"", std::string("\0\xff", 2)}, {"status=open", ""}, {"", "again"}};
    const auto bytes = encode_document_row(row);
    const auto back = decode_document_row(bytes);
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST(back->version == 12u);
    BOOST_TEST(back->json == row.json);
    BOOST_TEST((back->keys == row.keys));
    check_refuses(bytes, decode_document_row);
    for (std::size_t length = 0; length < bytes.size() - row.json.size(); ++length) {
        BOOST_TEST(!decode_document_row(std::string_view(bytes).substr(0, length)).has_value());
    }
    const auto bare = decode_document_row(encode_document_row({}));
    BOOST_REQUIRE(bare.has_value());
    BOOST_TEST(bare->json.empty());
    BOOST_TEST(bare->keys.empty());
}

BOOST_AUTO_TEST_SUITE_END()
