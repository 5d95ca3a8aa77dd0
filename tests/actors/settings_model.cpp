#include "actors/settings/settings_model.hpp"

#include "tests/actors/given.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

json::raw text(const char* t) { return json::raw{json::quoted(t)}; }

change_settings set(std::string place, std::string key, std::optional<json::raw> value) {
    change_settings c;
    c.changes.push_back({std::move(place), std::move(key), std::move(value)});
    c.what = "set";
    return c;
}

change_settings base(std::string key, std::optional<json::raw> value) {
    return set("values", std::move(key), std::move(value));
}

struct settings : entity<settings_model> {
    [[nodiscard]] settings_document shown() const { return document<settings_document>(); }
    [[nodiscard]] std::string item(std::string_view collection) const {
        for (const auto& i : items()) {
            if (i.collection == collection) {
                return i.document;
            }
        }
        return {};
    }
    [[nodiscard]] std::string place_of_refusal(const change_settings& c) {
        const auto p = refused(c);
        BOOST_TEST((p.code == code::invalid_request));
        return p.errors.empty() ? "" : p.errors.front().pointer;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(settings_entity)

BOOST_FIXTURE_TEST_CASE(each_change_is_a_version_with_who_when_and_why, settings) {
    BOOST_TEST(!view().exists);
    auto c = base("mail.from", text("a@x.example"));
    c.why = "first";
    accepted(c);
    accepted(set("profiles/production", "mail.from", text("b@x.example")));
    const auto d = shown();
    BOOST_TEST(d.version == 2U);
    BOOST_TEST(d.values.at("mail.from").text == "\"a@x.example\"");
    BOOST_TEST(d.profiles.at("production").at("mail.from").text == "\"b@x.example\"");
    BOOST_TEST(d.updated_by.value() == "key/tester");
    const auto version = *from_json<settings_version_document>(item("versions"), strictness::input);
    BOOST_TEST(version.version == 2U);
    BOOST_TEST(version.changes == 1U);
    BOOST_TEST((version.at == now));
    BOOST_TEST((effective(state().content, "production").values.at("mail.from").text == "\"b@x.example\""));
    BOOST_TEST((effective(state().content, "staging").values.at("mail.from").text == "\"a@x.example\""));
    BOOST_TEST((effective(state().content, "production").overridden == texts{"mail.from"}));
}

BOOST_FIXTURE_TEST_CASE(what_changes_nothing_makes_no_version, settings) {
    accepted(base("a", json::raw{"1"}));
    BOOST_TEST(accepted(base("a", json::raw{"1"})).empty());
    BOOST_TEST(accepted(base("b", std::nullopt)).empty());
    BOOST_TEST(shown().version == 1U);
    accepted(base("a", std::nullopt));
    BOOST_TEST(shown().values.empty());
    BOOST_TEST(shown().version == 2U);
}

BOOST_FIXTURE_TEST_CASE(going_back_is_a_new_version_with_the_old_values, settings) {
    accepted(base("a", json::raw{"1"}));
    accepted(base("a", json::raw{"2"}));
    accepted(set("templates/mine", "b", json::raw{"3"}));
    change_settings back = base("a", json::raw{"1"});
    back.exactly = {std::string(all_places)};
    back.what = "rollback";
    back.restores = 1;
    const auto made = accepted(back);
    BOOST_TEST((names_of(made) == texts{"settings_changed"}));
    BOOST_TEST(shown().version == 4U);
    BOOST_TEST(shown().values.at("a").text == "1");
    BOOST_TEST(shown().templates.empty());
    const auto result = *from_json<settings_result_document>(answer(), strictness::input);
    BOOST_TEST(result.version == 4U);
    BOOST_TEST(result.changes.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(nothing_of_a_sealed_value_is_shown_or_counted_as_another_value, settings) {
    accepted(base("mail.password", sealed_value("s1.1.abcdef")));
    BOOST_TEST(shown().values.at("mail.password").text == R"({"redacted":true})");
    BOOST_TEST(answer().find("abcdef") == std::string::npos);
    BOOST_TEST(view().document.find("abcdef") == std::string::npos);
    BOOST_TEST(accepted(base("mail.password", json::raw{R"({"redacted":true})"})).empty()); // stays as it is
    BOOST_TEST((place_of_refusal(base("mail.other", json::raw{R"({"redacted":true})"})) == "/values/mail.other"));
    BOOST_TEST((place_of_refusal(set("templates/t", "p", sealed_value("s1.1.x"))) == "/templates/t/p"));
}

BOOST_AUTO_TEST_CASE(only_a_secret_of_its_own_is_sealed) {
    BOOST_TEST((text_to_seal({R"({"secret":"x"})"}, "/p").value() == std::optional<std::string>("x")));
    BOOST_TEST(!text_to_seal({R"("secret:NAME")"}, "/p").value().has_value());
    BOOST_TEST(!text_to_seal({R"({"secrets":"x"})"}, "/p").value().has_value());
    for (const auto* bad : {R"({"secret":"x","more":1})", R"({"secret":1})", R"({"secret":""})",
                            R"({"a":{"secret":"x"}})", R"([{"secret":"x"}])", R"({"sealed":"s1.1.x"})"}) {
        BOOST_TEST(!text_to_seal({bad}, "/p"), bad);
    }
    BOOST_TEST(reference_of({R"("secret:NAME")"}).value() == "NAME");
    BOOST_TEST(!reference_of({R"("a secret:NAME")"}));
}

BOOST_FIXTURE_TEST_CASE(keys_places_and_sizes_are_bounded_and_refusals_name_the_place, settings) {
    for (const auto* bad : {"", ".a", "a.", "a..b", "A", "a/b", "a b", "-a"}) {
        BOOST_TEST(place_of_refusal(base(bad, json::raw{"1"})) == std::string("/values/") + bad, bad);
    }
    BOOST_TEST(place_of_refusal(base(std::string(129, 'a'), json::raw{"1"})).size() > 0U);
    BOOST_TEST(place_of_refusal(set("profiles/Prod", "a", json::raw{"1"})) == "/profiles/Prod");
    BOOST_TEST(place_of_refusal(set("templates/security-strict", "a", json::raw{"1"})) == "/templates/security-strict");
    BOOST_TEST(place_of_refusal(base("a", text(std::string(9000, 'x').c_str()))) == "/values/a");
    BOOST_TEST(place_of_refusal(base("a", json::raw{"[[[[[[[[[1]]]]]]]]]"})) == "/values/a");
    BOOST_TEST(place_of_refusal(set("profiles/p", "security.mfa.required", json::raw{"true"})) ==
               "/profiles/p/security.mfa.required");
    change_settings many;
    for (int i = 0; i < 501; ++i) {
        many.changes.push_back({"values", "k" + std::to_string(i), json::raw{"1"}});
    }
    BOOST_TEST(place_of_refusal(many) == "/values");
    change_settings large;
    for (int i = 0; i < 20; ++i) {
        large.changes.push_back({"values", "k" + std::to_string(i), text(std::string(7000, 'x').c_str())});
    }
    BOOST_TEST(place_of_refusal(large) == "/values");
    change_settings profiles;
    for (int i = 0; i < 21; ++i) {
        profiles.changes.push_back({"profiles/p" + std::to_string(i), "k", json::raw{"1"}});
    }
    BOOST_TEST(place_of_refusal(profiles) == "/profiles");
    BOOST_TEST(!view().exists);
}

BOOST_FIXTURE_TEST_CASE(one_wrong_value_keeps_all_others_out, settings) {
    auto c = base("good", json::raw{"1"});
    c.changes.push_back({"values", "security.nonsense", json::raw{"1"}});
    BOOST_TEST(place_of_refusal(c) == "/values/security.nonsense");
    BOOST_TEST(!view().exists);
}

BOOST_FIXTURE_TEST_CASE(another_policy_is_told_to_who_enforces_it_and_other_changes_are_not, settings) {
    BOOST_TEST((names_of(accepted(base("a", json::raw{"1"}))) == texts{"settings_changed"}));
    BOOST_TEST((names_of(accepted(base("security.password.length_min", json::raw{"12"}))) ==
                texts{"settings_changed", "security_policy_changed"}));
    BOOST_TEST(item("security") == R"({"values":{"security.password.length_min":12}})");
    accepted(base("security.password.length_min", std::nullopt));
    BOOST_TEST(item("security") == R"({"values":{}})");
}

BOOST_FIXTURE_TEST_CASE(nobody_keeps_itself_out_unless_forced, settings) {
    policy_facts me;
    me.person = true;
    me.address = "192.0.2.7";
    me.began = me.used = now;
    auto c = base("security.addresses.allowed", json::raw{R"(["198.51.100.0/24"])"});
    c.author = me;
    BOOST_TEST((refused(c).code == code::would_lock_out));
    auto mfa = base("security.mfa.required", json::raw{"true"});
    mfa.author = me;
    BOOST_TEST((refused(mfa).code == code::would_lock_out));
    mfa.author->second_factor = true;
    accepted(mfa);
    c.force = true;
    accepted(c);
    BOOST_TEST(from_json<settings_version_document>(item("versions"), strictness::input)->forced);
    auto other = base("a", json::raw{"1"}); // who is in already may change what is no policy
    other.author = me;
    accepted(other);
    auto way_back = base("security.addresses.allowed", std::nullopt);
    way_back.exactly = {std::string(all_places)};
    accepted(way_back); // nobody binds the administrator's key
}

BOOST_FIXTURE_TEST_CASE(what_the_organization_had_before_is_taken_over_once, settings) {
    auto c = base("b", json::raw{"2"});
    c.before = taken_over({R"({"a":1,"No Key":2,"c":null,"security.mfa.required":true})"});
    BOOST_TEST(c.before->size() == 1U);
    BOOST_TEST((names_of(accepted(c)) == texts{"settings_changed", "settings_changed"}));
    BOOST_TEST(shown().version == 2U);
    BOOST_TEST(shown().values.at("a").text == "1");
    accepted(base("a", std::nullopt));
    auto late = base("d", json::raw{"3"});
    late.before = c.before;
    accepted(late);
    BOOST_TEST(!shown().values.contains("a"));
}

BOOST_AUTO_TEST_CASE(built_in_templates_are_good_policies) {
    for (const auto& t : built_in_templates()) {
        BOOST_TEST(is_settings_name(t.name));
        BOOST_TEST(parse_security_policy(t.values, "").has_value());
    }
}

BOOST_AUTO_TEST_SUITE_END()
