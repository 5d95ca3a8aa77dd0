#include "actors/usage/usage_report.hpp"

#include "schemas/quota.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

usage_figures some() {
    storage::usage_of_day day;
    day.used = {{"tasks", 30},          {"runs", 2},
                {"tokens", 170},        {"tokens_in:a/b", 100},
                {"tokens_out:a/b", 20}, {"tokens_lost:a/b", 50},
                {"cost_micros:a/b", 7}, {"model_calls", 3}};
    day.most = {{"agents", 4}, {"storage_bytes", 2'500'000'000}};
    return figures_of(day);
}

organization_document acme() {
    organization_document d;
    d.id = id_of(9);
    d.name = "Acme, \"Ltd\"";
    d.plan = organization_plan::pro;
    return d;
}

const timestamp now = *parse_timestamp("2026-11-21T12:00:00Z");

} // namespace

BOOST_AUTO_TEST_SUITE(usage_report)

BOOST_AUTO_TEST_CASE(figures_have_the_models_one_by_one) {
    const auto f = some();
    BOOST_TEST(f.tasks == 30);
    BOOST_TEST(f.tokens == 170);
    BOOST_REQUIRE(f.models.size() == 1u);
    BOOST_TEST(f.models[0].model == "a/b");
    BOOST_TEST(f.models[0].tokens_in == 100);
    BOOST_TEST(f.models[0].tokens_lost == 50);
    BOOST_TEST(f.cost_micros == 7);
}

BOOST_AUTO_TEST_CASE(days_are_added_and_of_what_is_held_the_most_counts) {
    auto all = some();
    auto more = some();
    more.agents_most = 2;
    add_figures(all, more);
    BOOST_TEST(all.tasks == 60);
    BOOST_TEST(all.agents_most == 4);
    BOOST_TEST(all.models.size() == 1u);
    BOOST_TEST(all.models[0].tokens_in == 200);
}

BOOST_AUTO_TEST_CASE(a_period_is_a_month_with_all_its_days) {
    const auto february = parse_period("2028-02");
    BOOST_REQUIRE(february.has_value());
    BOOST_TEST(february->last - february->first == 28u); // 29 days
    BOOST_TEST(day_text(parse_period("2026-12")->last) == "2026-12-31");
    for (const auto* text : {"2026", "2026-13", "2026-1", "2026-11-01", ""}) {
        BOOST_TEST(!parse_period(text), text);
    }
}

BOOST_AUTO_TEST_CASE(lines_are_quantity_times_price_and_models_at_what_they_cost_then) {
    const plan_prices prices{{"pro", 20'000'000}, {"task", 100}, {"storage_gb", 100'000}};
    const auto i = make_invoice(acme(), *parse_period("2026-11"), some(), prices, "USD", now);
    BOOST_TEST((i.status == invoice_status::open));
    BOOST_REQUIRE(i.lines.size() == 4u); // agents have no price
    BOOST_TEST(i.lines[0].amount_micros == 20'000'000);
    BOOST_TEST(i.lines[1].amount_micros == 3'000);
    BOOST_TEST(i.lines[2].amount_micros == 250'000);
    BOOST_TEST(i.lines[3].amount_micros == 7);
    BOOST_TEST(!i.lines[3].price_micros.has_value());
    BOOST_TEST(i.total_micros == 20'253'007);
    const auto past = make_invoice(acme(), *parse_period("2026-10"), {}, {}, "USD", now);
    BOOST_TEST((past.status == invoice_status::closed));
    BOOST_TEST(past.lines.empty());
}

BOOST_AUTO_TEST_CASE(a_table_quotes_what_needs_it) {
    const auto i = make_invoice(acme(), *parse_period("2026-11"), some(), {{"task", 100}}, "USD", now);
    const auto text = invoice_csv(i);
    BOOST_TEST(text.starts_with("period,organization,kind,text,quantity,unit,price,amount,currency\r\n"));
    BOOST_TEST(text.find("2026-11,\"Acme, \"\"Ltd\"\"\",tasks,Tasks that were created,30,task,0.0001,0.003,USD\r\n") !=
                   std::string::npos,
               text);
    BOOST_TEST(text.ends_with("total,,,,,0.003007,USD\r\n"), text);
}

BOOST_AUTO_TEST_CASE(money_has_at_least_two_decimals) {
    BOOST_TEST(money_text(0) == "0.00");
    BOOST_TEST(money_text(12'300'000) == "12.30");
    BOOST_TEST(money_text(12'345'600) == "12.3456");
    BOOST_TEST(money_text(-1) == "-0.000001");
}

BOOST_AUTO_TEST_SUITE_END()
