#include "net/http/trace.hpp"

#include "net/telemetry/span.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/log.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::net;

namespace {

const std::string trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string parent_id = "00f067aa0ba902b7";
const std::string valid = "00-" + trace_id + "-" + parent_id + "-01";

std::string state_after(std::string_view traceparent, std::string_view tracestate) {
    return continue_trace(traceparent, tracestate).state;
}

} // namespace

BOOST_AUTO_TEST_SUITE(trace)

BOOST_AUTO_TEST_CASE(a_valid_parent_is_gone_on_with_in_a_new_span) {
    const auto t = continue_trace(valid);
    BOOST_TEST(t.trace_id == trace_id);
    BOOST_TEST(t.parent_id == parent_id);
    BOOST_TEST(t.span_id.size() == 16U);
    BOOST_TEST(t.span_id != parent_id);
    BOOST_TEST(t.sampled());
    BOOST_TEST(to_traceparent(t) == "00-" + trace_id + "-" + t.span_id + "-01");
    BOOST_TEST(!continue_trace("00-" + trace_id + "-" + parent_id + "-00").sampled());
}

BOOST_AUTO_TEST_CASE(an_invalid_parent_begins_a_trace) {
    for (const auto& bad :
         {std::string(), valid.substr(0, 54), valid + "-x", "ff" + valid.substr(2),
          "00-" + std::string(32, '0') + "-" + parent_id + "-01", "00-" + trace_id + "-" + std::string(16, '0') + "-01",
          "00-" + trace_id + "-" + parent_id + "-0G", "0X" + valid.substr(2), valid + ", " + valid}) {
        const auto t = continue_trace(bad);
        BOOST_TEST(t.trace_id != trace_id, bad);
        BOOST_TEST(t.trace_id.size() == 32U);
        BOOST_TEST(t.parent_id.empty());
    }
    BOOST_TEST(continue_trace("cc" + valid.substr(2) + "-later").trace_id == trace_id);
    BOOST_TEST(continue_trace("cc" + valid.substr(2) + ".later").trace_id != trace_id);
}

BOOST_AUTO_TEST_CASE(flags_that_are_not_known_are_not_passed_on) {
    BOOST_TEST(continue_trace("00-" + trace_id + "-" + parent_id + "-ff").flags == "03");
    BOOST_TEST(continue_trace("00-" + trace_id + "-" + parent_id + "-f4").flags == "00");
    BOOST_TEST(continue_trace("00-" + trace_id + "-" + parent_id + "-0a").flags == "02");
}

BOOST_AUTO_TEST_CASE(the_tracestate_goes_with_its_parent_or_not_at_all) {
    BOOST_TEST(state_after(valid, "a=1,b@c=x y") == "a=1,b@c=x y");
    BOOST_TEST(state_after("nonsense", "a=1").empty());
    for (const auto& bad : {std::string("novalue"), std::string("=1"), std::string("a="), std::string("a=1,b"),
                            "a=" + std::string(600, 'x'), std::string("a=\x01")})
        BOOST_TEST(state_after(valid, bad).empty(), bad);
    std::string many = "k=1";
    for (int i = 0; i < 32; ++i)
        many += ",k" + std::to_string(i) + "=1";
    BOOST_TEST(state_after(valid, many).empty());
}

BOOST_AUTO_TEST_CASE(the_scope_of_a_thread_ends_with_it) {
    BOOST_TEST(current_traceparent().empty());
    {
        const trace_scope outer("a");
        {
            const trace_scope inner("b");
            BOOST_TEST(current_traceparent() == "b");
        }
        BOOST_TEST(current_traceparent() == "a");
    }
    BOOST_TEST(current_traceparent().empty());
}

BOOST_AUTO_TEST_CASE(lines_of_the_log_have_the_trace_of_the_scope) {
    BOOST_REQUIRE(set_log_levels("error").has_value());
    std::vector<std::string> heard;
    const error_listener listener([&](const error_line& l) { heard.emplace_back(l.trace); });
    {
        const trace_scope here(valid);
        log_for("run").error("meant, by a test");
    }
    log_for("run").error("meant, by a test");
    BOOST_TEST(heard == (std::vector<std::string>{parse_traceparent(valid)->trace_id, ""}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(spans_are_written_as_the_protocol_has_them) {
    trace_span s;
    s.trace_id = trace_id;
    s.span_id = parent_id;
    s.name = "GET /x";
    s.kind = span_kind::server;
    s.began_us = 1'700'000'000'000'000;
    s.ended_us = s.began_us + 5;
    s.attributes = {{"http.response.status_code", std::int64_t{500}}, {"url.path", std::string("/x\"y")}};
    s.failure = "status 500";
    const std::vector<std::pair<std::string, std::string>> resource{{"service.name", "troupe"}};
    const auto document = json::document::parse(to_otlp({&s, 1}, resource, "1.2"));
    BOOST_REQUIRE(document.has_value());
    const auto root = document->root();
    const auto text = [&](const char* pointer) {
        const auto found = root.pointer(pointer);
        BOOST_REQUIRE_MESSAGE(found.has_value(), pointer);
        return std::string(found->as_string().value_or("?"));
    };
    BOOST_TEST(text("/resourceSpans/0/resource/attributes/0/value/stringValue") == "troupe");
    const std::string span = "/resourceSpans/0/scopeSpans/0/spans/0";
    BOOST_TEST(text((span + "/traceId").c_str()) == trace_id);
    BOOST_TEST(text((span + "/startTimeUnixNano").c_str()) == "1700000000000000000");
    BOOST_TEST(text((span + "/endTimeUnixNano").c_str()) == "1700000000000005000");
    BOOST_TEST(text((span + "/attributes/0/value/intValue").c_str()) == "500");
    BOOST_TEST(text((span + "/attributes/1/value/stringValue").c_str()) == "/x\"y");
    BOOST_TEST(root.pointer(span + "/kind")->as_int().value() == 2);
    BOOST_TEST(root.pointer(span + "/status/code")->as_int().value() == 2);
    BOOST_TEST(!root.pointer(span + "/parentSpanId").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
