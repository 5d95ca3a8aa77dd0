#include "actors/identity/login_guard.hpp"
#include "actors/identity/password.hpp"
#include "actors/identity/tokens.hpp"
#include "actors/identity/totp.hpp"
#include "schemas/base/cipher.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <set>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const timestamp noon{1'800'000'000'000};
const signing_key one = make_signing_key(std::string(32, 'a'), noon);
const signing_key two = make_signing_key(std::string(32, 'b'), noon);
const std::string secret(32, 's');

std::string token_of(const signing_key& key) {
    return sign_access_token(key, {id_of(1), id_of(2), id_of(3), noon, noon + 60'000, "here"});
}

template <class T>
T awaited(std::promise<T>& p) {
    return p.get_future().get();
}

} // namespace

BOOST_AUTO_TEST_SUITE(identity_tokens)

BOOST_AUTO_TEST_CASE(an_access_token_says_what_was_signed) {
    const auto claims = verify_access_token({two, one}, "here", token_of(one), noon);
    BOOST_TEST_REQUIRE(claims.has_value());
    BOOST_TEST((claims->user == id_of(1) && claims->session == id_of(2)));
    BOOST_TEST((claims->organization == std::optional(id_of(3))));
}

BOOST_AUTO_TEST_CASE(an_access_token_of_another_key_issuer_time_or_content_is_refused) {
    const auto good = token_of(one);
    BOOST_TEST(!verify_access_token({two}, "here", good, noon));
    BOOST_TEST(!verify_access_token({one}, "there", good, noon));
    BOOST_TEST(!verify_access_token({one}, "here", good, noon + 60'000));
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto bent = good;
        bent[at] = bent[at] == 'A' ? 'B' : 'A';
        const auto read = verify_access_token({one}, "here", bent, noon);
        // The last character of a base64 part may carry bits that count for nothing.
        BOOST_TEST((!read || (read->user == id_of(1) && read->session == id_of(2))), "at " << at);
    }
}

BOOST_AUTO_TEST_CASE(no_algorithm_of_the_token_is_believed) {
    const auto good = token_of(one);
    const auto body = good.substr(good.find('.') + 1, good.rfind('.') - good.find('.') - 1);
    const auto unsigned_one = to_base64url(R"({"alg":"none","kid":")" + one.id + "\"}") + "." + body + ".";
    BOOST_TEST(!verify_access_token({one}, "here", unsigned_one, noon));
    const auto mac = hmac_sha256(one.public_key, "x");
    const auto other = to_base64url(R"({"alg":"HS256","kid":")" + one.id + "\"}") + "." + body + "." +
                       to_base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
    BOOST_TEST(!verify_access_token({one}, "here", other, noon));
    for (const auto* text : {"", ".", "..", "...", "a.b.c", "🙂.🙂.🙂"}) {
        BOOST_TEST(!verify_access_token({one}, "here", text, noon), text);
    }
}

BOOST_AUTO_TEST_CASE(opaque_tokens_come_back_and_cannot_be_made_up_or_used_as_another) {
    const auto text = make_opaque(secret, refresh_prefix, {id_of(1), {}, 7});
    const auto read = read_opaque(secret, refresh_prefix, text);
    BOOST_TEST_REQUIRE(read.has_value());
    BOOST_TEST((read->id == id_of(1) && read->number == 7U));
    BOOST_TEST(!read_opaque(std::string(32, 't'), refresh_prefix, text));
    BOOST_TEST(!read_opaque(secret, invitation_prefix, text));
    BOOST_TEST(!read_opaque(secret, invitation_prefix, "tri_" + text.substr(4)));
    BOOST_TEST(!read_opaque(secret, refresh_prefix, text.substr(0, text.size() - 4)));
    BOOST_TEST(!read_opaque(secret, refresh_prefix, ""));
}

BOOST_AUTO_TEST_CASE(an_api_key_names_its_entity_and_is_the_same_for_the_same_id) {
    const auto key = make_api_key(secret, id_of(9));
    BOOST_TEST((api_key_id(key) == std::optional(id_of(9))));
    BOOST_TEST(key == make_api_key(secret, id_of(9)));
    BOOST_TEST(key != make_api_key(std::string(32, 't'), id_of(9)));
    BOOST_TEST(!api_key_id("trp_" + make_secret())); // the administrator's has another length
    BOOST_TEST(!api_key_id("trr_abc"));
}

BOOST_AUTO_TEST_CASE(a_good_password_is_long_and_not_what_everybody_tries) {
    BOOST_TEST(!weakness_of("correct donkey battery clip", 12, {"ada@example.org", "Ada"}));
    for (const auto* bad : {"short", "aaaaaaaaaaaaaaaa", "Password123!", "passwordpassword", "123456789012",
                            "ada-ada-ada!1", "qwertyuiop12", "ADA@example.org"}) {
        BOOST_TEST(weakness_of(bad, 12, {"ada@example.org", "Ada"}).has_value(), bad);
    }
    BOOST_TEST(!weakness_of("пароль-длинный", 12, {})); // characters, not bytes
    BOOST_TEST(weakness_of("пароль-да", 12, {}).has_value());
}

BOOST_AUTO_TEST_CASE(a_hash_knows_its_password_and_an_empty_one_none) {
    password_desk desk(1);
    std::promise<expected<std::string>> hashed;
    desk.hash(wiped_text("open sesame, please"), [&](auto h) { hashed.set_value(std::move(h)); });
    const auto hash = awaited(hashed);
    BOOST_TEST_REQUIRE(hash.has_value());
    BOOST_TEST(hash->starts_with("$argon2id$"));
    const auto knows = [&](const std::string& password, const std::string& of) {
        std::promise<expected<bool>> answer;
        desk.verify(wiped_text(password), of, [&](auto a) { answer.set_value(a); });
        return awaited(answer).value();
    };
    BOOST_TEST(knows("open sesame, please", *hash));
    BOOST_TEST(!knows("open sesame", *hash));
    BOOST_TEST(!knows("", ""));
}

BOOST_AUTO_TEST_CASE(codes_are_those_of_the_standard) {
    const std::string seed = "12345678901234567890"; // RFC 6238, appendix B; six of its eight digits
    BOOST_TEST(totp_code(seed, 59 / 30) == "287082");
    BOOST_TEST(totp_code(seed, 1111111109 / 30) == "081804");
    BOOST_TEST(totp_code(seed, 20000000000 / 30) == "353130");
    BOOST_TEST(to_base32(seed) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    BOOST_TEST(to_base32("f") == "MY"); // RFC 4648
    BOOST_TEST(to_base32("foobar") == "MZXW6YTBOI");
}

BOOST_AUTO_TEST_CASE(a_code_is_good_about_its_time_and_not_before_what_was_used) {
    const std::string seed = "12345678901234567890";
    const timestamp now{60'000 * 1000};
    const auto step = static_cast<std::uint64_t>(now.ms / totp_step_ms);
    for (const auto near : {step - 1, step, step + 1}) {
        BOOST_TEST((totp_step(seed, totp_code(seed, near), now, 0) == std::optional(near)));
    }
    BOOST_TEST(!totp_step(seed, totp_code(seed, step - 2), now, 0));
    BOOST_TEST(!totp_step(seed, totp_code(seed, step), now, step));
    BOOST_TEST(!totp_step(seed, "", now, 0));
    BOOST_TEST(!totp_step(seed, "abcdef", now, 0));
}

BOOST_AUTO_TEST_CASE(recovery_codes_are_read_however_they_are_typed) {
    const auto codes = make_recovery_codes();
    BOOST_TEST(codes.size() == 10U);
    BOOST_TEST((std::set<std::string>(codes.begin(), codes.end()).size() == 10U));
    BOOST_TEST(hash_of_recovery_code("abcde-23456") == hash_of_recovery_code(" ABCDE 23456"));
    BOOST_TEST(hash_of_recovery_code("abcde-23456") != hash_of_recovery_code("abcde-23457"));
}

BOOST_AUTO_TEST_CASE(a_uri_is_escaped_and_drawn) {
    const auto uri = totp_uri("Troupe & Co", "ada@example.org", "12345678901234567890");
    BOOST_TEST(uri.starts_with("otpauth://totp/Troupe%20%26%20Co:ada%40example.org?secret=GEZD"));
    BOOST_TEST(qr_svg(uri).starts_with("<svg "));
    BOOST_TEST(qr_svg(std::string(5000, 'x')).empty());
    const auto lines = qr_text(uri);
    BOOST_TEST(lines.find("▀") != std::string::npos);
    BOOST_TEST(lines.starts_with("█")); // its quiet zone
    BOOST_TEST(qr_text(std::string(5000, 'x')).empty());
}

BOOST_AUTO_TEST_CASE(failures_cost_time_that_doubles_and_success_forgets_them) {
    attempts a({.free = 2, .first_wait_ms = 100, .wait_max_ms = 350, .forget_ms = 10'000, .keys_max = 10});
    BOOST_TEST(a.failed("ada", 0) == 0);
    BOOST_TEST(a.failed("ada", 0) == 0);
    BOOST_TEST(a.failed("ada", 0) == 100);
    BOOST_TEST(a.wait_ms("ada", 40) == 60);
    BOOST_TEST(a.failed("ada", 100) == 200);
    BOOST_TEST(a.failed("ada", 300) == 350); // the most
    BOOST_TEST(a.wait_ms("grace", 300) == 0);
    a.succeeded("ada");
    BOOST_TEST(a.wait_ms("ada", 300) == 0);
}

BOOST_AUTO_TEST_CASE(attempts_side_by_side_count_like_those_one_after_the_other) {
    attempts a({.free = 2, .first_wait_ms = 100, .wait_max_ms = 350, .forget_ms = 10'000, .keys_max = 10});
    int begun = 0;
    for (int i = 0; i < 100; ++i) { // none of them is known to have failed yet
        begun += a.begin("ada", 0) == 0 ? 1 : 0;
    }
    BOOST_TEST(begun == 3);
    a.undo("ada");
    BOOST_TEST(a.wait_ms("ada", 0) == 0); // one of them was none, so there were only two
    a.failed("ada|1", 0);
    a.failed("ada|1", 0);
    a.failed("ada|1", 0);
    a.forget("ada|");
    BOOST_TEST(a.wait_ms("ada|1", 0) == 0);
}

BOOST_AUTO_TEST_CASE(failures_are_forgiven_one_by_one) {
    attempts a(
        {.free = 2, .first_wait_ms = 100, .wait_max_ms = 350, .forget_ms = 10'000, .forgive_ms = 1000, .keys_max = 10});
    a.failed("net", 0);
    a.failed("net", 0);
    BOOST_TEST(a.failed("net", 1000) == 0); // one was forgiven
    BOOST_TEST(a.failed("net", 1000) == 100);
}

BOOST_AUTO_TEST_CASE(a_flood_of_keys_takes_bounded_memory_and_old_failures_are_forgotten) {
    attempts a({.free = 0, .first_wait_ms = 1000, .wait_max_ms = 1000, .forget_ms = 5000, .keys_max = 100});
    for (int i = 0; i < 1000; ++i) {
        a.failed("k" + std::to_string(i), i);
    }
    BOOST_TEST(a.wait_ms("k999", 1000) > 0);
    BOOST_TEST(a.wait_ms("k0", 1000) == 0);
    attempts b({.free = 1, .first_wait_ms = 100, .wait_max_ms = 100, .forget_ms = 5000, .keys_max = 100});
    b.failed("ada", 0);
    BOOST_TEST(b.failed("ada", 5000) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
