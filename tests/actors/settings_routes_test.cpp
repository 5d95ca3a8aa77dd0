#include "actors/settings/settings_routes.hpp"

#include "actors/identity/organization_model.hpp"
#include "actors/secret/value_seals.hpp"
#include "actors/settings/settings_model.hpp"
#include "actors/settings/settings_reads.hpp"
#include "tests/actors/mini_node.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using enum troupe::net::verb;

namespace {

const std::string value = "hunter2-and-more";

struct settings_node : mini_node {
    settings_node() {
        host<settings_model>();
        host<secret_model>();
        host<keyring_model>();
        host<organization_model>();
        config.data = folder.path.string();
        vault = std::move(*secret_vault::open(services, config));
        seals = std::make_unique<value_seals>(services, *vault);
        parts.services = &services;
        parts.make_keys = [this](const net::request& r, auto done) { seals->make_keys(r, std::move(done)); };
        parts.seal = [this](const uuid& o, std::string_view p, std::string_view v) { return seals->seal(o, p, v); };
        parts.unseal = [this](const uuid& o, std::string_view p, std::string_view v) { return seals->unseal(o, p, v); };
        parts.reveal = [this](const uuid& o, std::string_view name) { return vault->reveal(o, name); };
        parts.has_secret = [](const uuid&, std::string_view) { return expected<bool>(false); };
        parts.keyed_hash = [](std::string_view) { return std::uint64_t{1}; };
        parts.check_recent = [this](const net::principal&) {
            return recent ? expected<void>() : problem{code::step_up_required, "prove it"};
        };
        parts.author = [](const net::request&) { return std::optional<policy_facts>(); };
        serve(settings_routes(parts));
    }

    net::response change(const std::string& values, const std::string& more = "",
                         std::map<std::string, std::string> headers = {}) {
        return call(patch, path, R"({"values":)" + values + more + "}", std::move(headers));
    }
    /// As the node uses it.
    std::string used(std::string_view key, const std::optional<std::string>& profile = {}) {
        const auto found = setting_value(parts, organization, profile, key);
        return !found ? "! " + found.error().detail : found->value_or("nothing");
    }
    settings_document shown() { return from_json<settings_document>(call(get, path).body, strictness::input).value(); }

    const std::string path = "/organizations/acme/settings";
    troupe::test::temporary_directory folder;
    runtime::config config;
    std::unique_ptr<secret_vault> vault;
    std::unique_ptr<value_seals> seals;
    settings_parts parts;
    bool recent = true;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(settings_of_organizations, settings_node)

BOOST_AUTO_TEST_CASE(the_node_uses_sealed_values_references_and_profiles_and_nobody_is_shown_them) {
    BOOST_REQUIRE(vault->keep(organization, "MAIL", "the mail key"));
    BOOST_TEST(change(R"({"a":{"secret":")" + value + R"("},"b":"secret:MAIL","c":3,"d":"text"})").status == 200);
    BOOST_TEST(change(R"({"a":{"secret":"of production"}})", R"(,"profile":"production")").status == 200);
    BOOST_TEST(used("a") == value);
    BOOST_TEST(used("a", "production") == "of production");
    BOOST_TEST(used("a", "staging") == value);
    BOOST_TEST(used("b") == "the mail key");
    BOOST_TEST(used("c") == "3");
    BOOST_TEST(used("d") == "text");
    BOOST_TEST(used("e") == "nothing");
    for (const auto* what : {"", "/versions", "/versions/1", "/diff?from=0", "/effective", "/export"}) {
        const auto body = call(get, path + what).body;
        BOOST_TEST(body.find("hunter2") == std::string::npos, what);
        BOOST_TEST(body.find("s1.") == std::string::npos, what);
    }
    BOOST_TEST(change(R"({"b":"secret:NONE"})").status == 200);
    BOOST_TEST(used("b").starts_with("! "));
}

BOOST_AUTO_TEST_CASE(a_sealed_value_opens_in_its_place_only_and_after_going_back) {
    change(R"({"a":{"secret":")" + value + R"("}})");
    change(R"({"a":{"secret":"another"}})");
    BOOST_TEST(used("a") == "another");
    BOOST_TEST(call(post, path + "/rollback", R"({"version":1})").status == 200);
    BOOST_TEST(used("a") == value);
    const auto content = content_of(*services.store, organization, 3).value();
    const auto sealed = sealed_text(content.at("values").at("a")).value();
    BOOST_TEST(seals->unseal(organization, seal_place("values", "a"), sealed).value() == value);
    BOOST_TEST((seals->unseal(organization, seal_place("values", "b"), sealed).error().code == code::secrets_locked));
    BOOST_TEST(
        (seals->unseal(system_organization, seal_place("values", "a"), sealed).error().code == code::secrets_locked));
}

BOOST_AUTO_TEST_CASE(a_dry_run_says_what_would_be_and_changes_nothing) {
    const auto tried = change(R"({"a":1})", R"(,"dry_run":true)");
    BOOST_TEST((tried.body == R"({"version":1,"dry_run":true,"changes":[{"place":"values","key":"a","after":1}]})"));
    BOOST_TEST(shown().version == 0U);
    BOOST_TEST(change(R"({"A":1})", R"(,"dry_run":true)").status == 422);
    change(R"({"a":1})");
    BOOST_TEST(change(R"({"a":2})", R"(,"dry_run":true)", {{"if-match", "\"7\""}}).status == 412);
    BOOST_TEST(change(R"({"a":1})", R"(,"dry_run":true)").body == R"({"version":1,"dry_run":true,"changes":[]})");
}

BOOST_AUTO_TEST_CASE(a_policy_is_changed_by_who_proved_itself_lately) {
    recent = false;
    BOOST_TEST(change(R"({"security.mfa.required":true})").status == 403);
    BOOST_TEST(change(R"({"a":1})").status == 200);
    recent = true;
    BOOST_TEST(change(R"({"security.mfa.required":true})").status == 200);
    recent = false;
    BOOST_TEST(call(post, path + "/rollback", R"({"version":1})").status == 403);
}

BOOST_AUTO_TEST_CASE(what_stood_in_the_organization_is_shown_and_taken_over_by_the_first_change) {
    const auto to = organization_address(organization);
    BOOST_REQUIRE(decide(command(to, "create_organization", R"({"name":"Acme","slug":"acme","plan":"free"})")));
    BOOST_REQUIRE(decide(command(to, "update_organization", R"({"settings":{"theme":"dark","No Key":1}})")));
    BOOST_TEST(shown().version == 0U);
    BOOST_TEST(shown().values.at("theme").text == "\"dark\"");
    BOOST_TEST(used("theme") == "dark");
    change(R"({"a":1})");
    BOOST_TEST(shown().version == 2U);
    BOOST_TEST(shown().values.size() == 2U);
    change(R"({"theme":null})");
    BOOST_TEST(shown().values.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
