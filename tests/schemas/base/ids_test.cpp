#include "schemas/base/ids.hpp"

#include "schemas/base/clock.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <thread>
#include <unordered_set>
#include <vector>

using namespace troupe;

namespace {
std::int64_t time_in(const uuid& id) {
    std::int64_t ms = 0;
    for (int i = 0; i < 6; ++i) {
        ms = ms << 8 | id.bytes[static_cast<std::size_t>(i)];
    }
    return ms;
}
} // namespace

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(ids_of_a_process_only_grow) {
    auto before = make_uuid();
    for (int i = 0; i < 20'000; ++i) { // more than the counter holds in a millisecond
        const auto next = make_uuid();
        BOOST_REQUIRE(before < next);
        BOOST_REQUIRE(to_string(before) < to_string(next));
        before = next;
    }
}

BOOST_AUTO_TEST_CASE(threads_never_make_the_same_id_and_each_sees_them_grow) {
    std::vector<std::vector<uuid>> made(4);
    std::vector<std::thread> threads;
    for (auto& mine : made) {
        threads.emplace_back([&mine] {
            for (int i = 0; i < 5000; ++i) {
                mine.push_back(make_uuid());
            }
        });
    }
    for (auto& t : threads) {
        t.join();
    }
    std::unordered_set<uuid> all;
    for (const auto& mine : made) {
        BOOST_TEST(std::is_sorted(mine.begin(), mine.end()));
        all.insert(mine.begin(), mine.end());
    }
    BOOST_TEST(all.size() == 20'000u);
}

BOOST_AUTO_TEST_CASE(a_made_id_has_version_7_and_the_time) {
    const auto before = system_now().ms;
    const auto id = make_uuid();
    BOOST_TEST((id.bytes[6] >> 4) == 7);
    BOOST_TEST((id.bytes[8] >> 6) == 2);
    BOOST_TEST(time_in(id) >= before);
    BOOST_TEST(time_in(id) <= before + 60'000);
}

BOOST_AUTO_TEST_CASE(the_same_parts_always_derive_the_same_id) {
    const auto id = derive_uuid({"acme", "task.create", "key-1"});
    BOOST_TEST((id == derive_uuid({"acme", "task.create", "key-1"})));
    BOOST_TEST((id.bytes[6] >> 4) == 8);
    BOOST_TEST((id.bytes[8] >> 6) == 2);
    // Stored data depends on this: SHA-256 over 64-bit big-endian lengths and parts.
    BOOST_TEST(to_string(derive_uuid({"ab", "c"})) == "601d5476-e2cc-8e2c-87a2-bba7a3226597");
}

BOOST_AUTO_TEST_CASE(other_borders_between_parts_derive_another_id) {
    BOOST_TEST((derive_uuid({"ab", "c"}) != derive_uuid({"a", "bc"})));
    BOOST_TEST((derive_uuid({"abc"}) != derive_uuid({"abc", ""})));
    BOOST_TEST((derive_uuid({}) != derive_uuid({""})));
}

BOOST_AUTO_TEST_CASE(the_canonical_text_reads_back) {
    const auto id = make_uuid();
    BOOST_TEST((parse_uuid(to_string(id)) == id));
    const auto upper = parse_uuid("018F3C1E-0000-7ABC-8DEF-0123456789AB");
    BOOST_REQUIRE(upper.has_value());
    BOOST_TEST(to_string(*upper) == "018f3c1e-0000-7abc-8def-0123456789ab");
    BOOST_TEST(parse_uuid("00000000-0000-0000-0000-000000000000")->is_nil());
}

BOOST_AUTO_TEST_CASE(other_texts_are_no_ids) {
    for (const auto* text :
         {"", "018f3c1e", "018f3c1e00007abc8def0123456789ab", "{018f3c1e-0000-7abc-8def-0123456789ab}",
          "018f3c1e-0000-7abc-8def-0123456789a", "018f3c1e-0000-7abc-8def-0123456789abc",
          "018f3c1e-0000-7abc-8def-0123456789ag", "018f3c1e_0000-7abc-8def-0123456789ab",
          "018f3c1e0-000-7abc-8def-0123456789ab", "018f3c1e-0000-7abc-8def-0123456789\xc1\x62"}) {
        BOOST_TEST(!parse_uuid(text).has_value(), text);
    }
}

BOOST_AUTO_TEST_CASE(an_address_shows_its_kind_and_id) {
    BOOST_TEST(to_string(entity_address{system_organization, "task", uuid{}}) ==
               "task/00000000-0000-0000-0000-000000000000");
    BOOST_TEST(to_string(system_organization) == "00000000-0000-8000-8000-000000000001");
}

BOOST_AUTO_TEST_CASE(the_digest_is_sha_256) {
    const auto digest = sha256("abc");
    BOOST_TEST(to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}) ==
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const auto empty = sha256("");
    BOOST_TEST(to_hex({reinterpret_cast<const char*>(empty.data()), 4}) == "e3b0c442");
}

BOOST_AUTO_TEST_CASE(a_secret_is_43_url_safe_characters_and_never_the_same) {
    std::set<std::string> all;
    for (int i = 0; i < 100; ++i) {
        const auto secret = make_secret();
        BOOST_TEST(secret.size() == 43u);
        BOOST_TEST(secret.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
                   std::string::npos);
        all.insert(secret);
    }
    BOOST_TEST(all.size() == 100u);
}

BOOST_AUTO_TEST_SUITE_END()
