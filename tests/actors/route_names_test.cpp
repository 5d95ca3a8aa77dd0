#include "actors/application/configured_models.hpp"
#include "actors/run/run_context.hpp"
#include "tests/actors/run_fixture.hpp"
#include "tests/actors/scripted_model.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

provider_settings two_providers() {
    provider_settings out;
    for (const std::string name : {"dear", "cheap"}) {
        runtime::model_provider p;
        p.name = name;
        p.base_url = "http://127.0.0.1:1/v1";
        auto& known = p.models.emplace_back();
        known.name = "m";
        known.price = runtime::token_price{name == "dear" ? 9 : 1, 2};
        out.providers.push_back(std::move(p));
    }
    out.routes = {{"both", route_policy::cheapest, {{"dear"}, {"cheap/m", 4}}},
                  {"odd", route_policy::priority, {{"cheap/unknown"}, {"rehearsal"}}}};
    return out;
}

model_registry registry(provider_settings settings) {
    auto made = model_registry::make(std::move(settings));
    BOOST_REQUIRE(made.has_value());
    return *std::move(made);
}

} // namespace

BOOST_AUTO_TEST_SUITE(route_names)

BOOST_AUTO_TEST_CASE(routes_are_found_by_name_and_unknown_ones_say_what_there_is) {
    const auto models = registry(two_providers());
    BOOST_TEST((*models.find("route:both"))->describe() == "route (cheapest): dear/m, cheap/m");
    BOOST_TEST(models.route_of("route:both")->models.size() == 2u);
    BOOST_TEST(models.route_of("dear") == nullptr);
    BOOST_TEST(models.full_name("route:both") == "route:both");
    const auto none = models.find("route:nobody");
    BOOST_CHECK(none.error().code == code::model_unknown);
    BOOST_TEST(none.error().detail.find("route:both") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(route_may_be_the_default_and_has_to_have_models_that_are_there) {
    auto settings = two_providers();
    settings.default_model = "route:both";
    BOOST_TEST((*registry(settings).find(""))->describe().starts_with("route (cheapest)"));
    settings.routes[0].models.push_back({"nobody/m"});
    auto made = model_registry::make(settings);
    BOOST_CHECK(made.error().code == code::config_invalid);
    BOOST_TEST(made.error().detail.find("route both") != std::string::npos);
    settings = two_providers();
    settings.own["route:mine"] = std::make_shared<scripted_model>(std::vector<scripted_call>{{.text = "x"}});
    BOOST_CHECK(model_registry::make(settings).error().code == code::config_invalid);
}

BOOST_AUTO_TEST_CASE(route_costs_what_its_dearest_model_costs) {
    const auto models = registry(two_providers());
    BOOST_TEST(price_of("route:both", models)->input_micros == 9);
    BOOST_TEST(price_of("cheap", models)->input_micros == 1);
    BOOST_TEST(price_of("route:odd", models)->input_micros == 0); // only of the rehearsal it is known
    BOOST_TEST(!price_of("cheap/unknown", models));
}

BOOST_AUTO_TEST_CASE(route_is_given_all_reasoning_and_a_provider_only_its_own) {
    const auto models = registry(two_providers());
    BOOST_TEST(chosen_as("route:both", *models.find("route:both"), models).provider == every_provider);
    BOOST_TEST(chosen_as("dear", *models.find("dear"), models).provider == "dear");
    run_state s;
    s.messages.push_back({"assistant", "x", "thoughts", {}, {}, {}, false, "{}", "dear"});
    BOOST_TEST(request_of(s, every_provider).messages.at(2).reasoning == "thoughts");
    BOOST_TEST(request_of(s, every_provider).messages.at(2).provider == "dear");
    BOOST_TEST(request_of(s, "cheap").messages.at(2).reasoning == "");
}

BOOST_AUTO_TEST_CASE(reply_is_settled_at_the_price_of_who_answered_and_keeps_why) {
    auto r = started(wish(), begin({100, 1'000'000, 0, 3'600'000}, {9'000'000, 9'000'000}));
    const auto reserved = r.state().progress.model_call->reserved_cost_micros;
    auto answer = reply(r, {read_call()});
    answer.price = model_price{1'000'000, 2'000'000};
    answer.route = {R"({"route":"both"})"};
    const auto events = r.accepted(answer);
    BOOST_TEST(the<model_call_finished>(events).cost_micros == 100 + 2 * 20);
    BOOST_TEST(the<model_call_finished>(events).route.text == R"({"route":"both"})");
    BOOST_TEST(r.state().progress.used.cost_micros == 140);
    BOOST_TEST(reserved > 140);
}

BOOST_AUTO_TEST_SUITE_END()
