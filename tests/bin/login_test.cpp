#include "bin/cli/commands.hpp"
#include "bin/cli/logins.hpp"
#include "bin/cli/people.hpp"
#include "schemas/base/clock.hpp"
#include "tests/bin/fake_node.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::cli;
using tests::fake_node;
using tests::fake_reply;
using tests::fake_request;
namespace fs = std::filesystem;

namespace {

const std::string user =
    R"({"id":"018f3c1e-7d2a-7000-8000-0000000000aa","email":"ada@example.org","name":"Ada","status":"active"})";
const std::string no_items = R"({"items":[],"next_cursor":null})";

std::string tokens(std::string_view access, std::string_view refresh, int seconds = 900) {
    return fmt::format(R"({{"access_token":"{}","refresh_token":"{}","token_type":"Bearer","expires_in":{},)"
                       R"("session_id":"018f3c1e-7d2a-7000-8000-0000000000bb","user":{}}})",
                       access, refresh, seconds, user);
}

fake_reply refusal(int status, std::string_view code, std::string_view detail = "Because.") {
    return {status, fmt::format(R"({{"status":{},"code":"{}","detail":"{}"}})", status, code, detail),
            "application/problem+json"};
}

bool asks(const fake_request& r, std::string_view path) { return r.line.find(path) != std::string::npos; }

std::string bearer(const fake_request& r) {
    const auto found = r.headers.find("authorization");
    return found == r.headers.end() ? "" : found->second.substr(std::string_view("Bearer ").size());
}

struct outcome {
    int code = 0;
    std::string out;
    std::string err;
};

/// A person with a home folder.
struct person {
    troupe::test::temporary_directory folder;
    std::map<std::string, std::string> environment{{"HOME", folder.path.string()}};
    fs::path file = folder.path / ".config/troupe/logins.json";

    person() { std::ofstream(folder.path / "pw") << "a good password\n"; }

    [[nodiscard]] node_search search() {
        node_search s;
        s.environment = [this](const char* name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional(found->second);
        };
        s.working_folder = folder.path;
        s.process_runs = [](int) { return true; };
        return s;
    }
    outcome run(std::vector<std::string> words, const std::string& url) {
        std::ostringstream out;
        std::ostringstream err;
        surroundings around;
        around.out = &out;
        around.err = &err;
        around.search = search();
        words.insert(words.end(), {"--url", url});
        const int result = run_cli(words, around);
        return {result, out.str(), err.str()};
    }
    outcome log_in(const std::string& url) { return run({"login", "ada@example.org", "--password-file", "pw"}, url); }
    [[nodiscard]] std::string stored() const {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    stored_login login(const std::string& url) { return login_file::of(search())->find(url).value().value(); }
    void put(const stored_login& login) {
        const auto logins = login_file::of(search());
        const auto locked = logins->lock();
        BOOST_REQUIRE(logins->put(login));
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(login, person)

BOOST_AUTO_TEST_CASE(tokens_are_kept_for_their_owner_alone_and_never_printed) {
    fake_node node([](const fake_request& r) {
        return asks(r, "/auth/login") ? fake_reply{200, tokens("ACCESS", "REFRESH")} : fake_reply{200, no_items};
    });
    for (const auto& more : {std::vector<std::string>{}, std::vector<std::string>{"--json"}}) {
        std::vector<std::string> words{"login", "ada@example.org", "--password-file", "pw"};
        words.insert(words.end(), more.begin(), more.end());
        const auto o = run(words, node.url());
        BOOST_TEST(o.code == 0);
        BOOST_TEST(o.out.find("ada@example.org") != std::string::npos);
        BOOST_TEST((o.out + o.err).find("ACCESS") == std::string::npos);
        BOOST_TEST((o.out + o.err).find("REFRESH") == std::string::npos);
    }
    BOOST_TEST(node.requests().front().body ==
               R"({"email":"ada@example.org","password":"a good password","cookie":false})");
    BOOST_TEST(bearer(node.requests().front()) == "");
    BOOST_TEST(stored().find("REFRESH") != std::string::npos);
    BOOST_TEST((fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write)));
    BOOST_TEST((fs::status(file.parent_path()).permissions() == fs::perms::owner_all));
    BOOST_TEST(run({"run", "list"}, node.url()).code == 0);
    BOOST_TEST(bearer(node.requests().back()) == "ACCESS");
}

BOOST_AUTO_TEST_CASE(a_refused_login_stores_nothing) {
    fake_node node([](const auto&) { return refusal(401, "invalid_credentials"); });
    BOOST_TEST(log_in(node.url()).code == 5);
    BOOST_TEST(!fs::exists(file));
    BOOST_TEST(run({"login"}, node.url()).code == 2);
    BOOST_TEST(run({"login", "ada@example.org", "--password-file", "none"}, node.url()).code == 2);
    BOOST_TEST(run({"logout"}, node.url()).code == 4);
}

BOOST_AUTO_TEST_CASE(a_key_goes_before_a_login_and_a_login_before_the_nodes_own_key) {
    fs::create_directories(folder.path / "data");
    std::ofstream(folder.path / "data/node.json") << R"({"url":"http://127.0.0.1:7117","pid":1})";
    std::ofstream(folder.path / "data/admin.key") << "admin";
    auto s = search();
    s.data = "data";
    BOOST_TEST((find_node(s).value().source == key_source::admin_key));
    put({"http://127.0.0.1:7117", "ada@example.org", "acme", "ACCESS", "REFRESH", {}, ""});
    BOOST_TEST(find_node(s).value().key == "ACCESS");
    BOOST_TEST(find_node(s).value().organization == "acme");
    environment["TROUPE_ORG"] = "other";
    BOOST_TEST(find_node(s).value().organization == "other");
    environment["TROUPE_KEY"] = "key";
    BOOST_TEST(find_node(s).value().key == "key");
    BOOST_TEST((find_node(s).value().source == key_source::environment));
    environment.erase("TROUPE_ORG");
    BOOST_TEST(find_node(s).value().organization == "", "the organization of a login is for the login");
    s.org = "third";
    BOOST_TEST(find_node(s).value().organization == "third");
}

BOOST_AUTO_TEST_CASE(an_expired_token_is_renewed_and_saved_before_it_is_used) {
    std::string seen;
    fake_node node([&](const fake_request& r) {
        if (asks(r, "/auth/login")) {
            return fake_reply{200, tokens("A1", "R1", 0)};
        }
        if (asks(r, "/auth/refresh")) {
            BOOST_TEST(r.body == R"({"refresh_token":"R1"})");
            BOOST_TEST(bearer(r) == "");
            return fake_reply{200, tokens("A2", "R2")};
        }
        seen = stored();
        return fake_reply{200, no_items};
    });
    BOOST_TEST(log_in(node.url()).code == 0);
    BOOST_TEST(run({"run", "list"}, node.url()).code == 0);
    BOOST_TEST(seen.find("R2") != std::string::npos);
    BOOST_TEST(bearer(node.requests().back()) == "A2");
    BOOST_TEST(run({"run", "list"}, node.url()).code == 0);
    BOOST_TEST(node.requests().size() == 4U, "login, renewal and two lists");
}

BOOST_AUTO_TEST_CASE(a_refused_token_is_renewed_once) {
    fake_node node([](const fake_request& r) {
        return asks(r, "/auth/login")                  ? fake_reply{200, tokens("A1", "R1")}
               : asks(r, "/auth/refresh")              ? fake_reply{200, tokens("A2", "R2")}
               : bearer(r) == "A2" && asks(r, "/runs") ? fake_reply{200, no_items}
                                                       : refusal(401, "unauthenticated");
    });
    BOOST_TEST(log_in(node.url()).code == 0);
    BOOST_TEST(run({"run", "list"}, node.url()).code == 0);
    BOOST_TEST(node.requests().size() == 4U);
    BOOST_TEST(run({"task", "list"}, node.url()).code == 5);
    BOOST_TEST(node.requests().size() == 7U, "refused, renewed, refused again: no more");
}

BOOST_AUTO_TEST_CASE(a_refused_renewal_says_to_log_in_again_and_is_not_tried_again) {
    for (const auto* code : {"unauthenticated", "token_reused"}) {
        fake_node node([&](const fake_request& r) {
            return asks(r, "/auth/login") ? fake_reply{200, tokens("A1", "R1")} : refusal(401, code);
        });
        BOOST_TEST(log_in(node.url()).code == 0);
        auto refused = login(node.url());
        refused.renew_at = {};
        put(refused);
        auto o = run({"run", "list"}, node.url());
        BOOST_TEST(o.code == 5);
        BOOST_TEST(o.err.find("troupe login") != std::string::npos);
        BOOST_TEST(stored().find("R1") == std::string::npos);
        const auto asked = node.requests().size();
        o = run({"run", "list"}, node.url());
        BOOST_TEST(o.code == 5);
        BOOST_TEST(node.requests().size() == asked);
        BOOST_TEST(run({"logout"}, node.url()).code == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_renewal_whose_answer_was_lost_is_the_same_request_again) {
    bool lost = true;
    fake_node node([&](const fake_request& r) {
        return asks(r, "/auth/refresh") ? lost ? refusal(503, "unavailable") : fake_reply{200, tokens("A2", "R2")}
                                        : fake_reply{200, no_items};
    });
    put({node.url(), "ada@example.org", "", "A1", "R1", {}, ""});
    BOOST_TEST(run({"run", "list"}, node.url()).code == 1);
    lost = false;
    BOOST_TEST(run({"run", "list"}, node.url()).code == 0);
    const auto asked = node.requests();
    BOOST_REQUIRE(asked.size() == 3U);
    BOOST_TEST(asked[0].headers.at("idempotency-key") == asked[1].headers.at("idempotency-key"));
    BOOST_TEST(login(node.url()).renewal_request == "");
}

BOOST_AUTO_TEST_CASE(of_many_that_renew_at_once_one_uses_the_refresh_token) {
    int count = 0; // of the node's one thread
    fake_node node([&](const fake_request&) {
        ++count;
        return fake_reply{200, tokens(fmt::format("A{}", count + 1), fmt::format("R{}", count + 1))};
    });
    put({node.url(), "ada@example.org", "", "A1", "R1", {}, ""});
    const auto logins = login_file::of(search());
    std::vector<std::string> keys(8); // the first renewal lasts for all of them
    {
        std::vector<std::jthread> threads;
        for (auto& key : keys) {
            threads.emplace_back([&] {
                const auto renewed =
                    renew_login(*logins, {.url = node.url(), .key = "A1", .source = key_source::login});
                key = renewed ? renewed->key : renewed.error().detail;
            });
        }
    }
    BOOST_TEST(node.requests().size() == 1U);
    BOOST_TEST(std::ranges::count(keys, "A2") == 8);
}

BOOST_AUTO_TEST_CASE(the_token_of_another_process_is_renewed_when_it_expired_too) {
    fake_node node([](const fake_request&) { return fake_reply{200, tokens("A3", "R3")}; });
    put({node.url(), "ada@example.org", "", "A2", "R2", system_now() + 3'600'000, ""});
    const auto logins = login_file::of(search());
    const connection used{.url = node.url(), .key = "A1", .source = key_source::login};
    BOOST_TEST(renew_login(*logins, used).value().key == "A2");
    put({node.url(), "ada@example.org", "", "A2", "R2", system_now(), ""});
    BOOST_TEST(renew_login(*logins, used).value().key == "A3");
}

BOOST_AUTO_TEST_CASE(the_organization_is_sent_and_remembered) {
    const std::string acme = R"({"id":"018f3c1e-7d2a-7000-8000-0000000000cc","name":"Acme","slug":"acme"})";
    fake_node node([&](const fake_request& r) {
        return asks(r, "/auth/login")             ? fake_reply{200, tokens("A1", "R1")}
               : asks(r, "/organizations/nobody") ? refusal(404, "not_found")
               : asks(r, "/organizations/acme")   ? fake_reply{200, acme}
                                                  : fake_reply{200, no_items};
    });
    BOOST_TEST(run({"org", "use", "acme", "--key", "k"}, node.url()).code == 2);
    BOOST_TEST(log_in(node.url()).code == 0);
    BOOST_TEST(run({"run", "list"}, node.url()).code == 0);
    BOOST_TEST(!node.requests().back().headers.contains("x-organization"));
    BOOST_TEST(run({"run", "list", "--org", "other"}, node.url()).code == 0);
    BOOST_TEST(node.requests().back().headers.at("x-organization") == "other");
    BOOST_TEST(run({"org", "use", "nobody"}, node.url()).code == 4);
    BOOST_TEST(login(node.url()).organization == "");
    BOOST_TEST(run({"org", "use", "acme"}, node.url()).code == 0);
    BOOST_TEST(run({"run", "list"}, node.url()).code == 0);
    BOOST_TEST(node.requests().back().headers.at("x-organization") == "acme");
    BOOST_TEST(run({"org", "list"}, node.url()).code == 0);
    BOOST_TEST(!node.requests().back().headers.contains("x-organization"));
    BOOST_TEST(log_in(node.url()).code == 0);
    BOOST_TEST(login(node.url()).organization == "acme", "it stays the person's");
}

BOOST_AUTO_TEST_CASE(logging_out_forgets_the_tokens_also_when_the_session_was_over) {
    fake_node node([](const fake_request& r) {
        return asks(r, "/auth/login") ? fake_reply{200, tokens("A1", "R1")} : refusal(401, "unauthenticated");
    });
    BOOST_TEST(log_in(node.url()).code == 0);
    BOOST_TEST(run({"logout", "--everywhere"}, node.url()).code == 5);
    BOOST_TEST(log_in(node.url()).code == 0);
    BOOST_TEST(run({"logout"}, node.url()).code == 0);
    BOOST_TEST(stored().find("A1") == std::string::npos);
    BOOST_TEST(!login_file::of(search())->find(node.url()).value().has_value());
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_said_so_and_not_replaced) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "{nonsense";
    fake_node node([](const fake_request&) { return fake_reply{200, tokens("A1", "R1")}; });
    auto o = run({"run", "list"}, node.url());
    BOOST_TEST(o.code == 1);
    BOOST_TEST(o.err.find("logins.json is damaged") != std::string::npos);
    BOOST_TEST(log_in(node.url()).code == 1);
    BOOST_TEST(stored() == "{nonsense");
    BOOST_TEST(node.requests().empty());
}

BOOST_AUTO_TEST_CASE(without_a_home_there_are_no_logins) {
    environment.clear();
    BOOST_TEST(!login_file::of(search()));
    environment["XDG_CONFIG_HOME"] = "relative";
    BOOST_TEST(!login_file::of(search()));
    environment["XDG_CONFIG_HOME"] = "/config";
    BOOST_TEST(login_file::of(search())->path() == "/config/troupe/logins.json");
}

BOOST_AUTO_TEST_CASE(refusals_of_people_are_five_and_a_limit_says_how_long_to_wait) {
    for (const auto* code :
         {"invalid_credentials", "token_reused", "mfa_required", "step_up_required", "registration_off"}) {
        fake_node node([&](const auto&) { return refusal(403, code); });
        BOOST_TEST(run({"run", "list", "--key", "k"}, node.url()).code == 5, code);
    }
    fake_node careful([](const auto&) { return refusal(403, "step_up_required"); });
    BOOST_TEST(run({"key", "create", "ci", "--key", "k"}, careful.url()).err.find("`troupe login`") !=
               std::string::npos);
    fake_node node([](const auto&) {
        auto reply = refusal(429, "rate_limited", "Too much.");
        reply.headers = "Retry-After: 17\r\n";
        return reply;
    });
    const auto o = run({"run", "list", "--key", "k"}, node.url());
    BOOST_TEST(o.code == 1);
    BOOST_TEST(o.err.find("Try again in 17 s.") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_key_is_made_with_scopes_and_an_end) {
    fake_node node([](const auto&) {
        return fake_reply{201, R"({"id":"018f3c1e-7d2a-7000-8000-0000000000dd","name":"ci","key":"trpk_secret"})"};
    });
    const auto o = run({"key", "create", "ci", "-s", "task:*", "--scope", "run:read", "--expires", "90d", "--key", "k"},
                       node.url());
    BOOST_TEST(o.code == 0);
    BOOST_TEST(o.out.find("trpk_secret\n") != std::string::npos);
    const auto body = node.requests().back().body;
    BOOST_TEST(body.starts_with(R"({"name":"ci","scopes":["task:*","run:read"],"expires_at":")"), body);
    for (const auto* wrong : {"soon", "0d", "-1d", "90", "2001-01-01", "99999999y", ""}) {
        BOOST_TEST(run({"key", "create", "ci", "--expires", wrong, "--key", "k"}, node.url()).code == 2, wrong);
    }
    BOOST_TEST(node.requests().size() == 1U);
}

BOOST_AUTO_TEST_CASE(times_to_come_have_units) {
    const timestamp now{1'000'000};
    BOOST_TEST((parse_time_ahead("x", "2h", now).value() == now + 2 * 3600 * 1000));
    BOOST_TEST((parse_time_ahead("x", "1w", now).value() == now + 7LL * 24 * 3600 * 1000));
    BOOST_TEST(to_string(parse_time_ahead("x", "2027-01-31", now).value()) == "2027-01-31T00:00:00.000Z");
    BOOST_TEST(parse_time_ahead("x", "1970-01-01", now).error().detail.find("past") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(names_of_three_words_are_found_and_suggested) {
    fake_node node([](const auto&) { return refusal(403, "forbidden"); });
    BOOST_TEST(run({"org", "member", "set", "ada@example.org", "--key", "k"}, node.url()).code == 2);
    BOOST_TEST(run({"org", "member", "st"}, node.url()).err.find("\"troupe org member set\"") != std::string::npos);
    BOOST_TEST(run({"org", "membrs"}, node.url()).err.find("\"troupe org members\"") != std::string::npos);
    BOOST_TEST(run({"org", "member", "--help"}, node.url()).out.find("org member remove USER") != std::string::npos);
    BOOST_TEST(run({"org", "member"}, node.url()).code == 2);
    BOOST_TEST(bash_completion().find("'org member') choices=\"remove set\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_generated_password_is_sent_and_printed_once) {
    fake_node node([](const auto&) { return fake_reply{201, user}; });
    const auto o =
        run({"user", "create", "ada@example.org", "--generate", "--role", "owner", "--json", "--key", "k"}, node.url());
    BOOST_TEST(o.code == 0);
    const auto shown = json::document::parse(o.out);
    BOOST_REQUIRE(shown);
    const auto password = shown->root().text_or("password");
    BOOST_TEST(password.size() == 24U);
    BOOST_TEST(node.requests().back().body.find("\"password\":\"" + password + "\"") != std::string::npos);
    BOOST_TEST(
        run({"user", "create", "ada@example.org", "--generate", "--password-file", "pw", "--key", "k"}, node.url())
            .code == 2);
    BOOST_TEST(run({"user", "create", "ada", "--generate", "--key", "k"}, node.url()).code == 2);
}

BOOST_AUTO_TEST_CASE(who_registers_is_logged_in_and_who_may_not_is_told_why) {
    fake_node node([](const auto&) { return fake_reply{201, tokens("ACCESS", "REFRESH")}; });
    const auto o =
        run({"register", "ada@example.org", "--name", "Ada", "--organization", "Acme", "--password-file", "pw"},
            node.url());
    BOOST_TEST(o.code == 0, o.err);
    BOOST_TEST(node.requests().front().line == "POST /api/v1/auth/register");
    BOOST_TEST(node.requests().front().body ==
               R"({"email":"ada@example.org","password":"a good password","name":"Ada","organization":"Acme"})");
    BOOST_TEST(login(node.url()).access_token == "ACCESS");
    BOOST_TEST((o.out + o.err).find("ACCESS") == std::string::npos);
    person other;
    fake_node closed([](const auto&) { return refusal(403, "registration_off", "`identity.registration` is `off`"); });
    const auto refused = other.run({"register", "ada@example.org", "--password-file", "pw"}, closed.url());
    BOOST_TEST(refused.code == 5);
    BOOST_TEST(refused.err.find("identity.registration") != std::string::npos);
    BOOST_TEST(refused.err.find("troupe org invite") != std::string::npos);
    BOOST_TEST(!fs::exists(other.file));
    BOOST_TEST(other.run({"register", "ada"}, closed.url()).code == 2);
    BOOST_TEST(other.run({"register"}, closed.url()).code == 2);
    BOOST_TEST(closed.requests().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_second_factor_is_shown_once_and_a_pipe_is_asked_nothing) {
    fake_node node([](const fake_request& r) {
        return asks(r, "enroll")    ? fake_reply{200, R"({"secret":"SEED","uri":"otpauth://totp/x","qr_svg":"<svg/>"})"}
               : asks(r, "disable") ? fake_reply{204, ""}
                                    : fake_reply{200, R"({"recovery_codes":["aaaaa-bbbbb"]})"};
    });
    const auto begun = run({"mfa", "enrol", "--key", "k"}, node.url());
    BOOST_TEST(begun.code == 0);
    BOOST_TEST(begun.out.find("SEED") != std::string::npos);
    BOOST_TEST(begun.out.find("<svg") == std::string::npos);
    BOOST_TEST(begun.err.find("troupe mfa confirm CODE") != std::string::npos);
    BOOST_TEST(run({"mfa", "confirm", "123456", "--key", "k"}, node.url()).out.find("aaaaa-bbbbb\n") !=
               std::string::npos);
    BOOST_TEST(node.requests().back().body == R"({"code":"123456"})");
    const auto renewed =
        run({"mfa", "recovery-codes", "--password-file", "pw", "--code", "1", "--key", "k"}, node.url());
    BOOST_TEST(renewed.out.find("aaaaa-bbbbb\n") != std::string::npos);
    BOOST_TEST(node.requests().back().body == R"({"password":"a good password","code":"1"})");
    BOOST_TEST(run({"mfa", "disable", "--password-file", "pw", "--key", "k"}, node.url()).code == 0);
    BOOST_TEST(run({"mfa", "confirm", "--key", "k"}, node.url()).code == 2);
}

BOOST_AUTO_TEST_CASE(an_evaluation_is_waited_for) {
    int asked = 0;
    fake_node node([&](const fake_request& r) {
        const bool done = !asks(r, "POST") && ++asked > 1;
        return fake_reply{asks(r, "POST") ? 202 : 200,
                          std::string(R"({"subject":"node",)") +
                              (done ? R"("latest":{"number":7,"at":"2026-11-22T00:00:00.000Z","reason":"request",)"
                                      R"("requested_by":"x","score":61,"checks":[{"id":"admin_key","title":"T",)"
                                      R"("severity":"high","result":"fail","weight":1,"finding":"It is open.",)"
                                      R"("remedy":"Close it.","evidence":[{"name":"mode","value":"644"}],)"
                                      R"("subjects_total":3,"subjects":[{"id":"user/1","name":"ada"}]}]}})"
                                    : R"("evaluating":7})")};
    });
    const auto o = run({"compliance", "evaluate", "--node", "--key", "k"}, node.url());
    BOOST_TEST(o.code == 0, o.err);
    for (const auto* text : {"61 of 100", "It is open.", "Close it.", "ada and 2 more"}) {
        BOOST_TEST(o.out.find(text) != std::string::npos, o.out);
    }
    BOOST_TEST(o.out.find("644") == std::string::npos); // with --evidence only
    BOOST_TEST(node.requests().front().line == "POST /api/v1/system/compliance/evaluate");
}

BOOST_AUTO_TEST_SUITE_END()
