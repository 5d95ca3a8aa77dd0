// What providers say of limits, credit and faults, in the words of each.
#include "net/model/refusal.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>

using namespace troupe;
using namespace troupe::net;

namespace {

const timestamp now = parse_timestamp("2026-11-21T10:00:00Z").value();

std::string name_of(int status, const std::string& body) {
    const auto p = refusal_of(status, body, {});
    BOOST_TEST(!p.detail.empty());
    return std::string(explain(p.code).name);
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_refusals)

BOOST_AUTO_TEST_CASE(no_credit_is_refused_for_good_whatever_its_status) {
    const std::pair<int, const char*> all[] = {
        {429,
         R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}})"},
        {402, R"({"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}})"},
        {400,
         R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}})"},
        {403, R"({"type":"error","error":{"type":"billing_error","message":"Pay."}})"},
        {429, R"({"error":{"message":"oh","code":"billing_hard_limit_reached"}})"}};
    for (const auto& [status, body] : all) {
        const auto p = refusal_of(status, body, {});
        BOOST_CHECK(p.code == code::model_refused);
        BOOST_TEST(p.detail.find("no credit left") != std::string::npos, p.detail);
    }
}

BOOST_AUTO_TEST_CASE(refusals_of_all_providers_are_told_apart) {
    BOOST_TEST(name_of(429, R"({"type":"error","error":{"type":"rate_limit_error","message":"x"}})") ==
               "model_rate_limited");
    BOOST_TEST(name_of(529, R"({"type":"error","error":{"type":"overloaded_error","message":"x"}})") ==
               "model_unavailable");
    BOOST_TEST(name_of(500, R"({"type":"error","error":{"type":"api_error","message":"x"}})") == "model_unavailable");
    BOOST_TEST(name_of(401, R"({"type":"error","error":{"type":"authentication_error","message":"x"}})") ==
               "model_refused");
    BOOST_TEST(name_of(404, R"({"type":"error","error":{"type":"not_found_error","message":"model: x"}})") ==
               "model_unknown");
    BOOST_TEST(name_of(413, R"({"type":"error","error":{"type":"request_too_large","message":"x"}})") ==
               "model_refused");
    BOOST_TEST(name_of(404, R"({"error":"model 'x' not found"})") == "model_unknown");
    BOOST_TEST(name_of(400, R"({"error":"registry.ollama.ai/library/x does not support tools"})") == "model_refused");
    BOOST_TEST(name_of(503, R"({"error":{"message":"x"}})") == "model_unavailable");
    BOOST_TEST(name_of(502, "<html>Bad gateway</html>") == "model_unavailable");
    BOOST_TEST(name_of(429, "") == "model_rate_limited");
}

BOOST_AUTO_TEST_CASE(resets_are_read_in_every_form) {
    const auto ms = [](const char* text) { return reset_ms(text, now).value_or(-1); };
    BOOST_TEST(ms("6m0s") == 360'000);
    BOOST_TEST(ms("20ms") == 20);
    BOOST_TEST(ms("7.66s") == 7660);
    BOOST_TEST(ms("1h2m3.5s") == 3'723'500);
    BOOST_TEST(ms("2m59.56s") == 179'560);
    BOOST_TEST(ms("1d") == 86'400'000);
    BOOST_TEST(ms("12") == 12'000);
    BOOST_TEST(ms("0.5") == 500);
    BOOST_TEST(ms("0s") == 0);
    BOOST_TEST(ms("2026-11-21T10:00:07Z") == 7000);
    BOOST_TEST(ms("2026-11-21T12:00:07+02:00") == 7000);
    BOOST_TEST(ms("2026-11-21T09:00:00Z") == 0);
    BOOST_TEST(ms("900d") == 86'400'000); // at most a day
    for (const char* text : {"", "soon", "-5s", "-5", "5x", "5 s", "1e9s", "nan", "inf", "m", ".", "6m0"})
        BOOST_TEST(ms(text) == -1, text);
}

BOOST_AUTO_TEST_CASE(headers_teach_what_is_left) {
    const auto openai = limits_of({{"x-ratelimit-remaining-requests", "59"},
                                   {"x-ratelimit-reset-requests", "1s"},
                                   {"x-ratelimit-remaining-tokens", "149984"},
                                   {"x-ratelimit-reset-tokens", "6m0s"}},
                                  now);
    BOOST_CHECK((openai == rate_limits{{59, 1000}, {149984, 360'000}}));
    const auto anthropic = limits_of({{"anthropic-ratelimit-requests-remaining", "49"},
                                      {"anthropic-ratelimit-requests-reset", "2026-11-21T10:00:01Z"},
                                      {"anthropic-ratelimit-input-tokens-remaining", "50000"},
                                      {"anthropic-ratelimit-input-tokens-reset", "2026-11-21T10:00:02Z"},
                                      {"anthropic-ratelimit-output-tokens-remaining", "8000"},
                                      {"anthropic-ratelimit-output-tokens-reset", "2026-11-21T10:00:03Z"}},
                                     now);
    BOOST_CHECK((anthropic == rate_limits{{49, 1000}, {8000, 3000}}));
    BOOST_CHECK((limits_of({{"x-ratelimit-remaining-requests", "many"}, {"x-ratelimit-reset-tokens", "?"}}, now) ==
                 rate_limits{}));
}

BOOST_AUTO_TEST_CASE(retry_after_is_what_was_asked_else_the_reset_of_what_is_used_up) {
    BOOST_TEST(retry_after({{"retry-after", "7"}, {"retry-after-ms", "1500"}}, now).value() == 2u);
    BOOST_TEST(retry_after({{"retry-after", "0.2"}}, now).value() == 1u);
    BOOST_TEST(retry_after({{"retry-after", "Sat, 21 Nov 2026 10:00:30 GMT"}}, now).value() == 30u);
    const header_map used_up{{"x-ratelimit-remaining-requests", "0"},
                             {"x-ratelimit-reset-requests", "20ms"},
                             {"x-ratelimit-remaining-tokens", "0"},
                             {"x-ratelimit-reset-tokens", "6m0s"}};
    BOOST_TEST(retry_after(used_up, now).value() == 360u);
    BOOST_TEST(!retry_after({{"x-ratelimit-remaining-tokens", "5"}, {"x-ratelimit-reset-tokens", "6m0s"}}, now));
}

BOOST_AUTO_TEST_SUITE_END()
