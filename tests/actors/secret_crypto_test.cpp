#include "actors/secret/secret_crypto.hpp"

#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const std::string zeros(43, 'A');
const std::string ones = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";

master_keys keys(const std::string& text) { return master_keys::parse(text, "the test").value(); }

std::string changed(std::string text, std::size_t at) {
    text[at] = text[at] == 'A' ? 'B' : 'A';
    return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(secret_crypto)

BOOST_AUTO_TEST_CASE(a_sealed_value_opens_only_in_its_own_place) {
    const auto key = random_bytes(cipher_key_bytes);
    const secret_place place{organization, "OPENAI", 3};
    const auto sealed = seal_secret(key, 2, place, "hunter2");
    BOOST_TEST(sealed.starts_with("s1.2."));
    BOOST_TEST(data_key_of(sealed).value() == 2U);
    BOOST_TEST(sealed.find("hunter2") == std::string::npos);
    BOOST_TEST(open_secret(key, place, sealed).value() == "hunter2");
    BOOST_TEST(!open_secret(key, {organization, "OTHER", 3}, sealed));
    BOOST_TEST(!open_secret(key, {organization, "OPENAI", 2}, sealed));
    BOOST_TEST(!open_secret(key, {id_of(9), "OPENAI", 3}, sealed));
    BOOST_TEST(!open_secret(random_bytes(cipher_key_bytes), place, sealed));
    BOOST_TEST(!open_secret(key, place, "s1.3" + sealed.substr(4))); // as if under another data key
    BOOST_TEST((seal_secret(key, 2, place, "hunter2") != sealed));   // a nonce of its own each time
}

BOOST_AUTO_TEST_CASE(every_changed_character_of_a_ciphertext_is_noticed) {
    const auto key = random_bytes(cipher_key_bytes);
    const secret_place place{organization, "a", 1};
    const auto sealed = seal_secret(key, 1, place, "hunter2");
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        BOOST_TEST(!open_secret(key, place, changed(sealed, at)), at);
        BOOST_TEST(!open_secret(key, place, sealed.substr(0, at)), at);
    }
    for (const auto* nonsense : {"", "s1", "s1.", "s1..", "s1.1.", "s1.1.!", "s2.1.AAAA", "s1.x.AAAA", "s1.-1.AAAA"}) {
        BOOST_TEST(!open_secret(key, place, nonsense), nonsense);
    }
}

BOOST_AUTO_TEST_CASE(formats_that_were_stored_once_open_for_ever) {
    const std::string key(cipher_key_bytes, 'k');
    const secret_place place{id_of(1), "OPENAI", 1};
    const auto masters = keys(zeros);
    BOOST_TEST(masters.current().id == "f6ec0e956ce11404");
    BOOST_TEST(open_secret(key, place, "s1.1.AAECAwQFBgcICQoLAqiaWmGitD9E9ajtRMToteHBFnxjDH8").value_or("") ==
               "hunter2");
    const auto opened = unwrap_key(
        masters, id_of(1),
        {1, masters.current().id, "AAECAwQFBgcICQoL46BYOWuW5JKpEzmOlmi1Zz8Hw_HU9uSdpKCPYOZeZASClqu6RbvEzOu4jvLOqn3R"});
    BOOST_TEST_REQUIRE(!!opened);
    BOOST_TEST(opened->text() == key);
}

BOOST_AUTO_TEST_CASE(a_data_key_opens_only_with_its_master_key_and_in_its_own_place) {
    const auto masters = keys(zeros + "\n" + ones);
    const auto key = random_bytes(cipher_key_bytes);
    const auto wrapped = wrap_key(masters.current(), organization, 4, key);
    BOOST_TEST(wrapped.master == masters.current().id);
    BOOST_TEST(unwrap_key(masters, organization, wrapped)->text() == key);
    const auto without = unwrap_key(keys(ones), organization, wrapped);
    BOOST_TEST_REQUIRE(!without);
    BOOST_TEST((without.error().code == code::secrets_locked));
    BOOST_TEST(without.error().detail.find(wrapped.master) != std::string::npos, without.error().detail);
    BOOST_TEST(without.error().detail.find(keys(ones).current().id) != std::string::npos);
    BOOST_TEST(!unwrap_key(masters, id_of(9), wrapped));
    BOOST_TEST(!unwrap_key(masters, organization, {5, wrapped.master, wrapped.wrapped}));
    BOOST_TEST(!unwrap_key(masters, organization, {4, wrapped.master, changed(wrapped.wrapped, 20)}));
    BOOST_TEST(!unwrap_key(masters, organization, {4, keys(ones).current().id, wrapped.wrapped}));
    BOOST_TEST(!unwrap_key(masters, organization, {4, wrapped.master, ""}));
}

BOOST_AUTO_TEST_CASE(a_key_file_holds_the_current_key_first_and_older_ones_behind_it) {
    const auto both = keys("# made by somebody\n" + ones + " # current\n\n" + zeros + "\n" + ones + "\n");
    BOOST_TEST(both.current().id == keys(ones).current().id);
    BOOST_TEST((both.find(keys(zeros).current().id) != nullptr));
    BOOST_TEST((both.find("nobody") == nullptr));
    BOOST_TEST(both.ids() == keys(ones).ids() + ", " + keys(zeros).ids()); // each once
    BOOST_TEST(keys(std::string(64, '0')).ids() == keys(zeros).ids());     // openssl rand -hex 32
    BOOST_TEST(keys(zeros + "=").ids() == keys(zeros).ids());              // openssl rand -base64 32
    BOOST_TEST(keys(make_master_key()).ids() != keys(make_master_key()).ids());
    BOOST_TEST(keys(ones).with(keys(zeros + "," + ones)).ids() == both.ids());
}

BOOST_AUTO_TEST_CASE(what_is_no_key_is_refused_without_being_repeated) {
    for (const auto& text : {std::string(), std::string("# nothing"), std::string("hunter2"), zeros + " hunter2",
                             std::string(42, 'A'), std::string(63, '0'), std::string(43, '!')}) {
        const auto refused = master_keys::parse(text, "secrets.key");
        BOOST_TEST_REQUIRE(!refused, text);
        BOOST_TEST((refused.error().code == code::config_invalid));
        BOOST_TEST(refused.error().detail.find("secrets.key") != std::string::npos);
        BOOST_TEST(refused.error().detail.find("hunter2") == std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()
