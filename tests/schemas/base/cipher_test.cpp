#include "schemas/base/cipher.hpp"

#include <boost/test/unit_test.hpp>

#include <utility>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(cipher)

BOOST_AUTO_TEST_CASE(what_was_sealed_opens_with_the_same_key_and_associated_data_only) {
    const auto key = random_bytes(cipher_key_bytes);
    for (const auto& plain : {std::string(), std::string("a"), std::string(100'000, 'x')}) {
        const auto sealed = seal(key, plain, "here");
        BOOST_TEST((unseal(key, sealed, "here") == plain));
        BOOST_TEST(!unseal(key, sealed, "there"));
        BOOST_TEST(!unseal(key, sealed));
        BOOST_TEST(!unseal(random_bytes(cipher_key_bytes), sealed, "here"));
        for (const std::size_t at : {std::size_t{0}, sealed.size() / 2, sealed.size() - 1}) {
            auto changed = sealed;
            changed[at] = static_cast<char>(changed[at] ^ 1);
            BOOST_TEST(!unseal(key, changed, "here"));
        }
        BOOST_TEST(!unseal(key, sealed.substr(1), "here"));
        BOOST_TEST((seal(key, plain, "here") != sealed));
    }
    BOOST_TEST(!unseal(key, "", ""));
    BOOST_TEST(!unseal(key, std::string(27, 'x'), ""));
}

BOOST_AUTO_TEST_CASE(keyed_hashes_are_those_of_rfc_4231) {
    const auto hash = hmac_sha256("Jefe", "what do ya want for nothing?");
    BOOST_TEST(hash[0] == 0x5b);
    BOOST_TEST(hash[1] == 0xdc);
    BOOST_TEST(hash[31] == 0x43);
    BOOST_TEST((hmac_sha256("other", "what do ya want for nothing?") != hash));
}

BOOST_AUTO_TEST_CASE(text_forms_of_bytes_come_back_and_bad_ones_are_refused) {
    for (std::size_t count = 0; count < 70; ++count) {
        const auto bytes = random_bytes(count);
        BOOST_TEST((from_base64(to_base64url(bytes)) == bytes));
    }
    BOOST_TEST(to_base64url("\xfb\xff\xfe") == "-__-");
    BOOST_TEST((from_base64("+//+") == "\xfb\xff\xfe"));
    BOOST_TEST((from_base64("YQ==") == "a"));
    for (const auto* bad : {"Y", "YR", "Y Q", "YQ!", "Y=Q"}) {
        BOOST_TEST(!from_base64(bad), bad);
    }
    BOOST_TEST((from_hex("00ffAb") == std::string("\0\xff\xab", 3)));
    BOOST_TEST(!from_hex("0"));
    BOOST_TEST(!from_hex("0g"));
}

BOOST_AUTO_TEST_CASE(wiped_text_is_gone_where_it_was) {
    wiped_text first(std::string(100, 's'));
    const wiped_text second(std::move(first));
    BOOST_TEST(first.text().empty()); // NOLINT: what a move leaves is promised here
    BOOST_TEST(second.text().size() == 100U);
    std::string text(100, 's');
    const char* where = text.data();
    wipe(text);
    BOOST_TEST(text.empty());
    BOOST_TEST(where[50] == '\0'); // the buffer is still the string's
}

BOOST_AUTO_TEST_SUITE_END()
