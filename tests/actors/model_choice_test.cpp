#include "actors/provider/model_choice.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::actors;

namespace {

const timestamp later{2'000'000'000'000};

provider_health at(provider_status status, std::optional<std::int64_t> first_token_ms = {}) {
    provider_health out;
    out.status = status;
    out.reason = status == provider_status::healthy ? "" : "it broke";
    out.first_token_ms = first_token_ms;
    return out;
}

provider_health left_alone() {
    auto out = at(provider_status::open);
    out.retry_at = later;
    return out;
}

/// Three models: dear and fast, cheap and slow, and one of which nothing is known.
struct scene {
    std::vector<candidate_facts> models{{.name = "dear/m",
                                         .context_tokens = 100'000,
                                         .price = runtime::token_price{3'000'000, 15'000'000},
                                         .capabilities = {model_capability::tools, model_capability::images}},
                                        {.name = "cheap/m",
                                         .weight = 3,
                                         .context_tokens = 1000,
                                         .price = runtime::token_price{100'000, 400'000},
                                         .capabilities = {model_capability::tools}},
                                        {.name = "odd/m"}};
    std::vector<provider_health> health{at(provider_status::healthy, 200), at(provider_status::healthy, 900),
                                        at(provider_status::healthy)};
    call_needs needs{.tools = true, .input_tokens = 100, .output_tokens = 100};
    std::uint64_t turn = 0;
    double drawn = 0;

    ranking ranked(route_policy policy) {
        return rank(policy, models, health, needs, turn, [&] { return drawn; });
    }
    std::string order(route_policy policy) {
        std::string out;
        for (const auto& one : ranked(policy).order) {
            out += models[one.index].name.substr(0, 1);
        }
        return out;
    }
    std::string unfit(std::string_view name) {
        for (const auto& one : ranked(route_policy::priority).unfit) {
            if (one.model == name) {
                return one.why;
            }
        }
        return {};
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(model_choices)

BOOST_AUTO_TEST_CASE(each_policy_has_its_order) {
    scene s;
    BOOST_TEST(s.order(route_policy::priority) == "dco");
    BOOST_TEST(s.order(route_policy::cheapest) == "cdo");
    BOOST_TEST(s.order(route_policy::fastest) == "odc"); // what nobody measured is tried
    BOOST_TEST(s.order(route_policy::round_robin) == "dco");
    s.turn = 1;
    BOOST_TEST(s.order(route_policy::round_robin) == "cod");
    s.turn = 5;
    BOOST_TEST(s.order(route_policy::round_robin) == "odc");
    BOOST_TEST(s.order(route_policy::weighted) == "dco"); // weights 1, 3, 1
    s.drawn = 0.5;
    BOOST_TEST(s.order(route_policy::weighted) == "cod");
}

BOOST_AUTO_TEST_CASE(weights_are_kept_and_a_degraded_one_has_a_quarter) {
    scene s;
    std::mt19937 random(1);
    const auto share = [&] {
        std::map<std::size_t, int> first;
        for (int n = 0; n < 8000; ++n) {
            ++first[rank(route_policy::weighted, s.models, s.health, s.needs, 0,
                         [&] { return std::uniform_real_distribution<double>(0, 1)(random); })
                        .order.front()
                        .index];
        }
        return first[1] / 8000.0;
    };
    BOOST_TEST(share() == 0.6, boost::test_tools::tolerance(0.05));
    s.health[1] = at(provider_status::degraded);
    BOOST_TEST(share() == 0.75 / 2.75, boost::test_tools::tolerance(0.1));
}

BOOST_AUTO_TEST_CASE(degraded_ones_come_last_and_say_why) {
    scene s;
    s.health[0] = at(provider_status::degraded, 1);
    for (const auto policy : {route_policy::priority, route_policy::fastest, route_policy::round_robin}) {
        BOOST_TEST(s.order(policy).back() == 'd');
    }
    BOOST_TEST(s.ranked(route_policy::priority).order.back().why == "number 1 of the route; degraded: it broke");
}

BOOST_AUTO_TEST_CASE(provider_that_is_left_alone_is_not_asked_until_it_may_be_tried) {
    scene s;
    s.health[0] = left_alone();
    BOOST_TEST(s.order(route_policy::priority) == "co");
    BOOST_TEST(s.unfit("dear/m") == "it broke");
    s.health[0].retry_at.reset();
    BOOST_TEST(s.order(route_policy::priority) == "dco"); // the call is its probe
    BOOST_TEST(s.ranked(route_policy::priority).order.front().why.find("tried whether it works") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(models_that_cannot_do_it_are_passed_over_with_the_reason) {
    scene s;
    s.needs.images = true;
    BOOST_TEST(s.order(route_policy::priority) == "do"); // of the last nothing is known: it may
    BOOST_TEST(s.unfit("cheap/m") == "it cannot look at images");
    s.needs = {.tools = true, .input_tokens = 950, .output_tokens = 100};
    BOOST_TEST(s.unfit("cheap/m") == "the call takes about 1050 tokens, and its context has 1000");
    s.models[1].output_tokens = 50; // it writes no more than that
    BOOST_TEST(s.unfit("cheap/m") == "");
    s.models[1].output_tokens = 0;
    s.needs = {.tools = true, .input_tokens = 700, .output_tokens = 8192};
    BOOST_TEST(s.unfit("cheap/m") == ""); // it answers with what is left
    s.needs.priced = true;
    BOOST_TEST(s.order(route_policy::cheapest) == "cd");
    BOOST_TEST(s.unfit("odd/m") == "its price is not known, and the run has a limit of money");
    s.models[0].capabilities = {model_capability::reasoning};
    BOOST_TEST(s.unfit("dear/m") == "it cannot call tools");
    s.needs.tools = false;
    BOOST_TEST(s.unfit("dear/m") == "");
}

BOOST_AUTO_TEST_CASE(cheapest_counts_the_tokens_of_the_call) {
    scene s;
    s.models[0].price = runtime::token_price{1'000'000, 0};
    s.models[1].price = runtime::token_price{0, 1'000'000};
    s.needs = {.input_tokens = 500, .output_tokens = 100};
    BOOST_TEST(s.order(route_policy::cheapest) == "cdo");
    BOOST_TEST(s.ranked(route_policy::cheapest).order.front().why == "the call costs about 0.000100");
    s.needs = {.input_tokens = 50, .output_tokens = 100};
    BOOST_TEST(s.order(route_policy::cheapest) == "dco");
}

BOOST_AUTO_TEST_CASE(needs_follow_from_the_request) {
    net::model_request request;
    request.messages = {{.content = std::string(4000, 'x')}};
    BOOST_TEST(!needs_of(request).tools);
    BOOST_TEST(needs_of(request).input_tokens == 1001u);
    request.tools.push_back({"t", "", ""});
    request.messages[0].images.push_back({"image/png", "x"});
    request.priced = true;
    request.output_tokens_max = 7;
    const auto needs = needs_of(request);
    BOOST_TEST((needs.tools && needs.images && needs.priced));
    BOOST_TEST(needs.input_tokens > 1001u);
    BOOST_TEST(needs.output_tokens == 7u);
}

BOOST_AUTO_TEST_SUITE_END()
